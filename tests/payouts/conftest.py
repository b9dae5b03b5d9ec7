"""Fixtures of the payout tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.payouts import durable
from tests.payouts.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "home")


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip fsync where a test kills the process, not the power: the page cache survives that."""
    monkeypatch.setattr(durable, "_sync", lambda handle: None)
    monkeypatch.setattr(durable, "_sync_folder", lambda path: None)
