"""What a tenant's packets carry so that others can compute their tables again.

Belongs here: which models lie between inputs and packet tables, and reading a tenant's rows of the
inputs. Does not belong here: the plan's form and the engine (`evidence`), or which rows of the rail
are a tenant's (`int_tenant_rail_objects` says it).

Everything is computed again from the tenant's own staged rows. What was read of the rail and what
earlier runs held open is given instead, because it rests on rows that no tenant's packet may show;
its models say `replay: given`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from dagster_project.carrying import attach_work
from dagster_project.home import Home
from dagster_project.manifest import Manifest, Node
from evidence import plan, spelling
from evidence.build import MAX_TABLE_BYTES, Draft
from evidence.errors import Refusal
from evidence.replay import Computed, computed

__all__ = ["TenantReplay", "row_rule"]

SCOPE: Final = "int_tenant_rail_objects"
_SETTINGS: Final = "work.seeds.run_settings"
# An id of a run would change a packet although nothing else has.
RUN_ID: Final = "replay"
_OURS: Final = "stg_tieout__"
_CHUNK_ROWS: Final = 5_000
MAX_INPUT_BYTES: Final = 64 << 30
"""Of the inputs that are written to learn their digests; a packet may carry far less."""
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")
_LINKED: Final = frozenset({"movement_references"})


def row_rule(table: str) -> str:
    """Which rows of a mart a packet holds; references belong to their movement's period."""
    return plan.OF_MOVEMENT if table in _LINKED else plan.OF_PERIOD


class TenantReplay:
    """One tenant's plan and inputs, made once for all of its periods and only when one is new.

    Use as a context manager, under the home's warehouse lock. The inputs lie in `folder`, which is
    made when they are.

    Attributes:
        max_bytes: What a packet may have with its inputs; beyond it they are left out.
    """

    def __init__(
        self,
        home: Home,
        tenant: str,
        packet_tables: Sequence[str],
        folder: Path,
        max_bytes: int = MAX_TABLE_BYTES,
    ) -> None:
        self.max_bytes = max_bytes
        self._home = home
        self._folder = folder
        self._tenant = tenant
        self._tables = packet_tables
        self._stack = ExitStack()
        self._written: plan.WrittenReplay | None = None
        self._computed: Computed | None = None

    def __enter__(self) -> TenantReplay:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def written(self) -> plan.WrittenReplay:
        """The tenant's plan, statements and inputs as members of a packet."""
        if self._written is None:
            self._folder.mkdir()
            models = _Lineage.of(Manifest.load(self._home), self._tables)
            steps = [plan.Step(n.relation, _compiled(self._home, n)) for n in models.steps]
            words = {word for step in steps for word in _WORD.findall(step.sql)}
            with self._work() as db:
                self._written = plan.write_replay(
                    plan.Replay(
                        inputs=[_input(db, node, self._tenant, words) for node in models.inputs],
                        steps=steps,
                        tables={
                            node.name: plan.Result(node.relation, row_rule(node.name))
                            for node in models.tables
                        },
                    ),
                    MAX_INPUT_BYTES,
                    self._folder,
                )
        return self._written

    def _work(self) -> duckdb.DuckDBPyConnection:
        db = duckdb.connect()
        attach_work(db, self._home.warehouse)
        return db

    def rules(self) -> dict[str, object]:
        """The settings that the models judge by, as `run.json` states them."""
        with self._work() as db:
            rows = db.table(_SETTINGS).select("setting", "setting_value").fetchall()
        return dict(sorted(rows))

    def objection(self, draft: Draft, period: str) -> str | None:
        """Why the tenant's own inputs do not give the tables of a packet; None when they do.

        They do not where another tenant's rows decide, such as an account that both claim.
        """
        written = self.written()
        try:
            if self._computed is None:
                self._computed = self._stack.enter_context(computed(written.files, written.plan))
            self._computed.compare(self._tenant, period, draft.entries, draft.files)
        except Refusal as refusal:
            return f"{refusal.code}, {refusal.detail}"
        return None


@dataclass(frozen=True)
class _Lineage:
    """Models behind a packet's tables, each list in an order in which parents come first."""

    inputs: tuple[Node, ...]
    steps: tuple[Node, ...]
    tables: tuple[Node, ...]

    @classmethod
    def of(cls, manifest: Manifest, names: Sequence[str]) -> _Lineage:
        nodes = manifest.nodes()
        by_name = {node.name: node for node in nodes.values()}
        ordered: dict[str, Node] = {}
        waiting = [(by_name[name], False) for name in sorted(names, reverse=True)]
        while waiting:
            node, expanded = waiting.pop()
            if node.unique_id in ordered:
                continue
            if expanded or node.is_input:
                ordered[node.unique_id] = node
                continue
            waiting.append((node, True))
            parents = [nodes[parent] for parent in sorted(node.parents, reverse=True)]
            waiting.extend((parent, False) for parent in parents)
        return cls(
            inputs=tuple(node for node in ordered.values() if node.is_input),
            steps=tuple(node for node in ordered.values() if not node.is_input),
            tables=tuple(by_name[name] for name in sorted(names)),
        )


def _input(db: duckdb.DuckDBPyConnection, node: Node, tenant: str, words: set[str]) -> plan.Input:
    """Rows of an input, with the columns that some statement names: no packet shows the others."""
    table = _rows_of_tenant(db, node, tenant)
    table = table.select(*(column for column in table.columns if column in words))
    kinds = {name: str(kind) for name, kind in zip(table.columns, table.types, strict=True)}
    return plan.Input(node.relation, kinds, _spelled(table, ours=node.name.startswith(_OURS)))


def _rows_of_tenant(
    db: duckdb.DuckDBPyConnection, node: Node, tenant: str
) -> duckdb.DuckDBPyRelation:
    table = db.table(node.relation)
    if node.is_shared:
        return table
    if "tenant_id" in table.columns:
        return table.filter(_equals("tenant_id", tenant))
    # A row of the rail has no tenant of its own: its object has, the second part of its key.
    column = node.key[1] if len(node.key) > 1 else "account_id"
    scope = db.table(f"work.intermediate.{SCOPE}").filter(_equals("tenant_id", tenant))
    return table.set_alias("rail").join(
        scope.set_alias("own"),
        condition=f"rail.account_id = own.account_id and rail.{column} = own.object_id",
        how="semi",
    )


def _equals(column: str, value: str) -> duckdb.Expression:
    return duckdb.ColumnExpression(column) == duckdb.ConstantExpression(value)


def _spelled(table: duckdb.DuckDBPyRelation, *, ours: bool) -> Iterator[Mapping[str, object]]:
    names = table.columns
    for values in table.iter_rows(_CHUNK_ROWS):
        row = {name: spelling.cell(value) for name, value in zip(names, values, strict=True)}
        # The kernel has runs too, and theirs are what its receipts are about.
        if ours and "run_id" in row:
            row["run_id"] = RUN_ID
        yield row


def _compiled(home: Home, node: Node) -> str:
    path = home.dbt_target / "compiled" / "tieout" / node.file
    return Path(path).read_text(encoding="utf-8")
