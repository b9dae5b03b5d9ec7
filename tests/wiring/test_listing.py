"""Rows stay readable at any width: no number, code or id is broken, and nothing is left out."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dagster_project.listing import table

HEADS = ("tenant", "period", "verdict", "unexplained", "held by", "break", "owner")
ROWS = [
    (
        *("tenant_birch", "2026-09", "reconciled_with_pending", "-4,756.22 USD"),
        *("OPEN_BREAK PAYOUT_DAILY_LIMIT_EXCEEDED", "brk_e2957b6e8c690da15db8dc8a", None),
    ),
    ("tenant_[x]", "2026-10", "breaks", "0.00 USD", "", "brk_1", 1_234),
]
WORDS = (
    "tenant_birch",
    "2026-09",
    "reconciled_with_pending",
    "-4,756.22",
    "OPEN_BREAK",
    "tenant_[x]",
    "1,234",
)


def shown(width: int, *, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system=None, highlight=False
    )
    console.print(table("Runs", HEADS, ROWS))
    return file.getvalue()


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 160, 400])
def test_no_word_is_broken_or_left_out_at_any_width(width: int) -> None:
    text = shown(width, terminal=True)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for word in (*WORDS, "PAYOUT_DAILY_LIMIT_EXCEEDED", "brk_e2957b6e8c690da15db8dc8a"):
        assert word in words, text


def test_where_one_column_can_be_wrapped_no_other_loses_its_last_letters() -> None:
    rows = [
        ("OPEN_BREAK", "brk_e2957b6e8c690da15db8dc8a", "reconciliation", "yes"),
        ("ALREADY_PAID", "paid from 2026-10", "operation, journal and rail", "no"),
    ]
    heads = ("condition", "observed", "seen in", "overridable")
    for width in range(50, 100):
        file = io.StringIO()
        console = Console(file=file, width=width, force_terminal=True, color_system=None)
        console.print(table("Gate", heads, rows))
        words = file.getvalue().replace(",", "").split()
        for word in [*heads[1:], *(cell for row in rows for cell in row)]:
            assert set(word.replace(",", "").split()) <= set(words), (width, file.getvalue())


def test_a_narrow_terminal_names_each_value_and_leaves_empty_ones_out() -> None:
    lines = [line.strip() for line in shown(80, terminal=True).splitlines()]
    assert lines[:2] == ["Runs", "tenant_birch  period 2026-09  verdict reconciled_with_pending"]
    assert any("unexplained -4,756.22 USD" in line for line in lines)
    assert sum("owner" in line for line in lines) == 1


def test_an_id_that_is_longer_than_the_terminal_is_wrapped_and_whole() -> None:
    file = io.StringIO()
    key = "tenant:period:2026-09:statement:" + "ab" * 32
    console = Console(file=file, width=40, force_terminal=True, color_system=None)
    console.print(table("", ("tenant", "payout"), [("t", key)]))
    assert key in "".join(file.getvalue().split())


def test_numbers_stand_right_and_a_table_is_one_line_a_row_where_it_fits() -> None:
    lines = shown(400, terminal=True).splitlines()
    assert len(lines) == 4
    assert lines[2].index("-4,756.22 USD") + 13 == lines[3].index("0.00 USD") + 8
