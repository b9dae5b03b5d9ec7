"""Two enforcers at once pay once, and a second one steps aside."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest

from ingest.errors import PayoutRefused
from ingest.payouts.submit import enforce
from tests.payouts.desk import Crash, Desk, payout

BATCH = [payout(f"p{n}") for n in range(4)]


def test_a_second_enforcer_is_turned_away_while_one_is_at_work(desk: Desk) -> None:
    refused: list[str] = []

    def intrude(step: str) -> None:
        if step == "payout.answered" and not refused:
            with pytest.raises(PayoutRefused) as caught:
                desk.pay(*BATCH)
            refused.append(caught.value.code)

    desk.run(desk.decide(BATCH), checkpoint=intrude)
    assert refused == ["enforcer_busy"]
    desk.assert_paid_once(*BATCH)


def test_the_lock_is_free_again_after_a_failure(desk: Desk) -> None:
    def die(step: str) -> None:
        raise Crash(step)

    with pytest.raises(Crash):
        desk.run(desk.decide(BATCH), checkpoint=die)
    desk.pay(*BATCH)
    desk.assert_paid_once(*BATCH)


def test_threads_that_enforce_the_same_decision_pay_once(desk: Desk) -> None:
    decision = desk.decide(BATCH)

    def work() -> None:
        enforce(
            decision,
            rail=desk.rail,
            journal=desk.journal(),
            mode="live",
            clock=desk.clock,
            profile=desk.profile(),
            wait_seconds=20.0,
        )

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.assert_paid_once(*BATCH)
    assert len(desk.rail.creations) == len(BATCH)


def _enforce_elsewhere(home: Path, asked: Path, barrier: object) -> None:
    desk = Desk(home)
    create = desk.rail.create_transfer

    def note(intent, key):
        with asked.open("a") as file:
            file.write(f"{intent.payout_key}\n")
        return create(intent, key)

    desk.rail.create_transfer = note  # type: ignore[method-assign]
    barrier.wait()  # type: ignore[attr-defined]
    enforce(
        desk.decide(BATCH),
        rail=desk.rail,
        journal=desk.journal(),
        mode="live",
        clock=desk.clock,
        profile=desk.profile(),
        wait_seconds=20.0,
    )


def test_processes_that_enforce_the_same_decision_ask_the_rail_once(tmp_path: Path) -> None:
    # Each process has a rail of its own that knows nothing of the other: only the journal protects.
    context = multiprocessing.get_context("fork")
    asked, barrier = tmp_path / "asked", context.Barrier(3)
    processes = [
        context.Process(target=_enforce_elsewhere, args=(tmp_path / "home", asked, barrier))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(asked.read_text().split()) == sorted(p.payout_key for p in BATCH)
