"""Fixtures that every test may use.

Belongs here: where the shared reference data lies, and an empty home. Does not belong here:
anything that knows one floor's modules; such fixtures live beside their tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; tests that need it skip without it."""
    if not _SHARED.is_dir():
        pytest.skip("no folder named 'shared' beside the repository: its reference data is needed")
    return _SHARED


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home; its name holds signs that paths and SQL patterns must survive."""
    return tmp_path / "home [a] it's"
