"""The drop folder: raw deliveries that another receiver wrote, verified here and then removed.

Belongs here: which files form a delivery, in which order they are read, spooled and removed. Does
not belong here: what makes a delivery sound (`ingest.stripe.webhooks`).

A delivery is two files: `<name>.body`, the raw bytes, and `<name>.sig`, the value of the
Stripe-Signature header, put in place (renamed) last. Bodies hold personal data, so none stays: an
accepted one leaves a line in the spool, a refused one its reason. The time of the signature file
counts as the time of receipt: whoever may write here is trusted for that, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ingest.deliveries.receiver import MAX_BODY_BYTES
from ingest.deliveries.signature import DeliveryRefused
from ingest.deliveries.spool import DeliverySpool, SpooledRefusal, spool_path
from ingest.errors import TieoutError
from ingest.files import private_folder
from ingest.payouts.durable import read_bounded
from ingest.stripe.webhooks import StripeDeliveries, names_in

__all__ = ["Drained", "drain_drop_folder", "drop_folder", "waiting_mark"]

MAX_DELIVERIES: Final = 100_000
MAX_HEADER_BYTES: Final = 4_096
_BODY: Final = ".body"
_SIGNATURE: Final = ".sig"
# Stripe repeats a delivery for three days; what is older was forgotten here.
_OLDEST: Final = timedelta(days=3)
# A body whose signature does not follow within this time was abandoned.
_ABANDONED_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Drained:
    """What one pass over the folder came to."""

    accepted: int
    repeated: int
    refused: int


def drop_folder(home: Path) -> Path:
    """Where other receivers put deliveries for a home."""
    return home / "spool" / "webhooks" / "drop"


def waiting_mark(home: Path) -> str | None:
    """A text that changes with what waits to be read again; None when nothing does.

    Looks at the spool and at file names only: nothing is verified or moved.
    """
    marks: list[str] = []
    if spool_path(home).exists():
        with DeliverySpool(home) as spool:
            newest = spool.newest_waiting()
        marks += [f"event-{newest}"] if newest else []
    newest_file = max((path.name for path in drop_folder(home).glob(f"*{_SIGNATURE}")), default="")
    marks += [f"drop-{newest_file}"] if newest_file else []
    return "|".join(marks) or None


def drain_drop_folder(
    folder: Path, spool: DeliverySpool, stripe: StripeDeliveries, *, now: datetime
) -> Drained:
    """Verifies every delivery of the folder, spools what is sound, and removes all of them.

    Args:
        folder: Made when absent.
        spool: Where events and refusals go.
        stripe: Accepts deliveries.
        now: Current time, UTC-aware.

    Raises:
        TieoutError: The folder cannot be read or emptied; deliveries in it stay.
    """
    private_folder(folder)
    counts = {"accepted": 0, "repeated": 0, "refused": 0}
    try:
        for name in _names(folder):
            body_path, signature_path = folder / f"{name}{_BODY}", folder / f"{name}{_SIGNATURE}"
            if not _is_there(signature_path) and not _abandoned(body_path, now):
                continue
            counts[_take(body_path, signature_path, spool, stripe, now)] += 1
            # The spool is on disk by now; a crash before this line shows as a repeated event.
            body_path.unlink(missing_ok=True)
            signature_path.unlink(missing_ok=True)
        for stray in _strays(folder, now):
            spool.refuse(SpooledRefusal("drop", "delivery_unnamed", None, None, None, now))
            stray.unlink(missing_ok=True)
            counts["refused"] += 1
    except OSError as error:
        raise TieoutError(
            got=f"{type(error).__name__} in the drop folder of deliveries",
            expected="a folder this user may read and empty",
            remedy="Correct the owner of spool/webhooks/drop under TIEOUT_HOME",
            code="drop_folder_unusable",
        ) from None
    return Drained(**counts)


def _names(folder: Path) -> Iterator[str]:
    """Names of deliveries, whole or half, in the order of their names."""
    found: set[str] = set()
    for number, path in enumerate(folder.iterdir()):
        if number >= 2 * MAX_DELIVERIES:
            break  # the next pass takes the rest
        if path.suffix in (_BODY, _SIGNATURE):
            found.add(path.name.removesuffix(path.suffix))
    yield from sorted(found)


def _strays(folder: Path, now: datetime) -> list[Path]:
    """Files that are no part of a delivery and that nobody is writing any more."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix not in (_BODY, _SIGNATURE) and not path.is_dir() and _abandoned(path, now)
    ]


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _abandoned(path: Path, now: datetime) -> bool:
    return now - datetime.fromtimestamp(path.lstat().st_mtime, UTC) >= _ABANDONED_AFTER


def _take(
    body_path: Path,
    signature_path: Path,
    spool: DeliverySpool,
    stripe: StripeDeliveries,
    now: datetime,
) -> str:
    body: bytes | None = None
    try:
        body = _content(body_path, MAX_BODY_BYTES)
        header = _content(signature_path, MAX_HEADER_BYTES)
        written = datetime.fromtimestamp(signature_path.lstat().st_mtime, UTC)
        # A file from long ago or from the future proves no time of receipt.
        received = written if now - _OLDEST <= written <= now else now
        event = stripe.accept(header.decode("latin-1").strip(), body, now=received)
    except DeliveryRefused as refusal:
        names = names_in(body) if body is not None else (None, None, None)
        spool.refuse(SpooledRefusal("drop", refusal.code, *names, now))
        return "refused"
    return "accepted" if spool.add_event(event, at=received) else "repeated"


def _content(path: Path, limit_bytes: int) -> bytes:
    try:
        content = read_bounded(path, limit_bytes)
    except OSError:
        content = None
    if content is None:
        raise DeliveryRefused(
            "delivery_unreadable",
            "half a delivery, a link, or more than a delivery can hold",
            "<name>.body and <name>.sig, plain files within their limits",
        )
    return content
