"""The whole simulated world: one rail, its design partners, and the truth about what was planted.

Belongs here: `World`, its calendar, its agenda (acts run in time order, because bank payouts sweep
whatever is there), and writing exports and truth. Does not belong here: the acts themselves, what
the demo does (demo.py), or which faults exist (the scenarios).

Everything follows from the anchor, the world's now, and the seed: nothing is read from a clock, and
no act lies after the anchor.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ingest.simulator.kernel_export import renew_manifest, write_export
from ingest.simulator.partner import Partner
from ingest.simulator.rail import Rail

__all__ = [
    "EXCHANGE_RATES",
    "PLATFORM_TENANT",
    "World",
    "full_months",
    "next_month",
    "period_of",
    "period_start",
    "previous_month",
]

# Rail objects that belong to no tenant are the platform's own.
PLATFORM_TENANT: Final = "_platform"
EXCHANGE_RATES: Final = {("eur", "usd"): "1.08", ("usd", "eur"): "0.92"}
_CLOSES_AT: Final = timedelta(hours=2)
_TRUSTED_FROM: Final = timedelta(days=1, hours=6)


def period_of(at: datetime) -> str:
    """Return the UTC month of a time as `YYYY-MM`."""
    return at.astimezone(UTC).strftime("%Y-%m")


def period_start(period: str) -> datetime:
    """Return the first instant of a period."""
    return datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)


def next_month(period: str) -> str:
    """Return the period after this one."""
    return period_of(period_start(period) + timedelta(days=32))


def previous_month(period: str) -> str:
    """Return the period before this one."""
    return period_of(period_start(period) - timedelta(days=1))


def full_months(anchor: datetime) -> tuple[str, str, str]:
    """Return the last three full months, oldest first.

    Before 06:00 on the second of a month its predecessor is not paid yet, so the three months
    before that one are taken.
    """
    last = previous_month(period_of(anchor))
    if anchor < period_start(next_month(last)) + _TRUSTED_FROM:
        last = previous_month(last)
    middle = previous_month(last)
    return previous_month(middle), middle, last


class World:
    """One platform with its tenants, built up to `anchor`.

    Args:
        anchor: the world's now, an aware datetime.
        seed: decides ids and amounts.
        clock: what the rail believes the time is; None means the anchor for ever.
        journal_path: where the rail keeps acts that arrive over HTTP.

    Attributes:
        truth: one row a break, pending item or noteworthy match; see `expect`.
        expected_gates, expected_exposures, expected_evidence: what else was planted.
    """

    def __init__(
        self,
        anchor: datetime,
        seed: int = 0,
        *,
        clock: Callable[[], datetime] | None = None,
        journal_path: Path | None = None,
    ) -> None:
        self.anchor = anchor.astimezone(UTC)
        self.seed = seed
        self.months = full_months(self.anchor)
        self.rail = Rail(clock=clock or (lambda: self.anchor), seed=seed, journal_path=journal_path)
        self.rail.exchange_rates.update(EXCHANGE_RATES)
        self.partners: dict[str, Partner] = {}
        self.truth: list[dict[str, Any]] = []
        self.expected_gates: list[dict[str, Any]] = []
        self.expected_exposures: list[dict[str, Any]] = []
        self.expected_evidence: list[dict[str, Any]] = []
        self._agenda: list[tuple[datetime, int, Callable[[], object]]] = []
        self._scheduled = 0

    # --- calendar and agenda -------------------------------------------------------------------

    def closes_at(self, period: str) -> datetime:
        """Return when a month is usually closed: 02:00 on the first of the next."""
        return period_start(next_month(period)) + _CLOSES_AT

    def fresh_close(self, period: str) -> datetime:
        """Return a close so late that its instructions are not due at the anchor."""
        whole_hour = self.anchor.replace(minute=0, second=0, microsecond=0)
        return max(self.closes_at(period), whole_hour - timedelta(days=1))

    def settled_period(self, days: int) -> str:
        """Return the youngest full month whose close lies at least `days` before the anchor."""
        period = self.months[-1]
        while self.closes_at(period) + timedelta(days=days) > self.anchor:
            period = previous_month(period)
        return period

    def later(self, at: datetime, act: Callable[[], object]) -> None:
        """Put an act on the agenda; acts after the anchor are left out."""
        if at <= self.anchor:
            self._scheduled += 1
            heapq.heappush(self._agenda, (at, self._scheduled, act))

    def run_agenda(self) -> None:
        """Run every act in time order, those of one instant as they were added.

        An act may put further acts on the agenda, at its own time or later.
        """
        while self._agenda:
            _, _, act = heapq.heappop(self._agenda)
            act()

    # --- tenants -------------------------------------------------------------------------------

    def add_partner(
        self, tenant_id: str, *, opened_at: datetime, metadata_prefix: str = "nooterra"
    ) -> Partner:
        """Open a tenant."""
        partner = Partner(
            self.rail, tenant_id, opened_at=opened_at, metadata_prefix=metadata_prefix
        )
        self.partners[tenant_id] = partner
        return partner

    # --- truth ---------------------------------------------------------------------------------

    def expect(
        self,
        tenant_id: str,
        scenario: str,
        reason_code: str,
        *,
        period: str,
        outcome: str = "break",
        party_id: str | None = None,
        currency: str = "USD",
        drift_cents: int = 0,
        rail_object_id: str | None = None,
        kernel_object_id: str | None = None,
        payout_key: str | None = None,
    ) -> None:
        """Append a truth row.

        Args:
            outcome: `break`, `pending` or `ok`.
            drift_cents: expected minus actual, each the magnitude in the direction of its kind
                (received, refunded, withdrawn, paid): money nobody expected is negative, money that
                is missing is positive. Per payout key and currency the rows sum to the whole
                difference.
        """
        self.truth.append(
            {
                "tenant_id": tenant_id,
                "scenario": scenario,
                "period": period,
                "reason_code": reason_code,
                "outcome": outcome,
                "party_id": party_id,
                "currency": currency,
                "drift_cents": drift_cents,
                "rail_object_id": rail_object_id,
                "kernel_object_id": kernel_object_id,
                "payout_key": payout_key,
            }
        )

    def expectations(self) -> dict[str, list[dict[str, Any]]]:
        """Return what was planted besides drift: gates, exposures, evidence."""
        return {
            "gates": self.expected_gates,
            "exposures": self.expected_exposures,
            "evidence": self.expected_evidence,
        }

    # --- writing -------------------------------------------------------------------------------

    def write_exports(
        self,
        root: Path,
        signing_key_pem: bytes | None,
        *,
        exported_through: datetime | None = None,
        without: Collection[str] = (),
    ) -> None:
        """Write every tenant's export folder under `root`.

        Args:
            signing_key_pem: the exporter's key; None leaves the manifests unsigned.
            exported_through: what the manifests claim; None means the anchor.
            without: tenants that are exported no more.
        """
        through = exported_through or self.anchor
        for name, partner in self.partners.items():
            if name in without:
                continue
            export = partner.export(exported_through=through)
            write_export(export, root, signing_key_pem=signing_key_pem, exported_through=through)

    def renew_manifests(
        self,
        root: Path,
        signing_key_pem: bytes | None,
        *,
        written_through: datetime,
        exported_through: datetime,
    ) -> None:
        """Claim for exports written through one time that they are complete through a later one."""
        for name, partner in self.partners.items():
            if not (root / name).exists():
                continue
            export = partner.export(exported_through=written_through)
            renew_manifest(
                export, root, signing_key_pem=signing_key_pem, exported_through=exported_through
            )

    def write_truth(self, path: Path) -> None:
        """Write the truth rows to `path` and the other expectations to `expectations.json`
        there."""
        path.write_text(json.dumps(self.truth, indent=1) + "\n")
        beside = path.with_name("expectations.json")
        beside.write_text(json.dumps(self.expectations(), indent=1) + "\n")
