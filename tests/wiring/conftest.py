"""One demo run for all tests of the wiring, and a way to type commands.

Belongs here: fixtures. Does not belong here: claims.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagster_project.__main__ import main
from dagster_project.building import manifest_file
from dagster_project.home import prepare_home
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


def _environment(home: Path, environ: dict[str, str]) -> dict[str, str]:
    """The environment of a command: nothing of ours is set but what is given."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TIEOUT_", "STRIPE_", "DAGSTER_", "DBT_"))
    }
    return {**clean, "TIEOUT_HOME": str(home), **environ}


def type_command(home: Path, *arguments: str, **environ: str) -> Answer:
    """Runs `tieout` by its entry in this process; loading dbt and Dagster anew takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(given := _environment(home, environ)):
            patch.delenv(name)
        for name, value in given.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["tieout", *arguments])
        patch.setattr(sys, "stdin", io.StringIO())
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.chdir(home.parent)
        with pytest.raises(SystemExit) as leaving:
            main()
        # The entry sets these for what a command loads; they end with the command.
        for name in set(os.environ) - set(given):
            del os.environ[name]
    code = leaving.value.code
    assert isinstance(code, int)
    return Answer(subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue()))


def start_command(home: Path, *arguments: str, **environ: str) -> Answer:
    """Runs `tieout` in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "dagster_project", *arguments],
        env={**_environment(home, environ), "PYTHONPATH": str(ROOT)},
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
def parsed_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home that holds the parsed dbt project, to be copied: parsing takes seconds."""
    home = prepare_home(tmp_path_factory.mktemp("parsed") / "home")
    manifest_file(home)
    return home.root


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of one whole demo, shared by all workers; tests read it and do not change it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "wiring"
    with (root / "wiring.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "demo.json").exists():
            folder.mkdir(exist_ok=True)
            answer = start_command(folder / "home", "demo", "--json")
            assert answer.code == 0, answer
            (folder / "demo.json").write_text(answer.out)
    return folder / "home"


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
