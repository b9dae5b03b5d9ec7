"""The stage a scenario is planted on: one tenant, its parties, one settled month.

Belongs here: the registry of scenarios and the short words they are written in. Does not belong
here: any scenario, or any act (sales.py, holds.py, month_end.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.simulator.kernel_artifacts import digest
from ingest.simulator.month_end import Payout, close_month, pay, request_payout
from ingest.simulator.partner import Party, Sale
from ingest.simulator.sales import SaleTerms, sell
from ingest.simulator.world_state import World, period_start

__all__ = ["REGISTRY", "Scenario", "Scene", "scenario"]

_SALES_A_MONTH: Final = 6


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named situation; `description` is its specification, `plant` puts it into a tenant."""

    name: str
    description: str
    plant: Callable[[World, str], None]


REGISTRY: dict[str, Scenario] = {}


def scenario(function: Callable[[World, str], None]) -> Callable[[World, str], None]:
    """Register a planting function under its own name; its docstring is the specification."""
    name = function.__name__
    REGISTRY[name] = Scenario(name, " ".join((function.__doc__ or "").split()), function)
    return function


class Scene:
    """One tenant prepared for one scenario.

    Args:
        settled_days: how long before the anchor the scenario's month must have closed: 2 for a
        month
            that the kernel has paid, 4 for one whose payouts are overdue.
        parties: names of the parties to open; the first is `party`.
    """

    def __init__(
        self,
        world: World,
        tenant_id: str,
        name: str,
        *,
        settled_days: int = 2,
        parties: Sequence[str] = ("alpha",),
    ) -> None:
        self.world = world
        self.name = name
        self.tenant_id = tenant_id
        self.period = world.settled_period(settled_days)
        opened_at = period_start(self.period) - timedelta(days=40)
        self.partner = world.add_partner(tenant_id, opened_at=opened_at)
        self.parties = [self.partner.add_party(party) for party in parties]

    @property
    def party(self) -> Party:
        return self.parties[0]

    def at(self, day: int, hour: int = 12, *, period: str | None = None) -> datetime:
        """Return a time on a day of the scenario's month, or of another period."""
        start = period_start(period or self.period)
        return start + timedelta(days=day - 1, hours=hour)

    def amount_cents(self, number: int) -> int:
        """Return the gross amount of the tenant's sale of that number, 50.00 to 249.99."""
        return 5_000 + int(digest([self.world.seed, self.tenant_id, number])[:8], 16) % 20_000

    def sell(
        self,
        day: int,
        terms: SaleTerms | None = None,
        *,
        party: Party | None = None,
        amount_cents: int | None = None,
        period: str | None = None,
    ) -> Sale:
        """Make one sale at noon of a day of the month."""
        number = len(self.partner.sales)
        return sell(
            self.partner,
            party or self.party,
            self.amount_cents(number) if amount_cents is None else amount_cents,
            at=self.at(day, period=period),
            terms=terms,
        )

    def trade(
        self, *, party: Party | None = None, count: int = _SALES_A_MONTH, period: str | None = None
    ) -> list[Sale]:
        """Make the plain sales of a month, on days 3, 6, 9 and so on."""
        return [self.sell(3 + 3 * n, party=party, period=period) for n in range(count)]

    def close(self, *, period: str | None = None, closed_at: datetime | None = None) -> Payout:
        """Close a month at its usual time and return its first payout."""
        return self.close_all(period=period, closed_at=closed_at)[0]

    def close_all(
        self, *, period: str | None = None, closed_at: datetime | None = None
    ) -> list[Payout]:
        """Close a month and return every payout of it."""
        which = period or self.period
        when = closed_at or self.world.closes_at(which)
        return close_month(self.partner, which, closed_at=when)

    def month(self) -> Payout:
        """Trade and close the scenario's month for the first party."""
        self.trade()
        return self.close()

    def paid_month(self) -> Payout:
        """Trade, close and pay the scenario's month for the first party; nothing is wrong."""
        payout = self.month()
        self.matched(payout, pay(self.partner, payout))
        return payout

    def payable(self, payout: Payout, **controls: Any) -> None:
        """Let Tieout pay this payout under the given controls; it is pending until then."""
        self.partner.profile = {"payer": "tieout", "pay_from_period": payout.close.period}
        self.partner.controls |= controls
        request_payout(self.partner, payout, at=payout.close.closed_at + timedelta(hours=1))
        self.expect_payout("TIMING", payout, payout.amount_cents, outcome="pending")

    # --- truth ---------------------------------------------------------------------------------

    def expect(self, reason_code: str, **fields: Any) -> None:
        """Append a truth row of this tenant and month; see `World.expect`."""
        fields = {"period": self.period} | fields
        self.world.expect(fields.pop("tenant_id", self.tenant_id), self.name, reason_code, **fields)

    def expect_payout(
        self,
        reason_code: str,
        payout: Payout,
        drift_cents: int,
        *,
        transfer: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Append a truth row about a payout, and about one of its transfers where one is named."""
        known = {
            "period": payout.close.period,
            "party_id": payout.party.party_id,
            "currency": payout.party.currency,
            "drift_cents": drift_cents,
            "rail_object_id": None if transfer is None else transfer["id"],
            "kernel_object_id": payout.artifact_id,
            "payout_key": payout.key,
        }
        self.expect(reason_code, **(known | fields))

    def matched(self, payout: Payout, transfer: Mapping[str, Any]) -> None:
        """Say that a payout and its transfer agree."""
        self.expect_payout("MATCHED", payout, 0, transfer=transfer, outcome="ok")

    def expect_gate(self, payout: Payout, decision: str, *codes: str, **fields: Any) -> None:
        """Say what the gate answers: `codes` are among the held ones.

        Args:
            fields: `first_code`, `kernel_code`, `recovery_cents`, `release_cents` where known.
        """
        self.world.expected_gates.append(
            {
                "tenant_id": self.tenant_id,
                "scenario": self.name,
                "payout_key": payout.key,
                "party_id": payout.party.party_id,
                "decision": decision,
                "held_codes": list(codes),
                "gross_cents": payout.amount_cents,
                **fields,
            }
        )

    def expect_exposure(self, party: Party, outstanding_cents: int, **fields: Any) -> None:
        """Say what a party owes because of disputes, in its currency."""
        self.world.expected_exposures.append(
            {
                "tenant_id": self.tenant_id,
                "scenario": self.name,
                "party_id": party.party_id,
                "currency": party.currency,
                "outstanding_cents": outstanding_cents,
                **fields,
            }
        )

    def expect_evidence(self, **fields: Any) -> None:
        """Say what the warehouse must notice about the export itself."""
        self.world.expected_evidence.append(
            {"tenant_id": self.tenant_id, "scenario": self.name, **fields}
        )
