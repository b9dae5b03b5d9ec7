"""One demo run for all tests of the wiring, and a way to type commands.

Belongs here: fixtures. Does not belong here: claims.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.simulator.faults import Faults
from ingest.simulator.http import serve
from tests.wiring.office import KEY, Office

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 600

Tieout = Callable[..., "Answer"]


class Answer:
    """What a command said and how it ended."""

    def __init__(self, finished: subprocess.CompletedProcess[str]) -> None:
        self.code = finished.returncode
        self.out = finished.stdout
        self.err = finished.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out[-3000:]}\n{self.err[-3000:]}"


def type_command(home: Path, *arguments: str, **environ: str) -> Answer:
    """Runs `tieout` in a process of its own, with nothing set but what is given."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TIEOUT_", "STRIPE_", "DAGSTER_", "DBT_"))
    }
    finished = subprocess.run(
        [sys.executable, "-m", "dagster_project", *arguments],
        env={**clean, "TIEOUT_HOME": str(home), "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        cwd=home.parent,
        check=False,
    )
    return Answer(finished)


def one_paragraph(answer: Answer, *words: str) -> None:
    """The error is one line that says got, expected and what to do, without a traceback."""
    lines = [line for line in answer.err.strip().splitlines() if line.startswith("Got:")]
    assert len(lines) == 1, answer
    assert "Expected:" in lines[0], answer
    assert "What to do:" in lines[0], answer
    assert "Traceback" not in answer.err, answer
    for word in words:
        assert word in lines[0], answer


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of one whole demo; tests read it and do not change it."""
    home = tmp_path_factory.mktemp("wiring") / "home"
    answer = type_command(home, "demo", "--json")
    assert answer.code == 0, answer
    (home.parent / "demo.json").write_text(answer.out)
    return home


@pytest.fixture(scope="session")
def demo(demo_home: Path) -> Any:
    """What the demo answered."""
    return json.loads((demo_home.parent / "demo.json").read_text())


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def office(tmp_path: Path, faults: Faults) -> Iterator[Office]:
    office = Office(tmp_path / "office")
    with serve(office.rail, api_key=KEY, faults=faults) as server:
        office.serve_at(server)
        yield office
