"""Bulk history from itemized report CSVs, into the tables that lists fill too.

Belongs here: which report means what, and landing its rows. Does not belong here: the CSV
(`ingest.stripe.report_rows`), what of it is new (`ingest.stripe.report_tables`), or coverage: a
report of activity leaves payouts out, so it never stands for a list that was read.

A report carries of a balance transaction: id, source, currency, amount, fee, net, category, created
and available_on. It does not carry type, fee details, balance type, status and exchange rate; those
columns are null until a list reads the same id, whose row then stands. A row whose id a list has
read already is compared with it: equal amounts land nothing, other amounts are refused, as a break.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ingest.coverage import COMPLETE, PARTIAL, CoverageRow, land_coverage
from ingest.errors import SettingError, SourceIncomplete
from ingest.landing import Landing, new_batch_id
from ingest.stripe import kept
from ingest.stripe.report_rows import ReportRows
from ingest.stripe.report_tables import (
    compare_with_lists,
    member_lines,
    movement_lines,
    whole_memberships,
)

__all__ = ["REPORT_TYPES", "ReportImport", "import_report"]

MAX_FILE_BYTES: Final = 32 << 30
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,100}")
_HASH_BYTES: Final = 4 << 20
_CONNECTED: Final = "connected_account_"
REPORT_SOURCE: Final = "stripe_report"
# Movements of one account, or of every connected account with its id in a column of its own.
REPORT_TYPES: Final = (
    "balance_change_from_activity",
    "payout_reconciliation",
    f"{_CONNECTED}balance_change_from_activity",
    f"{_CONNECTED}payout_reconciliation",
)


@dataclass(frozen=True)
class ReportImport:
    """What importing one report came to.

    Attributes:
        sha256: Hex digest of the file, which is not kept: it holds personal data.
        rows_read: Rows of the file, without its header.
        rows_landed: Movements that were new.
        known: Movements that a list had read already, with the same amounts.
        refused: Rows in quarantine.
        members_landed: Members of payouts whose membership is whole, that were new.
        payouts_left: Payouts whose membership is left to the list, because it is not whole here.
    """

    sha256: str
    rows_read: int
    rows_landed: int
    known: int
    refused: int
    members_landed: int
    payouts_left: int


def import_report(
    path: Path,
    *,
    report_type: str,
    landing: Landing,
    now: datetime,
    account: str | None = None,
    platform: str | None = None,
    erased: Collection[str] = (),
) -> ReportImport:
    """Lands one itemized report.

    Args:
        path: The CSV as Stripe made it.
        report_type: One of `REPORT_TYPES`, without `.itemized.N`.
        landing: Where rows go.
        now: When it is imported, UTC-aware.
        account: Whose report it is; None means the platform. Not for `connected_account_*`.
        platform: The platform's account id, for a home that never pulled; else None.
        erased: Accounts of erased tenants, whose rows are refused.

    Raises:
        SettingError: Type, account or platform are not what they should be.
        SourceIncomplete: The file is not such a report, or changed while it was read.
        LandingError: The home cannot take the rows.
    """
    _check_type(report_type)
    platform = _platform(landing, platform)
    own = _own_account(report_type, account, platform)
    digest = _digest(path)
    batch_id = new_batch_id(now, f"report-{secrets.token_hex(6)}")
    with _rows(path, landing, own, platform) as rows:
        rows.refuse_accounts(erased)
        compare_with_lists(rows, landing)
        source_file = f"report/{report_type}/{digest[:12]}"
        refused = rows.refused(source_file)
        if _digest(path) != digest:
            raise SourceIncomplete(
                got="a report that changed while it was read",
                expected="one file, whole and at rest",
                remedy="Import it again once it is downloaded",
                code="report_changed",
            )
        request = {"report_type": report_type, "sha256": digest}
        left = whole_memberships(rows, landing)
        manifest = landing.write(
            kept.PAYOUT_MEMBERS.spec,
            member_lines(rows),
            batch_id=batch_id,
            received_at=now,
            request=request,
        )
        members_landed = manifest.rows if manifest else 0
        manifest = landing.write(
            kept.BALANCE_TRANSACTIONS.spec,
            movement_lines(rows),
            batch_id=batch_id,
            received_at=now,
            request=request,
            quarantined=refused,
        )
        row = _coverage(rows, own, platform, report_type, refused=len(refused), now=now)
        row = replace(row, rows_landed=manifest.rows if manifest else 0, pull_id=batch_id)
        land_coverage(landing, [row], batch_id=batch_id, received_at=now)
        return ReportImport(
            sha256=digest,
            rows_read=rows.count() + rows.count_malformed(),
            rows_landed=manifest.rows if manifest else 0,
            known=rows.count("is_known"),
            refused=len(refused),
            members_landed=members_landed,
            payouts_left=left,
        )


def _coverage(
    rows: ReportRows,
    own: str | None,
    platform: str,
    report_type: str,
    *,
    refused: int,
    now: datetime,
) -> CoverageRow:
    """What the report spanned and whether all of it was accepted, under a source of its own: a
    refusal stands against certifying until a later report of at least that span has none."""
    return CoverageRow(
        source=REPORT_SOURCE,
        account_id=own or platform,
        endpoint=report_type,
        tenant_id=None,
        **rows.span(),
        status=PARTIAL if refused else COMPLETE,
        rows_read=rows.count() + rows.count_malformed(),
        rows_landed=0,
        amount_sum_cents=None,
        error_code="report_rows_refused" if refused else None,
        error_detail=f"{refused} rows are in quarantine" if refused else None,
        started_at=now,
        finished_at=now,
        pull_id="",
        is_platform=own is None or own == platform,
        purpose="report",
    )


@contextmanager
def _rows(path: Path, landing: Landing, own: str | None, platform: str) -> Iterator[ReportRows]:
    with TemporaryDirectory(dir=landing.home / "state", prefix="report.") as folder:
        rows = ReportRows(path, Path(folder), own_account=own)
        try:
            rows.db.execute(
                f"create temp view owned as select *, account_id = '{platform}' as is_platform "
                "from report"
            )
            yield rows
        finally:
            rows.close()


def _platform(landing: Landing, given: str | None) -> str:
    """The platform's name, as lists know it: whose movement a row is decides what it must meet."""
    rows = landing.distinct(kept.BALANCES.spec, ("account_id", "is_platform"))
    known = next((str(name) for name, is_platform in rows if is_platform), None)
    name = known or given
    if name is None or given not in (None, name) or (not known and not _ACCOUNT.fullmatch(name)):
        raise SettingError(
            got="no platform account" if name is None else "another platform than this home's",
            expected=f"platform {known}" if known else "an account id such as acct_1A2b3C",
            remedy="Give --platform, as a pull will name it, or pull once first",
            code="report_platform_unknown",
        )
    return name


def _check_type(report_type: str) -> None:
    if report_type not in REPORT_TYPES:
        raise SettingError(
            got="an unknown report type",
            expected=f"one of {', '.join(REPORT_TYPES)}",
            remedy="Name the type that the report was requested as, without .itemized and number",
            code="report_type_unknown",
        )


def _own_account(report_type: str, account: str | None, platform: str) -> str | None:
    if report_type.startswith(_CONNECTED):
        if account is not None:
            raise SettingError(
                got="an account for a report that names the account of each row",
                expected="no --account with a connected_account_* report",
                remedy="Leave --account out",
                code="report_account_given",
            )
        return None
    name = account or platform
    if not (_ACCOUNT.fullmatch(name) or name == platform):
        raise SettingError(
            got="a report whose account is no account id",
            expected="the account that the report was requested for, such as acct_1A2b3C",
            remedy="Correct --account, or leave it out for the platform's own report",
            code="report_account_unknown",
        )
    return name


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise OSError
        with path.open("rb") as file:
            while chunk := file.read(_HASH_BYTES):
                digest.update(chunk)
    except OSError:
        raise SourceIncomplete(
            got="a report file that cannot be read, or is larger than 32 GiB",
            expected="a CSV file that this user may read",
            remedy="Correct the path, or request the report for shorter intervals",
            code="report_unreadable",
        ) from None
    return digest.hexdigest()
