"""A built warehouse, copied so that what its models read can be changed.

Belongs here: the copy, its nodes, and where each stands. Does not belong here: what is changed, or
an assertion.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from dagster_project.home import Home
from dagster_project.manifest import Manifest
from tests.warehouse.comparing import FILES

__all__ = ["Copied", "copied", "is_carried", "is_view", "nodes_of", "read_by", "table_of"]

Node = dict[str, Any]


@dataclass(frozen=True)
class Copied:
    """The copy's connection; landed files are tables in it, so they can be changed too."""

    home: Home
    database: duckdb.DuckDBPyConnection

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Models, tests, seeds and sources by their dbt id."""
        return nodes_of(self.home)

    def execute(self, statement: str) -> None:
        self.database.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.database.execute(query).fetchall()

    def relation(self, node: Node) -> str:
        """Where the rows of a model, seed or source stand, which are never behind a view."""
        if node["resource_type"] == "source":
            return f'work.landing."{node["identifier"]}"'
        if is_carried(node) and node["database"] == "work":
            return f"carried.{node['schema']}.{node['name']}"
        return str(node["relation_name"])

    def compiled(self, name: str) -> str:
        """The SQL of one model, as the build ran it."""
        (path,) = self.home.dbt_target.glob(f"compiled/**/models/**/{name}.sql")
        return path.read_text(encoding="utf-8")


@contextmanager
def copied(home: Home) -> Iterator[Copied]:
    """Copies the warehouse of a home, whose last build was from nothing, into memory."""
    with duckdb.connect() as database:
        # One thread writes rows in the order in which they are sorted.
        database.execute("set threads = 1")
        database.execute("set TimeZone = 'UTC'")
        for file in FILES:
            database.execute(f"attach '{home.warehouse}/{file}.duckdb' as built_{file} (read_only)")
            database.execute(f"attach ':memory:' as {file}")
            database.execute(f"copy from database built_{file} to {file}")
        landed = database.execute(
            "select view_name from duckdb_views() "
            "where database_name = 'work' and schema_name = 'landing'"
        ).fetchall()
        for (view,) in landed:
            name = f'work.landing."{view}"'
            database.execute(f"create temp table landed as from {name}")
            database.execute(f"drop view {name}")
            database.execute(f"create table {name} as from landed")
            database.execute("drop table landed")
        yield Copied(home, database)


def nodes_of(home: Home) -> dict[str, Node]:
    """Models, tests, seeds and sources of the current project by their dbt id."""
    content = Manifest.load(home).content
    return {**content["nodes"], **content["sources"]}


def read_by(nodes: dict[str, Node], node: Node) -> Iterator[Node]:
    """What a model reads, itself or through views: those views, tables and landed tables."""
    for parent in node["depends_on"]["nodes"]:
        one = nodes[parent]
        if one["resource_type"] == "seed" or one["name"] == "stg_tieout__run":
            continue  # Another seed is other code.
        if one["resource_type"] == "source" and one["source_name"] == "run":
            continue
        yield one
        if is_view(one):
            yield from read_by(nodes, one)


def is_carried(node: Node) -> bool:
    return bool(node.get("config", {}).get("materialized") == "carried")


def is_view(node: Node) -> bool:
    return bool(node["config"].get("materialized") == "view")


def table_of(node: Node) -> str:
    """The name by which `touched_by` knows a model or a landed table."""
    return str(node["identifier"] if node["resource_type"] == "source" else node["name"])
