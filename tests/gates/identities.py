"""Ids, hashes and times as the kernel spells them.

Belongs here: spelling. Does not belong here: any artifact or object that carries them.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

__all__ = ["digest", "iso", "payout_key", "statement_hash"]


def iso(moment: datetime) -> str:
    """A time as the kernel writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def payout_key(tenant: str, party: str, period: str, edition: str = "1") -> str:
    """The payout key of one party's month."""
    statement = statement_hash(tenant, party, period, edition)
    return f"{tenant}:party:{party}:period:{period}:statement:{statement}"


def statement_hash(tenant: str, party: str, period: str, edition: str = "1") -> str:
    """The hash of one party's month; another edition is a regenerated statement."""
    return digest(tenant, party, period, edition)


def digest(*parts: str) -> str:
    """A stable stand-in for a hash over the parts."""
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
