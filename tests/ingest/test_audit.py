"""The audit trail: acts once, in a chain that shows a change, a loss and a cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from ingest.audit import AUDIT_FILE, Act, append_acts, read_audit

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def act(number: int) -> Act:
    return Act(f"k{number}", "t_1", "ann", "triage.note", f"brk_{number}", NOW, reason="why")


@pytest.fixture
def trail(home: Path) -> Path:
    append_acts(home, [act(number) for number in range(4)])
    return home


def edit(home: Path, change: Callable[[list[str]], list[str]]) -> None:
    path = home / AUDIT_FILE
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))


def test_an_act_is_written_once_and_names_the_hash_of_the_one_before(trail: Path) -> None:
    assert append_acts(trail, [act(3), act(4), act(4)]) == 1
    found = read_audit(trail)
    assert (found.fault, len(found.rows)) == (None, 5)
    lines = (trail / AUDIT_FILE).read_bytes().splitlines()
    assert [row["entry_hash"] for row in found.rows] == [sha256(x).hexdigest() for x in lines]
    assert [row["prev_hash"] for row in found.rows[1:]] == [
        row["entry_hash"] for row in found.rows[:-1]
    ]
    assert found.rows[0]["prev_hash"] == "0" * 64
    assert [row["seq"] for row in found.rows] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda x: [x[0].replace("ann", "eve"), *x[1:]], "changed"),
        (lambda x: [*x[:2], x[3]], "out_of_order"),
        (lambda x: [x[1], x[0], *x[2:]], "out_of_order"),
        (lambda x: [*x[:2], "{", *x[2:]], "unreadable"),
        (lambda x: x[:-1], "cut_off"),
        (lambda x: [*x[:-1], x[-1].replace("ann", "eve")], "cut_off"),
        (lambda x: [], "cut_off"),
    ],
    ids=["edited", "removed", "swapped", "inserted", "cut", "last edited", "emptied"],
)
def test_every_change_of_the_past_shows(
    trail: Path, change: Callable[[list[str]], list[str]], fault: str
) -> None:
    edit(trail, change)
    assert read_audit(trail).fault == fault
    append_acts(trail, [act(9)])
    assert read_audit(trail).fault is not None, "what is written later must not hide it"


def test_a_chain_made_anew_is_not_the_one_that_was_seen(trail: Path) -> None:
    path = trail / AUDIT_FILE
    last, texts = "0" * 64, []
    for line in path.read_text().splitlines():
        entry = {**json.loads(line), "actor": "eve", "prev": last}
        texts.append(json.dumps(entry, sort_keys=True, separators=(",", ":")))
        last = sha256(texts[-1].encode()).hexdigest()
    path.write_text("".join(f"{text}\n" for text in texts))
    assert read_audit(trail).fault == "cut_off"


def test_many_writers_leave_one_chain(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        written = sum(pool.map(lambda n: append_acts(home, [act(n % 20)]), range(80)))
    found = read_audit(home)
    assert (written, len(found.rows), found.fault) == (20, 20, None)


def test_the_trail_is_private_and_an_absent_one_is_empty(home: Path) -> None:
    assert read_audit(home).rows == ()
    append_acts(home, [act(1)])
    assert (home / AUDIT_FILE).stat().st_mode & 0o077 == 0
