"""How long a report of many movements takes from CSV to landed Parquet, and how much memory.

Belongs here: the timing. Does not belong here: whether rows are right (test_stripe_reports.py). Run
it as `python -m tests.bench.reports [ROWS]`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ingest.landing import Landing
from ingest.stripe.reports import import_report

ROWS = 1_000_000
HEADER = (
    "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,"
    "reporting_category,source_id,description,automatic_payout_id,customer_email"
)


def make(path: Path, rows: int) -> None:
    """Writes a report of charges, a payout every thousand."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for number in range(rows):
            gross = number % 90_000 + 100
            fee = 30 + gross * 29 // 1_000
            amounts = (f"{cents // 100}.{cents % 100:02d}" for cents in (gross, fee, gross - fee))
            day = 1 + number % 28
            file.write(
                f"txn_1{number:020d},2026-01-{day:02d} 09:{number % 60:02d}:00,"
                f"2026-02-{day:02d} 00:00:00,usd,{','.join(amounts)},charge,ch_1{number:020d},"
                f'"Payment, for ""order {number}""",po_1{number // 1_000:020d},'
                f"customer{number}@example.com\n"
            )


def main(rows: int) -> None:
    """Makes a report, imports it once, and prints one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.csv"
        make(path, rows)
        landing = Landing(Path(folder) / "home")
        started = time.perf_counter()
        done = import_report(
            path,
            report_type="balance_change_from_activity",
            landing=landing,
            now=datetime(2026, 11, 22, tzinfo=UTC),
            platform="acct_1Platform",
        )
        seconds = time.perf_counter() - started
        mebibytes = path.stat().st_size >> 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{done.rows_landed:,} rows ({mebibytes} MiB of CSV) in {seconds:.2f} s: "
        f"{done.rows_landed / seconds:,.0f}/s, peak RSS {peak} MiB"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
