"""dbt, run inside this process: the manifest and the build.

Belongs here: calling dbt with the run's parameters and telling what each node did. Does not belong
here: SQL, the order of a run, or Dagster's events (`assets/warehouse.py` maps these results).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

from dagster_project import carrying, spark_target
from dagster_project.home import Home, read_state, write_state
from dagster_project.runs import Run
from ingest.errors import TieoutError
from ingest.folds import readable_files
from ingest.tables import PINNED_BATCHES

__all__ = ["BuildResult", "NodeResult", "build", "dbt_folder", "manifest_file", "parsed_project"]

DUCKDB: Final = "duckdb"
SPARK: Final = "spark"
ACTS: Final = "tag:acts"
VIEWS: Final = "config.materialized:view"
TESTS_OF_VIEWS: Final = f"test_type:generic,{VIEWS}"
MAX_MESSAGE: Final = 400
_GOOD: Final = frozenset({"success", "pass", "no-op"})


@dataclass(frozen=True)
class NodeResult:
    """What dbt did with one seed, model or test. `failures` counts rows a test objects to."""

    unique_id: str
    resource_type: str
    name: str
    status: str
    seconds: float
    failures: int
    message: str

    @property
    def passed(self) -> bool:
        return self.status in _GOOD


@dataclass(frozen=True)
class BuildResult:
    """All nodes of one dbt build."""

    nodes: tuple[NodeResult, ...]

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        """Nodes that stop publication; a test of severity `warn` does not."""
        return tuple(node for node in self.nodes if not node.passed and node.status != "warn")

    def require_good(self) -> None:
        """Raises:
        TieoutError: A model or a blocking test failed.
        """
        failed = [node for node in self.failed if node.status != "skipped"]
        if self.failed:
            first = failed[0] if failed else self.failed[0]
            others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            raise TieoutError(
                got=f"dbt {first.resource_type} {first.name} {first.status}{others}: "
                f"{first.message}",
                expected="every model to build and every blocking test to pass",
                remedy="Nothing was published and the last publication stands; read "
                "dbt/logs/dbt.log in the home, correct the model, and run again",
                code="warehouse_build_failed",
            )


def dbt_folder() -> Path:
    """The dbt project: inside an installed wheel, else beside this package."""
    packaged = Path(__file__).parent / "_dbt"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "dbt"


def manifest_file(home: Home) -> Path:
    """The parsed project as `manifest.json` in the home, parsed again only when a file changed.

    Raises:
        TieoutError: dbt cannot parse the project.
    """
    path = home.dbt_target / "manifest.json"
    with home.lock("manifest"):
        digest = _fingerprint(dbt_folder())
        if not path.exists() or read_state(home.dbt_target / "parsed.json") != digest:
            _parse(home)
            write_state(home.dbt_target / "parsed.json", digest)
    return path


def build(
    home: Home,
    run: Run,
    *,
    acts: bool = False,
    known_at: datetime | None = None,
    models: Sequence[str] = (),
    thorough: bool = False,
    target: str = DUCKDB,
    parsed_by: Home | None = None,
    carried: bool = True,
    on_node: Callable[[str], None] | None = None,
) -> BuildResult:
    """Builds the warehouse for a run, or anew the models that record acts.

    Every table is built from nothing but the carried ones, where only what new batches touch is
    replaced (`carrying.py`); the result is the same. The caller holds the home's warehouse lock.
    Unit tests belong to the test suite.

    Args:
        home: The home.
        run: The run; its landing must be pinned.
        acts: Build `tag:acts` alone, into the warehouse that the run built before.
        known_at: Later cut-off for acts of the run itself; the run's own when None.
        models: Build only these and what they rest on, without their tests.
        thorough: Also test views by themselves. A run tests what it keeps: what a view gives is
            tested in the table that reads it, and testing it alone computes it once more.
        target: `spark` computes every table and test on Apache Spark and leaves the same two files.
            Acts are few and are always built by DuckDB, on those files.
        parsed_by: A home whose parsed project serves this one too.
        carried: Go on from the carried tables of the last build where they may be believed.
        on_node: Called with the name of each finished node.

    Raises:
        TieoutError: The run is not pinned, or dbt could not start; a failed node is in the result
            instead.
    """
    pins = _list_files(home, run)
    parameters = {
        "run_id": run.run_id,
        "as_of": _sql_time(run.as_of),
        "known_at": _sql_time(known_at or run.known_at),
        "home_mode": home.mode,
        "continued": False,
    }
    chosen = ["--select", ACTS] if acts else []
    if not thorough:
        chosen += ["--exclude", TESTS_OF_VIEWS]
    if models:
        chosen = ["--select", *models, "--exclude-resource-type", "test"]
    on_spark = target == SPARK and not acts
    whole = not (acts or models or on_spark)
    # Read before the build: who edits a model meanwhile must not have its old rows believed.
    code = _fingerprint(dbt_folder())
    kept = acts and carrying.is_kept(home)
    if whole and carried:
        parameters["continued"] = carrying.resume(home, pins, code)
    elif not acts:
        carrying.drop(home)
    # Views of the same code stand as they are; tests of what they are read by do not.
    standing = parameters["continued"] and not thorough
    if standing:
        chosen += [VIEWS, "--indirect-selection", "cautious"]
    variables = ["--vars", json.dumps(parameters, sort_keys=True), "--no-write-json"]
    arguments = ["build", *chosen, "--exclude-resource-type", "unit_test", *variables]
    project = parsed_project(parsed_by or home)
    with spark_target.session(home) if on_spark else contextlib.nullcontext():
        # New files, where none is carried on: nothing of an earlier run can be read by mistake, and
        # moving its tables aside and dropping them costs a sixth of a build.
        if not acts:
            stay = carrying.FILES if parameters["continued"] else ()
            for file in home.warehouse.glob("*.duckdb*"):
                if not file.name.startswith(stay):
                    file.unlink()
        if on_spark:
            result = _invoke(home, arguments, target=SPARK, on_node=on_node)
        else:
            result = _invoke(home, arguments, manifest=project, on_node=on_node)
    built = _told(result)
    if standing:
        built = _with_standing(built, project)
    if on_spark and not built.failed:
        spark_target.load(home, project)
        views = _told(_invoke(home, ["run", "--select", VIEWS, *variables], manifest=project))
        return views if views.failed else built
    if whole and not built.failed:
        carrying.keep(home, pins, code)
    if kept and not built.failed:
        carrying.stamp(home)
    return built


def _list_files(home: Home, run: Run) -> str:
    """Writes down which landed files the build reads, where `register_landing` looks for them.

    Returns:
        The files of the run's own pins, as a list in SQL.
    """
    files = dict(readable_files(home.root, run.run_id))
    # A build of nothing would be green and empty.
    pins = files.get(PINNED_BATCHES.name, "")
    if f"-pin-{run.run_id}.parquet" not in pins:
        raise TieoutError(
            got=f"no pins of run {run.run_id}",
            expected="a run to be pinned before it is built",
            remedy="Pin it, then build; nothing was built",
            code="run_not_pinned",
        )
    lines = [
        json.dumps({"run_id": run.run_id, "table_name": table, "files": listed})
        for table, listed in files.items()
    ]
    (home.warehouse / "landed_files.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return pins


# What `parsed_project` gives, with the files it was parsed from; empty or one.
_projects: Final[list[tuple[dict[str, Any], Any]]] = []


def parsed_project(home: Home) -> Any:
    """dbt's own object of the parsed project, for any build in this process.

    A build with other variables than the last would parse all of it again, which takes longer than
    building; the models themselves hold no variable and no path of a home, so one parse serves
    every run of every home.
    """
    if not _projects or _projects[-1][0] != _fingerprint(dbt_folder()):
        with home.lock("manifest"):
            return _parse(home)
    return _projects[-1][1]


def _parse(home: Home) -> Any:
    digest = _fingerprint(dbt_folder())
    manifest = _invoke(home, ["parse"])
    _projects[:] = [(digest, manifest)]
    return manifest


def _invoke(
    home: Home,
    arguments: Sequence[str],
    *,
    manifest: Any = None,
    target: str = DUCKDB,
    on_node: Callable[[str], None] | None = None,
) -> Any:
    # dbt is slow to import; commands that only read never pay for it.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    folder = str(dbt_folder())
    options = [
        *("--project-dir", folder, "--profiles-dir", folder, "--target", target),
        # Each engine has a folder of its own, so that neither parses away what the other parsed.
        *("--target-path", str(home.dbt_target if target == DUCKDB else home.dbt_target / target)),
        *("--log-path", str(home.dbt_logs)),
        *("--quiet", "--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"),
        # Lines cost a tenth of a small build, printed or not; what failed is raised, not printed.
        *("--log-level", "none", "--log-level-file", "info"),
    ]

    def follow(event: Any) -> None:
        if on_node is not None and event.info.name == "NodeFinished":
            on_node(str(event.data.node_info.node_name))

    runner = dbtRunner(manifest=manifest, callbacks=[follow])
    try:
        with _environment(TIEOUT_HOME=str(home.root)):
            outcome = runner.invoke([*arguments, *options])
    finally:
        # One connection serves all nodes, which saves a third of a build. It ends with the build,
        # because an open file can neither be copied nor be read by anybody else.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if outcome.exception is not None or outcome.result is None:
        reason = " ".join(str(outcome.exception or "no result").split())[:MAX_MESSAGE]
        raise TieoutError(
            got=f"dbt {arguments[0]} stopped: {reason}",
            expected="dbt to run",
            remedy="Read dbt/logs/dbt.log in the home, correct the project, and run again",
            code="dbt_stopped",
        ) from None
    return outcome.result


def _told(result: Any) -> BuildResult:
    return BuildResult(tuple(_node(entry) for entry in result.results))


def _with_standing(built: BuildResult, project: Any) -> BuildResult:
    """Adds the views that stand as the last build made them, each before whatever reads it."""
    reads = {node.unique_id: node.depends_on_nodes for node in project.nodes.values()}
    order = {name: place for place, name in enumerate(TopologicalSorter(reads).static_order())}
    views = (
        NodeResult(
            unique_id=str(node.unique_id),
            resource_type=str(node.resource_type),
            name=str(node.name),
            status="success",
            seconds=0.0,
            failures=0,
            message="stands as the last build made it",
        )
        for node in project.nodes.values()
        if node.resource_type == "model" and node.config.materialized == "view"
    )
    nodes = (*built.nodes, *views)
    return BuildResult(tuple(sorted(nodes, key=lambda node: order[node.unique_id])))


def _node(entry: Any) -> NodeResult:
    return NodeResult(
        unique_id=str(entry.node.unique_id),
        resource_type=str(entry.node.resource_type),
        name=str(entry.node.name),
        status=str(entry.status),
        seconds=float(entry.execution_time),
        failures=int(entry.failures or 0),
        message=" ".join(str(entry.message or "").split())[:MAX_MESSAGE],
    )


def _sql_time(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def _fingerprint(folder: Path) -> dict[str, Any]:
    files = (path for path in folder.rglob("*") if path.suffix in {".sql", ".yml", ".csv", ".md"})
    stats = {path.relative_to(folder).as_posix(): path.stat() for path in files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in sorted(stats.items())}


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    """dbt's profile reads the environment, and so do its settings; both as they were afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
