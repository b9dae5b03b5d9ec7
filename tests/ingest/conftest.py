"""Fixtures of the ingest tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ingest.desk import START, Desk


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    """A desk whose rail has two connected accounts and money to spend."""
    desk = Desk(home)
    for account in ("acct_1Ada", "acct_1Bob"):
        desk.rail.create_account(account, at=START)
    desk.rail.top_up(1_000_000, at=START)
    yield desk
    desk.server.close()
