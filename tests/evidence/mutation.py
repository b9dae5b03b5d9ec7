"""Which checks of the evidence package no test would miss: `python -m tests.evidence.mutation`.

Belongs here: removing one refusal at a time from a copy of the package and running the tests over
it. Does not belong here: any claim; what survives gets a test, or a reason in `REASONS`.

A mutant is killed when a test fails or the time runs out. Arguments are module names; without any,
all of them are mutated, which takes about half an hour.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 180
WANTED_SHARE = 0.95
# These draw examples at random or call other programs: slow, and not where a check is claimed.
SKIPPED = ("test_fuzz.py", "test_oracles.py", "test_determinism.py", "test_viewer.py")

REASONS: dict[str, str] = {}
"""Survivors that cannot be killed, by `module:line of code`, and why."""


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, code and mutated source for every refusal that can be taken out."""
    for number, node in enumerate(ast.walk(ast.parse(source))):
        if not _refuses(node):
            continue
        tree = ast.parse(source)
        chosen = list(ast.walk(tree))[number]
        line = chosen.lineno
        if isinstance(chosen, ast.If):
            chosen.test = ast.copy_location(ast.Constant(value=False), chosen.test)
        else:
            _replace(tree, chosen)
        yield line, source.splitlines()[line - 1].strip(), ast.unparse(tree)


def _refuses(node: ast.AST) -> bool:
    """A condition over a raised refusal, or a refusal raised without one."""
    if isinstance(node, ast.If):
        return any(_is_refusal(each) for each in node.body)
    if isinstance(node, ast.ExceptHandler | ast.For | ast.While | ast.FunctionDef | ast.With):
        listed = [*node.body, *getattr(node, "orelse", [])]
        return any(_is_refusal(each) for each in listed)
    return False


def _is_refusal(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id == "Refusal"
    )


def _replace(tree: ast.Module, holder: ast.AST) -> None:
    for field in ("body", "orelse"):
        listed = getattr(holder, field, [])
        for position, each in enumerate(listed):
            if _is_refusal(each):
                listed[position] = ast.copy_location(ast.Pass(), each)
    ast.fix_missing_locations(tree)


class Suite:
    """The tests over one copy of the package; what noticed the last mutant runs first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tests = [
            str(path.relative_to(folder))
            for path in sorted((folder / "tests" / "evidence").glob("test_*.py"))
            if path.name not in SKIPPED
        ]

    def passes(self) -> bool:
        """Whether every test passes, within the time."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        try:
            asked = subprocess.run(
                command + self._tests,
                cwd=self._folder,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        failed = re.search(r"^(?:FAILED|ERROR) (\S+?)(?:::| |$)", asked.stdout, re.MULTILINE)
        if failed and failed[1] in self._tests:
            self._tests.remove(failed[1])
            self._tests.insert(0, failed[1])
        return asked.returncode == 0


def main(modules: list[str]) -> int:
    """Mutates modules one check at a time and prints what survives; 0 when enough is noticed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("evidence", "tests", "dagster_project", "ingest"):
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        suite = Suite(folder)
        if not suite.passes():
            print("the tests do not pass before anything is removed")
            return 2
        killed, survived = 0, []
        for path in sorted((folder / "evidence").glob("*.py")):
            if modules and path.stem not in modules:
                continue
            source = path.read_text()
            for line, code, mutated in mutants(source):
                path.write_text(mutated)
                if not suite.passes():
                    killed += 1
                elif f"{path.stem}:{code}" not in REASONS:
                    survived.append(f"{path.stem}.py:{line}  {code}")
                    print("survives", survived[-1], flush=True)
            path.write_text(source)
    total = killed + len(survived)
    print(f"{killed} of {total} removed checks are noticed")
    return 0 if total and killed >= WANTED_SHARE * total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
