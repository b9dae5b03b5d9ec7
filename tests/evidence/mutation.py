"""Which checks of the evidence package no test would miss: `python -m tests.evidence.mutation`.

Belongs here: removing one refusal at a time from a copy of the package and running the tests over
it. Does not belong here: any claim; what survives gets a test, or a reason in `REASONS`.

Before a module is mutated, all tests that enter it pass on the module written by the same hand. A
mutant meets the tests that enter its function, those that enter little else first, in a process
of its own with a limit of processor time; it is noticed when one of them fails or time or memory
run out. Arguments are module names; without any, all of them are mutated.
"""

from __future__ import annotations

import ast
import compileall
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest

from evidence import keys

LIBRARIES = (duckdb, hypothesis, keys)
"""Imported for what they import: libraries need not be loaded again for each mutant."""
ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS = 60
TEST_SECONDS = 60
MEMORY_BYTES = 8 << 30
WANTED_SHARE = 0.95
# These draw examples at random or call other programs: slow, and not where a check is claimed.
SKIPPED = ("test_fuzz.py", "test_oracles.py", "test_determinism.py", "test_viewer.py")
TESTS = (
    "tests/evidence/test_*.py",
    "tests/kernel/test_kernel_*.py",
    "tests/kernel/test_x402_records.py",
    "tests/kernel/test_agent_signatures.py",
)

REASONS: dict[str, str] = {}
"""Survivors that cannot be noticed, by `module:line of code`, and why."""


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


class Calls:
    """A pytest plugin that notes which test enters which function of the package."""

    def __init__(self, package: Path) -> None:
        self._package = str(package)
        self._test = ""
        self.found: defaultdict[str, set[str]] = defaultdict(set)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        sys.setprofile(self._note)
        yield
        sys.setprofile(None)

    def _note(self, frame: Any, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(self._package):
            self.found[f"{Path(code.co_filename).stem}:{code.co_firstlineno}"].add(self._test)


class Patience:
    """A pytest plugin that ends the process when one test waits, as for a pipe nobody writes to."""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        signal.alarm(TEST_SECONDS)
        yield
        signal.alarm(0)


class Suite:
    """The tests over one copy of the package."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls: dict[str, list[str]] = {}

    def prepare(self) -> bool:
        """Runs all tests once and learns what each enters; False when they do not pass."""
        listed = sorted(
            str(path.relative_to(self._folder))
            for pattern in TESTS
            for path in self._folder.glob(pattern)
            if path.name not in SKIPPED
        )
        notes = self._folder.parent / "calls.json"
        passed = self._forked(listed, 5 * CPU_SECONDS, notes)
        calls = json.loads(notes.read_text()) if passed else {}
        entered = Counter(test for tests in calls.values() for test in tests)
        self._calls = {
            name: sorted(tests, key=lambda test: (entered[test], test))
            for name, tests in calls.items()
        }
        return passed

    def holds(self, module: str) -> bool:
        """Whether all tests that enter a module pass: otherwise they would notice anything."""
        tests = {
            t for name, each in self._calls.items() if name.startswith(f"{module}:") for t in each
        }
        return not tests or self._forked(sorted(tests), 5 * CPU_SECONDS, None)

    def notices(self, module: str, function_line: int) -> bool:
        """Whether a test that enters the function fails, or takes too long."""
        tests = self._calls.get(f"{module}:{function_line}", [])
        return bool(tests) and not self._forked(tests, CPU_SECONDS, None)

    def _forked(self, tests: list[str], seconds: int, notes: Path | None) -> bool:
        # A child starts with all libraries loaded, and nothing of ours. A busy machine must not
        # make a mutant look noticed, so the limit is of the child's own work; what waits without
        # working ends after a minute, which no test here comes near.
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            # A loop that never ends may collect as it goes.
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            os._exit(self._run(tests, notes))
        _, status = os.waitpid(child, 0)
        return status == 0

    def _run(self, tests: list[str], notes: Path | None) -> int:
        os.chdir(self._folder)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        sys.path[:] = [str(self._folder), *(p for p in sys.path if Path(p or ".") != ROOT)]
        for name in [n for n in sys.modules if n.split(".")[0] in {"tests", "evidence"}]:
            del sys.modules[name]
        calls = Calls(self._folder / "evidence")
        plugins = [Patience(), calls] if notes else [Patience()]
        options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain"]
        options += [f"--rootdir={self._folder}"]
        # What measures memory would measure the plugin too.
        options += ["-k", "not memory_does_not_grow"]
        code = pytest.main([*options, *tests], plugins=plugins)
        if notes:
            notes.write_text(json.dumps({name: sorted(t) for name, t in calls.found.items()}))
        return int(code)


def function_of(source: str, line: int) -> int:
    """First line of the innermost function around a line, decorators included."""
    found = 1
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0):
            found = max(found, min([node.lineno, *(d.lineno for d in node.decorator_list)]))
    return found


def copied(folder: Path) -> Path:
    """A copy of the project in `folder`, beside what its tests read from outside."""
    project = folder / "project"
    for part in ("evidence", "tests", "dagster_project", "ingest", "dbt"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", project)
    shutil.copy(ROOT / "README.md", project)
    # What is not mutated is compiled once.
    compileall.compile_dir(project / "evidence", quiet=2)
    compileall.compile_dir(project / "tests", quiet=2)
    if (ROOT.parent / "shared").exists():
        (folder / "shared").symlink_to(ROOT.parent / "shared")
    return project


def main(modules: list[str]) -> int:
    """Mutates modules one check at a time and prints what survives; 0 when enough is noticed."""
    started, noticed, survived, excused = time.monotonic(), 0, 0, 0
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as name:
        project = copied(Path(name).resolve())
        suite = Suite(project)
        if not suite.prepare():
            print("the tests do not pass before anything is removed")
            return 2
        for path in sorted((project / "evidence").glob("*.py")):
            if modules and path.stem not in modules:
                continue
            source = path.read_text()
            path.write_text(ast.unparse(ast.parse(source)))
            if not suite.holds(path.stem):
                print(f"the tests of {path.stem} do not pass with nothing removed from it")
                return 2
            for line, code, mutated in mutants(source):
                path.write_text(mutated)
                if suite.notices(path.stem, function_of(source, line)):
                    noticed += 1
                elif f"{path.stem}:{code}" in REASONS:
                    excused += 1
                else:
                    survived += 1
                    print(f"survives {path.stem}.py:{line}  {code}", flush=True)
            path.write_text(source)
    total = noticed + survived + excused
    seconds = time.monotonic() - started
    print(f"{noticed} of {total} removed checks are noticed, {excused} cannot be ({seconds:.0f} s)")
    return 0 if total and noticed >= WANTED_SHARE * total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
