"""How dbt's nodes look in Dagster: keys, groups, owners, kinds, descriptions.

Belongs here: names and labels only. Does not belong here: what runs when (`assets/warehouse.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

__all__ = ["WarehouseTranslator", "landed_key", "mart_key"]

_RUN_SOURCES: Final = {"parameters": ["run"], "pinned": ["tieout", "pinned_batches"]}


def landed_key(source: str, table: str) -> dg.AssetKey:
    """Key of a landed table. The run's own two relations are the assets that define a run."""
    if source == "run":
        return dg.AssetKey(["landing", *_RUN_SOURCES[table]])
    return dg.AssetKey(["landing", source, table])


def mart_key(name: str) -> dg.AssetKey:
    """Key of a public table."""
    return dg.AssetKey(["marts", name])


class WarehouseTranslator(DagsterDbtTranslator):
    """Layers become key prefixes; dbt groups become groups; group owners become teams."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        name = str(dbt_resource_props["name"])
        if dbt_resource_props["resource_type"] == "source":
            return landed_key(str(dbt_resource_props["source_name"]), name)
        return dg.AssetKey([_layer(dbt_resource_props), name])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "source":
            return "landing"
        group = dbt_resource_props.get("config", {}).get("group")
        return str(group) if group else _layer(dbt_resource_props)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str] | None:
        group = dbt_resource_props.get("group")
        owner = group.get("owner", {}).get("name") if isinstance(group, Mapping) else None
        return [f"team:{owner}"] if owner else None

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # The SQL stays in dbt's docs; the UI shows what a table means.
        return str(dbt_resource_props.get("description") or dbt_resource_props["name"])

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        test = self.get_resource_props(manifest, unique_id)
        generic = test.get("test_metadata")
        if spec is None or not generic:
            return spec
        # No run tests a view (`building.TESTS_OF_VIEWS`): its check would be due for ever.
        tested = manifest["nodes"].get(test.get("attached_node")) or {}
        if tested.get("config", {}).get("materialized") == "view":
            return None
        # dbt spells all arguments into a generic test's name; test and column say enough.
        column = generic["kwargs"].get("column_name")
        name = f"{generic['name']}_{column}" if column else str(generic["name"])
        return dg.AssetCheckSpec(
            name=name,
            asset=spec.asset_key,
            description=spec.description or _rules(generic["kwargs"]),
            additional_deps=spec.additional_deps,
            metadata=spec.metadata,
            blocking=spec.blocking,
        )

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        if unique_id.startswith("source."):
            return spec
        layer = _layer(self.get_resource_props(manifest, unique_id))
        return spec.replace_attributes(kinds={*spec.kinds, layer})


def _rules(arguments: Mapping[str, Any]) -> str | None:
    """What a test of whole rows demands, in words; None for any other test."""
    if "key" not in arguments:
        return None
    rules = ", ".join(rule.replace("_", " ") for rule in arguments.get("rules") or {})
    return f"One row a {', '.join(arguments['key'])}" + (f"; every row: {rules}" if rules else "")


def _layer(props: Mapping[str, Any]) -> str:
    if props["resource_type"] == "seed":
        return "seeds"
    # fqn is [project, folder, ..., name]; the first folder is the layer.
    fqn = list(props.get("fqn") or [])
    return str(fqn[1]) if len(fqn) > 2 else "models"
