"""Publication: the file readers open, and the acts that a run adds to it at its end.

Belongs here: the assets of the published file and the close-out. Does not belong here: copying and
swapping (`pipeline.py`), what is landed as an act (`closing.py`).
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg
from dagster_dbt import dbt_assets

from dagster_project import closing, notifying, pipeline
from dagster_project.assets.warehouse import POOL, Event, dbt_events
from dagster_project.forgetting import forget_old_runs
from dagster_project.manifest import ACTS_TAG, Manifest
from dagster_project.marts import Marts
from dagster_project.resources import Wiring
from dagster_project.runs import last_published
from dagster_project.translator import WarehouseTranslator, mart_key

__all__ = ["ACTS_KEY", "CLOSED_KEY", "PUBLISHED_KEY", "publication_assets"]

GROUP: Final = "publication"
OWNERS: Final = ["team:operations"]
PUBLISHED_KEY: Final = dg.AssetKey(["publication", "published"])
ACTS_KEY: Final = dg.AssetKey(["publication", "acts"])
CLOSED_KEY: Final = dg.AssetKey(["publication", "closed"])


class ActsTranslator(WarehouseTranslator):
    """Models that record acts also wait for the acts to be landed."""

    def get_asset_spec(self, manifest: Any, unique_id: str, project: Any) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        if ACTS_TAG not in self.get_resource_props(manifest, unique_id).get("tags", []):
            return spec
        return spec.replace_attributes(deps=[*spec.deps, dg.AssetDep(ACTS_KEY)])


def publication_assets(
    manifest: Manifest, facts: dg.AssetsDefinition, acts_after: list[dg.AssetKey]
) -> list[dg.AssetsDefinition]:
    """The publication, the landing of acts, their models, and the second publication.

    Args:
        manifest: dbt's manifest.
        facts: The warehouse step.
        acts_after: Assets whose acts are landed.
    """
    public = [key for key in facts.keys if key.path[0] == "marts"]
    acts = _acts_models(manifest)
    return [_published(public), _landed_acts(acts_after), acts, _closed(list(acts.keys))]


def _published(public: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.asset(
        key=PUBLISHED_KEY,
        deps=public,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"duckdb"},
        pool=POOL,
        description="The public marts as one read-only DuckDB file; published/current.duckdb leads "
        "to the newest.",
    )
    def published(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.MaterializeResult[None]:
        session, run = wiring.run_of(context)
        publication = pipeline.publish(session, run)
        return dg.MaterializeResult(metadata=_metadata(publication, run.run_id))

    return published


def _landed_acts(acts_after: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.asset(
        key=ACTS_KEY,
        deps=acts_after,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"tieout", "parquet"},
        description="What this run did (packets, decisions, payments, open breaks), landed so that "
        "later runs and the tables of acts can read it.",
    )
    def acts(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.MaterializeResult[None]:
        session = wiring.session(context.log.info)
        run = last_published(session.home)
        landed = closing.land_acts(session, run) if run else {}
        forget_old_runs(context.instance, session.home)
        return dg.MaterializeResult(metadata=dict(landed))

    return acts


def _acts_models(manifest: Manifest) -> dg.AssetsDefinition:
    translator = ActsTranslator()

    @dbt_assets(
        manifest=manifest.content,
        name="acts_models",
        select=f"tag:{ACTS_TAG}",
        dagster_dbt_translator=translator,
        pool=POOL,
    )
    def acts_models(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> Iterator[Event]:
        session = wiring.session(context.log.info)
        run = last_published(session.home)
        result = (
            pipeline.build_acts(session, run, known_at=session.clock()) if run is not None else None
        )
        if run is None or result is None:
            context.log.info("another run has built since; it or the next one shows these acts")
            return
        sealed = pipeline.seal_path(session, run)
        if sealed.exists():
            with Marts(sealed) as marts:
                yield from dbt_events(context, manifest, translator, result, marts)
        result.require_good()

    return acts_models


def _closed(acts: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.asset(
        key=CLOSED_KEY,
        deps=acts,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"duckdb"},
        pool=POOL,
        description="The published file with the run's own acts in it.",
    )
    def closed(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.MaterializeResult[None]:
        session = wiring.session(context.log.info)
        run = last_published(session.home)
        if run is None or not pipeline.seal_path(session, run).exists():
            return dg.MaterializeResult(metadata={"republished": False})
        publication = pipeline.publish(session, run)
        told = notifying.tell_run(session.settings, session.home, run, session.progress)
        return dg.MaterializeResult(metadata={**_metadata(publication, run.run_id), **told})

    return closed


def _metadata(publication: pipeline.Publication, run_id: str) -> dict[str, Any]:
    table = "\n".join(f"| {name} | {rows:,} |" for name, rows in publication.rows.items())
    return {
        "run_id": run_id,
        "file": dg.MetadataValue.path(publication.path),
        "current": publication.current,
        "bytes": publication.path.stat().st_size,
        "tables": dg.MetadataValue.md(f"| table | rows |\n|---|---:|\n{table}"),
        "runs_mart": dg.MetadataValue.asset(mart_key("reconciliation_runs")),
    }
