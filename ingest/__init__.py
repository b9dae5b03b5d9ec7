"""How bytes come in: sources are read to the end, checked, and landed as immutable batches.

This floor knows Stripe, kernel exports, operator controls and payouts. It imports neither the
evidence floor nor Dagster nor dbt; what it needs from evidence (verifiers) is passed in.
"""

from __future__ import annotations

__all__: list[str] = []
