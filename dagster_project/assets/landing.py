"""Landing: sources in, batches on disk, and the list of batches a run reads.

Belongs here: one asset a landed table, and the run itself. Does not belong here: pulling or reading
(`pipeline.py`, `ingest`).
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from dagster_project import deliveries, pipeline
from dagster_project.closing import land_left_acts
from dagster_project.manifest import Manifest
from dagster_project.resources import Wiring
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.translator import landed_key
from ingest.controls import ACT_BOOKS
from ingest.errors import SettingError

__all__ = ["RUN_KEY", "RunOptions", "landing_assets"]

GROUP: Final = "landing"
OWNERS: Final = ["team:ingest"]
RUN_KEY: Final = dg.AssetKey(["landing", "run"])
# What this home writes itself before a run reads it; the other tables of `tieout` are history.
_OWN_RECORDS: Final = ("controls", "payout_journal", *(book.table.table for book in ACT_BOOKS))


class RunOptions(dg.Config):
    """What may be asked of a run in the launchpad; all empty for a normal run."""

    as_of: str = ""
    tenants: list[str] = []  # noqa: RUF012  # Dagster's config classes copy their defaults
    full: bool = False


def landing_assets(manifest: Manifest) -> list[dg.AssetsDefinition]:
    """The run, the three sources, and the pin."""
    return [_run_asset(), _stripe(manifest), _kernel(manifest), *_records(manifest)]


def _run_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=RUN_KEY,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"tieout"},
        description="The run: the time it judges at (as_of) and what it may know (known_at). "
        "Options: an earlier as_of (ISO 8601), tenants to narrow to, full to pull all again.",
    )
    def run(
        context: dg.AssetExecutionContext, config: RunOptions, wiring: dg.ResourceParam[Wiring]
    ) -> dg.MaterializeResult[None]:
        session, begun = wiring.run_of(
            context,
            as_of=_parsed(config.as_of),
            tenants=tuple(config.tenants),
            full=config.full,
        )
        if begun.known_at < begun.started_at:
            pipeline.require_known(session, begun)
            session.landing.require_unerased(begun.known_at)
        return dg.MaterializeResult(
            metadata={
                "run_id": begun.run_id,
                "as_of": begun.as_of.isoformat(),
                "known_at": begun.known_at.isoformat(),
                "publishes": begun.publishes,
                "home": dg.MetadataValue.path(session.home.root),
            }
        )

    return run


def _stripe(manifest: Manifest) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="stripe",
        specs=_specs(manifest, "stripe", {"stripe", "parquet"}),
        pool=None,
    )
    def stripe(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> Iterator[dg.MaterializeResult[None]]:
        session, run = wiring.run_of(context)
        result = pipeline.land_rail(session, run)
        bad = [f"{row.endpoint} {row.status}" for row in result.slices if row.status != "complete"]
        context.log.info(f"{result.rows_read} rows read, {result.rows_landed} new; not read: {bad}")
        hints = deliveries.read_hints(session, run)
        if hints is not None:
            context.log.info(f"webhook events {hints.outcomes}, {hints.waiting} wait on")
        yield from _landed(context, session, run, "stripe")

    return stripe


def _kernel(manifest: Manifest) -> dg.AssetsDefinition:
    @dg.multi_asset(name="kernel", specs=_specs(manifest, "kernel", {"tieout", "parquet"}))
    def kernel(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> Iterator[dg.MaterializeResult[None]]:
        session, run = wiring.run_of(context)
        pipeline.land_kernel_exports(session, run)
        deliveries.land_provider_events(session, run)
        yield from _landed(context, session, run, "kernel")

    return kernel


def _records(manifest: Manifest) -> list[dg.AssetsDefinition]:
    own = _specs(manifest, "tieout", {"tieout", "parquet"}, only=_OWN_RECORDS)
    history = _specs(manifest, "tieout", {"tieout", "parquet"}, without=_OWN_RECORDS)
    sources = [key for source in ("stripe", "kernel") for key in _keys(manifest, source)]
    read_before = [*sources, *(spec.key for spec in own)]

    @dg.multi_asset(name="own_records", specs=own)
    def own_records(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> Iterator[dg.MaterializeResult[None]]:
        session, run = wiring.run_of(context)
        land_left_acts(session, run)
        pipeline.land_own_records(session, run)
        yield from _landed(context, session, run, "tieout")

    @dg.multi_asset(
        name="pin", specs=[spec.replace_attributes(deps=read_before) for spec in history]
    )
    def pin(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> Iterator[dg.MaterializeResult[None]]:
        session, run = wiring.run_of(context)
        pinned = pipeline.pin(session, run)
        context.log.info(f"{pinned} batches pinned")
        yield from _landed(context, session, run, "tieout")

    return [own_records, pin]


def _keys(manifest: Manifest, source: str) -> list[dg.AssetKey]:
    return [landed_key(source, table) for table, _ in manifest.sources(source)]


def _specs(
    manifest: Manifest,
    source: str,
    kinds: set[str],
    only: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            key=landed_key(source, table),
            deps=[RUN_KEY],
            group_name=GROUP,
            owners=OWNERS,
            kinds=kinds,
            description=description,
        )
        for table, description in manifest.sources(source)
        if (not only or table in only) and table not in without
    ]


def _landed(
    context: dg.AssetExecutionContext, session: Session, run: Run, source: str
) -> Iterator[dg.MaterializeResult[None]]:
    """One result a table: what this run's batches of it hold."""
    batches = [
        batch for batch in session.landing.committed(source) if batch.received_at == run.started_at
    ]
    for key in sorted(context.selected_asset_keys, key=lambda key: key.path):
        table = key.path[-1]
        mine = [batch for batch in batches if batch.table == table]
        folder = session.home.root / "landing" / source / table
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={
                "dagster/row_count": sum(batch.rows for batch in mine),
                "unchanged": sum(batch.unchanged for batch in mine),
                "quarantined": sum(batch.quarantined for batch in mine),
                "folder": dg.MetadataValue.path(folder),
            },
        )


def _parsed(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SettingError(
            got="an as_of that is no ISO 8601 time",
            expected="a time such as 2026-10-31T23:59:59Z",
            remedy="Correct the option, or leave it empty for now",
            code="as_of_malformed",
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
