"""What the kernel's, enforcement's and operators' books say about one tenant's payouts.

Belongs here: operations, journal lines, holds, adjustments and operator lines. Does not belong
here: instructions and what they rest on, or anything at the rail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.gates.identities import digest, iso
from tests.gates.landed import AS_OF
from tests.gates.rail_side import RailSide

__all__ = ["PROVIDER", "BookSide"]

PROVIDER = "stripe_prod_us"


class BookSide(RailSide):
    """The books about one party; a base for the tenant that owns it."""

    def receipt_hash(self, name: str) -> str:
        """The hash of a sale's receipt."""
        return digest(self.tenant, "receipt", name)

    def operation(self, key: str, amount: int, state: str, **over: Any) -> None:
        """The kernel's operation for a payout key."""
        at = iso(AS_OF - timedelta(days=10))
        metadata = {
            "payoutKey": key,
            "partyId": self.party,
            "period": key.split(":period:")[1][:7],
            "stripeConnectAccountId": self.account_id,
            "payoutAmountGrossCents": amount,
            "payoutArtifactHash": digest("instruction", key),
            "chargebackRecoveryAppliedCents": 0,
        } | over.pop("metadata", {})
        body = {
            "providerId": PROVIDER,
            "operationId": f"mop_{key}",
            "direction": "payout",
            "idempotencyKey": key,
            "amountCents": amount,
            "currency": "USD",
            "counterpartyRef": f"stripe_connect:{self.account_id}",
            "state": state,
            "initiatedAt": at,
            "createdAt": at,
            "updatedAt": at,
            "metadata": metadata,
        }
        self.world.artifact("money_rail_operations", self.tenant, {**body, **over})

    def journal(self, key: str, amount: int, state: str, **over: Any) -> None:
        """One line of the payout journal."""
        rows = self.world.rows["tieout/payout_journal"]
        line = {
            "payout_key": key,
            "tenant_id": self.tenant,
            "operation_id": f"mop_{key}",
            "attempt": 1,
            "idempotency_key": "i",
            "state": state,
            "amount_cents": amount,
            "currency": "USD",
            "destination_account_id": self.account_id,
            "provider_id": PROVIDER,
            "party_id": self.party,
            "period": key.split(":period:")[1][:7],
            "decision_sha256": "0" * 64,
            "livemode": False,
            "recovery_cents": 0,
            "seq": len(rows) + 1,
            "at": AS_OF - timedelta(hours=30),
        }
        self.world.own("payout_journal", **(line | over))

    def hold(
        self, name: str, amount: int, *, status: str = "held", held_of: str, **over: Any
    ) -> str:
        """Funds held back of a sale; returns the hold's hash."""
        hold_hash = digest(self.tenant, "hold", name)
        body = {
            "holdHash": hold_hash,
            "agreementHash": digest(self.tenant, "agreement", name),
            "receiptHash": self.receipt_hash(held_of),
            "payerAgentId": "agt_payer",
            "payeeAgentId": f"agt_{self.party}",
            "amountCents": amount * 10,
            "heldAmountCents": amount,
            "currency": "USD",
            "holdbackBps": 1000,
            "challengeWindowMs": 86_400_000,
            "status": status,
            "revision": 1,
            "createdAt": iso(AS_OF - timedelta(days=30)),
            "updatedAt": iso(AS_OF - timedelta(days=30)),
        }
        self.world.artifact("funding_holds", self.tenant, {**body, **over})
        agent = {
            "agentId": f"agt_{self.party}",
            "partyId": self.party,
            "validFrom": "2026-01-01T00:00:00.000Z",
        }
        self.world.artifact("party_agents", self.tenant, {**agent, "validTo": None})
        return hold_hash

    def adjustment(
        self, name: str, amount: int, *, kind: str, hold_hash: str, held_of: str
    ) -> Mapping[str, Any]:
        """The release or refund of a hold; returns the payout link that carries it."""
        adjustment_hash = digest(self.tenant, "adjustment", name)
        self.world.artifact(
            "settlement_adjustments",
            self.tenant,
            {
                "adjustmentId": f"sadj_{name}",
                "agreementHash": digest(self.tenant, "agreement", name),
                "receiptHash": self.receipt_hash(held_of),
                "holdHash": hold_hash,
                "kind": kind,
                "amountCents": amount,
                "currency": "USD",
                "createdAt": iso(AS_OF - timedelta(days=14)),
                "adjustmentHash": adjustment_hash,
            },
        )
        return {
            "sourceType": "adjustment",
            "sourceId": f"sadj_{name}",
            "sourceHash": adjustment_hash,
            "amountCents": amount,
        }

    def control(self, field_name: str, value: str, **over: Any) -> None:
        """One operator line about this tenant."""
        rows = self.world.rows["tieout/controls"]
        line = {
            "seq": len(rows) + 1,
            "tenant_id": self.tenant,
            "field": field_name,
            "value": value,
            "action": "set",
            "operator": "op_a",
            "second_operator": "op_b",
            "at": AS_OF - timedelta(days=1),
            "reason": "test",
            "line_status": "valid",
        }
        if over.get("line_status") == "void":
            line["void_code"] = "unsigned"
        self.world.own("controls", **(line | over))

    def act(self, book: str, action: str, act_id: str, by: str = "op_a", **members: Any) -> None:
        """One line of a book of people's acts about this tenant."""
        rows = self.world.rows[f"tieout/{book}"]
        line = {
            "seq": len(rows) + 1,
            "act_id": act_id,
            "action": action,
            "tenant_id": self.tenant,
            "operator": by,
            "at": AS_OF - timedelta(days=1) + timedelta(seconds=len(rows)),
            "reason": "test",
            "line_status": "valid",
            "line_sha256": f"{len(rows) + 1:064x}",
        }
        self.world.own(book, **(line | members))

    def two_people(self, book: str, act_id: str, **members: Any) -> None:
        """A proposal by one operator and its approval by another."""
        self.act(book, "propose", act_id, **members)
        self.act(book, "approve", act_id, by="op_b")
