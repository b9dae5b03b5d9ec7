"""An itemized report CSV as checked rows, in one temporary DuckDB: SQL only, no row in Python.

Belongs here: which columns are read of a report, how each becomes a landed value, which rows are
refused and why. Does not belong here: landing, coverage, where a report comes from
(`ingest.stripe.reports`).

Only allow-listed columns leave the CSV reader: names, e-mail addresses and descriptions that a
report also holds are never held anywhere. Amounts are texts in major units; they become minor units
through exact decimals, never through a float.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from ingest.coverage import EPOCH
from ingest.errors import SourceIncomplete
from ingest.stripe.currencies import API_EXPONENTS
from ingest.tables import Quarantined

__all__ = ["REMEDIES", "ReportRows"]

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 1024 * 1024
MAX_REFUSALS: Final = 100_000
_NEEDED: Final = (
    "balance_transaction_id",
    "created_utc",
    "available_on_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
)
_OPTIONAL: Final = ("automatic_payout_id", "connected_account")
_CHUNK_ROWS: Final = 5_000
_WORD: Final = "[A-Za-z0-9_][A-Za-z0-9_.:-]{0,199}"
_MONEY: Final = r"-?[0-9]{1,14}(\.[0-9]{1,4})?"
_TIME: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_DETAIL: Final = "got a row that does not fit, expected one as Stripe writes it"
REMEDIES: Final = {
    "report_line_malformed": "Download the report again; this line has not the header's columns",
    "report_text": "Report it to Stripe: an id, category or account that is no plain word",
    "report_time": "Request the report with created_utc and available_on_utc, in whole seconds",
    "report_currency_unknown": "Tell us the currency: its decimals are not known, nor guessed",
    "report_amount": "Download the report again; this amount is no decimal number of that currency",
    "report_net": "Download the report again; gross less fee is not net",
    "report_row_repeated": "Download the report again; the same id stands there with other values",
    "report_disagrees": "Compare both in Stripe's dashboard: the list says other amounts",
    "report_account_erased": "Request the report without this account: its tenant was erased",
    "report_account_missing": "Request the report with the column connected_account",
}


class ReportRows:
    """The rows of one report file.

    Args:
        path: The CSV, UTF-8, with a header line.
        folder: For temporary files; they hold allow-listed values only.
        own_account: Whose report it is; None where each row names its connected account.

    Raises:
        SourceIncomplete: The file has not the columns of an itemized report, or cannot be read.
    """

    def __init__(self, path: Path, folder: Path, *, own_account: str | None) -> None:
        header = _header(path)
        missing = [name for name in _NEEDED if name not in header]
        if own_account is None and "connected_account" not in header:
            missing.append("connected_account")
        if missing or len(set(header)) != len(header):
            raise _unreadable(
                f"a CSV without {', '.join(missing) or 'distinct columns'}",
                "Request the itemized report with these columns",
            )
        self.db = duckdb.connect(
            config={
                "memory_limit": "256MB",
                "temp_directory": str(folder),
                "preserve_insertion_order": True,
            }
        )
        self._account = own_account
        try:
            self._read(path, header)
            self._check()
        except duckdb.Error as error:
            self.db.close()
            # DuckDB's text may quote a line, so only the kind of error is told.
            raise _unreadable(
                f"a CSV that DuckDB cannot read ({type(error).__name__})",
                "Download the report again: it must be UTF-8 text with commas and quotes",
            ) from None

    def refuse_accounts(self, accounts: Collection[str]) -> None:
        """Refuses the rows of accounts that may not come in any more."""
        for account in sorted(accounts):
            self.db.execute(
                "update report set fault = 'report_account_erased' where account_id = ?", [account]
            )

    def close(self) -> None:
        """Gives the space back."""
        self.db.close()

    def count(self, condition: str = "true") -> int:
        """How many rows meet a condition; `fault` is null for accepted ones."""
        found = self.db.execute(f"select count(*) from report where {condition}").fetchone()
        return int(found[0]) if found else 0

    def span(self) -> dict[str, datetime]:
        """The created times of the first and the last movement, UTC; without any, all of time."""
        query = "select min(created), max(created) from report"
        first, last = self.db.execute(query).fetchone() or (None, None)
        return {
            "slice_from": first.replace(tzinfo=UTC) if first else EPOCH,
            "slice_to": last.replace(tzinfo=UTC) if last else EPOCH,
        }

    def count_malformed(self) -> int:
        """How many lines are no rows of this header."""
        found = self.db.execute("select count(*) from malformed").fetchone()
        return int(found[0]) if found else 0

    def lines(self, query: str) -> Iterator[bytes]:
        """The single text column of a query, encoded, in bounded pieces."""
        self.db.execute(query)
        while chunk := self.db.fetchmany(_CHUNK_ROWS):
            for (line,) in chunk:
                yield line.encode()

    def refused(self, name: str) -> list[Quarantined]:
        """The refused rows, by line of the file; `name` stands for the file.

        Raises:
            SourceIncomplete: More rows are refused than a report can sensibly have.
        """
        found = self.db.execute(
            "select line, fault, id from report where fault is not null "
            "union all select line, 'report_line_malformed', null from malformed "
            f"order by 1 limit {MAX_REFUSALS + 1}"
        ).fetchall()
        if len(found) > MAX_REFUSALS:
            raise _unreadable(
                f"a report of which over {MAX_REFUSALS} rows are refused",
                "Check that it is an itemized report, and that the account is the right one",
            )
        return [
            Quarantined(
                name, line, fault, f"a row that is refused as {fault}", key, REMEDIES[fault]
            )
            for line, fault, key in found
        ]

    def _read(self, path: Path, header: list[str]) -> None:
        """Allow-listed columns as texts, each row with its number; malformed lines beside them."""
        columns = ", ".join(f"'{_quoted(name)}': 'varchar'" for name in header)
        picked = ", ".join(
            f'"{name}"' if name in header else f'null::varchar as "{name}"'
            for name in (*_NEEDED, *_OPTIONAL)
        )
        self.db.execute(
            f"create temp view texts as select {picked}, row_number() over () as row_no "
            f"from read_csv('{_quoted(str(path))}', columns = {{{columns}}}, header = true, "
            "auto_detect = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
            f"max_line_size = {MAX_LINE_BYTES}, ignore_errors = true, store_rejects = true, "
            "rejects_scan = 'scans', rejects_table = 'rejects')"
        )
        exponents = ", ".join(f"('{name}', {digits})" for name, digits in API_EXPONENTS.items())
        self.db.execute(
            f"create temp table exponents as from (values {exponents}) as e (currency, digits)"
        )

    def _check(self) -> None:
        """One pass makes each row and the first reason to refuse it; repeated ids come after."""
        owner = "connected_account" if self._account is None else f"'{self._account}'"
        whole = ", ".join(
            f"cast(try_cast(case when regexp_full_match({name}, '{_MONEY}') then {name} end "
            f"as decimal(28, 4)) * 10000 as bigint) as {name}_parts"
            for name in ("gross", "fee", "net")
        )
        times = ", ".join(
            f"try_cast(case when regexp_full_match({name}_utc, '{_TIME}') then {name}_utc end "
            f"as timestamp) as {name}"
            for name in ("created", "available_on")
        )
        words = ", ".join(
            f"case when regexp_full_match({text}, '{_WORD}') then {text} end as {name}"
            for name, text in (("id", "balance_transaction_id"), ("account_id", owner))
        )
        plain = " and ".join(
            f"({name} is null or regexp_full_match({name}, '{_WORD}'))"
            for name in ("source_id", "reporting_category", "automatic_payout_id")
        )
        parts = ("gross_parts", "fee_parts", "net_parts")
        faults = {
            "report_account_missing": "account_id is null",
            "report_text": "id is null or reporting_category is null or not is_plain",
            "report_time": "created is null or available_on is null",
            "report_currency_unknown": "unit is null",
            "report_amount": " or ".join(f"{p} is null or {p} % unit <> 0" for p in parts),
            "report_net": "gross_parts - fee_parts <> net_parts",
        }
        fault = " ".join(f"when {condition} then '{code}'" for code, condition in faults.items())
        self.db.execute(
            "create temp table report as "
            f"with typed as (select row_no, {words}, {plain} as is_plain, source_id, "
            "reporting_category, automatic_payout_id, lower(t.currency) as currency, "
            f"cast(power(10, 4 - digits) as bigint) as unit, {whole}, {times} "
            "from texts as t left join exponents as e on lower(t.currency) = e.currency), "
            f"judged as (select *, case {fault} end as fault from typed) "
            "select row_no + 1 as line, fault, id, account_id, currency, created, available_on, "
            "case when is_plain then source_id end as source, "
            "case when is_plain then reporting_category end as reporting_category, "
            "case when is_plain then automatic_payout_id end as payout_id, "
            "gross_parts // unit as amount, fee_parts // unit as fee, net_parts // unit as net "
            "from judged"
        )
        self._refuse_malformed()
        self._refuse_repeated()

    def _refuse_malformed(self) -> None:
        """Lines the reader rejected; they have no row, so the rows after them are further down."""
        self.db.execute("create temp table malformed (line bigint)")
        if not self.db.execute("from duckdb_tables() where table_name = 'rejects'").fetchone():
            return
        self.db.execute("insert into malformed select distinct line from rejects")
        rejected = self.db.execute("select line from malformed order by line").fetchall()
        for (line,) in rejected[:MAX_REFUSALS]:
            self.db.execute("update report set line = line + 1 where line >= ?", [line])

    def _refuse_repeated(self) -> None:
        self.db.execute(
            "create temp table repeated as select account_id, id, min(line) as first_line "
            "from report where fault is null group by account_id, id having count(*) > 1"
        )
        self.db.execute(
            "update report set fault = 'report_row_repeated' from repeated as r "
            "where report.fault is null and report.account_id = r.account_id "
            "and report.id = r.id and report.line > r.first_line"
        )


def _header(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            first = file.readline(MAX_HEADER_BYTES + 1)
        if len(first) > MAX_HEADER_BYTES:
            raise ValueError
        return next(csv.reader([first.decode("utf-8-sig")]))
    except (OSError, ValueError, StopIteration):
        raise _unreadable("a file without a header line", "Give an itemized report CSV") from None


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _unreadable(got: str, remedy: str) -> SourceIncomplete:
    return SourceIncomplete(
        got=f"{got}",
        expected="an itemized report of Stripe",
        remedy=remedy,
        code="report_unreadable",
    )
