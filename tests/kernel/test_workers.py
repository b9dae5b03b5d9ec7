"""Lines read in several processes come out as in one, and in their order, whatever dies.

Belongs here: the pool alone, over lines that verify and lines that do not. Does not belong here:
what a line says (`test_bad_lines.py`), or which files are large enough to share.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import pytest

from evidence.artifacts import KernelArtifacts
from ingest.kernel.lines import LineRead, Sheet
from ingest.kernel.verify import ArtifactVerifier
from ingest.kernel.workers import Readers

SHEETS = 9
LINES = 20
REFUSED = b'{"amountCents":1,"amountCents":2}'


def _sheet(number: int) -> Sheet:
    def line(place: int) -> bytes:
        if place == 7:
            return REFUSED
        link: dict[str, Any] = {
            "amountCents": number * 100 + place,
            "chargeId": f"ch_{number}_{place}",
            "currency": "USD",
            "partyId": "pty_a",
            "sourceId": f"rcpt_{number}_{place}",
            "sourceType": "receipt",
            "tenantId": "t",
        }
        return json.dumps(link, separators=(",", ":")).encode()

    lines = tuple((place + 1, line(place)) for place in range(LINES))
    return Sheet("charge_links", "t", "t/charge_links.jsonl", lines)


def _read(verifier: ArtifactVerifier, workers: int) -> list[list[LineRead]]:
    readers = Readers(verifier, workers)
    try:
        return list(readers.read(map(_sheet, range(SHEETS)), large=True))
    finally:
        readers.close()


@dataclass(frozen=True)
class Mortal:
    """Verifies as the kernel's verifier does, but ends its process at one line of another one."""

    parent: int
    dies_at: bytes

    def verify(self, artifact_type: str, line: bytes, max_bytes: int) -> Any:
        if self.dies_at in line and os.getpid() != self.parent:
            os._exit(9)
        return KernelArtifacts().verify(artifact_type, line, max_bytes)


@pytest.fixture(scope="module")
def alone() -> list[list[LineRead]]:
    return _read(KernelArtifacts(), 1)


def test_every_line_is_read_and_the_bad_ones_are_refused(alone: list[list[LineRead]]) -> None:
    assert [[read.number for read in sheet] for sheet in alone] == [
        list(range(1, LINES + 1))
    ] * SHEETS
    amounts = [read.amount_cents for sheet in alone for read in sheet if not read.refused]
    wanted = [n * 100 + place for n in range(SHEETS) for place in range(LINES) if place != 7]
    assert amounts == wanted
    assert {read.refused[0] for sheet in alone for read in sheet if read.refused} == {
        "json_duplicate_key"
    }


def test_several_processes_answer_as_one_and_in_order(alone: list[list[LineRead]]) -> None:
    assert _read(KernelArtifacts(), 2) == alone


@pytest.mark.parametrize("dies_at", [b"ch_0_0", b"ch_4_11", b"ch_8_19"])
def test_a_reader_that_is_killed_loses_no_line_and_doubles_none(
    alone: list[list[LineRead]], dies_at: bytes
) -> None:
    assert _read(Mortal(os.getpid(), dies_at), 2) == alone
