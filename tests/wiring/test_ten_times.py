"""The whole flow for one tenant, ten times over, with nothing edited by hand in between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dagster_project.due import pending_decisions
from dagster_project.executing import execute_run
from dagster_project.home import prepare_home
from dagster_project.marts import Marts
from dagster_project.session import Session
from dagster_project.settings import Settings
from ingest.payouts.journal import Journal

TENANT = "tenant_aurora"
TIMES = 10


def _state(home: Path) -> dict[str, object]:
    """What must not differ from one repetition to the next."""
    opened = prepare_home(home)
    with Marts.published(opened) as marts:
        verdicts = {
            (row["period"], row["currency"]): row["verdict"]
            for row in marts.rows("reconciliation_runs", tenant_id=TENANT)
        }
        gates = {
            row["payout_key"]: (row["decision"], row["held_codes"], row["release_cents"])
            for row in marts.rows("payout_gates", tenant_id=TENANT)
        }
    journal = Journal(home)
    paid = {
        standing.row.payout_key: (standing.state, standing.row.transfer_id)
        for standing in journal.standings(TENANT)
    }
    return {"verdicts": verdicts, "gates": gates, "paid": paid}


@pytest.mark.slow
def test_ten_runs_reconcile_sign_decide_and_pay_once_without_a_manual_edit(
    demo_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    states = []
    settings = Settings.from_env({"TIEOUT_HOME": str(home), "TIEOUT_PAYOUTS": "live"})
    with Session.open(settings) as session:
        for _ in range(TIMES):
            execute_run(session, tenants=(TENANT,))
            states.append(_state(home))
            print(len(states), session.clock(), flush=True)
            assert pending_decisions(session.home) == []
    assert states[0]["paid"], "a flow that pays nothing would repeat anything"
    assert all(state == states[0] for state in states[1:])
