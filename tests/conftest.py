"""Fixtures that every test may use.

Belongs here: where the shared reference data lies, an empty home, and which tests stay together
when several workers run them. Does not belong here: anything that knows one floor's modules; such
fixtures live beside their tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


# Folders whose tests share a build: every worker that met one would make it again.
_BUILD_FOLDERS = frozenset({"conformance", "gates", "warehouse"})
# What takes longest, longest first: begun at the end, it would leave the other workers idle.
_LONG = (
    "wiring/test_people.py",
    "mutation/test_mutation.py",
    "wiring/test_backtest.py",
    "payouts/test_fault_runs.py",
    "warehouse",
    "wiring/test_bad_input.py",
    "wiring/test_second_run.py",
    "wiring/test_drill.py",
    "gates",
)


def _kept_together(nodeid: str) -> str:
    """What stays on one worker, in its order: the tests of a file, or of all files of a build."""
    file = nodeid.partition("::")[0].removeprefix("tests/")
    folder = file.partition("/")[0]
    return folder if folder in _BUILD_FOLDERS else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands out what is kept together as one; xdist's own groups are ignored since pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _kept_together(nodeid)

    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, whatever worker takes it."""
    rank = {name: n for n, name in enumerate(_LONG)}
    items.sort(key=lambda item: rank.get(_kept_together(item.nodeid), len(rank)))
