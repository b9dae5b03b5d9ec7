"""Ten thousand pages with faults in every tenth or so, and pulls killed between any two writes:
nothing is lost, nothing doubled, and no part of a batch is ever visible."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from ingest.landing import Landing
from ingest.stripe.kept import BALANCE_TRANSACTION_FEES, BALANCE_TRANSACTIONS
from tests.bench.page_server import amount_of, page_server

PAGE = 20
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAX_PULLS = 80

# Pulls once; the kernel kills it at its n-th step. A step is each call that changes the disk.
PULL = """
import os, signal, sys, pathlib
from datetime import datetime, timedelta
from ingest import parquet, spool
from ingest.landing import Landing
from ingest.limits import ReadLimits
from ingest.stripe import lists, reader
from ingest.stripe.client import pull_stripe

home, url, now, fatal, page = sys.argv[1:]
reader.PAGE_LIMIT = int(page)
lists.WAVE_ROWS, lists.WAVE_SECONDS = 6_000, 0.5
steps = 0

def counted(function):
    def step(*arguments, **named):
        global steps
        steps += 1
        if steps == int(fatal):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return step

landing = Landing(pathlib.Path(home))
os.fsync = counted(os.fsync)
pathlib.Path.replace = counted(pathlib.Path.replace)
pathlib.Path.unlink = counted(pathlib.Path.unlink)
parquet.copy_to_parquet = counted(parquet.copy_to_parquet)
spool.spool_rows = counted(spool.spool_rows)
result = pull_stripe(
    home=pathlib.Path(home), api_key="sk_test_tieout_soak", api_base=url, accounts=(),
    now=datetime.fromisoformat(now), landing=landing, sleep=lambda seconds: None,
    limits=ReadLimits(per_second=1e6, overall_per_second=1e6, attempts=6),
)
sys.exit(0 if result.complete else 3)
"""


def soak(home: Path, *, pages: int, kills: int, seed: int) -> Counter[str]:
    """Pulls until a pull ends well, checking the landing after each; returns the tally.

    Raises:
        AssertionError: Something was lost, doubled or half visible.
    """
    chance, tally, objects = Random(seed), Counter[str](), pages * PAGE
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with page_server(objects, seed=seed) as url:
        for number in range(MAX_PULLS):
            fatal = chance.randint(1, 60) if tally["kills"] < kills else 0
            now = NOW.replace(microsecond=number)
            command = [sys.executable, "-c", PULL, str(home), url, now.isoformat()]
            done = subprocess.run(
                [*command, str(fatal), str(PAGE)], env=environ, check=False, capture_output=True
            )
            assert done.returncode in (0, 3, -signal.SIGKILL), done.stderr[-2_000:]
            tally["pulls"] += 1
            tally["kills"] += done.returncode == -signal.SIGKILL
            tally["incomplete"] += done.returncode == 3
            tally["partial batches"] += _partial(home)
            if done.returncode == 0:
                break
        with urllib.request.urlopen(f"{url}/tally", timeout=30) as answer:
            tally.update(json.load(answer))
    landing = Landing(home)
    landed = Counter(landing.rows(BALANCE_TRANSACTIONS.spec, ["id", "amount", "fee", "net"]))
    expected = {
        (f"txn_{number:012d}", amount, fee, amount - fee)
        for number in range(objects)
        for amount, fee in [amount_of(number)]
    }
    tally["lost"] = len(expected - landed.keys())
    tally["invented"] = len(landed.keys() - expected)
    tally["doubled"] = sum(times - 1 for times in landed.values())
    fees = landing.rows(BALANCE_TRANSACTION_FEES.spec, ["balance_transaction_id", "amount"])
    tally["fees lost"] = objects - len(set(fees))
    tally["fees doubled"] = len(fees) - len(set(fees))
    return tally


def _partial(home: Path) -> int:
    """Committed batches whose rows are not what their manifest says."""
    landing, broken = Landing(home), 0
    for manifest in landing.committed():
        try:
            landing.verify(manifest)
        except Exception:
            broken += 1
    return broken


def _judge(tally: Counter[str], *, least_kills: int) -> None:
    print("soak:", ", ".join(f"{name} {times}" for name, times in sorted(tally.items())))
    for name in ("lost", "invented", "doubled", "fees lost", "fees doubled", "partial batches"):
        assert tally[name] == 0, name
    # A pull that ends before its fatal step ends the soak: the rest of the kills is not needed.
    assert tally["kills"] >= least_kills
    assert min(tally["429"], tally["500"], tally["reset"], tally["truncated"], tally["slow"]) > 0


def test_a_few_hundred_pages_with_faults_and_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    _judge(soak(tmp_path / "home", pages=400, kills=3, seed=7), least_kills=2)


@pytest.mark.slow
def test_ten_thousand_pages_with_faults_and_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    tally = soak(tmp_path / "home", pages=10_000, kills=40, seed=11)
    _judge(tally, least_kills=20)
    assert tally["pages"] >= 10_000
