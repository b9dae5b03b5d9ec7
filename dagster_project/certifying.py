"""Certifying a period: what must hold before two people may sign it, and locking its figures.

Belongs here: the refusals, the digest of the figures, and landing them. Does not belong here:
whether a certification stands later; the models compare its figures with every later run's.

What it does not check: that the packet verifies (`tieout packet show` does), or who the two are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from dagster_project.home import Home
from dagster_project.marts import Marts, Row
from dagster_project.runs import Run, last_published
from dagster_project.shelf import newest
from evidence import canonical
from evidence.schema import VERDICTS
from ingest.controls import CERTIFIED_FIGURES
from ingest.errors import SettingError, TieoutError
from ingest.landing import Landing, new_batch_id

__all__ = ["Certifiable", "certifiable", "land_figures", "period_end"]

MAX_AGE: Final = timedelta(hours=24)
_NEVER: Final = ("incomplete", "breaks")


@dataclass(frozen=True)
class Certifiable:
    """A period that may be certified as published.

    Attributes:
        verdict: The worst over its currencies.
        figures: Rows of `period_figures`, by currency and figure.
        figures_sha256: What preparer and approver both sign.
        packet_sha256: The newest packet of the period.
    """

    tenant_id: str
    period: str
    verdict: str
    run_id: str
    figures: tuple[Row, ...]
    figures_sha256: str
    packet_sha256: str


def certifiable(home: Home, tenant_id: str, period: str, *, now: datetime) -> Certifiable:
    """The period as two people may certify it.

    Raises:
        SettingError: The period is no month.
        TieoutError: Something stands against it; each refusal has a code of its own.
    """
    end = period_end(period)
    with Marts.published(home) as marts:
        run = last_published(home)
        assert run is not None  # a published file is never without its record
        _require_fresh(run, end, now)
        runs = list(marts.rows("reconciliation_runs", tenant_id=tenant_id, period=period))
        verdict = _verdict(runs, tenant_id, period)
        _require_unblocked(marts, tenant_id, period)
        rows = list(marts.rows("period_figures", tenant_id=tenant_id, period=period))
        # What late data undid stays undone, although its figures may have returned since.
        certified = marts.rows(
            "period_certifications",
            tenant_id=tenant_id,
            period=period,
            certification_status="certified",
        )
        standing = {row["certification_id"] for row in certified}
    figures = tuple(sorted(rows, key=lambda row: (row["currency"], row["figure"])))
    said = [[row["currency"], row["figure"], row["amount_cents"]] for row in figures]
    digest = canonical.document_hash({"figures": said, "period": period, "tenant_id": tenant_id})
    if standing and not any(row["is_restated"] for row in figures):
        raise _refused(
            "already_certified",
            got=f"{tenant_id} {period}, which {min(standing)} certifies with these figures",
            expected="a period without a certification that stands",
            remedy="Nothing is to be done; revoke it first to certify anew",
        )
    return Certifiable(
        tenant_id=tenant_id,
        period=period,
        verdict=verdict,
        run_id=run.run_id,
        figures=figures,
        figures_sha256=digest,
        packet_sha256=_packet(home, tenant_id, period),
    )


def land_figures(
    landing: Landing, found: Certifiable, certification_id: str, *, now: datetime
) -> None:
    """Lands the figures of a certification, before its approval is written: an approval without
    figures would certify nothing. Landing them again changes nothing."""
    rows = (
        {
            "certification_id": certification_id,
            "tenant_id": found.tenant_id,
            "period": found.period,
            "currency": row["currency"],
            "figure": row["figure"],
            "amount_cents": row["amount_cents"],
        }
        for row in found.figures
    )
    once = replace(CERTIFIED_FIGURES, append_only=False)
    batch_id = new_batch_id(now, f"certify-{certification_id[-12:]}-{now.microsecond:06d}")
    landing.write(once, rows, batch_id=batch_id, received_at=now)


def period_end(period: str) -> datetime:
    """The first moment after a month `YYYY-MM`.

    Raises:
        SettingError: It is no month.
    """
    try:
        start = datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        start = None
    if start is None or f"{start:%Y-%m}" != period:
        raise SettingError(
            got=f"--period {period[:20]!r}",
            expected="a month such as 2026-10",
            remedy="Correct --period",
            code="period_malformed",
        )
    return (start + timedelta(days=32)).replace(day=1)


def _require_fresh(run: Run, end: datetime, now: datetime) -> None:
    if now - run.as_of > MAX_AGE:
        raise _refused(
            "publication_stale",
            got=f"a publication as of {run.as_of:%Y-%m-%d %H:%M}, which is older than a day",
            expected="figures of today",
            remedy="Run `tieout run`, look again, and certify what it shows",
        )
    if run.as_of < end:
        raise _refused(
            "period_open",
            got=f"a period that ends at {end:%Y-%m-%d} and a publication of before",
            expected="a period that is over",
            remedy="Certify it after its end",
        )


def _verdict(runs: Sequence[Row], tenant_id: str, period: str) -> str:
    if not runs:
        raise _refused(
            "period_unknown",
            got=f"no published verdict for {tenant_id[:60]} {period}",
            expected="a tenant and month that `tieout status` lists",
            remedy="Correct --tenant-id or --period",
        )
    verdict = min((str(row["verdict"]) for row in runs), key=VERDICTS.index)
    if verdict in _NEVER:
        raise _refused(
            "verdict_refused",
            got=f"{tenant_id} {period} with verdict {verdict}",
            expected="a reconciled verdict in every currency",
            remedy=f"`tieout drift --tenant-id {tenant_id} --period {period}` lists what is open",
        )
    return verdict


def _require_unblocked(marts: Marts, tenant_id: str, period: str) -> None:
    against = [
        row
        for row in marts.rows("certification_blockers", tenant_id=tenant_id)
        if row["period"] in (period, "all")
    ]
    if against:
        first = against[0]
        raise _refused(
            "certification_blocked",
            got=f"{tenant_id} {period} with {len(against)} objections, such as {first['blocker']} "
            f"({first['blocked_items']} items, first {first['first_code']} at "
            f"{first['first_item']})",
            expected="no row for the period or for `all` in certification_blockers",
            remedy="Look them up in certification_blockers, artifact_verdicts and tie_outs, have "
            "what is wrong exported or read again, and run",
        )


def _packet(home: Home, tenant_id: str, period: str) -> str:
    packets = newest(home, tenant_id, period)
    if not packets:
        raise _refused(
            "packet_missing",
            got=f"no packet for {tenant_id} {period}",
            expected="the packet that says what is certified",
            remedy="Run `tieout packet build`, then certify",
        )
    return packets[-1].packet_sha256


def _refused(code: str, *, got: str, expected: str, remedy: str) -> TieoutError:
    return TieoutError(got=got, expected=expected, remedy=remedy, code=code)
