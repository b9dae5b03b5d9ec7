"""Sending a notice to where an operator listens: chat, mail, pager, through apprise.

Belongs here: handing one text to each address, and keeping the addresses, which carry secrets, out
of every log and every answer. Does not belong here: what is worth telling
(`dagster_project/notifying.py`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

__all__ = ["listed_addresses", "send_notice"]

# Longer lists of addresses are a mistake, and each may take seconds to fail.
MAX_ADDRESSES: Final = 20
MAX_BODY_CHARACTERS: Final = 4_000
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
# One address may hold commas of its own; the next one begins with a scheme.
_BETWEEN: Final = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
# These name the host, the path or the whole address, and with it the secret.
_TALKATIVE: Final = ("apprise", "urllib3", "requests")


def listed_addresses(text: str) -> tuple[str, ...] | None:
    """Addresses of a list, or None when it is no list of at most 20 addresses."""
    found = tuple(part.strip(" ,\t\n") for part in _BETWEEN.split(text) if part.strip(" ,\t\n"))
    sound = all(_SCHEME.fullmatch(address) for address in found)
    return found if sound and len(found) <= MAX_ADDRESSES else None


def send_notice(addresses: Sequence[str], title: str, body: str) -> list[int]:
    """Sends one notice to each address; never raises, and never says an address.

    Args:
        addresses: Apprise URLs.
        title: One line.
        body: Plain text; what is longer than 4,000 characters is cut.

    Returns:
        Places, from 1, of the addresses that did not take it.
    """
    with _silenced():
        return [
            place
            for place, address in enumerate(addresses, start=1)
            if not _taken(address, title, body[:MAX_BODY_CHARACTERS])
        ]


def _taken(address: str, title: str, body: str) -> bool:
    try:
        # Loading it takes a second, which no run without addresses pays.
        import apprise  # noqa: PLC0415

        asset = apprise.AppriseAsset(
            app_id="Tieout",
            app_desc="Tieout",
            async_mode=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )
        sender = apprise.Apprise(asset=asset)
        if not sender.add(address):
            return False
        taken = sender.notify(
            body=body,
            title=title,
            notify_type=apprise.NotifyType.WARNING,
            body_format=apprise.NotifyFormat.TEXT,
        )
        return bool(taken)
    except Exception:  # a plugin's fault must not stop a run, and its text may hold the address
        return False


@contextmanager
def _silenced() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
