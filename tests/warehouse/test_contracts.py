"""A public table has the columns its contract names, or the build stops.

Belongs here: `dbt/macros/materializations.sql` in a project of one model. Does not belong here:
what any model of the warehouse computes.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from dagster_project.building import dbt_folder

DECLARED = {"tenant_id": "varchar", "fee_cents": "bigint"}


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select 'acme' as tenant_id", id="a column is missing"),
        pytest.param(
            "select 'acme' as tenant_id, 1::bigint as fee_cents, 2 as more", id="one more"
        ),
        pytest.param("select 'acme' as tenant_id, 1::hugeint as fee_cents", id="another type"),
        pytest.param("select 1::bigint as fee_cents, 'acme' as tenant_id", id="another order"),
    ],
)
def test_a_table_that_departs_from_its_contract_stops_the_build(tmp_path: Path, query: str) -> None:
    built, message = _build(tmp_path, query)
    assert not built
    assert "fee_cents bigint" in message
    assert "correct the model or its contract" in message


def test_a_table_as_declared_is_built_and_built_again_in_its_place(tmp_path: Path) -> None:
    for amount in (1, 2):
        query = f"select 'acme' as tenant_id, {amount}::bigint as fee_cents"
        assert _build(tmp_path, query) == (True, "OK")
        with duckdb.connect(str(tmp_path / "one.duckdb"), read_only=True) as database:
            assert database.execute("from main.fees").fetchall() == [("acme", amount)]
            assert database.execute("show tables").fetchall() == [("fees",)]


def _build(root: Path, query: str) -> tuple[bool, str]:
    """Builds one contracted model; whether dbt built it, and what dbt said of it."""
    (root / "models").mkdir(exist_ok=True)
    (root / "macros").mkdir(exist_ok=True)
    shutil.copy(dbt_folder() / "macros/materializations.sql", root / "macros")
    columns = [{"name": name, "data_type": of} for name, of in DECLARED.items()]
    model = {"name": "fees", "config": {"contract": {"enforced": True}}, "columns": columns}
    target = {"type": "duckdb", "path": str(root / "one.duckdb"), "threads": 1}
    # YAML reads JSON.
    tables = {"one": {"+materialized": "table"}}
    files = {
        "dbt_project.yml": {"name": "one", "version": "1.0.0", "profile": "one", "models": tables},
        "profiles.yml": {"one": {"target": "one", "outputs": {"one": target}}},
        "models/fees.yml": {"version": 2, "models": [model]},
    }
    for name, content in files.items():
        (root / name).write_text(json.dumps(content))
    (root / "models/fees.sql").write_text(query)
    where = ["--project-dir", str(root), "--profiles-dir", str(root), "--log-path", str(root)]
    try:
        result: Any = dbtRunner().invoke(["build", "--quiet", *where]).result
    finally:
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    (node,) = result.results
    return node.status == "success", str(node.message)
