"""The committed data dictionary says what the dbt project says."""

from __future__ import annotations

import json
from pathlib import Path

from dagster_project import dictionary
from dagster_project.building import manifest_file
from tests.warehouse.conftest import Built

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "data_dictionary.md"


def test_the_dictionary_is_what_the_project_says_now(scenarios: Built) -> None:
    manifest = json.loads(manifest_file(scenarios.home).read_text(encoding="utf-8"))
    assert dictionary.render(manifest) == COMMITTED.read_text(encoding="utf-8")


def test_every_public_column_has_a_meaning(scenarios: Built) -> None:
    manifest = json.loads(manifest_file(scenarios.home).read_text(encoding="utf-8"))
    silent = [
        (node["name"], column["name"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["access"] == "public"
        for column in node["columns"].values()
        if not column["description"]
    ]
    assert silent == []


def test_no_compiled_model_holds_a_path_a_run_or_a_time(scenarios: Built) -> None:
    compiled = sorted((scenarios.home.dbt_target / "compiled").rglob("*.sql"))
    texts = {path.name: path.read_text(encoding="utf-8") for path in compiled}
    marks = (str(scenarios.home.root), ".parquet", "2026-11-22")
    assert len(texts) > 100
    assert [name for name, text in texts.items() if any(mark in text for mark in marks)] == []
