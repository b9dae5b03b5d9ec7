"""A back-test: the gates of past runs, evaluated again under another policy.

Belongs here: choosing runs, building each twice (as it was, and under the policy) and setting the
two answers side by side. Does not belong here: the policy file (`policy.py`), the build
(`what_if.py`), or any condition of a gate: the same models answer both times.

Each past run is repeated with the payments that really took place. So a payout that the policy
would have stopped and that was really paid is `ALREADY_PAID` in later runs under both policies;
what counts is what holds under the policy and did not hold without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from dagster_project.marts import Marts, Row
from dagster_project.narrowing import require_tenant
from dagster_project.policy import Policy
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.what_if import what_if
from ingest.errors import TieoutError
from ingest.tables import RUN_LOG

__all__ = ["Backtest", "Effect", "backtest", "compare"]

MAX_RUNS: Final = 100
_MODELS: Final = ("payout_gates",)
_PAYS: Final = "release"

Key = tuple[str, str]


@dataclass(frozen=True)
class Effect:
    """What the policy would have done to one payout.

    Attributes:
        effect: `blocked` (in no later run of the test would it have been free), `delayed` (free of
            the policy in a later run), or `released` (held as it was, paid under the policy).
        amount_cents: What was, or would have been, paid.
        decided_at: The as_of of the first run in which the two policies differ.
        free_at: When the policy no longer held it; None for `blocked`.
        codes: Conditions that hold under the policy and did not without it; for `released`, the
            reverse.
        saved_cents: Of a blocked payout, what its party owes today and would not have been paid.
    """

    tenant_id: str
    party_id: str
    period: str
    payout_key: str
    effect: str
    currency: str
    amount_cents: int
    decided_at: datetime
    free_at: datetime | None
    codes: tuple[str, ...]
    saved_cents: int = 0


@dataclass(frozen=True)
class Backtest:
    """The answer.

    Attributes:
        runs: as_of of each run evaluated again, oldest first.
        evaluations: Payouts times runs compared.
        unlike_record: Evaluations whose repetition as it was differs from the landed history, as
            after a change of the models; the comparison does not use the record.
    """

    policy_sha256: str
    runs: tuple[datetime, ...]
    evaluations: int
    unlike_record: int
    effects: tuple[Effect, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        totals: dict[str, Counter[str]] = {}
        for effect in self.effects:
            sums = totals.setdefault(effect.currency, Counter())
            sums[f"{effect.effect}_count"] += 1
            sums[f"{effect.effect}_cents"] += effect.amount_cents
            sums["saved_cents"] += effect.saved_cents
        return {
            "policy_sha256": self.policy_sha256,
            "runs": list(self.runs),
            "evaluations": self.evaluations,
            "unlike_record": self.unlike_record,
            "totals": {currency: dict(sums) for currency, sums in sorted(totals.items())},
            "effects": [asdict(effect) for effect in self.effects],
        }


def backtest(session: Session, policy: Policy, *, tenant_id: str | None, max_runs: int) -> Backtest:
    """Evaluates past runs under a policy.

    Args:
        session: The session; its home is read.
        policy: The policy to try.
        tenant_id: Only this tenant's payouts.
        max_runs: The newest run of each day, at most this many.

    Raises:
        SettingError: There is no such tenant.
        TieoutError: `history_missing`: no published run has a gate evaluation.
    """
    with Marts.published(session.home) as published:
        require_tenant(published, tenant_id)
        recorded = _recorded(published, tenant_id)
        owed = _owed(published, tenant_id)
    runs = _runs(session, {run_id for run_id, _ in recorded}, max_runs)
    steps: list[tuple[datetime, dict[Key, Row], dict[Key, Row]]] = []
    unlike = 0
    for run in runs:
        session.progress(f"run {run.as_of:%Y-%m-%d %H:%M}", "as it was, then under the policy")
        before = _gates(session, run, None, tenant_id)
        after = _gates(session, run, policy, tenant_id)
        unlike += sum(
            row["decision"] != recorded.get((run.run_id, key), row["decision"])
            for key, row in before.items()
        )
        steps.append((run.as_of, before, after))
    return Backtest(
        policy_sha256=policy.sha256,
        runs=tuple(run.as_of for run in runs),
        evaluations=sum(len(before) for _, before, _ in steps),
        unlike_record=unlike,
        effects=tuple(compare(steps, owed)),
    )


def _recorded(published: Marts, tenant_id: str | None) -> dict[tuple[str, Key], str]:
    if "payout_gate_history" not in published.names():
        return {}
    return {
        (str(row["run_id"]), _key(row)): str(row["decision"])
        for row in published.rows("payout_gate_history", tenant_id=tenant_id)
    }


def _owed(published: Marts, tenant_id: str | None) -> dict[tuple[str, str, str], int]:
    return {
        (row["tenant_id"], row["party_id"], row["currency"]): row["outstanding_cents"]
        for row in published.rows("chargeback_exposure", tenant_id=tenant_id)
        if row["party_id"] is not None
    }


def _runs(session: Session, evaluated: set[str], max_runs: int) -> list[Run]:
    """The newest run of each day that evaluated gates, oldest first."""
    names = ["run_id", "as_of", "known_at", "started_at"]
    # What a run before it knew is gone: it cannot be repeated.
    erased = session.landing.erased_at()
    by_day: dict[str, Run] = {}
    for run_id, as_of, known_at, started_at in session.landing.rows(RUN_LOG, names):
        assert isinstance(as_of, datetime)
        assert isinstance(known_at, datetime)
        if run_id not in evaluated or (erased and known_at < erased):
            continue
        assert isinstance(started_at, datetime)
        run = Run(str(run_id), as_of, known_at, started_at, publishes=False)
        day = f"{as_of:%Y-%m-%d}"
        if day not in by_day or (run.as_of, run.run_id) > (by_day[day].as_of, by_day[day].run_id):
            by_day[day] = run
    if not by_day:
        raise TieoutError(
            got="no past run whose gates are on record",
            expected="at least one published run with payouts",
            remedy="Run `tieout run` first; each run adds to the history",
            code="history_missing",
        )
    return [by_day[day] for day in sorted(by_day)][-max_runs:]


def _gates(
    session: Session, run: Run, policy: Policy | None, tenant_id: str | None
) -> dict[Key, Row]:
    overlay = {} if policy is None else policy.over(session, run)
    with what_if(session, run, overlay, _MODELS) as marts:
        return {_key(row): row for row in marts.rows("payout_gates", tenant_id=tenant_id)}


def compare(
    steps: Iterable[tuple[datetime, Mapping[Key, Row], Mapping[Key, Row]]],
    owed: Mapping[tuple[str, str, str], int],
) -> list[Effect]:
    """What a policy changed over some runs.

    Args:
        steps: Each run's as_of with its rows of `payout_gates` as they were and under the policy,
            by tenant and payout key; oldest first.
        owed: What a party owes today, by tenant, party and currency.
    """
    found: dict[Key, Effect] = {}
    for as_of, before, after in steps:
        for key, row in before.items():
            other = after[key]
            earlier = found.get(key)
            if earlier is None:
                effect = _first_effect(as_of, row, other)
                if effect is not None:
                    found[key] = effect
            elif earlier.effect == "blocked" and not _added(row, other):
                found[key] = replace(earlier, effect="delayed", free_at=as_of)
    effects = sorted(found.values(), key=lambda effect: (effect.decided_at, effect.payout_key))
    return list(_with_savings(effects, owed))


def _first_effect(as_of: datetime, row: Row, other: Row) -> Effect | None:
    if (row["decision"] == _PAYS) == (other["decision"] == _PAYS):
        return None
    paid = row if row["decision"] == _PAYS else other
    stops = paid is row
    return Effect(
        tenant_id=str(row["tenant_id"]),
        party_id=str(row["party_id"]),
        period=str(row["period"]),
        payout_key=str(row["payout_key"]),
        effect="blocked" if stops else "released",
        currency=str(row["currency"]),
        amount_cents=paid["release_cents"],
        decided_at=as_of,
        free_at=None if stops else as_of,
        codes=tuple(_added(row, other) if stops else _added(other, row)),
    )


def _added(row: Row, other: Row) -> list[str]:
    """Conditions that hold in the second row and not in the first, in the order of the gates."""
    held = set(_codes(row))
    return [code for code in _codes(other) if code not in held]


def _codes(row: Row) -> list[str]:
    return [code for code in str(row["held_codes"] or "").split(",") if code]


def _with_savings(
    effects: Iterable[Effect], owed: Mapping[tuple[str, str, str], int]
) -> Iterable[Effect]:
    """A debt is saved once: the payouts of a party that were blocked share it, oldest first."""
    left = dict(owed)
    for effect in effects:
        debtor = (effect.tenant_id, effect.party_id, effect.currency)
        if effect.effect != "blocked":
            yield effect
            continue
        saved = min(effect.amount_cents, left.get(debtor, 0))
        left[debtor] = left.get(debtor, 0) - saved
        yield replace(effect, saved_cents=saved)


def _key(row: Row) -> Key:
    return str(row["tenant_id"]), str(row["payout_key"])
