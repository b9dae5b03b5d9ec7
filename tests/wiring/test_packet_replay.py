"""The demo's packets, computed again from what they carry: all of it, and nothing of others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.home import prepare_home
from dagster_project.issuing import issue_packets
from dagster_project.runs import last_published
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.shelf import IssuedPacket, issued
from evidence import canonical, container, findings, plan, statement
from evidence.build import FIXED_FILES, RUN_FILE, SIDE_FILES, SUBJECTS, SUMS_FILE, TABLES_FILE
from evidence.errors import Refusal
from evidence.keys import KeySigner
from evidence.signatures import sign_envelope, sign_sshsig
from evidence.sums import write_sums
from evidence.tables import read_entries, scan_table
from evidence.trust import load_trust
from evidence.verify import verify_packet
from tests.wiring.conftest import ROOT

DEMO_SEED = b"tieout demo key: packets        "
UV = str(Path(sys.executable).with_name("uv"))
PLATFORM = "acct_1TieoutPlatform"


@pytest.fixture(scope="module")
def newest(demo_home: Path) -> dict[str, IssuedPacket]:
    """The packet of one closed period a tenant."""
    packets = issued(prepare_home(demo_home))
    return {p.tenant_id: p for p in sorted(packets, key=lambda p: p.period, reverse=True)[3:]}


def members(home: Path, packet: IssuedPacket) -> dict[str, bytes]:
    return container.read_zip((home / packet.path).read_bytes())


def test_every_tenants_packet_is_computed_again_from_its_own_inputs(demo_home, newest) -> None:
    trust = load_trust(demo_home / "trust" / "trust.json")
    assert len(newest) == 3
    for packet in newest.values():
        said = verify_packet(
            demo_home / packet.path, trust, packet.tenant_id, packet.period, replay=True
        )
        assert said.run["rules"]["replayed_before_signing"] is True
        assert any(check.startswith("replay: ") for check in said.checks)


@pytest.mark.slow
@pytest.mark.parametrize("release", ["1.2.2", "1.4.4"])
def test_another_duckdb_release_computes_the_same_tables(
    demo_home, newest, tmp_path, release
) -> None:
    """The auditor's engine need not be ours: the digests of the tables are the same."""
    make = [[UV, "venv", "-q", "."], [UV, "pip", "install", "-q", "--python", "bin/python"]]
    make[1] += ["cryptography", f"duckdb=={release}"]
    for command in make:
        if subprocess.run(command, cwd=tmp_path, timeout=120, check=False).returncode:
            pytest.skip(f"duckdb {release} cannot be installed here")
    options = ["--trust", str(demo_home / "trust" / "trust.json"), "--no-log-proof", "--replay"]
    for packet in newest.values():
        said = subprocess.run(
            [tmp_path / "bin/python", "-m", "evidence.cli", demo_home / packet.path, *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert said.returncode == 0, said.stdout
        assert f"computed again by duckdb {release}, byte for byte the same" in said.stdout


def test_every_packet_of_the_home_was_replayed_before_it_was_signed(demo_home) -> None:
    for packet in issued(prepare_home(demo_home)):
        files = members(demo_home, packet)
        run = json.loads(files[RUN_FILE])
        assert run["rules"]["replayed_before_signing"] is True
        assert run["rules"]["payout_due_days"] == 3
        assert run["inputs"]["stg_stripe__balance_transactions"]["rows"] > 0
        assert plan.input_file("work.staging.stg_stripe__balance_transactions") in files


def test_inputs_hold_the_tenants_rows_and_nobody_elses(demo_home, newest) -> None:
    for tenant, packet in newest.items():
        files = members(demo_home, packet)
        whole = b"".join(files.values())
        assert not [other for other in newest if other != tenant and other.encode() in whole]
        accounts, shown = {PLATFORM}, set()
        for line in files["inputs/stg_kernel__connect_accounts.ndjson"].splitlines():
            accounts.add(json.loads(line)["account_id"])
        for name, data in files.items():
            if name.startswith("inputs/stg_stripe__"):
                shown |= {json.loads(line).get("account_id") for line in data.splitlines()}
        assert shown <= accounts
        # The kernel's runs are what its receipts are about; ours would change unchanged packets.
        ours = [n for n in files if "inputs/" in n and not n.startswith("inputs/stg_kernel__")]
        assert b"run_id" not in b"".join(
            files[name].replace(b'"run_id":"replay"', b"") for name in ours
        )


def test_a_packet_too_large_with_its_inputs_is_issued_without_them_and_says_so(
    demo_home, tmp_path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    shutil.rmtree(home / "packets")
    told: list[str] = []
    settings = Settings.from_env({"TIEOUT_HOME": str(home)})
    with Session.open(settings, progress=lambda _, what: told.append(what)) as session:
        run = last_published(session.home)
        assert run is not None
        packets = issue_packets(session, run, max_bytes=100_000)
    trust = load_trust(home / "trust" / "trust.json")
    assert sum("more than a packet may have: issued without inputs" in t for t in told) > 5
    assert len(packets) > 5
    for packet in packets:
        files = members(home, packet)
        assert not any(name.startswith("inputs/") for name in files)
        assert plan.PLAN_FILE in files
        asked = (home / packet.path, trust, packet.tenant_id, packet.period)
        assert any("not replayed" in gap for gap in verify_packet(*asked).not_proven)
        with pytest.raises(Refusal) as refused:
            verify_packet(*asked, replay=True)
        assert refused.value.code == "replay_inputs"


def insider(files: dict[str, bytes], tenant: str, period: str) -> bytes:
    """Tables, evidence, digests and signatures made to agree again, with the issuer's own key."""
    found = findings.Findings(tenant, period)
    entries = {
        name: scan_table(name, files[f"tables/{name}.ndjson"], entry.key, found.visitors(name))
        for name, entry in read_entries(files[TABLES_FILE]).items()
    }
    reconciliation = canonical.dumps(
        findings.reconciliation_document(tenant, period, found, entries)
    )
    chain = canonical.sha256_hex(reconciliation)
    body = {n: d for n, d in files.items() if n not in {*FIXED_FILES, *SIDE_FILES}} | {
        TABLES_FILE: canonical.dumps({n: e.document() for n, e in entries.items()}),
        findings.RECONCILIATION_FILE: reconciliation,
        findings.CHARGEBACKS_FILE: canonical.dumps(
            findings.chargebacks_document(tenant, period, found, entries, chain)
        ),
    }
    body[SUMS_FILE] = write_sums(body)
    stated = statement.read_run_statement(files["statement.json"])
    payload = statement.write_run_statement(
        tenant=tenant,
        period=period,
        revision=stated.revision,
        previous=stated.previous,
        supersedes=stated.supersedes,
        verdict=found.verdict,
        counts=found.counts,
        subjects={name: canonical.sha256_hex(body[name]) for name in SUBJECTS},
    )
    signer = KeySigner.from_seed(DEMO_SEED)
    return container.write_zip(
        body
        | {
            "packet.intoto.json": sign_envelope(payload, [signer]),
            "statement.json": payload,
            "statement.json.sig": sign_sshsig(payload, signer),
        }
    )


def test_a_break_that_the_issuer_itself_removed_is_found_by_replay_alone(demo_home) -> None:
    packets = issued(prepare_home(demo_home), "tenant_birch")
    packet = next(p for p in packets if p.verdict == "breaks")
    files = members(demo_home, packet)
    for name in ("reconciliation_drift", "reconciliation_runs"):
        path = f"tables/{name}.ndjson"
        lines = [json.loads(line) for line in files[path].splitlines()]
        if name == "reconciliation_drift":
            lines = [line for line in lines if line["outcome"] != "break"]
        else:
            for line in lines:
                line |= {"verdict": "reconciled", "open_breaks": 0, "unexplained_cents": 0}
        files[path] = b"".join(canonical.dumps(line) + b"\n" for line in lines)
    forged = insider(files, packet.tenant_id, packet.period)
    trust = load_trust(demo_home / "trust" / "trust.json")
    accepted = verify_packet(forged, trust, packet.tenant_id, packet.period)
    assert accepted.statement.verdict == "reconciled"
    with pytest.raises(Refusal) as caught:
        verify_packet(forged, trust, packet.tenant_id, packet.period, replay=True)
    assert caught.value.code == "replay_differs"
