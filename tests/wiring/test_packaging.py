"""What a wheel holds, and what the command says without the extra that runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.wiring.conftest import ROOT

OTHER_ENGINE = "1.4.4"
SKIPPED = shutil.ignore_patterns(".git", ".venv", ".tieout", "build", "*cache*", ".hypothesis")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree, without an index."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "tree", ignore=SKIPPED)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")],
        cwd=folder / "tree",
        check=True,
        capture_output=True,
    )
    return next((folder / "dist").glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_carries_dbt_under_our_own_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "dagster_project/_dbt/dbt_project.yml" in names
    assert "dagster_project/_dbt/seeds/reason_codes.csv" in names, "`drift --reason` reads it"
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if "dist-info" not in top} == {
        "dagster_project",
        "evidence",
        "ingest",
    }
    assert not [n for n in names if "_dbt/" in n and n.endswith((".py", ".duckdb", ".log"))]


@pytest.mark.slow
def test_the_command_without_its_extra_names_it(wheel: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(wheel, tmp_path / "site", format="zip")
    answer = subprocess.run(
        # Isolated and without site-packages: what a base installation lacks is lacking here.
        [sys.executable, "-S", "-E", "-c", "from dagster_project.__main__ import main; main()"],
        cwd=tmp_path / "site",
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2, answer.stderr
    assert "tieout[full]" in answer.stderr


@pytest.mark.slow
def test_the_verifier_needs_cryptography_alone(
    wheel: Path, demo_home: Path, tmp_path: Path
) -> None:
    """A new environment gets the wheel and its base dependencies, and nothing of ours beside."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    uv = [sys.executable, "-m", "uv", "pip"]
    installed = subprocess.run(
        [*uv, "install", "--quiet", "--python", str(venv / "bin" / "python"), str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        pytest.skip(f"no index to install cryptography from: {installed.stderr[-200:]}")
    listed = subprocess.run(
        [*uv, "list", "--python", str(venv / "bin" / "python"), "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {entry["name"] for entry in json.loads(listed.stdout)}
    assert {"tieout", "cryptography"} <= names
    assert names <= {"tieout", "cryptography", "cffi", "pycparser", "pip", "setuptools"}
    packet = sorted((demo_home / "packets").glob("tenant_birch/*/*.zip"))[0]
    asked = [str(venv / "bin" / "tieout-verify"), str(packet)]
    asked += ["--trust", str(demo_home / "trust" / "trust.json")]
    answers = {
        extra: subprocess.run(
            [*asked, *extra], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for extra in ((), ("--replay",))
    }
    assert answers[()].returncode == 0, answers[()]
    assert "Not proven:" in answers[()].stdout
    assert answers[("--replay",)].returncode == 1
    assert "replay_engine_missing" in answers[("--replay",)].stdout
    assert "tieout[replay]" in answers[("--replay",)].stdout


@pytest.mark.slow
def test_another_release_of_the_engine_computes_the_same_tables(
    demo_home: Path, tmp_path: Path
) -> None:
    """The packet was made under the locked release; an older one gives the same bytes."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    installed = subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python),
            *("cryptography", f"duckdb=={OTHER_ENGINE}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        pytest.skip(f"no duckdb {OTHER_ENGINE} to install: {installed.stderr[-200:]}")
    for packet in sorted((demo_home / "packets").glob("*/2*/*.zip"))[::4]:
        answer = subprocess.run(
            [
                *(python, "-m", "evidence.cli", str(packet), "--replay"),
                *("--trust", str(demo_home / "trust" / "trust.json")),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer
        assert f"computed again by duckdb {OTHER_ENGINE}" in answer.stdout


def test_the_lock_names_no_index_and_hashes_everything() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins) > 100
    assert text.count("--hash=sha256:") >= len(pins)
