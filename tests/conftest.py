"""Fixtures that every test may use.

Belongs here: where the shared reference data lies, an empty home, and which tests stay together
when several workers run them. Does not belong here: anything that knows one floor's modules; such
fixtures live beside their tests.
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


# Builds that serve a whole session: every worker that met one would make it again.
_BUILDS = ("scenarios", "real")
_BUILD_FOLDERS = ("gates", "conformance")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps tests of one file or of one build on one worker, the longest files first."""
    items.sort(key=lambda item: "demo_home" not in _fixtures(item))
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        built = [name for name in _BUILDS if name in _fixtures(item)]
        built += [name for name in _BUILD_FOLDERS if item.path.parent.name == name]
        group = built[0] if built else item.path.relative_to(config.rootpath).as_posix()
        item.add_marker(pytest.mark.xdist_group(group))


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])
