"""`tieout import-report` lands a report and says what it did, or what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from tests.wiring.conftest import one_paragraph, type_command

HEADER = (
    "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,"
    "reporting_category,source_id"
)
SOUND = "txn_1,2026-01-10 09:00:00,2026-01-12 00:00:00,usd,10.00,0.59,9.41,charge,ch_1"
ARGUMENTS = ("--type", "balance_change_from_activity", "--platform", "acct_1P", "--json")


def test_a_report_is_landed_and_a_bad_row_shows_in_the_exit_code(tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    report.write_text(f"{HEADER}\n{SOUND}\n")
    answer = type_command(tmp_path / "home", "import-report", str(report), *ARGUMENTS)
    assert answer.code == 0, answer
    assert (answer.json["rows_read"], answer.json["rows_landed"]) == (1, 1)
    report.write_text(f"{HEADER}\n{SOUND.replace('9.41', '9.40')}\n")
    answer = type_command(tmp_path / "home", "import-report", str(report), *ARGUMENTS)
    assert answer.code == 1, answer
    assert (answer.json["refused"], answer.json["rows_landed"]) == (1, 0)


def test_a_report_of_an_unknown_type_is_misuse(tmp_path: Path) -> None:
    answer = type_command(
        tmp_path / "home", "import-report", str(tmp_path / "none.csv"), "--type", "payouts"
    )
    assert answer.code == 2
    one_paragraph(answer, "report_type_unknown")
