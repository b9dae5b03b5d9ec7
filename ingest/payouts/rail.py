"""What enforcement needs from a payment rail, and what it may conclude from the rail's answers.

Belongs here: the protocol, its few shapes, the two ways a call can fail, the idempotency key, and
the comparison of a transfer with what was intended. Does not belong here: HTTP, or any rail by
name.

A failed call is one of two things. `RailRejected` is the rail's own, readable statement that
nothing was done. Everything else is `RailUnclear`: the transfer may exist. Whoever implements the
protocol must choose the second whenever in doubt.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from ingest.errors import TieoutError

__all__ = [
    "REJECTING_STATUSES",
    "Rail",
    "RailIdentity",
    "RailListing",
    "RailRejected",
    "RailTransfer",
    "RailUnclear",
    "TransferIntent",
    "binding_faults",
    "idempotency_key",
]

# 409 (a twin is in flight), 429 and 5xx are absent on purpose: they say nothing about the transfer.
REJECTING_STATUSES: Final = frozenset({400, 401, 402, 403, 404})


@dataclass(frozen=True)
class TransferIntent:
    """What is about to be asked of the rail; frozen in the journal before the call."""

    tenant_id: str
    operation_id: str
    provider_id: str
    payout_key: str
    attempt: int
    amount_cents: int
    currency: str
    destination_account_id: str
    livemode: bool


@dataclass(frozen=True)
class RailTransfer:
    """A transfer as the rail shows it; amounts in minor units of `currency`."""

    transfer_id: str
    amount_cents: int
    currency: str
    destination_account_id: str
    transfer_group: str | None
    livemode: bool
    created_at: datetime
    amount_reversed_cents: int = 0
    meta_tenant_id: str | None = None
    meta_payout_key: str | None = None


@dataclass(frozen=True)
class RailListing:
    """Every transfer of one group, and the rail's own clock when it said so."""

    transfers: tuple[RailTransfer, ...]
    rail_now: datetime


@dataclass(frozen=True)
class RailIdentity:
    """Whose key we hold, as the rail tells it; `confirmed` is False when it would not tell."""

    platform_account_id: str
    livemode: bool
    confirmed: bool
    rail_now: datetime


class Rail(Protocol):
    """The three things enforcement asks of a rail. No method may retry by itself."""

    def identity(self) -> RailIdentity:
        """Tell which platform account and livemode the key belongs to; raise when unreadable."""
        ...

    def find_transfers(self, transfer_group: str) -> RailListing:
        """List all transfers of the group, of any time, to the end; raise when not to the end.

        There is no time filter: a filter by our clock could hide what the rail's clock dates
        earlier.
        """
        ...

    def create_transfer(self, intent: TransferIntent, idempotency_key: str) -> RailTransfer:
        """Ask once for the transfer.

        Raises:
            RailRejected: The rail said, readably, that it did nothing.
            RailUnclear: Anything else.
        """
        ...


class RailRejected(TieoutError):
    """The rail refused the request and says why; nothing moved."""

    def __init__(self, status: int, rail_code: str) -> None:
        super().__init__(
            got=f"the rail answered {status} {rail_code}",
            expected="a created transfer",
            remedy="Correct the cause at the rail; the next gate decision may try again",
            code="rail_rejected",
        )
        self.status = status
        self.rail_code = rail_code


class RailUnclear(TieoutError):
    """The rail's answer does not tell whether anything happened; `kind` is a lower-case word."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            got=f"no clear answer from the rail ({kind})",
            expected="an answer that can be read",
            remedy="Leave it: the next pass looks the payout up before anything else",
            code="rail_unclear",
        )
        self.kind = kind


def idempotency_key(
    *, livemode: bool, platform_account_id: str, tenant_id: str, payout_key: str, attempt: int
) -> str:
    """Derive the key under which the rail runs one attempt once; 71 characters.

    It depends on nothing but the payout, so that a process that lost all memory, or a second one,
    computes the same key for the same attempt. A JSON list keeps field borders unambiguous.
    """
    parts = ["tieout-payout-v1", livemode, platform_account_id, tenant_id, payout_key, attempt]
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return "tieout_" + hashlib.sha256(text.encode("ascii")).hexdigest()


def binding_faults(intent: TransferIntent, transfer: RailTransfer) -> tuple[str, ...]:
    """Name the fields in which a transfer is not what was intended; empty when it is.

    Metadata only corroborates: absent is fine, because the kernel may have written other keys,
    but a value that names another payout or tenant is a fault.
    """
    differs = {
        "amount": transfer.amount_cents != intent.amount_cents,
        "currency": transfer.currency.casefold() != intent.currency.casefold(),
        "destination": transfer.destination_account_id != intent.destination_account_id,
        "transfer_group": transfer.transfer_group != intent.payout_key,
        "livemode": transfer.livemode is not intent.livemode,
        "metadata_tenant": transfer.meta_tenant_id not in (None, intent.tenant_id),
        "metadata_payout_key": transfer.meta_payout_key not in (None, intent.payout_key),
    }
    return tuple(field for field, wrong in differs.items() if wrong)
