"""A decision that is not for here, not for now, or no longer true pays nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import PayoutRefused
from ingest.payouts.decision import DecidedPayout
from ingest.payouts.home import bind_home
from ingest.payouts.submit import enforce
from tests.payouts.desk import Desk, payout


def refusal_of(desk: Desk, decision: Any, **over: Any) -> str:
    with pytest.raises(PayoutRefused) as caught:
        desk.run(decision, **over)
    assert desk.rail.creations == []
    assert desk.states() == []
    return caught.value.code


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"tenant_id": "t2"}, "tenant_mismatch"),
        ({"livemode": True}, "livemode_mismatch"),
        ({"platform_account_id": "acct_other"}, "platform_account_mismatch"),
    ],
)
def test_a_decision_for_somebody_else_is_refused_whole(
    desk: Desk, over: dict[str, Any], code: str
) -> None:
    decision = desk.decide([payout()], **over)
    assert refusal_of(desk, decision, profile=desk.profile()) == code


def test_a_stale_decision_is_refused_whole(desk: Desk) -> None:
    decision = desk.decide([payout()])
    desk.clock.advance(minutes=30)
    assert refusal_of(desk, decision) == "decision_expired"


def test_a_decision_from_the_future_is_refused_whole(desk: Desk) -> None:
    decision = desk.decide([payout()])
    desk.clock.advance(minutes=-1)
    assert refusal_of(desk, decision) == "decision_not_yet_valid"


def test_a_decision_that_expires_midway_pays_no_further(desk: Desk) -> None:
    def slow(_payout: DecidedPayout, _now: object) -> tuple[str, ...]:
        desk.clock.advance(minutes=20)
        return ()

    results = desk.pay(payout(), payout("pb"), payout("pc"), recheck=slow)
    assert [r.state for r in results] == ["submitted", "failed", "held"]
    assert results[1].codes == ("DECISION_EXPIRED",)
    assert len(desk.rail.creations) == 1


@pytest.mark.parametrize(
    "over",
    [
        {"expires_at": None},
        {"decision_sha256": "abc"},
        {"tenant_id": "../t1"},
        {"tenant_id": ""},
        {"livemode": None},
        {"platform_account_id": ""},
    ],
)
def test_a_decision_without_its_terms_cannot_be_made(desk: Desk, over: dict[str, Any]) -> None:
    with pytest.raises((PayoutRefused, AttributeError)):
        desk.decide([payout()], **over)


def test_a_decision_lives_a_day_at_most_and_names_a_payout_once(desk: Desk) -> None:
    with pytest.raises(PayoutRefused):
        desk.decide([payout()], expires_at=desk.clock.now + timedelta(hours=25))
    with pytest.raises(PayoutRefused):
        desk.decide([payout()], as_of=desk.clock.now.replace(tzinfo=None))
    with pytest.raises(PayoutRefused):
        desk.decide([payout(), payout()])


@pytest.mark.parametrize(
    ("rail", "code"),
    [
        ({"livemode": True}, "livemode_mismatch"),
        ({"platform_account_id": "acct_other"}, "platform_account_mismatch"),
        ({"clock_offset": timedelta(minutes=6)}, "clock_skew"),
        ({"clock_offset": timedelta(minutes=-6)}, "clock_skew"),
    ],
)
def test_a_key_of_another_account_livemode_or_time_pays_nothing(
    desk: Desk, rail: dict[str, Any], code: str
) -> None:
    for name, value in rail.items():
        setattr(desk.rail, name, value)
    assert refusal_of(desk, desk.decide([payout()])) == code


def test_a_clock_that_drifts_midway_holds(desk: Desk) -> None:
    def jump(_payout: DecidedPayout, _now: object) -> tuple[str, ...]:
        desk.rail.clock_offset = timedelta(hours=-5)
        return ()

    results = desk.pay(payout(), payout("pb"), recheck=jump)
    assert [r.codes for r in results] == [(), ("CLOCK_SKEW",)]


def test_a_home_bound_to_nothing_or_another_livemode_pays_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home")
    (desk.home / "state" / "livemode").unlink()
    assert refusal_of(desk, desk.decide([payout()])) == "home_not_bound"
    bind_home(desk.home, livemode=True, platform_account_id="acct_platform")
    assert refusal_of(desk, desk.decide([payout()])) == "home_bound_elsewhere"
    with pytest.raises(PayoutRefused):
        bind_home(desk.home, livemode=False, platform_account_id="acct_platform")


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ({"payer": "kernel"}, "PAYER_NOT_TIEOUT"),
        ({"payer": ""}, "PAYER_NOT_TIEOUT"),
        ({"pay_from_period": None}, "PERIOD_BEFORE_PAY_FROM"),
        ({"pay_from_period": "2026-11"}, "PERIOD_BEFORE_PAY_FROM"),
        ({"provider_ids": frozenset()}, "PROVIDER_NOT_SERVED"),
    ],
)
def test_the_profile_decides_whom_we_pay_for(
    desk: Desk, profile: dict[str, Any], code: str
) -> None:
    decision = desk.decide([payout()])
    for _ in range(2):
        result = desk.run(decision, profile=desk.profile(**profile))[0]
        assert (result.state, result.codes) == ("refused", (code,))
    assert desk.states() == ["refused"]
    assert desk.rail.creations == []
    desk.pay(payout())
    desk.assert_paid_once(payout())


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"amount_cents": 999}, "DECISION_INCONSISTENT"),
        ({"amount_cents": 0, "gross_cents": 0}, "DECISION_INCONSISTENT"),
        ({"amount_cents": -5, "gross_cents": -5}, "DECISION_INCONSISTENT"),
        ({"amount_cents": True, "gross_cents": 1}, "DECISION_INCONSISTENT"),
        ({"amount_cents": 10.0, "gross_cents": 10}, "DECISION_INCONSISTENT"),
        ({"amount_cents": 2**53, "gross_cents": 2**53}, "DECISION_INCONSISTENT"),
        ({"day_committed_cents": -1}, "DECISION_INCONSISTENT"),
        ({"day_committed_cents": False}, "DECISION_INCONSISTENT"),
        ({"codes": ("OPEN_BREAK",)}, "DECISION_INCONSISTENT"),
        ({"period": "2026-13"}, "DECISION_INCONSISTENT"),
        ({"currency": "US"}, "DECISION_INCONSISTENT"),
        ({"payout_key": "two\nlines"}, "DECISION_INCONSISTENT"),
        ({"decision": "consumed"}, "DECISION_INCONSISTENT"),
        ({"destination_account_id": None}, "DESTINATION_MISMATCH"),
        ({"destination_account_id": "ba_1", "counterparty_ref": None}, "DESTINATION_MISMATCH"),
        ({"counterparty_ref": "stripe_connect:acct_pb"}, "DESTINATION_MISMATCH"),
        ({"counterparty_ref": "bank:x"}, "DESTINATION_MISMATCH"),
        ({"destination_account_id": "acct_platform", "counterparty_ref": None}, None),
    ],
)
def test_a_payout_that_contradicts_itself_is_refused(
    desk: Desk, over: dict[str, Any], code: str | None
) -> None:
    result = desk.pay(replace(payout(), **over))[0]
    assert (result.state, result.codes) == ("refused", (code or "DESTINATION_MISMATCH",))
    assert desk.rail.creations == []


def test_a_kill_switch_thrown_midway_stops_the_next_call(desk: Desk) -> None:
    killed = {"now": False}

    def switches(_payout: DecidedPayout, _now: object) -> tuple[str, ...]:
        return ("PAYOUT_KILL_SWITCH_ACTIVE",) if killed["now"] else ()

    create = desk.rail.create_transfer

    def pay_and_throw(intent, key):
        transfer = create(intent, key)
        killed["now"] = True
        return transfer

    desk.rail.create_transfer = pay_and_throw  # type: ignore[method-assign]
    results = desk.pay(payout(), payout("pb"), payout("pc"), recheck=switches)
    assert [r.state for r in results] == ["submitted", "held", "held"]
    assert results[1].codes == ("PAYOUT_KILL_SWITCH_ACTIVE",)
    assert len(desk.rail.creations) == 1
    killed["now"] = False
    desk.rail.create_transfer = create  # type: ignore[method-assign]
    desk.pay(payout(), payout("pb"), payout("pc"), recheck=switches)
    desk.assert_paid_once(payout(), payout("pb"), payout("pc"))


def test_every_call_is_rechecked_right_before_it_also_on_recovery(desk: Desk) -> None:
    asked: list[str] = []

    def recheck(decided: DecidedPayout, _now: object) -> tuple[str, ...]:
        asked.append(decided.payout_key)
        return ("ACCOUNT_NOT_CAPABLE",) if len(asked) == 2 else ()

    desk.rail.faults.append("cut_before")
    desk.pay(payout(), recheck=recheck)
    desk.clock.advance(minutes=20)
    assert desk.pay(payout(), recheck=recheck)[0].codes == ("ACCOUNT_NOT_CAPABLE",)
    assert len(desk.rail.creations) == 1
    desk.pay(payout(), recheck=recheck)
    assert len(asked) == len(desk.rail.creations) + 1
    desk.assert_paid_once(payout())


@pytest.mark.parametrize("answer", [None, "CODE", ["CODE"], (1,), RuntimeError("sk_test_secret")])
def test_a_recheck_that_fails_holds(
    desk: Desk, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_payout: DecidedPayout, _now: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    result = desk.pay(payout(), recheck=broken)[0]
    assert (result.state, result.codes) == ("held", ("RECHECK_FAILED",))
    assert desk.rail.creations == []
    assert "secret" not in caplog.text


def test_off_touches_nothing(desk: Desk) -> None:
    result = desk.run(desk.decide([payout()]), mode="off")[0]
    assert (result.state, result.codes) == ("held", ("PAYOUTS_OFF",))
    assert not (desk.home / "journal").exists()


def test_a_dry_run_writes_what_it_would_do_and_calls_nothing(desk: Desk) -> None:
    decision = desk.decide([payout(), payout("pb", decision="hold", codes=("OPEN_BREAK",))])
    for _ in range(2):
        results = enforce(
            decision,
            rail=None,
            journal=desk.journal(),
            mode="dry-run",
            clock=desk.clock,
            profile=desk.profile(),
        )
        assert [r.state for r in results] == ["dry_run", "skipped"]
    assert desk.states() == ["dry_run"]
    assert (desk.rail.creations, desk.rail.lookups) == ([], [])
    desk.pay(payout())
    desk.assert_paid_once(payout())
    assert desk.run(decision, mode="dry-run")[0].codes == ("ALREADY_PAID",)


def test_an_unknown_mode_or_a_missing_rail_is_refused(desk: Desk) -> None:
    assert refusal_of(desk, desk.decide([payout()]), mode="LIVE") == "mode_unknown"
    with pytest.raises(PayoutRefused):
        enforce(
            desk.decide([payout()]),
            rail=None,
            journal=desk.journal(),
            mode="live",
            clock=desk.clock,
            profile=desk.profile(),
        )


def test_enforcement_imports_no_orchestrator_no_warehouse_and_no_evidence() -> None:
    import subprocess
    import sys

    modules = ("decision", "journal", "submit", "outbox", "home", "stripe_rail")
    code = (
        "import sys\n"
        + "".join(f"import ingest.payouts.{m}\n" for m in modules)
        + "bad = {'dagster', 'dbt', 'evidence', 'duckdb', 'ingest.simulator'} & set(sys.modules)\n"
        "sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
