"""The warehouse: dbt's models as assets, dbt's tests as asset checks.

Belongs here: mapping what dbt did onto Dagster's events. Does not belong here: running dbt
(`building.py`).

The build is one step and never a part of it: a model built alone would carry another cut-off than
its neighbours.
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg
from dagster_dbt import dbt_assets

from dagster_project import building, pipeline
from dagster_project.manifest import ACTS_TAG, Manifest
from dagster_project.marts import Marts
from dagster_project.resources import Wiring
from dagster_project.translator import WarehouseTranslator

__all__ = ["POOL", "dbt_events", "warehouse_assets"]

POOL: Final = "warehouse"

Event = dg.MaterializeResult[None] | dg.AssetCheckResult


def warehouse_assets(manifest: Manifest) -> dg.AssetsDefinition:
    """Every seed and model but those that record acts."""
    translator = WarehouseTranslator()

    @dbt_assets(
        manifest=manifest.content,
        name="warehouse",
        exclude=f"tag:{ACTS_TAG}",
        dagster_dbt_translator=translator,
        pool=POOL,
    )
    def warehouse(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> Iterator[Event]:
        session, run = wiring.run_of(context)
        result = pipeline.build_warehouse(
            session, run, on_node=lambda name: session.progress("dbt", name)
        )
        sealed = pipeline.seal_path(session, run)
        if sealed.exists():
            with Marts(sealed) as marts:
                yield from dbt_events(context, manifest, translator, result, marts)
        else:
            yield from dbt_events(context, manifest, translator, result, None)
        result.require_good()

    return warehouse


def dbt_events(
    context: dg.AssetExecutionContext,
    manifest: Manifest,
    translator: WarehouseTranslator,
    result: building.BuildResult,
    marts: Marts | None,
) -> Iterator[Event]:
    """A materialization for each built node and a check result for each test."""
    selected = context.selected_asset_keys
    public = set(marts.names()) if marts else set()
    checks = {key: key for key in context.selected_asset_check_keys}
    for node in result.nodes:
        if node.resource_type == "test":
            spec = _check(manifest, translator, node.unique_id)
            if spec is not None and spec.key in checks:
                yield _check_result(spec, node)
            elif not node.passed:
                context.log.warning(f"test {node.name}: {node.status} {node.message}")
        elif node.passed:
            key = translator.get_asset_spec(manifest.content, node.unique_id, None).key
            metadata: dict[str, Any] = {"seconds": round(node.seconds, 3)}
            if marts is not None and node.name in public:
                metadata["dagster/row_count"] = marts.count(node.name)
            if key in selected:
                yield dg.MaterializeResult(asset_key=key, metadata=metadata)
        else:
            context.log.error(f"{node.name}: {node.status} {node.message}")


def _check(
    manifest: Manifest, translator: WarehouseTranslator, unique_id: str
) -> dg.AssetCheckSpec | None:
    parents = manifest.content["parent_map"].get(unique_id, [])
    for parent in parents:
        asset = translator.get_asset_spec(manifest.content, parent, None)
        spec = translator.get_asset_check_spec(asset, manifest.content, unique_id, None)
        if spec is not None:
            return spec
    return None


def _check_result(spec: dg.AssetCheckSpec, node: building.NodeResult) -> dg.AssetCheckResult:
    warns = node.status == "warn"
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=node.passed,
        severity=dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR,
        metadata={"failures": node.failures, "seconds": round(node.seconds, 3)},
        description=node.message or None,
    )
