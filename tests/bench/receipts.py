"""How many kernel artifacts a second are read, hashed, checked for their signature, and landed.

Belongs here: seconds and peak memory. Does not belong here: whether a verdict is right
(tests/kernel). Landing runs in a process of its own, so that its peak memory is its own; memory is
shown at two sizes because flat is a claim about their difference.

    python -m tests.bench receipts          # or: python -m tests.bench.receipts 5000000
"""

from __future__ import annotations

import base64
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from evidence.artifacts import AgentKeys, KernelArtifacts, kernel_key_ids
from evidence.keys import KeySigner, public_key_pem
from ingest.kernel.exports import land_kernel
from ingest.landing import Landing
from ingest.simulator.kernel_artifacts import digest, sealed
from ingest.simulator.world import build_demo

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
TENANT: Final = "tenant_aurora"
ONE_CORE: Final = 50_000
LANDED: Final = (200_000, 1_000_000)
AGENT: Final = KeySigner.from_seed(b"the agent of this benchmark.....")


def _receipts() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = build_demo(NOW).partners[TENANT].rows["settlement_receipts"]
    return rows


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _verdict(number: int) -> bytes:
    """An arbitration verdict, signed as the kernel's agents sign: over the 32 bytes of its hash."""
    core = {
        "schemaVersion": "ArbitrationVerdict.v1",
        "verdictId": f"arb_vrd_{number}",
        "caseId": f"arb_case_{number}",
        "tenantId": TENANT,
        "runId": f"run_{number}",
        "settlementId": f"setl_{number}",
        "disputeId": f"disp_{number}",
        "arbiterAgentId": "agt_arbiter",
        "outcome": "accepted",
        "releaseRatePct": 100,
        "rationale": "as agreed",
        "evidenceRefs": [],
        "issuedAt": "2026-10-07T00:00:00.000Z",
        "appealRef": None,
    }
    hashed = digest(core)
    keyid = sorted(kernel_key_ids(public_key_pem(AGENT.public_key)))[0]
    signature = base64.b64encode(AGENT.sign(bytes.fromhex(hashed))).decode()
    return _line({**core, "signerKeyId": keyid, "verdictHash": hashed, "signature": signature})


def _one_core(work: str, lines: list[bytes], verify: Callable[[bytes], Any]) -> None:
    started = time.perf_counter()
    verdicts = {verify(line).verdict for line in lines}
    seconds = time.perf_counter() - started
    if verdicts != {"verified"}:
        raise SystemExit(f"the benchmark's own artifacts are {verdicts}")
    _tell(work, f"{len(lines):,} artifacts", len(lines), seconds)


def _distinct(count: int) -> Iterator[bytes]:
    """Receipts that differ in id and hash, so that none is the repetition of another."""
    receipt = dict(_receipts()[0])
    for number in range(count):
        receipt["receiptId"] = f"rcpt_bench_{number}"
        yield _line(sealed(receipt, "receiptHash"))


def land(root: Path) -> dict[str, float]:
    """Lands an export folder into an empty home: rows, seconds, peak memory in MB."""
    home = root / "home"
    home.mkdir(mode=0o700)
    started = time.perf_counter()
    pull = land_kernel(
        root=str(root / "exports"),
        landing=Landing(home),
        verifier=KernelArtifacts(),
        trusted_keys={},
        now=NOW,
    )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": pull.rows_read, "seconds": seconds, "peak_mb": peak}


def _landed(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "exports" / TENANT / "settlement_receipts.jsonl"
        export.parent.mkdir(parents=True)
        with export.open("wb") as file:
            file.writelines(line + b"\n" for line in _distinct(count))
        command = [sys.executable, "-m", "tests.bench.receipts", "land", folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    amount = f"{found['rows']:,.0f} lines, peak {found['peak_mb']:.0f} MB"
    _tell("receipts read, verified and landed", amount, found["rows"], found["seconds"])


def _tell(work: str, amount: str, count: float, seconds: float) -> None:
    print(f"| {work} | {amount} | {seconds:.2f} | {count / seconds:,.0f} |", flush=True)


def main(*sizes: int) -> None:
    """Lines of a Markdown table: one core without and with a signature, then whole files."""
    known = [_line(row) for row in _receipts()]
    plain = KernelArtifacts()
    agents = KernelArtifacts(AgentKeys([(public_key_pem(AGENT.public_key), ("*",))]))
    receipts = [known[number % len(known)] for number in range(ONE_CORE)]
    _one_core(
        "receipts, strict parse and hash, one core",
        receipts,
        lambda line: plain.verify("settlement_receipts", line),
    )
    _one_core(
        "verdicts, strict parse, hash and signature, one core",
        [_verdict(number) for number in range(ONE_CORE // 5)],
        lambda line: agents.verify("arbitration_verdicts", line),
    )
    for count in sizes or LANDED:
        _landed(count)


if __name__ == "__main__":
    if sys.argv[1:2] == ["land"]:
        print(json.dumps(land(Path(sys.argv[2]))))
    else:
        main(*map(int, sys.argv[1:]))
