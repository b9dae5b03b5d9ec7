"""What holds a payout is said in the UI: missing, unreadable, stale or unverifiable evidence, and
payments without an outcome."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from dagster_project.payout_checks import payout_checks
from dagster_project.resources import Wiring
from ingest.simulator.faults import Faults
from tests.wiring.office import TENANT, Office, cut_off, payout


def _shown(office: Office, name: str) -> tuple[bool, str]:
    """One check as the UI would run it: whether it passed, and what it says."""
    (check,) = [each for each in payout_checks() if {key.name for key in each.check_keys} == {name}]
    result = check(dg.build_op_context(), wiring=Wiring(opened=office.session))
    return result.passed, f"{result.description or ''} {' '.join(result.metadata)}"


def test_a_check_shows_payments_without_an_outcome(office: Office, faults: Faults) -> None:
    assert _shown(office, "every_payment_has_an_outcome")[0]
    cut_off(office, faults)
    assert _shown(office, "every_payment_has_an_outcome") == (False, f" {TENANT}: unknown")
    office.enforce()
    assert _shown(office, "every_payment_has_an_outcome")[0]


def test_a_check_shows_decisions_that_do_not_verify(office: Office) -> None:
    path = office.decide(payout())
    assert _shown(office, "newest_decisions_verify")[0]
    path.write_bytes(b"{}")
    passed, said = _shown(office, "newest_decisions_verify")
    assert not passed
    assert TENANT in said


def test_a_check_says_what_it_cannot_read(office: Office) -> None:
    office.pay(payout())
    journal = office.session.home.root / "journal" / "payouts.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    passed, said = _shown(office, "every_payment_has_an_outcome")
    assert not passed
    assert "payouts.jsonl" in said
    passed, said = _shown(office, "evidence_allows_payouts")
    assert not passed
    assert "no published file" in said


@pytest.mark.parametrize(
    "code", ["EVIDENCE_STALE", "EVIDENCE_INCOMPLETE", "EVIDENCE_UNVERIFIED", "CONTROLS_STALE"]
)
def test_a_check_names_each_tenant_whose_evidence_holds_its_payouts(
    office: Office, code: str
) -> None:
    _publish(office, ("tenant_b", f"OPEN_BREAK,{code}"), ("tenant_c", "OPEN_BREAK"), (TENANT, None))
    passed, said = _shown(office, "evidence_allows_payouts")
    assert not passed
    assert said.strip() == f"tenant_b: {code}"


def test_the_evidence_check_passes_where_no_payout_wants_evidence(office: Office) -> None:
    _publish(office, ("tenant_c", "OPEN_BREAK"), (TENANT, None))
    assert _shown(office, "evidence_allows_payouts") == (True, " ")


def test_a_published_file_that_cannot_be_read_fails_the_check_and_is_named(office: Office) -> None:
    _publish(office, (TENANT, None))
    (office.session.home.published / "current.duckdb").write_bytes(b"no database")
    passed, said = _shown(office, "evidence_allows_payouts")
    assert not passed
    assert "unreadable as a database" in said


def test_a_stale_or_forged_decision_fails_the_check_by_name(office: Office) -> None:
    path = office.decide(payout())
    office.pass_time(minutes=31)
    assert _shown(office, "newest_decisions_verify") == (False, f" {TENANT}: decision_expired")
    path.unlink()
    path.mkdir()
    assert _shown(office, "newest_decisions_verify") == (False, f" {TENANT}: decision_unreadable")


def _publish(office: Office, *gates: tuple[str, str | None]) -> None:
    """A published file that holds nothing but gates of these tenants."""
    path = office.session.home.published / "current.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table payout_gates (tenant_id varchar, held_codes varchar)")
        connection.executemany("insert into payout_gates values (?, ?)", [list(g) for g in gates])
