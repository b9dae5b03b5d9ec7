"""How the command line speaks: progress on standard error, answers on standard output.

Belongs here: consoles, progress, JSON, exit codes, errors as one paragraph, whether a file that is
asked for can lie where it shall. Does not belong here: what any command says, or the layout of rows
(`listing.py`).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from typer.core import TyperCommand

from dagster_project.listing import table
from dagster_project.session import Progress
from evidence.errors import Refusal
from ingest.errors import SettingError, TieoutError
from ingest.stripe.currencies import API_EXPONENTS

__all__ = [
    "EXIT_FOUND",
    "EXIT_MISUSE",
    "EXIT_OK",
    "LongFlags",
    "answer",
    "err",
    "explain_error",
    "money",
    "narrated",
    "out",
    "require_out_folder",
    "table",
]

EXIT_OK: Final = 0
EXIT_FOUND: Final = 1
EXIT_MISUSE: Final = 2

# Piped output has no width of its own, and folding it would only break what reads it.
_UNFOLDED: Final = 1_000
out: Final = Console(highlight=False, width=None if sys.stdout.isatty() else _UNFOLDED)
err: Final = Console(stderr=True, highlight=False)


class LongFlags(TyperCommand):
    """A command whose flags keep the original's long names: framed help would cut them off."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **{**settings, "rich_markup_mode": None})


@contextmanager
def narrated(title: str) -> Iterator[Progress]:
    """Progress of long work: one moving line on a terminal, one line a step elsewhere."""
    if err.is_terminal:
        with Status(escape(title), console=err) as status:
            yield lambda step, detail: status.update(f"[bold]{escape(step)}[/] {escape(detail)}")
        return
    told: set[str] = set()

    def tell(step: str, detail: str) -> None:
        if step not in told:
            told.add(step)
            print(f"{step}: {detail}", file=sys.stderr, flush=True)

    yield tell


def answer(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """A JSON answer on standard output."""
    print(json.dumps(document, default=_plain, indent=2, sort_keys=False))


def money(cents: int | None, currency: str) -> str:
    """Minor units as people write them, `-1,234.50 USD`; the point follows the currency.

    A currency of unknown exponent keeps its minor units and says so.
    """
    if cents is None:
        return ""
    digits = API_EXPONENTS.get(currency.lower())
    if digits is None:
        return f"{cents:,} minor {currency}"
    whole, rest = divmod(abs(cents), 10**digits)
    point = f".{rest:0{digits}d}" if digits else ""
    return f"{'-' if cents < 0 else ''}{whole:,}{point} {currency}"


def explain_error(error: BaseException) -> int:
    """Tells an error in one paragraph and returns the exit code it means."""
    if isinstance(error, TieoutError | Refusal):
        err.print(escape(str(error)), soft_wrap=True)
        return EXIT_MISUSE if isinstance(error, SettingError) else EXIT_FOUND
    if os.environ.get("TIEOUT_DEBUG"):
        traceback.print_exception(error)
    kind = type(error).__name__
    err.print(
        f"Got: an unexpected {kind}, which is a fault of Tieout. Expected: a named error. What to "
        "do: run again with TIEOUT_DEBUG=1 and report what it shows; published data is unchanged. "
        "(unexpected_error)",
        soft_wrap=True,
    )
    return EXIT_FOUND


def require_out_folder(path: Path) -> None:
    """Refuses a file of --out whose folder is not there, before anything is written.

    Raises:
        SettingError: `out_folder_missing`.
    """
    if not path.parent.is_dir():
        raise SettingError(
            got=f"--out {path}, whose folder does not exist",
            expected="a file in a folder that exists",
            remedy="Make the folder, or name another file",
            code="out_folder_missing",
        )


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
