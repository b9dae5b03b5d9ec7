"""The whole job on the simulator: what the demo promises is what lies in its home."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.home import prepare_home
from dagster_project.issuing import PLATFORM_TENANT
from dagster_project.marts import Marts
from dagster_project.narrowing import require_tenant
from dagster_project.shelf import issued
from evidence.errors import Refusal
from evidence.trust import load_trust
from evidence.verify import verify_packet
from ingest.errors import SettingError
from tests.wiring.conftest import one_paragraph, type_command


def rows(home: Path, mart: str) -> list[dict[str, Any]]:
    with Marts.published(prepare_home(home)) as marts:
        return list(marts.rows(mart))


def test_every_planted_fault_is_found_and_nothing_else(demo_home: Path) -> None:
    truth = json.loads((demo_home / "simulator" / "truth.json").read_text())
    planted = Counter((r["tenant_id"], r["reason_code"]) for r in truth if r["outcome"] == "break")
    found = Counter(
        (r["tenant_id"], r["reason_code"])
        for r in rows(demo_home, "reconciliation_drift")
        if r["outcome"] == "break"
    )
    assert found == planted


def test_a_tenant_without_faults_is_fully_explained(demo: Any) -> None:
    clean = [row for row in demo["verdicts"] if row["tenant_id"] == "tenant_aurora"]
    assert clean
    assert {row["explained_bps"] for row in clean} == {10_000}
    assert all(row["verdict"].startswith("reconciled") for row in clean)


def test_only_months_with_a_planted_break_have_the_verdict_breaks(
    demo: Any, demo_home: Path
) -> None:
    broken = {
        (row["tenant_id"], row["period"], row["currency"])
        for row in rows(demo_home, "reconciliation_drift")
        if row["outcome"] == "break"
    }
    said = {
        (row["tenant_id"], row["period"], row["currency"])
        for row in demo["verdicts"]
        if row["verdict"] in ("breaks", "incomplete")
    }
    assert said == broken
    assert not [row for row in rows(demo_home, "tie_outs") if not row["holds"]]
    assert not rows(demo_home, "certification_blockers")


def test_each_tenant_and_period_has_one_packet_that_its_table_lists(demo_home: Path) -> None:
    packets = issued(prepare_home(demo_home))
    wanted = {
        (row["tenant_id"], row["period"])
        for row in rows(demo_home, "reconciliation_runs")
        if row["tenant_id"] != PLATFORM_TENANT
    }
    assert {(packet.tenant_id, packet.period) for packet in packets} == wanted
    listed = {row["packet_sha256"] for row in rows(demo_home, "run_packets")}
    assert listed == {packet.packet_sha256 for packet in packets}


def test_a_packet_is_accepted_and_one_flipped_byte_breaks_it(demo_home: Path) -> None:
    packet = issued(prepare_home(demo_home))[0]
    data = bytearray((demo_home / packet.path).read_bytes())
    trust = load_trust(demo_home / "trust" / "trust.json")
    verify_packet(bytes(data), trust, packet.tenant_id, packet.period, require_log=True)
    data[len(data) // 2] ^= 1
    with pytest.raises(Refusal):
        verify_packet(bytes(data), trust, packet.tenant_id, packet.period)


def test_an_auditor_needs_no_tieout(demo_home: Path, tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen on this machine")
    handed = type_command(
        demo_home, "packet", "export", "--tenant-id", "tenant_birch", "--out", str(tmp_path / "h")
    )
    assert handed.code == 0, handed
    packet = sorted((tmp_path / "h").glob("*.zip"))[0]
    shutil.unpack_archive(packet, tmp_path / "p")
    statement = tmp_path / "p" / "statement.json"
    command = [
        *("ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "h" / "allowed_signers")),
        *("-I", "packets@tieout", "-n", "tieout-run-packet-v1", "-s", f"{statement}.sig"),
    ]
    good = subprocess.run(command, input=statement.read_bytes(), capture_output=True, check=False)
    assert good.returncode == 0, good.stderr
    bad = subprocess.run(
        command, input=statement.read_bytes() + b" ", capture_output=True, check=False
    )
    assert bad.returncode != 0


def test_what_the_gates_released_was_paid_once(demo: Any, demo_home: Path) -> None:
    released = {row["payout_key"] for row in demo["gates"] if row["decision"] == "release"}
    paid = [row for row in demo["payments"] if row["state"] == "submitted"]
    assert released
    assert {row["payout_key"] for row in paid} == released
    journal = (demo_home / "journal" / "payouts.jsonl").read_text().splitlines()
    intents = [line for line in journal if '"intent"' in line]
    assert len(intents) == len(released)


def test_one_signed_decision_a_tenant(demo_home: Path) -> None:
    folders = sorted((demo_home / "decisions").iterdir())
    assert [folder.name for folder in folders] == ["tenant_aurora", "tenant_birch", "tenant_cobalt"]
    assert all(len(list(folder.glob("*.json"))) == 1 for folder in folders)


def test_no_secret_and_no_machine_path_in_packets(demo_home: Path) -> None:
    for packet in issued(prepare_home(demo_home)):
        data = (demo_home / packet.path).read_bytes()
        assert b"sk_test_" not in data
        assert str(demo_home).encode() not in data


def test_the_home_is_closed_to_others(demo_home: Path) -> None:
    assert demo_home.stat().st_mode & 0o077 == 0


def test_reading_commands_answer_from_the_published_file(demo_home: Path) -> None:
    status = type_command(demo_home, "status", "--json")
    assert status.code == 1, "the demo has planted breaks"
    reads = status.json["reads_this_month"]
    assert (reads["used"] > 50, reads["budget"], reads["left"]) == (True, None, None)
    budgeted = type_command(demo_home, "status", TIEOUT_STRIPE_READS_PER_MONTH="100000")
    assert f"{100_000 - reads['used']:,} of 100,000 left" in " ".join(budgeted.out.split())
    drift = type_command(demo_home, "drift", "--json", "--tenant-id", "tenant_birch")
    assert drift.code == 1
    breaks = [row for row in drift.json if row["outcome"] == "break"]
    told = type_command(demo_home, "explain", breaks[0]["break_id"], "--json")
    assert told.code == 0
    assert "reconciliation_drift" in told.json
    assert type_command(demo_home, "explain", "nothing_like_it").code == 1
    assert type_command(demo_home, "gates", "--json").code == 0
    shown = type_command(
        demo_home,
        *("packet", "show", "--tenant-id", "tenant_aurora", "--period"),
        status.json["verdicts"][-1]["period"],
        "--json",
    )
    assert shown.code == 0, shown
    assert shown.json["revision"] == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("drift --tenant-id tenant_brich", "tenant_unknown"),
        ("drift --period 2026-13", "period_malformed"),
        ("drift --period 2026-9", "period_malformed"),
        ("drift --reason MISSING_INTERNALS", "reason_unknown"),
        ("gates --tenant-id tenant_brich", "tenant_unknown"),
        ("triage list --tenant-id tenant_brich", "tenant_unknown"),
        ("triage export --tenant-id tenant_brich", "tenant_unknown"),
    ],
)
def test_a_mistyped_filter_is_misuse_and_never_reads_as_nothing_open(
    demo_home: Path, command: str, code: str
) -> None:
    answer = type_command(demo_home, *command.split())
    assert (answer.code, answer.out) == (2, ""), answer
    one_paragraph(answer, code, command.rsplit(maxsplit=1)[-1])


@pytest.mark.parametrize(
    "command",
    [
        "drift --tenant-id _platform",
        "drift --tenant-id tenant_birch --period 2031-01",
        "drift --tenant-id tenant_birch --reason FX_VARIANCE",
        "gates --tenant-id _platform",
        "triage list --tenant-id tenant_aurora",
    ],
)
def test_a_known_tenant_with_nothing_open_is_an_empty_answer(demo_home: Path, command: str) -> None:
    answer = type_command(demo_home, *command.split(), "--json")
    assert (answer.code, answer.json) == (0, []), answer


def test_a_tenant_that_was_read_is_known_before_anything_moved(tmp_path: Path) -> None:
    path = tmp_path / "published.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("create table reconciliation_runs (tenant_id varchar)")
        db.execute("create table source_coverage as select 'tenant_new' as tenant_id")
    with Marts(path) as marts:
        require_tenant(marts, "tenant_new")
        with pytest.raises(SettingError):
            require_tenant(marts, "tenant_now")


def test_dagster_shows_the_run_its_checks_and_each_packet(demo_home: Path) -> None:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(demo_home / "dagster")) as instance:
        runs = instance.get_runs()
        assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS]
        shown = instance.get_materialized_partitions(dg.AssetKey(["packets", "run_packet"]))
        assert len(shown) == len(issued(prepare_home(demo_home)))
        published = instance.get_latest_materialization_event(
            dg.AssetKey(["publication", "published"])
        )
        assert published is not None


def test_a_run_evaluates_every_check_it_plans(demo_home: Path) -> None:
    import dagster as dg

    def checks(instance: dg.DagsterInstance, kind: dg.DagsterEventType) -> set[dg.AssetCheckKey]:
        (run,) = instance.get_runs()
        events = [log.dagster_event for log in instance.all_logs(run.run_id, of_type={kind})]
        return {event.event_specific_data.asset_check_key for event in events if event}  # type: ignore[union-attr]

    with dg.DagsterInstance.from_config(str(demo_home / "dagster")) as instance:
        planned = checks(instance, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
        assert len(planned) > 100
        assert checks(instance, dg.DagsterEventType.ASSET_CHECK_EVALUATION) == planned


def test_nothing_personal_of_the_demo_customers_is_anywhere_under_the_home(demo_home: Path) -> None:
    # The simulator's own folder is the outside world: it is where the personal data comes from.
    traces = ("juniper crescent", "wexholm", "customers.example", "fpplanted", "+1 555 01")
    rail = (demo_home / "simulator" / "rail.jsonl").exists()
    found = [
        (path.name, trace)
        for path in sorted(demo_home.rglob("*"))
        if path.is_file() and (demo_home / "simulator") not in path.parents
        for text in _texts(path)
        for trace in traces
        if trace in text
    ]
    assert rail
    assert found == []


def _texts(path: Path) -> list[str]:
    """A file's raw bytes, and its values where the pages of the file may be packed."""
    texts = [path.read_bytes().decode("latin-1").lower()]
    if path.suffix == ".parquet":
        with duckdb.connect() as db:
            texts.append(repr(db.from_parquet(str(path)).fetchall()).lower())
    if path.suffix == ".duckdb" and not path.is_symlink():
        with duckdb.connect(str(path), read_only=True) as db:
            tables = db.execute(
                "select table_schema, table_name from information_schema.tables "
                "where table_type = 'BASE TABLE'"
            ).fetchall()
            for schema, table in tables:
                texts.append(repr(db.execute(f'from "{schema}"."{table}"').fetchall()).lower())
    return texts
