"""What objects do not carry but acts must know, and the one check every amount passes.

Belongs here: how a charge settled, what arrived of a transfer. Does not belong here: anything an
object shows (objects.py, customer_objects.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.simulator.errors import RailError

__all__ = ["ChargeFacts", "TransferFacts", "positive"]


@dataclass(slots=True)
class ChargeFacts:
    """What a charge object does not carry: where it lives and how it settled."""

    account: str
    settlement_currency: str
    exchange_rate: str | None
    available_on: int
    personal: Mapping[str, str] | None = None
    sent: int = 0


@dataclass(slots=True)
class TransferFacts:
    """What arrived at the destination, in its currency."""

    arrived_amount: int
    arrived_currency: str
    exchange_rate: str | None
    reversed_there: int = 0


def positive(amount: int, param: str = "amount") -> int:
    """Return `amount` if it is an int of at least 1, else raise Stripe's refusal."""
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise RailError(
            f"Invalid integer: got {type(amount).__name__}; pass whole minor units",
            code="parameter_invalid_integer",
            param=param,
        )
    if amount < 1:
        raise RailError(
            f"This value must be greater than or equal to 1 (it currently is '{amount}').",
            code="parameter_invalid_integer",
            param=param,
        )
    return amount
