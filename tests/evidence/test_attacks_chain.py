"""Attacks on identity, freshness, revisions and the chain of periods."""

from __future__ import annotations

import json

import pytest

from evidence import build, chain
from evidence.build import build_packet
from evidence.chain import check_chain
from evidence.statement import Link


@pytest.fixture
def months(forge):
    """August to October, each built on the one before."""
    august = forge.month("2026-08", None)
    september = forge.month("2026-09", august)
    return august, september, forge.month("2026-10", september)


def verified(forge, *packets):
    return [forge.verify(p.zip_bytes, period=None) for p in packets]


def test_control_the_whole_chain_is_accepted(forge, months) -> None:
    whole = check_chain(reversed(verified(forge, *months)), "t1", "2026-10")
    assert [p.statement.period for p in whole] == ["2026-10", "2026-09", "2026-08"]


def test_attack_48_packet_of_another_tenant(forge) -> None:
    trust = forge.trust(keys=[forge.trusted(forge.signer, tenants=["*"])])
    assert forge.refusal(forge.files(), tenant="t2", trust=trust) == "wrong_tenant"


def test_attack_49_older_packet_offered_as_the_new_one(forge) -> None:
    assert forge.refusal(forge.files(), period="2026-11") == "wrong_period"


def test_attack_50_stale_revision(forge) -> None:
    assert forge.refusal(forge.files(), revision=2) == "wrong_revision"


def test_attack_51_middle_packet_missing(forge, months, refused) -> None:
    august, _, october = months
    held = verified(forge, august, october)
    assert refused(lambda: check_chain(held, "t1", "2026-10")) == "chain_gap"


def test_attack_52_middle_packet_replaced_by_a_signed_rewrite(forge, months, refused) -> None:
    august, _, october = months
    run = dict(forge.spec().run) | {"engine": "duckdb 1.4.4"}
    rewrite = forge.month("2026-09", august, run=run)
    held = verified(forge, august, rewrite, october)
    assert refused(lambda: check_chain(held, "t1", "2026-10")) == "chain_hash"


def test_attack_53_last_month_withheld(forge, months, refused) -> None:
    held = verified(forge, *months[:2])
    assert refused(lambda: check_chain(held, "t1", "2026-10")) == "chain_gap"
    head = months[2].packet_sha256
    assert refused(lambda: check_chain(held, "t1", "2026-09", head)) == "chain_gap"


@pytest.mark.parametrize(
    "change", [{"period": "2026-09"}, {"revision": 2}, {"tenant": "t2"}, {"currencies": ["usd"]}]
)
def test_attack_80_run_json_says_another_thing_than_the_statement(forge, change) -> None:
    files = forge.edited(build.RUN_FILE, lambda run: run.update(change))
    assert forge.refusal(forge.seal(files)) == "spec_mismatch"


@pytest.mark.parametrize("period", ["2026-10", "2026-11", "2027-01"])
def test_attack_91_previous_points_forward_in_time(forge, refused, period) -> None:
    previous = {"period": period, "sha256": "0" * 64}
    forged = forge.seal(forge.files(), lambda d: d["predicate"].update(previous=previous))
    assert forge.refusal(forged) == "chain_order"
    spec = forge.spec(previous=previous)
    assert refused(lambda: build_packet(spec, forge.signer)) == "chain_order"


def test_previous_names_another_period_than_the_packet_has(forge, months, refused) -> None:
    august, september, _ = months
    october = forge.month("2026-10", september, link_period="2026-08")
    held = verified(forge, august, september, october)
    assert refused(lambda: check_chain(held, "t1", "2026-10")) == "chain_order"


def test_a_revised_period_leaves_the_later_packets_chain_whole(forge, months) -> None:
    august, september, october = months
    revised = forge.month("2026-09", august, revision=2, supersedes=september.packet_sha256)
    held = verified(forge, august, september, revised, october)
    assert len(check_chain(held, "t1", "2026-10")) == 3
    newest = check_chain(held, "t1", "2026-09")
    assert newest[0].statement.revision == 2


@pytest.mark.parametrize("other", ["of another period", "skipping a revision"])
def test_supersedes_names_the_revision_before(forge, months, refused, other) -> None:
    august, september, _ = months
    if other == "of another period":
        change = {"revision": 2, "supersedes": august.packet_sha256}
    else:
        change = {"revision": 3, "supersedes": september.packet_sha256}
    held = verified(forge, august, september, forge.month("2026-09", august, **change))
    assert refused(lambda: check_chain(held, "t1", "2026-09")) == "chain_supersedes"


def test_a_chain_longer_than_any_tenant_has(forge, months, refused, monkeypatch) -> None:
    held = verified(forge, *months)
    monkeypatch.setattr(chain, "MAX_CHAIN", 2)
    assert refused(lambda: check_chain(held, "t1", "2026-10")) == "chain_too_long"


def test_a_chain_of_another_tenant(forge, months, refused) -> None:
    held = verified(forge, *months)
    assert refused(lambda: check_chain(held, "t2", "2026-10")) == "wrong_tenant"


@pytest.mark.parametrize(
    ("revision", "supersedes"), [(1, "0" * 64), (2, None), (2, "0"), (2, 7), (2, "F" * 64)]
)
def test_gap_supersedes_is_null_exactly_at_revision_1(forge, refused, revision, supersedes) -> None:
    change = {"revision": revision, "supersedes": supersedes}
    forged = forge.seal(forge.files(), lambda d: d["predicate"].update(change))
    assert forge.refusal(forged) == "supersedes"
    spec = forge.spec(**change)
    assert refused(lambda: build_packet(spec, forge.signer)) == "supersedes"


@pytest.mark.parametrize("revision", [True, 0, -1, "1", None, []])
def test_gap_revision_is_an_integer_not_a_boolean(forge, revision) -> None:
    files = forge.edited(build.RUN_FILE, lambda run: run.update(revision=revision))
    forged = forge.seal(files, lambda d: d["predicate"].update(revision=revision))
    assert forge.refusal(forged) == "predicate_fields"
    assert forge.refusal(forge.seal(files)) == "run_fields"


def test_gap_unknown_field_in_the_statement_or_predicate(forge) -> None:
    forged = forge.seal(forge.files(), lambda d: d.update(note="hello"))
    assert forge.refusal(forged) == "statement_fields"
    forged = forge.seal(forge.files(), lambda d: d["predicate"].update(token="hello"))
    assert forge.refusal(forged) == "predicate_fields"


def test_gap_statement_without_predicate(forge) -> None:
    forged = forge.seal(forge.files(), lambda d: d.pop("predicate"))
    assert forge.refusal(forged) == "statement_fields"
    assert forge.refusal(forge.enveloped([])) == "statement_fields"
    for predicate in (None, [], "x"):
        forged = forge.enveloped(forge.statement() | {"predicate": predicate})
        assert forge.refusal(forged) == "predicate_fields"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant", "../t1"),
        ("tenant", None),
        ("period", "2026-13"),
        ("period", "2026-1"),
        ("verdict", "pass"),
        ("verdict", None),
        ("counts", []),
        ("counts", {"break": -1}),
        ("counts", {"break": True}),
        ("previous", {}),
        ("previous", {"period": "2026-09", "sha256": "x"}),
        ("previous", {"period": "2026-9", "sha256": "0" * 64}),
        ("previous", "0" * 64),
    ],
)
def test_every_field_of_the_predicate_has_a_form(forge, field, value) -> None:
    forged = forge.seal(forge.files(), lambda d: d["predicate"].update({field: value}))
    assert forge.refusal(forged) == "predicate_fields"
    assert forge.refusal(forged, tenant=None) == "predicate_fields"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("as_of", "2026-11-01"),
        ("as_of", "2026-02-30T00:00:00Z"),
        ("code_sha256", "abc"),
        ("lock_sha256", None),
        ("engine", "/usr/bin/duckdb"),
        ("engine", "duckdb --ops-token sk_live_51Hxyz"),
        ("engine", 2),
        ("rules", []),
        ("rules", {"token": "whsec_1234"}),
        ("rules", {"home": "/root/.tieout"}),
        ("rules", {"limits": [1]}),
        ("inputs", {"x": {"rows": 1, "sha256": "0" * 64, "uri": "s3://bucket"}}),
        ("inputs", {"x": {"rows": True, "sha256": "0" * 64}}),
        ("inputs", None),
        ("argv", ["--ops-token", "secret"]),
    ],
)
def test_run_json_has_no_place_for_a_path_a_command_or_a_token(
    forge, refused, field, value
) -> None:
    spec = forge.spec(run=dict(forge.spec().run) | {field: value})
    assert refused(lambda: build_packet(spec, forge.signer)) == "run_fields"
    files = forge.edited(build.RUN_FILE, lambda run: run.update({field: value}))
    assert forge.refusal(forge.seal(files)) == "run_fields"


@pytest.mark.parametrize("currencies", [["usd", "eur"], ["usd", "usd"], ["USD"], "usd", [1]])
def test_run_json_lists_currencies_once_and_in_order(forge, currencies) -> None:
    files = forge.edited(build.RUN_FILE, lambda run: run.update(currencies=currencies))
    assert forge.refusal(forge.seal(files)) == "run_fields"


def test_a_run_without_one_of_its_fields(forge, refused) -> None:
    for field in forge.spec().run:
        run = {k: v for k, v in forge.spec().run.items() if k != field}
        spec = forge.spec(run=run)
        assert refused(lambda spec=spec: build_packet(spec, forge.signer)) == "run_fields"


def test_the_name_of_a_packet_is_a_convenience(forge) -> None:
    packet = forge.honest()
    assert packet.name == f"t1_2026-10_r1_{packet.packet_sha256[:12]}.zip"
    assert json.loads(packet.statement)["predicate"]["previous"] == {
        "period": "2026-09",
        "sha256": Link("2026-09", "09" * 32).sha256,
    }
