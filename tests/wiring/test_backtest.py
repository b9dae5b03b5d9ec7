"""The back-test: what another policy would have blocked, delayed and saved."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dagster_project.backtesting import Backtest, backtest, compare
from dagster_project.executing import execute_run
from dagster_project.marts import Marts
from dagster_project.policy import read_policy
from dagster_project.runs import Run, last_published
from dagster_project.session import Session
from dagster_project.settings import Settings
from ingest.errors import SettingError
from ingest.kernel.rail_types import MONEY_RAIL_CONTROLS
from tests.wiring.conftest import one_paragraph, type_command
from tests.wiring.office import TENANT, Office

FORMAT = "urn:tieout:policy:v1"
CAP = 500_000
DAYS = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 3)]


def policy_file(folder: Path, *controls: Any, **over: Any) -> Path:
    path = folder / "policy.json"
    path.write_text(json.dumps({"format": FORMAT, "controls": list(controls), **over}))
    return path


def control(field: str, value: Any, tenant: str = "*") -> dict[str, Any]:
    return {"tenantId": tenant, "field": field, "value": value}


def gate(decision: str, *codes: str, cents: int = 900, party: str = "pa") -> dict[str, Any]:
    return {
        "tenant_id": "t",
        "party_id": party,
        "period": "2026-10",
        "payout_key": f"k_{party}",
        "currency": "USD",
        "decision": decision,
        "held_codes": ",".join(codes) or None,
        "release_cents": cents if decision == "release" else 0,
    }


def steps(*pairs: tuple[dict[str, Any], dict[str, Any]]) -> Any:
    key = ("t", pairs[0][0]["payout_key"])
    return [(DAYS[n], {key: before}, {key: after}) for n, (before, after) in enumerate(pairs)]


@pytest.fixture(scope="module")
def session(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    home = tmp_path_factory.mktemp("backtest") / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    return Session.open(replace(Settings.from_env({"TIEOUT_HOME": str(home)})))


@pytest.fixture(scope="module")
def alone(session: Session) -> Any:
    """The payout that the kernel's daily limit alone holds."""
    with Marts.published(session.home) as marts:
        (held,) = marts.rows("payout_gates", held_codes="PAYOUT_DAILY_LIMIT_EXCEEDED")
    return held


@pytest.fixture(scope="module")
def released(session: Session, alone: Any) -> list[Any]:
    """Payouts of the other tenants that the gates released."""
    with Marts.published(session.home) as marts:
        rows = list(marts.rows("payout_gates", decision="release"))
    return [row for row in rows if row["tenant_id"] != alone["tenant_id"]]


@pytest.fixture(scope="module")
def tried(
    session: Session, alone: Any, released: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> Backtest:
    """A cap for some tenants, and another's kernel without its daily limit."""
    exports = session.home.simulator / "exports" / alone["tenant_id"] / "money_rail_controls.jsonl"
    kernel = {**json.loads(exports.read_text()), "dailyPayoutLimitCents": None}
    caps = [
        control("max_payout_amount_cents", CAP, tenant)
        for tenant in sorted({row["tenant_id"] for row in released})
    ]
    policy = policy_file(tmp_path_factory.mktemp("policy"), *caps, kernelControls=[kernel])
    return backtest(session, read_policy(policy), tenant_id=None, max_runs=7)


def test_a_cap_blocks_exactly_the_payouts_above_it(tried: Backtest, released: list[Any]) -> None:
    above = {row["payout_key"]: row["release_cents"] for row in released}
    above = {key: cents for key, cents in above.items() if cents > CAP}
    assert 0 < len(above) < len(released)
    blocked = [effect for effect in tried.effects if effect.effect == "blocked"]
    assert {e.payout_key: e.amount_cents for e in blocked} == above
    assert {e.codes for e in blocked} == {("PAYOUT_AMOUNT_LIMIT_EXCEEDED",)}
    assert {e.effect for e in tried.effects} == {"blocked", "released"}
    assert tried.unlike_record == 0


def test_without_the_kernels_daily_limit_what_it_alone_held_is_paid(
    tried: Backtest, alone: Any
) -> None:
    released = {e.payout_key: e for e in tried.effects if e.effect == "released"}
    assert set(released) == {alone["payout_key"]}
    assert released[alone["payout_key"]].codes == ("PAYOUT_DAILY_LIMIT_EXCEEDED",)
    assert released[alone["payout_key"]].amount_cents == alone["gross_cents"]


def test_a_policy_is_newer_than_controls_that_the_kernel_renewed_after_the_runs_as_of(
    office: Office, tmp_path: Path
) -> None:
    """As on a busy machine, where the export is written after the run has begun."""
    renewed = office.now + timedelta(minutes=3)
    office.export({"updatedAt": renewed.isoformat().replace("+00:00", "Z")})
    office.land()
    given = {"tenantId": TENANT, "schemaVersion": "MoneyRailControls.v1", "realMoneyEnabled": True}
    policy = read_policy(policy_file(tmp_path, kernelControls=[given]))
    run = Run("r", office.now, office.now, office.now, publishes=False)
    overlay = policy.over(office.session, run)
    (row,) = overlay[MONEY_RAIL_CONTROLS.spec]
    assert row["updated_at"] > renewed


def test_what_a_policy_saves_is_what_the_blocked_parties_owe_in_the_published_books(
    session: Session, tmp_path: Path
) -> None:
    with Marts.published(session.home) as marts:
        released = list(marts.rows("payout_gates", decision="release"))
        owed = {
            (row["tenant_id"], row["party_id"], row["currency"]): row["outstanding_cents"]
            for row in marts.rows("chargeback_exposure")
        }
    paid: dict[tuple[str, str, str], int] = {}
    for row in released:
        party = (row["tenant_id"], row["party_id"], row["currency"])
        paid[party] = paid.get(party, 0) + row["release_cents"]
    expected = {party: min(cents, owed.get(party, 0)) for party, cents in paid.items()}
    assert any(expected.values()), "no released party owes anything: nothing could be saved"
    policy = read_policy(policy_file(tmp_path, control("max_payout_amount_cents", 0)))
    tried = backtest(session, policy, tenant_id=None, max_runs=7)
    saved: dict[tuple[str, str, str], int] = dict.fromkeys(expected, 0)
    for effect in tried.effects:
        saved[effect.tenant_id, effect.party_id, effect.currency] += effect.saved_cents
    assert saved == expected
    assert {effect.payout_key for effect in tried.effects} == {r["payout_key"] for r in released}
    totals = tried.document()["totals"]
    assert sum(sums["blocked_cents"] for sums in totals.values()) == sum(paid.values())


@pytest.mark.slow
def test_over_two_whole_runs_with_payments_a_day_limit_delays_what_the_first_paid_beyond_it(
    demo_home: Path, tmp_path: Path
) -> None:
    """Figures over several days done by hand: test_backtest_days.py."""
    home = tmp_path / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    settings = replace(Settings.from_env({"TIEOUT_HOME": str(home)}), payouts="live")
    first = Session.open(settings)
    first_run = last_published(first.home)
    assert first_run is not None
    with Marts.published(first.home) as marts:
        released = list(marts.rows("payout_gates", decision="release"))
    by_tenant: dict[tuple[str, str], list[int]] = {}
    for row in released:
        by_tenant.setdefault((row["tenant_id"], row["currency"]), []).append(row["release_cents"])
    cap = max(max(cents) for cents in by_tenant.values())
    crowded = {who for who, cents in by_tenant.items() if sum(cents) > cap}
    assert crowded, "no tenant was paid more than the cap in a day"
    # A rail that starts anew takes its time from the session, and both move on.
    with Session.open(settings, clock=lambda: datetime.now(UTC) + timedelta(days=1)) as session:
        execute_run(session)
        daily = read_policy(policy_file(tmp_path, control("daily_payout_limit_cents", cap)))
        tried = backtest(session, daily, tenant_id=None, max_runs=7)
        with Marts.published(session.home) as marts:
            assert {row["decision"] for row in marts.rows("payout_gate_history")} >= {"release"}
    assert len(tried.runs) == 2
    delayed = [effect for effect in tried.effects if effect.effect == "delayed"]
    assert {(effect.tenant_id, effect.currency) for effect in delayed} == crowded
    for effect in delayed:
        assert effect.codes == ("PAYOUT_DAILY_LIMIT_EXCEEDED",)
        assert (effect.decided_at, effect.free_at) == (first_run.as_of, tried.runs[1])
        assert effect.saved_cents == 0


def test_what_is_free_of_the_policy_later_is_delayed_although_it_was_paid_meanwhile() -> None:
    (effect,) = compare(
        steps(
            (gate("release"), gate("hold", "PAYOUT_DAILY_LIMIT_EXCEEDED")),
            (
                gate("hold", "ALREADY_PAID"),
                gate("hold", "PAYOUT_DAILY_LIMIT_EXCEEDED", "ALREADY_PAID"),
            ),
            (gate("hold", "ALREADY_PAID"), gate("hold", "ALREADY_PAID")),
        ),
        {},
    )
    assert (effect.effect, effect.decided_at, effect.free_at) == ("delayed", DAYS[0], DAYS[2])
    assert (effect.amount_cents, effect.codes) == (900, ("PAYOUT_DAILY_LIMIT_EXCEEDED",))


def test_what_a_looser_policy_pays_is_told_with_what_had_held_it() -> None:
    (effect,) = compare(steps((gate("hold", "PAYOUT_AMOUNT_LIMIT_EXCEEDED"), gate("release"))), {})
    assert (effect.effect, effect.amount_cents) == ("released", 900)
    assert effect.codes == ("PAYOUT_AMOUNT_LIMIT_EXCEEDED",)


def test_a_debt_is_saved_once_and_never_beyond_what_was_withheld() -> None:
    stopped = gate("hold", "OPEN_BREAK")
    first = steps((gate("release"), stopped))[0]
    second = {**gate("release", cents=700), "payout_key": "k_2"}
    first[1]["t", "k_2"], first[2]["t", "k_2"] = second, {**stopped, "payout_key": "k_2"}
    effects = compare([first], {("t", "pa", "USD"): 1_000, ("t", "pb", "USD"): 5})
    assert sum(effect.saved_cents for effect in effects) == 1_000
    assert all(effect.saved_cents <= effect.amount_cents for effect in effects)


def test_nothing_changes_where_both_policies_agree() -> None:
    both = gate("hold", "REAL_MONEY_DISABLED")
    assert compare(steps((both, both), (gate("release"), gate("release"))), {}) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "strict JSON"),
        ("[]", FORMAT),
        ('{"format": "other"}', FORMAT),
        ('{"format": "urn:tieout:policy:v1"}', "changes nothing"),
        ('{"format": "urn:tieout:policy:v1", "control": []}', "'control'"),
        ('{"format": "urn:tieout:policy:v1", "controls": {}}', "list of objects"),
        ('{"format": "urn:tieout:policy:v1", "controls": [1]}', "list of objects"),
        (
            '{"format": "urn:tieout:policy:v1", "controls": [{"field": "x", "value": 1}]}',
            "tenantId",
        ),
        (
            '{"format": "urn:tieout:policy:v1", "controls": '
            '[{"tenantId": "*", "field": "cap", "value": 1}]}',
            "max_payout_amount_cents",
        ),
        (
            '{"format": "urn:tieout:policy:v1", "controls": '
            '[{"tenantId": "*", "field": "max_payout_amount_cents", "value": -1}]}',
            "no value",
        ),
        (
            '{"format": "urn:tieout:policy:v1", "controls": '
            '[{"tenantId": "*", "field": "max_payout_amount_cents"}]}',
            "no value",
        ),
        (
            '{"format": "urn:tieout:policy:v1", "controls": '
            '[{"tenantId": "*", "field": "real_money_enabled", "value": 1, "until": 2}]}',
            "'until'",
        ),
        ('{"format": "urn:tieout:policy:v1", "kernelControls": [{"a": 1}]}', "tenantId"),
        (
            '{"format": "urn:tieout:policy:v1", "kernelControls": '
            '[{"tenantId": "t", "realMoneyEnabled": "yes"}]}',
            "realMoneyEnabled",
        ),
        ('{"format": "urn:tieout:policy:v1", "controls": [], "controls": []}', "strict JSON"),
    ],
)
def test_a_policy_that_is_not_one_is_refused(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(SettingError) as refused:
        read_policy(path)
    assert refused.value.code == "policy_malformed"
    assert word in str(refused.value)


def test_a_policy_is_not_tried_on_a_tenant_that_is_not_known(
    demo_home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "policy.json"
    control = {"tenantId": "*", "field": "max_payout_amount_cents", "value": 1}
    path.write_text(json.dumps({"format": "urn:tieout:policy:v1", "controls": [control]}))
    asked = ("gates", "--what-if", str(path), "--tenant-id", "tenant_brich")
    answer = type_command(demo_home, *asked)
    assert answer.code == 2, answer
    one_paragraph(answer, "tenant_unknown", "tenant_brich")


def test_a_policy_file_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    answer = type_command(tmp_path / "home", "gates", "--what-if", str(tmp_path / "none.json"))
    assert answer.code == 2, answer
    one_paragraph(answer, "policy_unreadable")
