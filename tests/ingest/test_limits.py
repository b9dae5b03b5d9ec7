"""The limiter keeps rates across threads and processes, and a pause holds for all of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.errors import SourceUnavailable
from ingest.limits import Limiter


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(tmp_path: Path, clock: Clock) -> Iterator[Limiter]:
    made = Limiter(
        tmp_path / "state" / "limits.sqlite",
        per_second=10,
        overall_per_second=20,
        clock=clock,
        sleep=clock.sleep,
    )
    yield made
    made.close()


def test_one_scope_keeps_its_rate(limiter: Limiter, clock: Clock) -> None:
    begun = clock.now
    times = []
    for _ in range(102):
        limiter.acquire("charges")
        times.append(clock.now)
    assert clock.now - begun == pytest.approx(10, abs=0.3)
    for second in range(10):
        window = [t for t in times if begun + second <= t < begun + second + 1]
        assert len(window) <= 13


def test_all_scopes_together_keep_the_overall_rate(limiter: Limiter, clock: Clock) -> None:
    begun = clock.now
    for number in range(200):
        limiter.acquire(f"scope{number % 8}")
    assert clock.now - begun == pytest.approx(10, abs=0.5)


def test_a_pause_holds_its_scope_and_no_other(limiter: Limiter, clock: Clock) -> None:
    limiter.pause(5, "charges")
    assert limiter.acquire("refunds") == 0
    begun = clock.now
    limiter.acquire("charges")
    assert clock.now - begun == pytest.approx(5)
    limiter.pause(5)
    begun = clock.now
    limiter.acquire("refunds")
    assert clock.now - begun == pytest.approx(5)


def test_a_shorter_pause_does_not_end_a_longer_one(limiter: Limiter, clock: Clock) -> None:
    limiter.pause(9, "charges")
    limiter.pause(1, "charges")
    assert limiter.acquire("charges") == pytest.approx(9)


def test_a_clock_set_back_does_not_stop_everything(limiter: Limiter, clock: Clock) -> None:
    limiter.acquire("charges")
    clock.now -= 86_400
    assert limiter.acquire("charges") == 0


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite"
    path.write_bytes(b"not a database, but long enough to look at" * 50)
    limiter = Limiter(path)
    assert limiter.acquire("charges") == 0
    limiter.close()


def test_two_processes_share_one_rate(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from ingest.limits import Limiter\n"
        "limiter = Limiter(pathlib.Path(sys.argv[1]), per_second=100, overall_per_second=1000)\n"
        "sys.stdin.readline()\n"
        "for _ in range(60): limiter.acquire('charges')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "limits.sqlite")]
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, cwd=root, text=True) for _ in range(2)
    ]
    time.sleep(0.3)
    begun = time.monotonic()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.close()
    for process in processes:
        assert process.wait(30) == 0
    # 120 requests at 100 a second, less the burst of a fifth of a second; alone it would be 0.4 s.
    assert time.monotonic() - begun > 0.9


def test_a_month_has_a_budget_that_all_processes_share_and_that_starts_anew(tmp_path: Path) -> None:
    path, now = tmp_path / "limits.sqlite", [1_767_225_600.0 - 60]  # a minute before 2026
    limiters = [
        Limiter(path, per_month=5, clock=lambda: now[0], sleep=lambda seconds: None)
        for _ in range(2)
    ]
    for turn in range(5):
        limiters[turn % 2].acquire(f"scope {turn}")
    assert [limiter.used_this_month() for limiter in limiters] == [5, 5]
    with pytest.raises(SourceUnavailable, match="read_budget_used") as refusal:
        limiters[0].acquire("charges")
    assert "TIEOUT_STRIPE_READS_PER_MONTH" in str(refusal.value)
    now[0] += 120
    assert limiters[1].acquire("charges") == 0
    assert limiters[0].used_this_month() == 1
    for limiter in limiters:
        limiter.close()


def test_without_a_budget_reads_are_counted_all_the_same(tmp_path: Path) -> None:
    limiter = Limiter(tmp_path / "limits.sqlite", sleep=lambda seconds: None)
    for _ in range(3):
        limiter.acquire("charges")
    assert limiter.used_this_month() == 3
    limiter.close()
