"""What one tenant's money did at the rail, as landed objects.

Belongs here: charges, refunds, disputes, transfers and the balance transactions under them. Does
not belong here: anything that the kernel exports.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.gates.landed import AS_OF, PLATFORM, World

__all__ = ["READ_AT", "RailSide", "add_balances", "add_platform"]

READ_AT = AS_OF - timedelta(minutes=8)


def add_platform(world: World, *, available: Mapping[str, int]) -> None:
    """What was read of the platform: complete, minutes ago, with the given available balance."""
    world.own(
        "coverage",
        source="stripe",
        account_id=PLATFORM,
        is_platform=True,
        endpoint="balances",
        status="complete",
        started_at=READ_AT,
        finished_at=READ_AT,
        slice_from=AS_OF - timedelta(days=365),
        slice_to=READ_AT,
        pull_id="pull_1",
    )
    add_balances(world, available)


def add_balances(world: World, available: Mapping[str, int]) -> None:
    """One reading of what the platform has available, always of the same moment."""
    for currency, amount in available.items():
        world.rail(
            "balances",
            snapshot="after",
            balance_type="payments",
            currency=currency.lower(),
            bucket="available",
            amount=amount,
            taken_at=READ_AT,
            livemode=False,
        )


class RailSide:
    """The rail's view of one party; a base for the tenant that owns it."""

    world: World
    tenant: str
    party: str

    @property
    def account_id(self) -> str:
        """The party's account at the rail."""
        return f"acct_{self.tenant}_{self.party}".replace("-", "_")

    def charge_id(self, name: str) -> str:
        """The rail's id of a sale's charge."""
        return f"ch_{self.tenant}_{name}"

    def charge(self, name: str, amount: int, *, currency: str = "USD", created: datetime) -> None:
        """A platform charge with its balance transaction and no link to anybody."""
        self.world.rail(
            "charges",
            id=self.charge_id(name),
            amount=amount,
            amount_captured=amount,
            amount_refunded=0,
            currency=currency.lower(),
            balance_transaction=f"txn_{self.charge_id(name)}",
            status="succeeded",
            paid=True,
            created=created,
        )
        self.movement(
            f"txn_{self.charge_id(name)}", amount, "charge", currency, created, self.charge_id(name)
        )

    def movement(
        self,
        id_: str,
        amount: int,
        category: str,
        currency: str,
        at: datetime,
        source: str,
        fee: int = 0,
    ) -> None:
        """One balance transaction of the platform."""
        self.world.rail(
            "balance_transactions",
            id=id_,
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency=currency.lower(),
            type="adjustment" if category.startswith("dispute") else category,
            reporting_category=category,
            balance_type="payments",
            source=source,
            status="available",
            created=at,
            available_on=at,
        )

    def dispute(
        self,
        name: str,
        amount: int,
        *,
        fee: int = 1500,
        status: str = "needs_response",
        currency: str = "USD",
        at: datetime = AS_OF - timedelta(days=5),
        moves: bool = True,
    ) -> str:
        """A dispute of a sale's charge; `moves` is whether money was withdrawn."""
        dispute_id = f"dp_{self.charge_id(name)}_{at:%m%d%H}"
        self.world.rail(
            "disputes",
            id=dispute_id,
            charge=self.charge_id(name),
            amount=amount,
            currency=currency.lower(),
            status=status,
            created=at,
        )
        if moves:
            self.dispute_movement(dispute_id, -amount, fee=fee, at=at, currency=currency)
        return dispute_id

    def dispute_movement(
        self, dispute_id: str, amount: int, *, fee: int = 0, at: datetime, currency: str = "USD"
    ) -> None:
        """One balance transaction of a dispute, on the balance and in the dispute's own list."""
        category = "dispute" if amount < 0 else "dispute_reversal"
        id_ = f"txn_{dispute_id}_{at:%m%d%H}_{category}"
        self.movement(id_, amount, category, currency, at, dispute_id, fee=fee)
        self.world.rail(
            "dispute_balance_transactions",
            dispute_id=dispute_id,
            balance_transaction_id=id_,
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency=currency.lower(),
            reporting_category=category,
            created=at,
        )

    def transfer(
        self, key: str | None, amount: int, *, days_ago: int = 9, currency: str = "USD", **over: Any
    ) -> str:
        """A transfer from the platform to the party's account, with its balance transaction."""
        at = AS_OF - timedelta(days=days_ago)
        transfer_id = f"tr_{self.tenant}_{self.party}_{days_ago}_{amount}"
        self.world.rail(
            "transfers",
            **{
                "id": transfer_id,
                "amount": amount,
                "amount_reversed": 0,
                "reversed": False,
                "currency": currency.lower(),
                "balance_transaction": f"txn_{transfer_id}",
                "destination": self.account_id,
                "transfer_group": key,
                "created": at,
                "meta_payout_key": key,
                **over,
            },
        )
        self.movement(f"txn_{transfer_id}", -amount, "transfer", currency, at, transfer_id)
        return transfer_id

    def reversal(self, transfer_id: str, amount: int, *, at: datetime) -> None:
        """Part of a transfer taken back."""
        id_ = f"trr_{transfer_id}_{amount}"
        self.world.rail(
            "transfer_reversals",
            id=id_,
            transfer=transfer_id,
            amount=amount,
            currency="usd",
            balance_transaction=f"txn_{id_}",
            created=at,
        )
        self.movement(f"txn_{id_}", amount, "transfer_reversal", "USD", at, id_)

    def refund(self, name: str, amount: int, *, at: datetime, status: str = "succeeded") -> None:
        """Money given back to the customer of a sale."""
        id_ = f"re_{self.charge_id(name)}_{amount}"
        self.world.rail(
            "refunds",
            id=id_,
            charge=self.charge_id(name),
            amount=amount,
            currency="usd",
            status=status,
            balance_transaction=f"txn_{id_}",
            created=at,
        )
        self.movement(f"txn_{id_}", -amount, "refund", "USD", at, id_)
