"""Stripe's own CLI triggers its fixtures against the simulator; then the ledger must still hold.

Belongs here: which events are triggered, what counts as passed, the table. Does not belong here:
what the simulator does. `make conformance` installs the CLI and runs this module; it never reads a
real key, and the CLI is sent to this machine alone.

An event passes when the CLI's fixture runs to its end, the simulator's own list of events shows the
event, and no identity of the ledger (I1 to I14 and conservation) is broken. The exit status of the
CLI alone only shows that ids chain.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest.simulator.http import Server, serve
from ingest.simulator.rail import Rail

KEY = "sk_test_" + "TieoutConformance" * 2
OPENING_CENTS = 1_000_000
TIMEOUT_SECONDS = 60
# Every event about money or accounts that we read, in the order of Stripe's list.
EVENTS = (
    "account.application.deauthorized",
    "account.updated",
    "application_fee.created",
    "application_fee.refunded",
    "balance.available",
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "payout.canceled",
    "payout.created",
    "payout.failed",
    "payout.paid",
    "payout.updated",
    "topup.created",
    "topup.failed",
    "transfer.created",
    "transfer.reversed",
    "transfer.updated",
)


@dataclass(frozen=True)
class Verdict:
    """How one event went: `pass`, `fail` or `none` (the CLI has no such trigger)."""

    event: str
    verdict: str
    why: str = ""


def main(cli: Path) -> int:
    """Triggers every event and prints the table; returns 0 when none failed."""
    rail = Rail(clock=lambda: datetime.now(UTC), seed=7)
    # The fixtures spend 1,000 of a charge of 1,000, whose fee is not theirs.
    rail.top_up(OPENING_CENTS, at=datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder, serve(rail, api_key=KEY) as server:
        known = _listed_triggers(cli, Path(folder))
        verdicts = [_trigger(cli, Path(folder), server, event, known) for event in EVENTS]
        broken = rail.check_invariants()
        calls = len(server.calls)
    for verdict in verdicts:
        print(f"{verdict.verdict:<5} {verdict.event:<34} {verdict.why}", flush=True)
    counts = {name: sum(v.verdict == name for v in verdicts) for name in ("pass", "fail", "none")}
    movements = len(rail.objects("balance_transaction"))
    print(
        f"{counts['pass']} passed, {counts['fail']} failed, {counts['none']} without trigger; "
        f"{calls} calls, {movements} movements on the platform, {len(broken)} identities broken"
    )
    return 1 if counts["fail"] or broken or not counts["pass"] else 0


def _trigger(cli: Path, folder: Path, server: Server, event: str, known: frozenset[str]) -> Verdict:
    if event not in known:
        return Verdict(event, "none", "the CLI has no trigger of this name")
    before = {shown["id"] for shown in _events(server.rail, event)}
    arguments = ("trigger", event, "--api-key", KEY, "--api-base", server.url)
    try:
        ended = _run(cli, folder, *arguments)
    except subprocess.TimeoutExpired:
        return Verdict(event, "fail", f"the CLI did not end within {TIMEOUT_SECONDS} s")
    if ended.returncode != 0:
        said = (ended.stderr.strip() or ended.stdout.strip()).splitlines()
        return Verdict(event, "fail", said[-1][:160] if said else "the CLI said nothing")
    if not {shown["id"] for shown in _events(server.rail, event)} - before:
        return Verdict(event, "fail", "the fixture ran, but the event was not recorded")
    broken = server.rail.check_invariants()
    return Verdict(event, "fail", broken[0][:160]) if broken else Verdict(event, "pass")


def _events(rail: Rail, event: str) -> list[dict[str, str]]:
    accounts = [None, *(account["id"] for account in rail.objects("account"))]
    return [e for account in accounts for e in rail.objects("event", account) if e["type"] == event]


def _listed_triggers(cli: Path, folder: Path) -> frozenset[str]:
    lines = _run(cli, folder, "trigger", "--help").stdout.splitlines()
    return frozenset(line.strip() for line in lines)


def _run(cli: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(cli), *arguments],
        # Nothing of the caller's environment: no key, no profile, no telemetry.
        env={
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
            "NO_PROXY": "127.0.0.1",
        },
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
