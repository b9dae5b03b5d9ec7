"""One build of the gate models for every test of this folder.

Belongs here: the session's warehouse. Does not belong here: any tenant or any claim.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.gates.landed import PLANTS, World, build, read
from tests.gates.rail_side import add_balances, add_platform

AVAILABLE = {"USD": 900_000_000, "EUR": 20_000}


class Warehouse:
    """Reads of the built warehouse."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Rows of any query; intermediate models are under `work.intermediate`."""
        return read(self._folder, query, parameters)

    def gates(self, tenant: str) -> dict[str, dict[str, Any]]:
        """Rows of payout_gates of one tenant by payout key."""
        found = self.rows("select * from payout_gates where tenant_id = ?", tenant)
        return {row["payout_key"]: row for row in found}

    def gate(self, tenant: str) -> dict[str, Any]:
        """The only row of payout_gates of a tenant."""
        (row,) = self.gates(tenant).values()
        return row

    def held(self, tenant: str, payout_key: str | None = None) -> set[str]:
        """Codes of the conditions that hold one payout; the tenant's only one unless named."""
        row = self.gate(tenant) if payout_key is None else self.gates(tenant)[payout_key]
        return set(filter(None, (row["held_codes"] or "").split(",")))

    def condition(self, tenant: str, code: str) -> dict[str, Any]:
        """One condition of the only payout of a tenant."""
        query = "select * from payout_gate_conditions where tenant_id = ? and condition_code = ?"
        (row,) = self.rows(query, tenant, code)
        return row

    def exposure(
        self, tenant: str, party: str | None = "pa", currency: str = "USD"
    ) -> dict[str, Any]:
        """One row of chargeback_exposure."""
        query = (
            "select * from chargeback_exposure where tenant_id = ? and currency = ? "
            "and party_id is not distinct from ?"
        )
        (row,) = self.rows(query, tenant, currency, party)
        return row


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The warehouse built once over the tenants of every collected module."""
    world = World()
    add_balances(world, {"EUR": AVAILABLE["EUR"] + 1_000_000})
    add_platform(world, available=AVAILABLE)
    add_balances(world, {"EUR": AVAILABLE["EUR"] + 1_000_000})
    for plant in PLANTS:
        plant(world)
    return Warehouse(build(tmp_path_factory.mktemp("gates") / "home", world))
