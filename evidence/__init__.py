"""Evidence: how claims leave Tieout, and how anyone checks them without trusting it.

What belongs here: canonical bytes, hashes, signatures, run packets, gate decisions, the packet
log and the verifier. What does not: where rows come from, Dagster, dbt or DuckDB. The package
needs nothing but `cryptography`, so that an auditor installs little; only replay needs DuckDB.
"""

__all__ = [
    "build",
    "canonical",
    "chain",
    "cli",
    "container",
    "custody",
    "decision",
    "errors",
    "findings",
    "keys",
    "krl",
    "log",
    "merkle",
    "notes",
    "plan",
    "proof",
    "replay",
    "schema",
    "signatures",
    "spelling",
    "statement",
    "sums",
    "tables",
    "trust",
    "verify",
    "viewer",
    "witness",
]
