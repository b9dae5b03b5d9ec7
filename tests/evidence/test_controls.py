"""Must-accept controls: a verifier that refuses everything would pass every attack."""

from __future__ import annotations

from dataclasses import replace

from evidence import build
from evidence.build import build_packet
from evidence.statement import Link


def test_the_honest_packet_is_accepted(forge) -> None:
    verified = forge.verify(forge.honest().zip_bytes, revision=1)
    assert verified.packet_sha256 == forge.honest().packet_sha256
    assert verified.statement.verdict == "breaks"
    assert verified.statement.counts == {"break": 2, "pending": 1}
    assert verified.signers == (forge.signer.keyid,)
    assert verified.rows["reconciliation_drift"] == 3
    assert verified.log is None


def test_an_honest_resigning_is_accepted(forge) -> None:
    assert forge.verify(forge.seal(forge.files())).packet_sha256 == forge.honest().packet_sha256


def test_an_honest_rederivation_is_accepted(forge) -> None:
    assert forge.rederive(forge.files()) == forge.files()


def test_a_logged_and_witnessed_packet_is_accepted(forge) -> None:
    verified = forge.verify(forge.logged(), require_log=True)
    assert verified.log is not None
    assert (verified.log.index, verified.log.size) == (3, 7)
    assert verified.trusted_time == forge.witness_time
    assert verified.packet_sha256 == forge.honest().packet_sha256


def test_attack_78_control_key_retired_after_the_trusted_time(forge) -> None:
    later = forge.witness_time + 60
    key = forge.trusted(forge.signer, status="retired", status_at=later)
    assert forge.verify(forge.logged(), trust=forge.trust(keys=[key])).trusted_time


def test_a_key_compromised_after_the_trusted_time_still_vouches(forge) -> None:
    later = forge.witness_time + 1
    key = forge.trusted(forge.signer, status="compromised", status_at=later)
    assert forge.verify(forge.logged(), trust=forge.trust(keys=[key])).trusted_time


def test_an_unpacked_folder_is_accepted(forge) -> None:
    for name, data in forge.files().items():
        path = forge.folder / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert forge.verify(forge.folder / "unpacked").files == len(forge.files())


def test_signatures_of_unknown_cosigners_are_ignored(forge) -> None:
    packet = build_packet(forge.spec(), forge.signer, cosigners=[forge.attacker])
    assert forge.verify(packet.zip_bytes).signers == (forge.signer.keyid,)
    assert packet.packet_sha256 == forge.honest().packet_sha256


def test_two_keys_meet_threshold_two(forge) -> None:
    packet = build_packet(forge.spec(), forge.signer, cosigners=[forge.second])
    keys = [forge.trusted(forge.signer), forge.trusted(forge.second)]
    verified = forge.verify(packet.zip_bytes, trust=forge.trust(keys=keys, threshold=2))
    assert len(verified.signers) == 2


def test_a_second_revision_and_a_first_packet_are_accepted(forge) -> None:
    revised = build_packet(forge.spec(revision=2, supersedes="ab" * 32), forge.signer)
    assert forge.verify(revised.zip_bytes, revision=2).statement.supersedes == "ab" * 32
    first = build_packet(forge.spec(previous=None), forge.signer)
    assert forge.verify(first.zip_bytes).statement.previous is None


def test_the_previous_packet_may_be_given_as_a_mapping(forge) -> None:
    link = {"period": "2026-09", "sha256": "09" * 32}
    assert build_packet(forge.spec(previous=link), forge.signer) == forge.honest()
    assert forge.spec().previous == Link(**link)


def test_every_verdict_that_the_rows_bear_is_accepted(forge, packet_tables, rows) -> None:
    for verdict, outcomes in {
        "reconciled": (),
        "reconciled_with_pending": ("pending",),
        "reconciled_with_warnings": ("pending",),
        "breaks": ("break",),
        "incomplete": ("break", "pending"),
    }.items():
        packed = packet_tables(
            reconciliation_runs=rows["runs"](verdict), reconciliation_drift=rows["drift"](outcomes)
        )
        packet = build_packet(forge.spec(verdict=verdict, tables=packed), forge.signer)
        assert forge.verify(packet.zip_bytes).statement.verdict == verdict


def test_a_period_without_any_evidence_is_incomplete(forge, packet_tables) -> None:
    names = ("runs", "drift", "bridge")
    empty = {f"reconciliation_{name}": [] for name in names} | {"exposure_rollforward": []}
    spec = forge.spec(verdict="incomplete", currencies=(), tables=packet_tables(**empty))
    verified = forge.verify(build_packet(spec, forge.signer).zip_bytes)
    assert (verified.statement.verdict, sum(verified.rows.values())) == ("incomplete", 0)


def test_further_tables_are_carried(forge, packet_tables) -> None:
    movements = [{"id": f"txn_{n}", "tenant_id": "t1", "net_cents": -n} for n in range(3)]
    spec = forge.spec(tables=packet_tables(money_movements=movements))
    assert forge.verify(build_packet(spec, forge.signer).zip_bytes).rows["money_movements"] == 3


def test_the_answer_says_what_is_not_proven(forge) -> None:
    gaps = forge.verify(forge.files(), tenant=None, period=None).not_proven
    for part in ("this is the tenant", "this is the period", "append-only log", "builds on"):
        assert any(part in gap for gap in gaps), part


def test_a_timestamp_is_reported_as_not_verified_and_gives_no_time(forge) -> None:
    verified = forge.verify(forge.files() | {build.TIMESTAMP_FILE: b"garbage"})
    assert any("present, not verified" in gap for gap in verified.not_proven)
    assert verified.trusted_time is None


def test_claimed_counts_and_currencies_may_come_in_any_order(forge) -> None:
    spec = replace(
        forge.spec(), counts={"pending": 1, "break": 2, "ok": 0}, currencies=("usd", "eur")
    )
    assert build_packet(spec, forge.signer) == forge.honest()
