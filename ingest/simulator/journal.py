"""The append log of acts that arrived over HTTP, so that they survive a restart.

Belongs here: performing a named act with ids of its own, remembering what was answered under an
idempotency key, appending both as one line, and replaying the lines over a freshly planted world.
Does not belong here: acts planted in Python; the same seed plants them again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from ingest.simulator import (
    accounts,
    disputes,
    intents,
    payouts,
    refunds,
    relabelling,
    reversals,
    transfers,
)
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError

__all__ = ["IDEMPOTENCY_SECONDS", "Journal", "Remembered"]

# Stripe prunes keys after at least 24 hours; the same key then executes again.
IDEMPOTENCY_SECONDS = 86_400
_MAX_JOURNAL_BYTES = 1 << 28

_ACTS: dict[str, Callable[..., dict[str, Any]]] = {
    "cancel_intent": intents.cancel_intent,
    "cancel_payout": payouts.return_payout,
    "capture_intent": intents.capture_intent,
    "close_dispute": disputes.close_dispute,
    "create_intent": intents.create_intent,
    "create_payout": payouts.create_payout,
    "create_refund": refunds.create_refund,
    "create_transfer": transfers.create_transfer,
    "delete_account": accounts.delete_account,
    "open_account": accounts.open_account,
    "relabel": relabelling.relabel,
    "reverse_transfer": reversals.reverse_transfer,
    "top_up": payouts.top_up,
    "update_account": accounts.update_account,
    "update_balance_settings": accounts.update_balance_settings,
    "update_transfer": transfers.update_transfer,
}


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was answered to an idempotency key, and to which request."""

    account: str
    key: str
    fingerprint: str
    status: int
    body: str
    at: int


class Journal:
    """Acts and answers in order; a path makes them durable."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self._started = False
        self._answers: dict[tuple[str, str], Remembered] = {}

    def start(self, books: Books) -> int:
        """Replay what the file holds, once; a torn last line never happened and is cut off.

        Raises:
            RailError: a line does not fit the planted world.
        """
        if self._started or self.path is None:
            self._started = True
            return self.count
        self._started = True
        if self.path.exists():
            for number, line in enumerate(_whole_lines(self.path), 1):
                self._replay(books, line, number)
        return self.count

    def _replay(self, books: Books, line: bytes, number: int) -> None:
        try:
            held = orjson.loads(line)
            books.check_funds = False
            if held["act"] is not None:
                with books.salted_ids(f"act{self.count}"):
                    _ACTS[held["act"]](books, **held["arguments"])
        except (RailError, KeyError, TypeError, ValueError) as error:
            raise RailError(
                f"{self.path} line {number}: got an act that does not fit the planted world"
                f" ({error}); start with the seed and anchor it was written under, or remove it"
            ) from error
        finally:
            books.check_funds = True
        self.count += 1
        if held["answer"] is not None:
            self.remember(Remembered(**held["answer"]))

    def perform(self, books: Books, act: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a named act with ids that a replay will repeat; `record` must follow."""
        with books.salted_ids(f"act{self.count}"):
            return _ACTS[act](books, **arguments)

    def record(
        self, act: str | None, arguments: Mapping[str, Any], answer: Remembered | None
    ) -> None:
        """Make an act (None: a refusal worth remembering) and its answer durable."""
        self.count += 1
        if answer is not None:
            self.remember(answer)
        if self.path is None:
            return
        line = orjson.dumps(
            {
                "act": act,
                "arguments": dict(arguments),
                "answer": None if answer is None else asdict(answer),
            }
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remember(self, answer: Remembered) -> None:
        """Keep an answer for the next request under its key."""
        self._answers[answer.account, answer.key] = answer

    def remembered(self, account: str, key: str, now: int) -> Remembered | None:
        """Return what a key was answered, unless that is too long ago."""
        answer = self._answers.get((account, key))
        if answer is None or now - answer.at >= IDEMPOTENCY_SECONDS:
            return None
        return answer


def _whole_lines(path: Path) -> list[bytes]:
    """Return the complete lines; bytes after the last newline are a death in mid-write, cut off."""
    size = path.stat().st_size
    if size > _MAX_JOURNAL_BYTES:
        raise RailError(
            f"{path}: got {size} bytes, expected at most {_MAX_JOURNAL_BYTES}; remove it to start"
            " from the planted world"
        )
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != size:
        os.truncate(path, whole)
    return content[:whole].splitlines()
