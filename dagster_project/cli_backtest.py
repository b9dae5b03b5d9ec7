"""`tieout gates --what-if FILE`: how a back-test is asked for and told.

Belongs here: reading the file's name, progress and the answer's look. Does not belong here: the
test (`backtesting.py`), or the policy's form (`policy.py`).
"""

from __future__ import annotations

import os
from pathlib import Path

from dagster_project.backtesting import Backtest, backtest
from dagster_project.narration import answer, money, narrated, out, table
from dagster_project.policy import read_policy
from dagster_project.session import Session
from dagster_project.settings import Settings

__all__ = ["try_policy"]


def try_policy(path: Path, tenant_id: str | None, max_runs: int, as_json: bool) -> None:
    """Back-tests a policy file over the history of the home and tells what came of it."""
    policy = read_policy(path)
    with narrated("back-test") as progress:
        session = Session.open(Settings.from_env(os.environ), progress=progress)
        tried = backtest(session, policy, tenant_id=tenant_id, max_runs=max_runs)
    if as_json:
        answer(tried.document())
    else:
        _tell(tried)


def _tell(tried: Backtest) -> None:
    heads = ("tenant", "party", "period", "amount", "effect", "by", "decided", "free", "saved")
    cells = [
        (
            effect.tenant_id,
            effect.party_id,
            effect.period,
            money(effect.amount_cents, effect.currency),
            effect.effect,
            " ".join(effect.codes),
            effect.decided_at,
            effect.free_at,
            money(effect.saved_cents, effect.currency) if effect.saved_cents else "",
        )
        for effect in tried.effects
    ]
    document = tried.document()
    out.print(table(f"What the policy would have done in {len(tried.runs)} runs", heads, cells))
    for currency, sums in document["totals"].items():
        said = ", ".join(
            f"{word} {sums[f'{word}_count']} ({money(sums[f'{word}_cents'], currency)})"
            for word in ("blocked", "delayed", "released")
            if sums.get(f"{word}_count")
        )
        out.print(f"{said}; saved {money(sums['saved_cents'], currency)}")
    if not cells:
        out.print(f"nothing: all {tried.evaluations} evaluations stay as they were")
    if tried.unlike_record:
        out.print(
            f"{tried.unlike_record} evaluations repeat otherwise than recorded: the models have "
            "changed since; both sides were computed by today's"
        )
