"""The replay plan: which inputs, by which SQL, in which order, gave which tables.

What belongs here: writing and reading `replay/plan.json`, its SQL files and the input files, and
their digests in `run.json`. What does not: running any of it (replay.py), which needs an engine.

An input is one canonical JSON object a line, lines in byte order. Its rows are those of one tenant;
its columns are those that some step names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evidence import canonical, container, content, schema, tables
from evidence.content import Content
from evidence.errors import Refusal, show

PLAN_FILE = "replay/plan.json"
PLAN_FORMAT = "urn:tieout:replay:v1"
MAX_SQL_BYTES = 256 << 10
CODE_GAP = (
    "that the statements are Tieout's own and not the signer's: compare code_sha256 with that of"
    " a home of your own (--code-sha256)"
)
MAX_STEPS = 512
COLUMN_TYPES = ("BIGINT", "BOOLEAN", "DATE", "INTEGER", "TIMESTAMP", "VARCHAR")

OF_PERIOD = "period"
OF_MOVEMENT = "movement"
ROW_RULES = (OF_PERIOD, OF_MOVEMENT)
"""Which rows of a relation a packet's table holds: those whose `period` is the packet's, or those
whose `movement_id` is one of the period's rows of `money_movements`."""

MOVEMENTS = "money_movements"

_RELATION = re.compile(r"(?:warehouse|work)\.[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}")
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PLAN = "replay_plan"


@dataclass(frozen=True)
class Input:
    """Rows that the tables rest on: the columns' types by name, and every row with every column."""

    relation: str
    columns: Mapping[str, str]
    rows: Iterable[Mapping[str, object]]


@dataclass(frozen=True)
class Step:
    """One relation and the single select statement that makes it."""

    relation: str
    sql: str


@dataclass(frozen=True)
class Result:
    """Where a packet's table comes from: a relation and which of its rows, one of `ROW_RULES`."""

    relation: str
    rows: str


@dataclass(frozen=True)
class Replay:
    """What a packet carries so that others can compute its tables again.

    Attributes:
        inputs: what the first steps read.
        steps: in an order in which each reads only inputs and earlier steps.
        tables: for every table of the packet, where it comes from.
    """

    inputs: Sequence[Input]
    steps: Sequence[Step]
    tables: Mapping[str, Result]


@dataclass(frozen=True)
class Plan:
    """A read plan; columns by relation of the inputs, SQL files by relation of the steps."""

    inputs: Mapping[str, Mapping[str, str]]
    steps: Mapping[str, str]
    tables: Mapping[str, Result]


def input_file(relation: str) -> str:
    """The member that holds an input's rows."""
    return f"inputs/{_name(relation)}.ndjson"


def sql_file(relation: str) -> str:
    """The member that holds a step's statement."""
    return f"replay/{_name(relation)}.sql"


@dataclass(frozen=True)
class WrittenReplay:
    """A replay as members of a packet, with `inputs` and `code_sha256` for its `run.json`.

    All packets of a tenant and run share one.
    """

    plan: Plan
    files: Mapping[str, Content]
    inputs: Mapping[str, Mapping[str, object]]
    code_sha256: str


def write_replay(
    replay: Replay, max_bytes: int = container.MAX_PACKET_BYTES, folder: Path | None = None
) -> WrittenReplay:
    """The members of a replay and their digests.

    Args:
        replay: what is carried.
        max_bytes: of all inputs together.
        folder: where the inputs are put, to be kept as long as they are used; in memory when None.

    Raises:
        Refusal: `replay_plan`, and what `tables.write_lines` refuses.
    """
    files: dict[str, Content] = {}
    digests: dict[str, dict[str, object]] = {}
    for each in sorted(replay.inputs, key=lambda i: i.relation):
        name = _name(each.relation)
        lines = tables.write_lines(name, each.columns, each.rows, max_bytes, folder)
        data: Content = content.kept(f"{name}.ndjson", lines, folder)
        max_bytes -= content.size_of(data)
        digests[name] = {"rows": content.count_lines(data), "sha256": content.sha256_of(data)}
        files[input_file(each.relation)] = data
    for step in replay.steps:
        files[sql_file(step.relation)] = step.sql.encode()
    document = {
        "format": PLAN_FORMAT,
        "inputs": [
            {"columns": dict(i.columns), "relation": i.relation}
            for i in sorted(replay.inputs, key=lambda i: i.relation)
        ],
        "steps": [step.relation for step in replay.steps],
        "tables": {
            name: {"relation": table.relation, "rows": table.rows}
            for name, table in replay.tables.items()
        },
    }
    written = files[PLAN_FILE] = canonical.dumps(document)
    plan = read_plan(written)
    return WrittenReplay(plan, files, digests, code_digest(plan, files))


def carries_inputs(written: WrittenReplay) -> bool:
    """Whether the rows are there, and not their digests alone."""
    return all(input_file(relation) in written.files for relation in written.plan.inputs)


def without_inputs(written: WrittenReplay) -> WrittenReplay:
    """The same with the inputs' digests alone: only who holds the inputs can replay it."""
    inputs = set(map(input_file, written.plan.inputs))
    kept = {name: data for name, data in written.files.items() if name not in inputs}
    return replace(written, files=kept)


def read_plan(data: bytes) -> Plan:
    """Check a plan against its allow-list.

    Raises:
        Refusal: `replay_plan`, `json_*`.
    """
    fields = schema.members(
        canonical.loads_strict(data), ("format", "inputs", "steps", "tables"), _PLAN
    )
    if fields["format"] != PLAN_FORMAT:
        raise Refusal(_PLAN, f"got format {show(fields['format'])}, expected {PLAN_FORMAT}")
    inputs: dict[str, Mapping[str, str]] = {}
    read = schema.array(fields["inputs"], _PLAN, "inputs", MAX_STEPS)
    for entry in read:
        parts = schema.members(entry, ("columns", "relation"), _PLAN)
        inputs[_relation(parts["relation"])] = _columns(parts["columns"])
    listed = schema.array(fields["steps"], _PLAN, "steps", MAX_STEPS)
    steps = {relation: sql_file(relation) for relation in map(_relation, listed)}
    results = {
        name: _result(value)
        for name, value in schema.mapping(fields["tables"], _PLAN, "tables").items()
    }
    # Files are named after the last part alone, so that part must be unique.
    if len({_name(relation) for relation in (*inputs, *steps)}) != len(read) + len(listed):
        raise Refusal(_PLAN, "got one relation twice, expected each once")
    for name, result in results.items():
        if result.relation not in steps:
            raise Refusal(_PLAN, f"got table {show(name)} that no step makes")
    return Plan(inputs, steps, results)


def code_digest(plan: Plan, files: Mapping[str, Content]) -> str:
    """One digest over the steps' names, order and statements: `code_sha256` of `run.json`."""
    return canonical.document_hash(
        {"steps": [[name, content.sha256_of(files[file])] for name, file in plan.steps.items()]}
    )


def check_plan(
    plan: Plan, files: Mapping[str, Content], run: Mapping[str, object], listed: Iterable[str]
) -> bool:
    """Compare a plan with the packet around it; whether the packet carries its inputs.

    Raises:
        Refusal: `missing_file`, `replay_code`, `replay_inputs`, `replay_plan`.
    """
    for name in plan.steps.values():
        if name not in files:
            raise Refusal("missing_file", f"got no {name}, which {PLAN_FILE} names")
    if code_digest(plan, files) != run["code_sha256"]:
        raise Refusal("replay_code", "got code_sha256 that is not the digest of the packet's SQL")
    if set(plan.tables) != set(listed):
        raise Refusal(_PLAN, "got a plan for other tables than tables.json lists")
    stated = schema.mapping(run["inputs"], "run_fields", "inputs")
    if set(stated) != {_name(relation) for relation in plan.inputs}:
        raise Refusal("replay_inputs", "got other inputs in run.json than in the plan")
    carried = [relation for relation in plan.inputs if input_file(relation) in files]
    if carried and len(carried) != len(plan.inputs):
        raise Refusal("replay_inputs", "got some input files, expected all or none")
    for relation in carried:
        data = files[input_file(relation)]
        found = {"rows": content.count_lines(data), "sha256": content.sha256_of(data)}
        if found != stated[_name(relation)]:
            raise Refusal("replay_inputs", f"got other rows of {relation} than run.json states")
    return bool(carried)


def files_of(plan: Plan) -> set[str]:
    """Every member the plan may account for."""
    return {PLAN_FILE, *plan.steps.values(), *map(input_file, plan.inputs)}


def _result(value: object) -> Result:
    fields = schema.members(value, ("relation", "rows"), _PLAN)
    rows = fields["rows"]
    if type(rows) is not str or rows not in ROW_RULES:
        raise Refusal(_PLAN, f"got rows {show(rows)}, expected one of {', '.join(ROW_RULES)}")
    return Result(_relation(fields["relation"]), rows)


def _columns(value: object) -> dict[str, str]:
    columns = schema.mapping(value, _PLAN, "columns")
    for name, kind in columns.items():
        if not _COLUMN.fullmatch(name) or kind not in COLUMN_TYPES:
            raise Refusal(_PLAN, f"got column {show(name)} of type {show(kind)}")
    if not columns:
        raise Refusal(_PLAN, "got an input without columns")
    return {name: str(kind) for name, kind in columns.items()}


def _relation(value: object) -> str:
    if type(value) is not str or not _RELATION.fullmatch(value):
        raise Refusal(_PLAN, f"got relation {show(value)}, expected database.schema.name")
    return value


def _name(relation: str) -> str:
    return relation.rsplit(".", 1)[-1]
