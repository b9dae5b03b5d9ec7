"""The tables that sources land, gathered from the adapters that fill them.

Belongs here: the list. Does not belong here: a column (the adapters declare those).
"""

from __future__ import annotations

from ingest.controls import OPERATOR_TABLES
from ingest.kernel import KERNEL_TABLES
from ingest.stripe.endpoints import STRIPE_TABLES
from ingest.tables import TIEOUT_TABLES, TableSpec

__all__ = ["all_specs"]


def all_specs() -> tuple[TableSpec, ...]:
    """Every landed table, so that models find columns even where nothing was landed yet."""
    return (*STRIPE_TABLES, *KERNEL_TABLES, *TIEOUT_TABLES, *OPERATOR_TABLES)
