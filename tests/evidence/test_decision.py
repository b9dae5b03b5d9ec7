"""Gate decisions: what authorises a payment, and everything that must not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from evidence import canonical, decision, signatures
from evidence.decision import DecidedPayout, DecisionSpec, build_decision, verify_decision

PAID = DecidedPayout(
    payout_key="pk_paid",
    operation_id="mop_pk_paid",
    provider_id="stripe_prod_us",
    party_id="pty_a",
    period="2026-10",
    decision="release",
    amount_cents=8463,
    gross_cents=9000,
    recovery_cents=537,
    currency="usd",
    destination_account_id="acct_1",
    counterparty_ref=None,
)
HELD = replace(
    PAID,
    payout_key="pk_held",
    decision="hold",
    destination_account_id=None,
    codes=("OPEN_BREAK", "EVIDENCE_STALE"),
)


def spec(forge, **changes: object) -> DecisionSpec:
    honest = DecisionSpec(
        tenant_id="t1",
        as_of=forge.now,
        expires_at=forge.now + timedelta(minutes=30),
        livemode=False,
        platform_account_id="acct_platform",
        packets=["ab" * 32, "0c" * 32],
        payouts=[PAID, HELD],
    )
    return replace(honest, **changes)


def check(forge, data: bytes, **changes: object):
    options = {"trust": forge.trust(), "tenant": "t1", "now": forge.now, "livemode": False}
    return verify_decision(data, **(options | changes))


def sealed(forge, change, signer=None) -> bytes:
    """The honest decision's statement edited and signed with the real key."""
    envelope = json.loads(build_decision(spec(forge), forge.signer))
    document = json.loads(signatures.b64_decode(envelope["payload"]))
    change(document)
    return signatures.sign_envelope(canonical.dumps(document), [signer or forge.signer])


def test_control_an_honest_decision_is_accepted(forge) -> None:
    data = build_decision(spec(forge), forge.signer)
    document = check(forge, data)
    assert document.payouts == (HELD, PAID)
    assert document.packets == ("0c" * 32, "ab" * 32)
    assert (document.tenant_id, document.livemode) == ("t1", False)
    assert document.signers == (forge.signer.keyid,)
    payload = signatures.b64_decode(json.loads(data)["payload"])
    assert document.decision_sha256 == canonical.sha256_hex(payload)


def test_the_same_spec_gives_the_same_bytes(forge) -> None:
    again = spec(forge, payouts=[HELD, PAID], packets=["0c" * 32, "ab" * 32])
    assert build_decision(again, forge.signer) == build_decision(spec(forge), forge.signer)


def test_times_are_written_in_utc_to_the_second(forge) -> None:
    zone = timezone(timedelta(hours=9))
    local = spec(forge, as_of=forge.now.astimezone(zone).replace(microsecond=999_999))
    assert build_decision(local, forge.signer) == build_decision(spec(forge), forge.signer)


def test_a_time_without_a_zone(forge, refused) -> None:
    naive = spec(forge, as_of=datetime(2026, 11, 22))
    assert refused(lambda: build_decision(naive, forge.signer)) == "naive_time"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"tenant": "t2"}, "untrusted_key"),
        ({"livemode": True}, "wrong_livemode"),
    ],
)
def test_a_decision_for_something_else(forge, refused, asked, code) -> None:
    data = build_decision(spec(forge), forge.signer)
    assert refused(lambda: check(forge, data, **asked)) == code


def test_a_decision_of_another_tenant_by_a_key_for_all(forge, refused) -> None:
    trust = forge.trust(keys=[forge.trusted(forge.signer, tenants=["*"])])
    data = build_decision(spec(forge), forge.signer)
    assert refused(lambda: check(forge, data, tenant="t2", trust=trust)) == "wrong_tenant"


@pytest.mark.parametrize(
    ("minutes", "code"),
    [(30, "decision_expired"), (31, "decision_expired"), (-2, "decision_from_future")],
)
def test_a_decision_at_the_wrong_time(forge, refused, minutes, code) -> None:
    data = build_decision(spec(forge), forge.signer)
    now = forge.now + timedelta(minutes=minutes)
    assert refused(lambda: check(forge, data, now=now)) == code


@pytest.mark.parametrize("life", [timedelta(0), timedelta(minutes=-1), timedelta(hours=25)])
def test_a_decision_lives_a_day_at_most(forge, refused, life) -> None:
    longer = spec(forge, expires_at=forge.now + life)
    assert refused(lambda: build_decision(longer, forge.signer)) == "decision_ttl"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "compromised", "status_at": 1 << 40}, "key_compromised"),
        ({"status": "retired", "status_at": 1 << 40}, "key_retired"),
        ({"until": 1}, "key_outside_validity"),
        ({"use": ["packet"]}, "untrusted_key"),
    ],
)
def test_a_decision_needs_a_key_active_now(forge, refused, change, code) -> None:
    window = {"from": 0} if "until" in change else {}
    trust = forge.trust(keys=[forge.trusted(forge.signer, **window, **change)])
    data = build_decision(spec(forge), forge.signer)
    assert refused(lambda: check(forge, data, trust=trust)) == code


def test_a_decision_by_a_stranger_or_below_the_threshold(forge, refused) -> None:
    stranger = build_decision(spec(forge), forge.attacker)
    assert refused(lambda: check(forge, stranger)) == "untrusted_key"
    keys = [forge.trusted(forge.signer), forge.trusted(forge.second)]
    trust = forge.trust(keys=keys, threshold=2)
    alone = build_decision(spec(forge), forge.signer)
    assert refused(lambda: check(forge, alone, trust=trust)) == "threshold"
    both = build_decision(spec(forge), forge.signer, [forge.second])
    assert len(check(forge, both, trust=trust).signers) == 2


def test_an_edited_decision(forge, refused) -> None:
    data = build_decision(spec(forge), forge.signer)
    envelope = json.loads(data)
    payload = signatures.b64_decode(envelope["payload"]).replace(b"8463", b"8464")
    envelope["payload"] = signatures.b64_encode(payload)
    assert refused(lambda: check(forge, canonical.dumps(envelope))) == "bad_signature"


def test_a_run_packet_is_no_decision(forge, refused) -> None:
    data = forge.files()["packet.intoto.json"]
    assert refused(lambda: check(forge, data)) == "predicate_type"


@pytest.mark.parametrize(
    "change",
    [
        {"codes": ("OPEN_BREAK",)},
        {"amount_cents": 0},
        {"amount_cents": 0, "gross_cents": 537},
        {"amount_cents": 9000},
        {"operation_id": None},
        {"provider_id": None},
        {"party_id": None},
        {"period": None},
        {"destination_account_id": None},
        {"currency": "USD"},
        {"gross_cents": -1},
        {"recovery_cents": True},
        {"amount_cents": 84.63},
        {"decision": "pay"},
        {"decision": "hold"},
        {"payout_key": ""},
        {"period": "2026-1"},
        {"counterparty_ref": 7},
    ],
)
def test_a_payout_that_cannot_be_read_one_way(forge, refused, change) -> None:
    bad = spec(forge, payouts=[replace(PAID, **change)])
    expected = "json_type" if change == {"amount_cents": 84.63} else "decision_payout"
    assert refused(lambda: build_decision(bad, forge.signer)) == expected


def test_a_payout_listed_twice_or_out_of_order(forge, refused) -> None:
    twice = spec(forge, payouts=[PAID, PAID])
    assert refused(lambda: build_decision(twice, forge.signer)) == "decision_payout"
    data = sealed(forge, lambda d: d["predicate"]["payouts"].reverse())
    assert refused(lambda: check(forge, data)) == "decision_payout"


def test_a_release_rests_on_a_run_packet(forge, refused) -> None:
    unfounded = spec(forge, packets=[])
    assert refused(lambda: build_decision(unfounded, forge.signer)) == "decision_unfounded"
    held = spec(forge, packets=[], payouts=[HELD])
    assert check(forge, build_decision(held, forge.signer)).packets == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d["predicate"].update(command=["--token"]), "decision_fields"),
        (lambda d: d["predicate"].pop("livemode"), "decision_fields"),
        (lambda d: d["predicate"].update(livemode=1), "decision_fields"),
        (lambda d: d["predicate"].update(as_of="now"), "decision_fields"),
        (lambda d: d["predicate"].update(platform_account_id=""), "decision_fields"),
        (lambda d: d["predicate"].update(tenant="../t1"), "decision_fields"),
        (lambda d: d["predicate"].update(payouts={}), "decision_payout"),
        (lambda d: d["predicate"]["payouts"][0].update(note="x"), "decision_payout"),
        (lambda d: d["predicate"]["payouts"][0].update(codes="OPEN_BREAK"), "decision_payout"),
        (lambda d: d["predicate"]["payouts"][0].update(source_ids=["b", "a"]), "decision_payout"),
        (lambda d: d["predicate"]["payouts"][0].update(source_ids=["a", "a"]), "decision_payout"),
        (lambda d: d["subject"][0]["digest"].update(sha256="ff" * 32), "subject"),
        (lambda d: d["subject"].reverse(), "subject"),
        (lambda d: d.update(_type="x"), "statement_type"),
        (lambda d: d.pop("subject"), "statement_fields"),
    ],
)
def test_a_signed_decision_is_still_an_allow_list(forge, refused, change, code) -> None:
    data = sealed(forge, change)
    assert refused(lambda: check(forge, data)) == code


def test_a_decision_beyond_the_limits(forge, refused, monkeypatch) -> None:
    data = build_decision(spec(forge), forge.signer)
    monkeypatch.setattr(decision, "MAX_PAYOUTS", 1)
    assert refused(lambda: check(forge, data)) == "decision_payout"
    monkeypatch.setattr(decision, "MAX_DECISION_BYTES", 100)
    assert refused(lambda: check(forge, data)) == "json_too_big"


def test_a_payload_that_is_no_time(forge, refused) -> None:
    data = sealed(forge, lambda d: d["predicate"].update(expires_at="2026-13-01T00:00:00Z"))
    assert refused(lambda: check(forge, data)) == "decision_fields"
