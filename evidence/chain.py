"""A tenant's packets as a chain, from the period one expects back to the first.

What belongs here: walking `previous` by packet hash, and `supersedes` between revisions. What
does not: verifying one packet (verify.py).

Packets are found by hash, never by period: a revised period gets a new hash, and the packets
after it keep naming the revision they were built on. Superseded packets are therefore kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from evidence.errors import Refusal
from evidence.verify import Verified

MAX_CHAIN = 1200


def check_chain(
    packets: Iterable[Verified], tenant: str, last_period: str, head_sha256: str | None = None
) -> tuple[Verified, ...]:
    """Walk a tenant's chain back to its first packet.

    Args:
        packets: verified packets, in any order; those off the chain are allowed.
        tenant: whose chain it is.
        last_period: the newest period expected; naming it is what shows a withheld tail.
        head_sha256: which packet of that period to start from; by default its newest revision.

    Returns:
        The chain, newest first.

    Raises:
        Refusal: `wrong_tenant`, `chain_gap`, `chain_hash`, `chain_order`, `chain_supersedes`.
    """
    held: dict[str, Verified] = {}
    for packet in packets:
        if packet.statement.tenant != tenant:
            raise Refusal("wrong_tenant", f"got a packet of {packet.statement.tenant}")
        held[packet.packet_sha256] = packet
        if len(held) > MAX_CHAIN:
            raise Refusal("chain_too_long", f"got over {MAX_CHAIN} packets")
    _check_revisions(held)
    chain = [_head(held, last_period, head_sha256)]
    while (link := chain[-1].statement.previous) is not None:
        before = held.get(link.sha256)
        if before is None:
            rewritten = any(p.statement.period == link.period for p in held.values())
            code = "chain_hash" if rewritten else "chain_gap"
            raise Refusal(code, f"got no packet {link.sha256} of {link.period}, expected it")
        if before.statement.period != link.period:
            raise Refusal("chain_order", f"got {before.statement.period}, expected {link.period}")
        chain.append(before)
    return tuple(chain)


def _head(held: dict[str, Verified], period: str, sha256: str | None) -> Verified:
    found = [p for p in held.values() if p.statement.period == period]
    if sha256 is not None:
        found = [p for p in found if p.packet_sha256 == sha256]
    if not found:
        raise Refusal("chain_gap", f"got no packet of the last period {period}, expected one")
    return max(found, key=lambda p: (p.statement.revision, p.packet_sha256))


def _check_revisions(held: dict[str, Verified]) -> None:
    """Where the superseded packet is at hand, it must be the revision before, of that period."""
    for packet in held.values():
        stated = packet.statement
        before = held.get(stated.supersedes or "")
        if before is None:
            continue
        expected = (stated.period, stated.revision - 1)
        if (before.statement.period, before.statement.revision) != expected:
            raise Refusal(
                "chain_supersedes",
                f"got revision {stated.revision} of {stated.period} superseding"
                f" revision {before.statement.revision} of {before.statement.period}",
            )
