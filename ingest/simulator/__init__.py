"""A stateful double of the outside world: a Stripe-shaped rail over one ledger, and kernel exports.

Belongs here: everything needed to stand in for the rail and for the kernel in tests and demos.
Does not belong here: anything production code imports. Others start it as a process,
`python -m ingest.simulator`; only tests and that entry point import it.
"""

from __future__ import annotations

__all__ = ["books", "faults", "http", "ledger", "objects", "rail"]
