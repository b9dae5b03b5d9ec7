"""The triage spreadsheet: safe to open, strict to read, applied whole or not at all."""

from __future__ import annotations

import csv
import io
import zipfile
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from dagster_project.sheets import (
    COLUMNS,
    SheetRefused,
    acts_of_sheet,
    sheet_of,
    workbook_sheet_of,
)

DUE = datetime(2026, 12, 1, 17, tzinfo=UTC)


def row(break_id: str, **over: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(COLUMNS),
        "tenant_id": "t_1",
        "break_id": break_id,
        "priority": 1,
        "reason_code": "MISSING_EXTERNAL",
        "drift_cents": -500,
        "currency": "USD",
        "age_days": 3,
        "triage_status": "open",
        "owner": "ops",
        "due_at": DUE,
        "triage_seq": 0,
        **over,
    }


QUEUE = {
    "brk_1": row("brk_1"),
    "brk_2": row("brk_2", note="=1+1", triage_seq=7),
    "brk_3": row("brk_3", tenant_id="t_2"),
}
NEWEST = {"brk_2": 7}


def filled(tmp_path: Path, *changes: tuple[str, dict[str, str]], **raw: bytes) -> Path:
    """The exported sheet with some cells filled in."""
    rows = list(csv.DictReader(io.StringIO(sheet_of(QUEUE.values()))))
    for break_id, cells in changes:
        next(entry for entry in rows if entry["break_id"] == break_id).update(cells)
    path = tmp_path / "sheet.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return acts_of_sheet(path, QUEUE, NEWEST)


def test_an_untouched_sheet_asks_for_nothing(tmp_path: Path) -> None:
    assert read(filled(tmp_path)) == []


def test_a_filled_in_sheet_asks_for_what_changed(tmp_path: Path) -> None:
    path = filled(
        tmp_path,
        ("brk_1", {"owner": "ann", "due_at": "2026-12-02"}),
        ("brk_2", {"triage_status": "resolved", "resolution": "fixed_by_booking"}),
    )
    assert read(path) == [
        {
            "action": "import",
            "tenant_id": "t_1",
            "break_id": "brk_1",
            "owner": "ann",
            "due_at": "2026-12-02T00:00:00Z",
        },
        {
            "action": "import",
            "tenant_id": "t_1",
            "break_id": "brk_2",
            "triage_status": "resolved",
            "resolution": "fixed_by_booking",
        },
    ]


def test_a_row_that_closes_otherwise_keeps_how_it_ended(tmp_path: Path) -> None:
    ended = {"triage_status": "resolved", "resolution": "fixed_by_booking"}
    sheet = sheet_of([row("brk_1", **ended)])
    path = tmp_path / "sheet.csv"
    path.write_text(sheet.replace("resolved", "dismissed"))
    (act,) = acts_of_sheet(path, {"brk_1": row("brk_1", **ended)}, {})
    assert (act["triage_status"], act["resolution"]) == ("dismissed", "fixed_by_booking")


def test_a_row_left_alone_asks_for_nothing_though_somebody_else_touched_its_break(
    tmp_path: Path,
) -> None:
    path = filled(tmp_path, ("brk_1", {"owner": "ann"}))
    acts = acts_of_sheet(path, QUEUE, {"brk_2": 9})
    assert [act["break_id"] for act in acts] == ["brk_1"]


def test_a_path_to_nothing_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(SheetRefused, match="No such file"):
        read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula_and_it_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    sheet = sheet_of([row("brk_1", owner=text)])
    (cells,) = list(csv.DictReader(io.StringIO(sheet, newline="")))
    assert cells["owner"] == "'" + text.replace("\t", " ").replace("\r", " ")
    assert cells["drift_cents"] == "-500", "a number is no formula"
    path = tmp_path / "sheet.csv"
    path.write_bytes(sheet.encode())
    assert acts_of_sheet(path, {"brk_1": row("brk_1", owner=text)}, {}) == []
    path.write_bytes(sheet.replace("'", "", 1).encode())
    assert acts_of_sheet(path, {"brk_1": row("brk_1", owner=text)}, {}) == [], "a quote eaten"


def test_a_byte_order_mark_of_a_spreadsheet_is_taken(tmp_path: Path) -> None:
    path = filled(tmp_path, ("brk_1", {"note": "naïve — €"}))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path)[0]["note"] == "naïve — €"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"break_id": "brk_9"}, "no open break"),
        ({"tenant_id": "t_2"}, "another tenant's"),
        ({"triage_seq": "1", "owner": "ann"}, "since this sheet was written"),
        ({"drift_cents": "-400"}, "drift_cents is not -500"),
        ({"reason_code": "TIMING"}, "reason_code is not MISSING_EXTERNAL"),
        ({"currency": "EUR"}, "currency is not USD"),
        ({"triage_status": "done"}, "triage_status"),
        ({"triage_status": "resolved"}, "resolution is missing"),
        ({"triage_status": "dismissed"}, "resolution is missing"),
        ({"triage_status": ""}, "emptied"),
        ({"due_at": "Dec 1"}, "due_at"),
        ({"note": "x" * 501}, "note"),
        ({"resolution": "fixed_by_booking"}, "triage_status"),
        ({"triage_status": "resolved", "resolution": "dunno"}, "resolution"),
        ({"break_id": "brk_2", "triage_seq": "7"}, "second time"),
    ],
)
def test_one_bad_row_names_its_line_and_nothing_is_applied(
    tmp_path: Path, cells: dict[str, str], said: str
) -> None:
    path = filled(tmp_path, ("brk_3", {"owner": "ann"}), ("brk_1", cells))
    with pytest.raises(SheetRefused) as refusal:
        read(path)
    message = str(refusal.value)
    assert "line 2: " in message or "line 3: " in message
    assert said in message
    assert "nothing was applied" in message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a,b\n1,2\n",
        "|".join(COLUMNS).encode() + b"\n",
        b"PK\x03\x04 and no more",
        ",".join(COLUMNS).encode() + b'\n"open',
        b"\xff\xfe",
        ",".join(reversed(COLUMNS)).encode() + b"\n",
    ],
)
def test_what_is_no_sheet_is_refused_in_one_paragraph(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(data)
    with pytest.raises(SheetRefused) as refusal:
        read(path)
    assert "\n" not in str(refusal.value)
    assert refusal.value.code == "sheet_unreadable"


def test_a_row_with_too_few_cells_is_a_fault(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_text(path.read_text() + "t_1,brk_1\n")
    with pytest.raises(SheetRefused, match="2 cells"):
        read(path)


def test_cells_separated_as_the_decimal_comma_makes_a_spreadsheet_do_it(tmp_path: Path) -> None:
    for mark in ";\t":
        path = filled(tmp_path, ("brk_1", {"owner": "ann", "note": "one, two"}))
        rows = list(csv.reader(io.StringIO(path.read_text(), newline="")))
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=mark).writerows(rows)
        (act,) = read(path)
        assert (act["owner"], act["note"]) == ("ann", "one, two")


def workbook(tmp_path: Path, changes: dict[str, object], queue: Any = None) -> Path:
    """The exported workbook, opened, filled in for the first break, and saved."""
    path = tmp_path / "sheet.xlsx"
    path.write_bytes(workbook_sheet_of((queue or QUEUE).values()))
    book = load_workbook(path)
    sheet = book.worksheets[0]
    for name, value in changes.items():
        sheet.cell(2, COLUMNS.index(name) + 1).value = value  # type: ignore[union-attr]
    book.save(path)
    return path


def test_a_workbook_goes_out_and_comes_back(tmp_path: Path) -> None:
    assert read(workbook(tmp_path, {})) == []
    changes = {"owner": "ann", "note": "naïve — €", "due_at": date(2026, 12, 2)}
    assert read(workbook(tmp_path, {**changes, "triage_status": "in_progress"})) == [
        {
            "action": "import",
            "tenant_id": "t_1",
            "break_id": "brk_1",
            "triage_status": "in_progress",
            "owner": "ann",
            "due_at": "2026-12-02T00:00:00Z",
            "note": "naïve — €",
        }
    ]


def test_a_workbook_offers_what_a_column_may_say_and_keeps_numbers_and_times(
    tmp_path: Path,
) -> None:
    sheet = load_workbook(workbook(tmp_path, {})).worksheets[0]
    values = dict(zip(COLUMNS, next(sheet.iter_rows(min_row=2, values_only=True)), strict=True))
    assert (values["drift_cents"], values["due_at"]) == (-500, DUE.replace(tzinfo=None))
    rules = {
        COLUMNS[next(iter(rule.cells.ranges)).min_col - 1]: rule.formula1
        for rule in sheet.data_validations.dataValidation
    }
    assert set(rules) == {"triage_status", "resolution"}
    assert "in_progress" in rules["triage_status"]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1"])
def test_no_cell_of_a_workbook_is_a_formula(tmp_path: Path, text: str) -> None:
    queue = {"brk_1": row("brk_1", owner=text, note=text)}
    path = workbook(tmp_path, {}, queue)
    cells = [cell for line in load_workbook(path).worksheets[0].iter_rows() for cell in line]
    assert [cell for cell in cells if cell.data_type == "f"] == []
    assert [cell.value for cell in cells].count(text.replace("\t", " ")) == 2
    assert acts_of_sheet(path, queue, {}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"owner": "=1+1"}, "a formula at line 2"),
        ({"drift_cents": -400}, "drift_cents is not -500"),
        ({"break_id": "brk_2"}, "line 3: the same break a second time"),
        ({"break_id": "brk_9"}, "line 2: no open break"),
        ({"triage_seq": 4, "owner": "ann"}, "since this sheet was written"),
    ],
)
def test_a_bad_cell_of_a_workbook_is_named_and_nothing_is_applied(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    if changes.get("break_id") == "brk_2":
        changes = {**changes, "triage_seq": 7, "owner": "ann"}
    with pytest.raises(SheetRefused) as refusal:
        read(workbook(tmp_path, changes))
    assert said in str(refusal.value)
    assert "nothing was applied" in str(refusal.value)


def test_a_damaged_or_swelling_workbook_is_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path, {}).read_bytes()
    path = tmp_path / "sheet.xlsx"
    swelling = io.BytesIO()
    with (
        zipfile.ZipFile(swelling, "w", zipfile.ZIP_DEFLATED) as parts,
        parts.open("xl/workbook.xml", "w") as part,
    ):
        for _ in range(257):
            part.write(bytes(1 << 20))
    for data in (whole[:-30], whole[: len(whole) // 2], swelling.getvalue(), b"PK\x03\x04"):
        path.write_bytes(data)
        with pytest.raises(SheetRefused) as refusal:
            read(path)
        assert refusal.value.code == "sheet_unreadable"
    for number in range(0, len(whole), 97):
        path.write_bytes(whole[:number] + b"\x00\xff" + whole[number + 2 :])
        with suppress(SheetRefused):
            assert all(act["action"] == "import" for act in read(path))
