"""Dagster's definitions of this project: what `dg dev` and the daemon load.

Belongs here: putting assets, checks, jobs, schedules and sensors together. Does not belong here:
any of them. Loading needs no network, no key and no data; dbt's manifest is parsed into the home
when it is missing or a model changed.
"""

from __future__ import annotations

import dagster as dg

from dagster_project.assets.enforcement import DECISIONS_KEY, PAYOUTS_KEY, enforcement_assets
from dagster_project.assets.landing import landing_assets
from dagster_project.assets.packets import ISSUED_KEY, packet_assets
from dagster_project.assets.publication import publication_assets
from dagster_project.assets.warehouse import warehouse_assets
from dagster_project.checks import checks
from dagster_project.jobs import jobs
from dagster_project.manifest import Manifest
from dagster_project.payout_checks import payout_checks
from dagster_project.resources import Wiring
from dagster_project.schedules import schedules
from dagster_project.sensors import decision_sensor, hint_sensor

__all__ = ["build_defs", "defs"]


def build_defs(wiring: Wiring | None = None) -> dg.Definitions:
    """The definitions, over the home of the wiring's environment.

    Args:
        wiring: What assets are handed; by default settings come from the process environment when
            an asset first needs them.
    """
    wiring = wiring or Wiring()
    home = wiring.home()
    manifest = Manifest.load(home)
    facts = warehouse_assets(manifest)
    acts_after = [ISSUED_KEY, DECISIONS_KEY, PAYOUTS_KEY]
    return dg.Definitions(
        assets=[
            *landing_assets(manifest),
            facts,
            *publication_assets(manifest, facts, acts_after),
            *packet_assets(),
            *enforcement_assets(),
        ],
        asset_checks=[*checks(), *payout_checks()],
        jobs=jobs(manifest),
        schedules=schedules(demo=home.mode == "demo"),
        sensors=[decision_sensor(wiring), hint_sensor(wiring)],
        resources={"wiring": dg.ResourceDefinition.hardcoded_resource(wiring)},
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The entry that Dagster loads."""
    return build_defs()
