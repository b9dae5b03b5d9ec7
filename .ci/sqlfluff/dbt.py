"""What sqlfluff sees of dbt's `dbt` namespace: the type macros that models use."""

from __future__ import annotations


def type_string() -> str:
    """The text type."""
    return "varchar"


def type_timestamp() -> str:
    """The time type."""
    return "timestamp"


def type_bigint() -> str:
    """The integer type of money and counts."""
    return "bigint"


def type_boolean() -> str:
    """The truth type."""
    return "boolean"
