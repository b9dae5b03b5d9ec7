"""Operator controls: signed, chained lines that tighten or loosen what may be paid.

Belongs here: the form of operator lines, the registry of operators, which lines count, and landing
them. Does not belong here: cryptography (the evidence floor, passed in), or what a gate concludes.
"""

from __future__ import annotations

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

__all__ = [
    "CONTROLS_FILE",
    "ControlBook",
    "ControlLine",
    "Operator",
    "append_control",
    "compose_control",
    "land_controls",
    "load_operators",
    "read_book",
    "sign_line",
]
