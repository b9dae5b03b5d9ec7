"""Run packets: one step that issues them, and one partitioned asset that shows each.

Belongs here: the step, and a runless event for every tenant and period it issued. Does not belong
here: choosing or building packets (`issuing.py`).
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from pathlib import Path
from typing import Final

import dagster as dg

from dagster_project import issuing
from dagster_project.assets.publication import PUBLISHED_KEY
from dagster_project.index_page import INDEX
from dagster_project.resources import Wiring
from dagster_project.shelf import IssuedPacket, packet_file
from ingest.errors import TieoutError

__all__ = ["ISSUED_KEY", "PACKET_KEY", "packet_assets"]

GROUP: Final = "packets"
OWNERS: Final = ["team:evidence"]
ISSUED_KEY: Final = dg.AssetKey(["packets", "issued"])
PACKET_KEY: Final = dg.AssetKey(["packets", "run_packet"])

_TENANTS: Final = dg.DynamicPartitionsDefinition(name="tenant")
_PERIODS: Final = dg.DynamicPartitionsDefinition(name="period")
_BY_TENANT_AND_PERIOD: Final = dg.MultiPartitionsDefinition(
    {"period": _PERIODS, "tenant": _TENANTS}
)


def packet_assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The issuing step and the packets it issues."""
    packet = dg.AssetSpec(
        key=PACKET_KEY,
        deps=[ISSUED_KEY],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"tieout"},
        partitions_def=_BY_TENANT_AND_PERIOD,
        description="Signed run packets, one a tenant and period; tieout-verify and ssh-keygen "
        "check them without Tieout.",
    )

    @dg.asset(
        key=ISSUED_KEY,
        deps=[PUBLISHED_KEY],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"tieout"},
        description="Issues a packet for every tenant and period whose content is new; unchanged "
        "content issues nothing.",
    )
    def issued(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.MaterializeResult[None]:
        session, run = wiring.run_of(context)
        refused: list[TieoutError] = []
        packets = issuing.issue_packets(session, run, on_refusal=refused.append)
        for packet in packets:
            _report(context.instance, packet, packet_file(session.home, packet))
        lines = [
            f"| {p.tenant_id} | {p.period} | {p.revision} | {p.verdict} | {p.packet_sha256[:12]} |"
            for p in packets
        ]
        head = "| tenant | period | revision | verdict | packet |\n|---|---|---:|---|---|\n"
        return dg.MaterializeResult(
            metadata={
                "issued": len(packets),
                "refused": len(refused),
                "refusals": dg.MetadataValue.md("\n".join(f"- {one}" for one in refused)),
                "packets": dg.MetadataValue.md(head + "\n".join(lines)),
                "folder": dg.MetadataValue.path(session.home.packets),
                "index": dg.MetadataValue.url((session.home.packets / INDEX).as_uri()),
            }
        )

    return [issued, packet]


def _report(instance: dg.DagsterInstance, packet: IssuedPacket, path: Path) -> None:
    instance.add_dynamic_partitions("tenant", [packet.tenant_id])
    instance.add_dynamic_partitions("period", [packet.period])
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            asset_key=PACKET_KEY,
            partition=dg.MultiPartitionKey({"period": packet.period, "tenant": packet.tenant_id}),
            metadata={
                "verdict": packet.verdict,
                "revision": packet.revision,
                "packet_sha256": packet.packet_sha256,
                "supersedes_sha256": packet.supersedes_sha256 or "none",
                "log_index": packet.log_index,
                "carries_inputs": packet.carries_inputs,
                "file": dg.MetadataValue.path(path),
                "download": dg.MetadataValue.url(path.as_uri()),
            },
        )
    )
