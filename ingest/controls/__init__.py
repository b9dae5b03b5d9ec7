"""Operator lines: signed, chained acts of people, and what may be paid because of them.

Belongs here: the form of operator lines, the registry of operators, which lines count, and landing
them. Does not belong here: cryptography (the evidence floor, passed in), or what follows from an
act (the models decide that).
"""

from __future__ import annotations

from ingest.controls.act_book import (
    ActLine,
    land_acts,
    lapsed_overrides,
    read_acts,
    refuse_malformed,
    write_acts,
)
from ingest.controls.acts import (
    ACT_BOOKS,
    CERTIFICATION_BOOK,
    CLOSING_STATUSES,
    DEPARTURE_BOOK,
    ERASURE_BOOK,
    OVERRIDE_BOOK,
    RESOLUTIONS,
    TRIAGE_BOOK,
    TRIAGE_STATUSES,
    WRITE_OFF_BOOK,
    ActBook,
    why_refused,
)
from ingest.controls.book import (
    CONTROLS_FILE,
    ControlBook,
    append_control,
    compose_control,
    land_controls,
    read_book,
)
from ingest.controls.judge import ControlLine
from ingest.controls.lines import sign_line
from ingest.controls.registry import Operator, load_operators
from ingest.controls.standing import Approved, approved, departed_accounts, erased_tenants
from ingest.controls.tables import (
    AUDIT,
    CERTIFIED_FIGURES,
    DEPARTURES,
    ERASED_MOVEMENTS,
    ERASURES,
    OPERATOR_TABLES,
    RESTATEMENTS,
)

__all__ = [
    "ACT_BOOKS",
    "AUDIT",
    "CERTIFICATION_BOOK",
    "CERTIFIED_FIGURES",
    "CLOSING_STATUSES",
    "CONTROLS_FILE",
    "DEPARTURES",
    "DEPARTURE_BOOK",
    "ERASED_MOVEMENTS",
    "ERASURES",
    "ERASURE_BOOK",
    "OPERATOR_TABLES",
    "OVERRIDE_BOOK",
    "RESOLUTIONS",
    "RESTATEMENTS",
    "TRIAGE_BOOK",
    "TRIAGE_STATUSES",
    "WRITE_OFF_BOOK",
    "ActBook",
    "ActLine",
    "Approved",
    "ControlBook",
    "ControlLine",
    "Operator",
    "append_control",
    "approved",
    "compose_control",
    "departed_accounts",
    "erased_tenants",
    "land_acts",
    "land_controls",
    "lapsed_overrides",
    "load_operators",
    "read_acts",
    "read_book",
    "refuse_malformed",
    "sign_line",
    "why_refused",
    "write_acts",
]
