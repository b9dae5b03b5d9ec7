"""A packet reaches the shelf, the log and its record together, whenever the process is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project import shelf
from dagster_project.home import Home, prepare_home
from evidence import build, container
from evidence.build import PacketSpec, build_packet
from evidence.keys import KeySigner
from evidence.log import PacketLog
from evidence.notes import LOG_ALGORITHM, make_key
from evidence.signatures import Signer
from evidence.tables import Table
from evidence.trust import TrustedLog, TrustFile, load_trust, trust_document, trusted_key
from evidence.verify import verify_packet
from tests.wiring.conftest import ROOT

SIGNER = KeySigner.from_seed(b"the packet signer of this test..")
LOG_SIGNER = KeySigner.from_seed(b"the log signer of this test.....")
ORIGIN = "packets.example.test/log"
MAX_CRASHES = 40

# The child dies like a machine that loses power: at one of its syncs, without a last word.
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.wiring.test_shelf import put_one
left, real = int(sys.argv[2]), os.fsync
def sync(descriptor):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = sync
put_one(Path(sys.argv[1]))
"""


def log_of(home: Home) -> PacketLog:
    return PacketLog(home.packets / "log", ORIGIN, LOG_SIGNER)


def built(signer: Signer = SIGNER) -> build.BuiltPacket:
    owner = {"tenant_id": "t1", "period": "2026-10", "currency": "usd"}
    tables = {
        "reconciliation_runs": [
            owner | {"verdict": "breaks", "gross_cents": 9, "unexplained_cents": 1}
        ],
        "reconciliation_bridge": [owner | {"line_code": "residual", "amount_cents": 0}],
        "reconciliation_drift": [
            owner | {"break_id": "b1", "outcome": "break", "reason_code": "AMOUNT_OVER"}
        ],
        "exposure_rollforward": [owner | {"party_id": None, "closing_cents": 0}],
    }
    spec = PacketSpec(
        tenant_id="t1",
        period="2026-10",
        revision=1,
        verdict="breaks",
        currencies=("usd",),
        tables={name: Table(("currency",), rows) for name, rows in tables.items()},
        run={
            "as_of": datetime(2026, 11, 1, tzinfo=UTC),
            "code_sha256": "c0" * 32,
            "engine": "duckdb 2.0.0",
            "inputs": {},
            "lock_sha256": "10" * 32,
            "rules": {},
        },
    )
    return build_packet(spec, signer)


def put_one(root: Path, log: PacketLog | None = None) -> shelf.IssuedPacket:
    home, packet = prepare_home(root), built()
    record = shelf.IssuedPacket(
        tenant_id="t1",
        period="2026-10",
        revision=1,
        packet_sha256=packet.packet_sha256,
        previous_sha256=None,
        supersedes_sha256=None,
        verdict="breaks",
        path=f"packets/t1/2026-10/{packet.name}",
        log_index=shelf.UNLOGGED,
        as_of="2026-11-01T00:00:00+00:00",
        content_sha256="00" * 32,
        run_id="run",
    )
    return shelf.put_down(home, log or log_of(home), record, packet.files)


def trust() -> TrustFile:
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    key = trusted_key(SIGNER, start, end)
    log = TrustedLog(make_key(ORIGIN, LOG_ALGORITHM, LOG_SIGNER.public_key))
    return load_trust(trust_document([key], log))


def must_be_whole(home: Home) -> None:
    """One file that verifies with its log proof, one entry, one record, and nothing beside."""
    (packet,) = shelf.issued(home)
    assert packet.log_index == 0
    verify_packet(shelf.packet_file(home, packet), trust(), "t1", "2026-10", require_log=True)
    assert log_of(home).entries() == [built().statement]
    folder = home.packets / "t1" / "2026-10"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [Path(packet.path).name, "r1.json"]
    )


def crash(root: Path, after_syncs: int) -> int:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(root), str(after_syncs)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
    ).returncode


def test_a_packet_is_put_down_whole(tmp_path: Path) -> None:
    put_one(tmp_path / "home")
    must_be_whole(prepare_home(tmp_path / "home"))


@pytest.mark.parametrize("after_syncs", [1, 3, 5, 7])
def test_a_killed_issuer_leaves_no_log_entry_without_its_packet(
    tmp_path: Path, after_syncs: int
) -> None:
    assert crash(tmp_path / "home", after_syncs) == -9
    recovered(tmp_path / "home")


@pytest.mark.slow
def test_killed_at_every_sync_the_packet_is_whole_or_due_again(tmp_path: Path) -> None:
    for after_syncs in range(MAX_CRASHES):
        root = tmp_path / f"home{after_syncs}"
        if crash(root, after_syncs) == 0:
            assert after_syncs > 5
            return
        recovered(root)
    raise AssertionError("the child never came to its end")


def recovered(root: Path) -> None:
    home = prepare_home(root)
    logged = log_of(home).entries()
    shelved = [
        container.read_zip(path.read_bytes())[build.STATEMENT_FILE]
        for path in home.packets.glob("t1/*/*")
        if path.name.endswith((".zip", ".zip.pending"))
    ]
    assert set(logged) <= set(shelved), "a log entry without its packet"
    finished = shelf.finish_pending(home, log_of(home))
    if not shelf.issued(home):
        assert finished == []
        put_one(root)
    must_be_whole(home)
    assert shelf.finish_pending(home, log_of(home)) == []
