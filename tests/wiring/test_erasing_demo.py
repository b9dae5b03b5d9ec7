"""The demo without one of its partners: the others say what they said, and it stays away."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from dagster_project.home import prepare_home
from dagster_project.marts import Marts
from ingest.landing import Landing
from tests.wiring.conftest import Answer, one_paragraph, type_command

GONE = "tenant_birch"
ACCOUNTS = ("acct_1tenantbirchgrove", "acct_1tenantbirchleaf", "acct_1tenantbirchroot")
# What is the same for every tenant that stays; ages and run ids differ from run to run.
SAME = (
    "chargeback_exposure",
    "exposure_rollforward",
    "holdback_rollforward",
    "money_movements",
    "movement_references",
    "reconciliation_bridge",
    "source_positions",
    "tie_outs",
)
ACTS = {"audit_log", "payout_gate_history", "payout_submissions", "run_packets"}

pytestmark = pytest.mark.slow


class Ops:
    def __init__(self, home: Path) -> None:
        self.home = home

    def type(self, *arguments: str) -> Answer:
        return type_command(self.home, *arguments, TIEOUT_PAYOUTS="live")

    def done(self, *arguments: str) -> Any:
        answer = self.type(*arguments, "--json")
        assert answer.code == 0, answer
        return answer.json

    def run(self, *arguments: str) -> Any:
        answer = self.type("run", *arguments, "--json")
        assert answer.code in (0, 1), answer
        return answer.json

    def rows(self, mart: str, **equal: str) -> list[dict[str, Any]]:
        with Marts.published(prepare_home(self.home)) as marts:
            return sorted(marts.rows(mart, **equal), key=repr)

    def tables_with(self, tenant: str) -> set[str]:
        with Marts.published(prepare_home(self.home)) as marts:
            return {
                name
                for name in marts.names()
                if "tenant_id" in marts.columns(name)
                and next(iter(marts.rows(name, tenant_id=tenant)), None)
            }


def test_a_partner_of_the_demo_leaves_and_everything_else_stays(
    demo_home: Path, tmp_path: Path
) -> None:
    ops = Ops(tmp_path / "home")
    shutil.copytree(demo_home, ops.home, symlinks=True)
    for account in ACCOUNTS:
        left = ops.done("departures", "propose", account, "--tenant-id", GONE, "--reason", "left")
        ops.done("departures", "approve", left["id"], "--reason", "seen")
    shutil.rmtree(ops.home / "simulator" / "exports" / GONE)
    ops.run()
    stays = {
        (mart, tenant): ops.rows(mart, tenant_id=tenant)
        for mart in SAME
        for tenant in ("tenant_aurora", "tenant_cobalt")
    }
    platform = ops.rows("tie_outs", tenant_id="_platform")
    packets = {path: path.read_bytes() for path in (ops.home / "packets").rglob("*.zip")}
    asked = ("erase", "propose", "--tenant-id", GONE, "--reason", "ended", "--give-up-open")
    erasure = ops.done(*asked)["id"]
    ops.done("erase", "approve", erasure, "--reason", "looked at it")
    assert ops.done("erase", "run", erasure)["obstacles"] == []
    done = ops.done("erase", "run", erasure, "--remove")
    assert done["row_count"] > 5_000
    one_paragraph(ops.type("status"), "nothing_published")

    ops.run()
    for (mart, tenant), rows in stays.items():
        assert ops.rows(mart, tenant_id=tenant) == rows, (mart, tenant)
    assert ops.tables_with(GONE) == ACTS
    assert ops.rows("reconciliation_drift", tenant_id="_platform") == []
    after = ops.rows("tie_outs", tenant_id="_platform")
    assert [row for row in after if not row["holds"]] == []
    names = ("tie_out", "account_id", "period", "currency")
    keys = [{tuple(row[name] for name in names) for row in rows} for rows in (platform, after)]
    assert keys[0] <= keys[1]
    moved = ops.rows("money_movements", tenant_id="_platform")
    assert {(row["scope"], row["outcome"]) for row in moved} == {("rail_internal", "ok")}
    assert {path: path.read_bytes() for path in packets} == packets
    assert ops.done("audit", "verify")["acts"] > 0
    (act,) = ops.rows("audit_log", action="erasures.done")
    assert (act["tenant_id"], act["subject"]) == (GONE, erasure)

    # All is pulled again, and the exporter writes the folder again: nothing comes back.
    shutil.copytree(
        ops.home / "simulator" / "exports" / "tenant_aurora",
        ops.home / "simulator" / "exports" / GONE,
    )
    ops.run("--full")
    assert ops.tables_with(GONE) == ACTS
    landing = Landing(ops.home)
    for manifest in landing.committed():
        landing.verify(manifest)

    (before, *_) = sorted(row["as_of"] for row in ops.rows("payout_gate_history"))
    asked_back = ops.type("run", "--as-of", before.isoformat())
    assert asked_back.code == 1
    one_paragraph(asked_back, "erased_since", GONE)
