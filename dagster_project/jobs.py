"""The jobs: what one run does, start to end.

Belongs here: selections. Does not belong here: when they run (`schedules.py`, `sensors.py`).
"""

from __future__ import annotations

from typing import Final

import dagster as dg

from dagster_project.assets.enforcement import PAYOUTS_KEY
from dagster_project.assets.packets import PACKET_KEY
from dagster_project.assets.publication import ACTS_KEY, CLOSED_KEY
from dagster_project.manifest import ACTS_TAG, Manifest
from dagster_project.translator import WarehouseTranslator

__all__ = ["ENFORCE", "RECONCILE", "RECONCILE_AND_ENFORCE", "jobs"]

RECONCILE: Final = "reconcile"
ENFORCE: Final = "enforce"
RECONCILE_AND_ENFORCE: Final = "reconcile_and_enforce"

# A step in a process of its own costs seconds; in this one, a tenth.
_EXECUTOR: Final = dg.in_process_executor


@dg.failure_hook(name="tell_failure", required_resource_keys={"wiring"})
def tell_of_failure(context: dg.HookContext) -> None:
    """Tells operators of a step that failed; the command line tells of its own runs itself."""
    wiring = context.resources.wiring
    error = context.op_exception
    if error is not None and not wiring.is_attended:
        wiring.tell_failure(error, context.log.info)


def jobs(manifest: Manifest) -> list[dg.UnresolvedAssetJobDefinition]:
    """The jobs of this project.

    `reconcile` ends with signed decisions; `enforce` carries out the newest; the third is both in
    one run, for the command line.
    """
    whole = dg.AssetSelection.all() - dg.AssetSelection.assets(PACKET_KEY)
    pay = dg.AssetSelection.assets(PAYOUTS_KEY)
    close_out = dg.AssetSelection.assets(ACTS_KEY, CLOSED_KEY, *_acts_keys(manifest))
    return [
        dg.define_asset_job(
            RECONCILE,
            selection=whole - pay,
            executor_def=_EXECUTOR,
            hooks={tell_of_failure},
            description="Sources in, warehouse built and published, packets and decisions signed.",
        ),
        dg.define_asset_job(
            ENFORCE,
            selection=pay | close_out,
            executor_def=_EXECUTOR,
            hooks={tell_of_failure},
            description="Carries out the newest gate decisions, at most once each.",
        ),
        dg.define_asset_job(
            RECONCILE_AND_ENFORCE,
            selection=whole,
            executor_def=_EXECUTOR,
            hooks={tell_of_failure},
            description="Both in one run.",
        ),
    ]


def _acts_keys(manifest: Manifest) -> list[dg.AssetKey]:
    translator = WarehouseTranslator()
    return [
        translator.get_asset_key(node)
        for node in manifest.content["nodes"].values()
        if node["resource_type"] in ("model", "seed") and ACTS_TAG in node["tags"]
    ]
