"""Bad input at the command line: a clear paragraph or a listed row, and what was good stays good.

Belongs here: what an operator meets. Does not belong here: every way a line or a page can be bad
(tests/kernel, tests/ingest).
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.home import prepare_home
from dagster_project.marts import Marts
from evidence import canonical
from ingest.simulator.faults import Faults
from ingest.simulator.http import serve
from ingest.simulator.world import build_scenarios
from tests.warehouse.signing import export_key, write_trust
from tests.wiring.conftest import Answer, one_paragraph, type_command

KEY = "sk_test_x1234567"
NOW = datetime.now(UTC)


def rows(home: Path, mart: str) -> list[dict[str, Any]]:
    with Marts.published(prepare_home(home)) as marts:
        return list(marts.rows(mart))


def world_exports(root: Path, *names: str) -> tuple[Any, dict[str, str]]:
    """A world of the named scenarios; the settings that read its exports."""
    world = build_scenarios(NOW, list(names))
    key = export_key()
    world.write_exports(root / "exports", key)
    trust = write_trust(root / "trust.json", key)
    return world, {
        "STRIPE_API_KEY": KEY,
        "TIEOUT_KERNEL_EXPORTS": str(root / "exports"),
        "TIEOUT_KERNEL_TRUST": str(trust),
        "TIEOUT_STRIPE_READS_PER_SECOND": "1000",
    }


def test_a_wrong_key_is_one_paragraph_and_lands_nothing(tmp_path: Path, parsed_home: Path) -> None:
    shutil.copytree(parsed_home, tmp_path / "home")
    world, settings = world_exports(tmp_path, "clean_day")
    with serve(world.rail, api_key="sk_test_another") as server:
        answer = type_command(tmp_path / "home", "run", STRIPE_API_BASE=server.url, **settings)
    assert answer.code == 1, answer
    one_paragraph(answer, "401")
    assert KEY not in answer.err + answer.out
    assert not (tmp_path / "home" / "published" / "current.duckdb").exists()


def test_an_empty_export_folder_is_one_paragraph(tmp_path: Path, parsed_home: Path) -> None:
    shutil.copytree(parsed_home, tmp_path / "home")
    world, settings = world_exports(tmp_path, "clean_day")
    (tmp_path / "empty").mkdir()
    settings["TIEOUT_KERNEL_EXPORTS"] = str(tmp_path / "empty")
    with serve(world.rail) as server:
        answer = type_command(tmp_path / "home", "run", STRIPE_API_BASE=server.url, **settings)
    assert answer.code == 1, answer
    one_paragraph(answer)


def _export_too_much(folder: Path) -> None:
    """Two instructions of the largest amount, by a tenant that sorts before all others."""
    folder.mkdir()
    lines = [
        {
            "schemaVersion": "PayoutInstruction.v1",
            "artifactId": f"payout_{party}",
            "tenantId": "a_first",
            "partyId": party,
            "period": "2026-01",
            "payoutKey": f"a_first:party:{party}:period:2026-01:statement:s",
            "payout": {"amountCents": 2**53 - 1, "currency": "USD"},
        }
        for party in ("pa", "pb")
    ]
    lines = [line | {"artifactHash": canonical.document_hash(line)} for line in lines]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "payout_instructions.jsonl").write_text(text)


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory, parsed_home: Path) -> tuple[Path, Answer]:
    """One run over a missing permission, a torn line, a receipt whose hash lies and amounts whose
    sum no packet may hold."""
    root = tmp_path_factory.mktemp("spoiled")
    shutil.copytree(parsed_home, root / "home")
    world, settings = world_exports(root, "clean_day", "torn_line", "hash_lies")
    _export_too_much(root / "exports" / "a_first")
    faults = Faults()
    faults.add("forbidden", path="/v1/disputes")
    with serve(world.rail, faults=faults) as server:
        answer = type_command(root / "home", "run", STRIPE_API_BASE=server.url, **settings)
    return root / "home", answer


def test_a_missing_permission_is_a_denied_slice_and_nobody_is_called_reconciled(
    spoiled: tuple[Path, Answer],
) -> None:
    home, answer = spoiled
    assert answer.code == 1, answer
    denied = [row for row in rows(home, "source_coverage") if row["coverage_status"] == "denied"]
    assert {row["endpoint"] for row in denied} == {"disputes"}
    assert {row["verdict"] for row in rows(home, "reconciliation_runs")} == {"incomplete"}
    assert {row["decision"] for row in rows(home, "payout_gates")} == {"hold"}


def test_a_torn_line_and_a_lying_hash_are_listed_with_file_line_and_remedy(
    spoiled: tuple[Path, Answer],
) -> None:
    listed = {
        row["tenant_id"]: row for row in rows(spoiled[0], "artifact_verdicts") if row["remedy"]
    }
    torn = listed["t_torn_line"]
    assert torn["artifact_id"].startswith("t_torn_line/billable_events.jsonl:")
    assert torn["verdict"] == "refused"
    lying = [row for row in rows(spoiled[0], "artifact_verdicts") if row["verdict"] == "mismatch"]
    assert {row["tenant_id"] for row in lying} == {"t_hash_lies"}
    assert all(row["expected"] != row["got"] for row in lying), lying
    assert len({(row["artifact_id"], row["rule"]) for row in lying}) == len(lying)


def test_a_packet_that_is_refused_stops_no_other(spoiled: tuple[Path, Answer]) -> None:
    home, answer = spoiled
    assert "a_first 2026-01 refused: " in answer.err + answer.out
    packeted = {row["tenant_id"] for row in rows(home, "run_packets")}
    assert "t_clean_day" in packeted
    assert "a_first" not in packeted


def test_what_was_good_in_a_spoiled_run_landed_all_the_same(spoiled: tuple[Path, Answer]) -> None:
    clean = [
        row for row in rows(spoiled[0], "money_movements") if row["tenant_id"] == "t_clean_day"
    ]
    assert clean
    assert {row["outcome"] for row in clean} == {"ok"}
