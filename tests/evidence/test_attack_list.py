"""Every attack of the reference's list has a test that carries its number."""

from __future__ import annotations

import re
from pathlib import Path

NUMBERS = {f"{number:02d}" for number in range(1, 136)} | {"01b", "01c", "01d", "01e"}

_NAMED = re.compile(
    r"def test_(?:attack|control)_(\d+[a-z]?(?:_(?:to|and)_\d+[a-z]?|_\d+[a-z]?)*)_"
)
_LISTED = re.compile(r'(?:\("|id=")(\d{2,3}[a-z]?)[ -]')


def test_all_139_attacks_are_there_by_number() -> None:
    assert len(NUMBERS) == 139
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        text = path.read_text()
        found |= set(_LISTED.findall(text))
        for named in _NAMED.findall(text):
            numbers = re.findall(r"\d+[a-z]?", named)
            if "_to_" in named:
                numbers = [f"{n:02d}" for n in range(int(numbers[0]), int(numbers[1]) + 1)]
            found |= set(numbers)
    assert sorted(NUMBERS - found) == []
