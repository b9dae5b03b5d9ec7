"""Replay: a packet's tables computed again, from its own inputs, by its own SQL.

What belongs here: the closed engine, the allow-list that SQL from a packet must pass, and the
comparison. What does not: the bounds (bounds.py), and authenticating the packet; `verify.py` has
done that before any statement is looked at. DuckDB is needed here and nowhere else in the package.

It is the only check that catches tables falsified together with their evidence by a rightful
signer. What it cannot catch is falsified inputs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence import plan, spelling, tables
from evidence.bounds import Limits, Watch
from evidence.content import Content, lines, pieces, store, whole
from evidence.errors import Refusal, show

if TYPE_CHECKING:
    import duckdb

Files = Mapping[str, Content]

_CHUNK_ROWS = 5_000
_MAX_AST_NODES = 1_000_000

_ALLOWED = (
    "|| + - * / // % ~~ !~~ ~~* abs avg bool_and bool_or ceil coalesce concat count count_star"
    " date_diff date_part date_trunc dense_rank ends_with first_value floor greatest hash instr lag"
    " last_value lead least left length lower ltrim make_date max min month nullif rank"
    " regexp_extract regexp_matches regexp_replace replace right round row_number rtrim sha256"
    " split_part starts_with strftime string_agg strlen strpos substr substring sum to_days"
    " to_hours to_minutes to_months to_seconds translate trim upper year"
)
FUNCTIONS = frozenset(_ALLOWED.split())
"""What SQL of a packet may call: pure functions whose result is about as large as their input."""

PADDING = frozenset({"lpad", "rpad"})
"""Allowed too, up to a constant length: without one they make text of any size."""
_MAX_PADDED = 1_000

_TABLE_REFERENCES = frozenset({"BASE_TABLE", "EMPTY", "JOIN", "SUBQUERY"})

# In this order: what is locked last can no longer be loosened by what comes after.
_LOCKDOWN = (
    "set temp_directory = ''",
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set allow_community_extensions = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)


class Computed:
    """Relations that a plan's steps made, ready to be compared with a packet's tables."""

    def __init__(
        self, db: duckdb.DuckDBPyConnection, steps: plan.Plan, engine: str, watch: Watch
    ) -> None:
        self._db = db
        self._plan = steps
        self._watch = watch
        self.engine = engine

    def compare(
        self, tenant: str, period: str, entries: Mapping[str, tables.Entry], files: Files
    ) -> None:
        """Refuse tables that are not byte for byte what the steps give.

        Args:
            tenant: whose rows the tables hold.
            period: which month they hold.
            entries: `tables.json`; the key columns order the rows.
            files: the packet's members.

        Raises:
            Refusal: `replay_differs`, `replay_failed`, `replay_limits`.
        """
        movements = self._movements(tenant, period)
        for name, result in self._plan.tables.items():
            rows = _rows(self._db, result.relation, tenant, self._watch)
            kept = (row for row in rows if _belongs(row, result.rows, period, movements))
            _compare(name, kept, entries[name], files[f"tables/{name}.ndjson"])

    def _movements(self, tenant: str, period: str) -> set[object]:
        result = self._plan.tables.get(plan.MOVEMENTS)
        rows = () if result is None else _rows(self._db, result.relation, tenant, self._watch)
        return {
            row.get("movement_id") for row in rows if _belongs(row, plan.OF_PERIOD, period, set())
        }


@contextmanager
def computed(files: Files, steps: plan.Plan, limits: Limits | None = None) -> Iterator[Computed]:
    """The relations of a plan, computed from the members of an authenticated packet.

    Args:
        files: members by name, digests checked: SQL is code, and runs only after that.
        steps: the plan, checked against them.
        limits: memory and time, by default `Limits()`; they hold for the body too.

    Raises:
        Refusal: `replay_engine_missing`, `replay_inputs`, `replay_failed`, `replay_limits`,
            `sql_blocked`, `table_*`, `json_*`.
    """
    with _engine(limits or Limits()) as (db, version, watch):
        _load(db, files, steps, watch)
        for statement in _LOCKDOWN:
            db.execute(statement)
        known = set(steps.inputs)
        for relation, name in steps.steps.items():
            watch.check()
            sql = _text(files[name], name)
            check_sql(db, sql, known, name)
            _run(db, f"create table {relation} as {sql}", name)
            known.add(relation)
        yield Computed(db, steps, f"duckdb {version}", watch)


def check_sql(db: duckdb.DuckDBPyConnection, sql: str, known: Iterable[str], name: str) -> None:
    """Refuse a statement that is not one select over known relations with allowed functions.

    Raises:
        Refusal: `sql_blocked`.
    """
    if len(sql) > plan.MAX_SQL_BYTES:
        raise Refusal("sql_blocked", f"got {len(sql)} characters in {name}, expected fewer")
    row = db.execute("select json_serialize_sql(?)", [sql]).fetchone()
    parsed = json.loads(row[0]) if row else {}
    if parsed.get("error") is not False or len(parsed.get("statements", ())) != 1:
        raise Refusal("sql_blocked", f"got {name} that is not one select statement")
    nodes = list(_nodes(parsed))
    named = {entry["key"] for node in nodes for entry in _named_queries(node)}
    allowed = set(known)
    for node in nodes:
        function = node.get("function_name")
        padded = function in PADDING and _padded_length(node) <= _MAX_PADDED
        if function is not None and function not in FUNCTIONS and not padded:
            raise Refusal("sql_blocked", f"got function {show(function)} in {name}, not allowed")
        # Every reference to a table, and nothing else, can be sampled and has an alias.
        if "sample" not in node or "alias" not in node:
            continue
        if node["type"] not in _TABLE_REFERENCES:
            raise Refusal("sql_blocked", f"got {show(node['type'])} in {name}, not allowed")
        if node["type"] == "BASE_TABLE":
            parts = (node["catalog_name"], node["schema_name"], node["table_name"])
            if parts[:2] == ("", "") and parts[2] in named:
                continue
            if ".".join(parts) not in allowed:
                raise Refusal("sql_blocked", f"got table {show('.'.join(parts))} in {name}")


def _padded_length(node: Mapping[str, Any]) -> float:
    """The length that a padding function states as a constant, however this release spells it."""
    listed = node.get("children") or [each["expression"] for each in node.get("arguments", ())]
    stated = listed[1] if len(listed) > 1 else {}
    literal, value = stated.get("literal"), stated.get("value")
    number = literal.get("text") if isinstance(literal, dict) else None
    if isinstance(value, dict):
        number = value.get("value")
    text = str(number)
    return int(text) if text.isdecimal() else float("inf")


def _named_queries(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = node.get("cte_map")
    return found.get("map", []) if isinstance(found, dict) else []


def _nodes(parsed: object) -> Iterator[dict[str, Any]]:
    waiting, seen = [parsed], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MAX_AST_NODES:
            raise Refusal("sql_blocked", "got a statement with too many parts")
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


@contextmanager
def _engine(limits: Limits) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, Watch]]:
    try:
        import duckdb  # noqa: PLC0415
    except ImportError:
        raise Refusal(
            "replay_engine_missing", "got no DuckDB, expected it for --replay alone"
        ) from None
    db = duckdb.connect(
        ":memory:", config={"threads": "1", "memory_limit": f"{limits.memory_mib}MiB"}
    )
    watch = Watch(db.interrupt, limits.timeout_seconds)
    try:
        db.execute("set TimeZone = 'UTC'")
        yield db, duckdb.__version__, watch
    except (duckdb.InterruptException, duckdb.OutOfMemoryException, MemoryError) as error:
        raise Refusal(
            "replay_limits",
            f"got {type(error).__name__}, expected at most {limits.memory_mib} MiB"
            f" and {limits.timeout_seconds:.0f} s",
        ) from None
    except duckdb.PermissionException:
        raise Refusal("sql_blocked", "got a statement that reaches outside the engine") from None
    except duckdb.Error as error:
        raise Refusal("replay_failed", f"got {type(error).__name__} from a relation") from None
    finally:
        watch.stop()
        db.close()


def _load(db: duckdb.DuckDBPyConnection, files: Files, replay: plan.Plan, watch: Watch) -> None:
    """Inputs as tables; read strictly here first, because JSON readers disagree on odd rows."""
    for database in ("work", "warehouse"):
        db.execute(f"attach ':memory:' as {database}")
    for schema in sorted({r.rpartition(".")[0] for r in (*replay.inputs, *replay.steps)}):
        db.execute(f"create schema if not exists {schema}")
    with tempfile.TemporaryDirectory(prefix="tieout-replay-") as folder:
        for relation, columns in replay.inputs.items():
            watch.check()
            data = files.get(plan.input_file(relation))
            if data is None:
                raise Refusal(
                    "replay_inputs", "got a packet without its inputs, expected them to replay"
                )
            path = Path(folder, "rows.ndjson")
            tables.check_lines(relation, store(path, pieces(data)), columns)
            kinds = {c: k if k in ("BIGINT", "BOOLEAN") else "VARCHAR" for c, k in columns.items()}
            chosen = ", ".join(f"cast({c} as {k}) as {c}" for c, k in columns.items())
            _run(
                db,
                f"create table {relation} as select {chosen} from read_json(?, columns = ?,"
                " format = 'newline_delimited')",
                relation,
                [str(path), kinds],
            )


def _text(data: Content, name: str) -> str:
    try:
        return whole(data, plan.MAX_SQL_BYTES, "sql_blocked").decode()
    except UnicodeDecodeError:
        raise Refusal("sql_blocked", f"got {name} that is not UTF-8") from None


def _run(db: duckdb.DuckDBPyConnection, sql: str, name: str, values: object = None) -> None:
    import duckdb  # noqa: PLC0415

    try:
        db.execute(sql, values)
    except (duckdb.InterruptException, duckdb.OutOfMemoryException, duckdb.PermissionException):
        raise
    except duckdb.Error as error:
        raise Refusal("replay_failed", f"got {type(error).__name__} from {name}") from None


def _rows(
    db: duckdb.DuckDBPyConnection, relation: str, tenant: str, watch: Watch
) -> Iterator[dict[str, Any]]:
    # A cursor is a connection of its own, which the watch's interrupts do not reach.
    cursor = db.cursor()
    cursor.execute(f"select * from {relation} where tenant_id = ?", [tenant])
    names = [column[0] for column in cursor.description or ()]
    while chunk := cursor.fetchmany(_CHUNK_ROWS):
        watch.check()
        for values in chunk:
            yield dict(zip(names, values, strict=True))


def _belongs(row: Mapping[str, Any], rule: str, period: str, movements: set[object]) -> bool:
    column = "movement_id" if rule == plan.OF_MOVEMENT else "period"
    if column not in row:
        raise Refusal("replay_failed", f"got a relation without {column}")
    return row[column] in movements if rule == plan.OF_MOVEMENT else bool(row[column] == period)


def _compare(
    name: str, rows: Iterable[Mapping[str, Any]], entry: tables.Entry, stated: Content
) -> None:
    table = tables.Table(entry.key, spelling.table_rows(rows))
    expected = (line[:-1] for line in tables.write_table(name, table, 1 << 30))
    try:
        odd, lacking = _differences(lines(name, stated), expected, tables.order_by(name, entry.key))
    except Refusal as refusal:
        if refusal.code == "replay_limits":
            raise
        raise Refusal("replay_differs", f"got {name} computed with {refusal.code}") from None
    if odd or lacking:
        raise Refusal(
            "replay_differs",
            f"got {odd} rows of {name} that its inputs do not give, and {lacking} that they give"
            " are not in it",
        )


def _differences(
    got: Iterator[bytes], expected: Iterator[bytes], order: Callable[[bytes], Any]
) -> tuple[int, int]:
    """How many lines of two ascending texts are in the first alone, and in the second alone."""
    odd = lacking = 0
    one, other = next(got, None), next(expected, None)
    while one is not None or other is not None:
        if one == other:
            one, other = next(got, None), next(expected, None)
            continue
        # Two lines of one key that differ are one odd and one lacking.
        ahead = other is None or (one is not None and order(one) <= order(other))
        behind = one is None or (other is not None and order(other) <= order(one))
        odd += ahead
        lacking += behind
        if ahead:
            one = next(got, None)
        if behind:
            other = next(expected, None)
    return odd, lacking
