"""Scenarios about the export itself: artifacts that lie, torn files, manifests nobody can trust.

Belongs here: one function a scenario whose docstring is its specification. Does not belong here:
money that differs (scenarios_payouts.py, scenarios_sources.py).

Every tenant here is otherwise clean and has one fresh payout that Tieout may pay, so that the gate
shows what missing evidence does.
"""

from __future__ import annotations

from ingest.simulator.month_end import Payout
from ingest.simulator.scene import Scene, scenario
from ingest.simulator.world_state import World

__all__: list[str] = []


def _fresh(world: World, tenant_id: str, name: str) -> tuple[Scene, Payout]:
    scene = Scene(world, tenant_id, name, settled_days=0)
    scene.trade()
    payout = scene.close(closed_at=world.fresh_close(scene.period))
    scene.payable(payout)
    return scene, payout


def _untrusted(world: World, tenant_id: str, name: str, manifest: str, status: str) -> None:
    scene, payout = _fresh(world, tenant_id, name)
    scene.partner.manifest = manifest
    scene.expect_gate(payout, "hold", "EVIDENCE_UNVERIFIED")
    scene.expect_evidence(manifest_status=status, best_verdict="reconciled_with_warnings")


@scenario
def hash_lies(world: World, tenant_id: str) -> None:
    """A receipt claims 10.00 more than it was sealed with: its hash does not recompute, so it is no
    source. Its charge is MISSING_INTERNAL, drift minus the charge; the payout that rests on it is
    held as unfunded; the receipt is listed with verdict mismatch."""
    scene, payout = _fresh(world, tenant_id, "hash_lies")
    receipt = scene.partner.rows["settlement_receipts"][2]
    receipt["amountCents"] += 1_000
    receipt["releasedAmountCents"] += 1_000
    sale = scene.partner.sales[2]
    charged = sale.amount_cents
    scene.expect(
        "MISSING_INTERNAL",
        party_id=scene.party.party_id,
        drift_cents=-charged,
        rail_object_id=sale.charge_id,
        kernel_object_id=sale.receipt_id,
    )
    scene.expect_gate(payout, "hold", "UNFUNDED_PAYOUT")
    scene.expect_evidence(
        artifact_type="settlement_receipts",
        artifact_id=sale.receipt_id,
        artifact_verdict="mismatch",
    )


@scenario
def torn_line(world: World, tenant_id: str) -> None:
    """The last line of billable_events is cut in half, under a manifest that signs the torn file:
    no money differs, the line is quarantined by file and line number, and nothing of the tenant can
    be certified until it is repaired."""
    scene, payout = _fresh(world, tenant_id, "torn_line")
    scene.partner.torn.add("billable_events")
    scene.expect_gate(payout, "hold", "EVIDENCE_INCOMPLETE")
    scene.expect_evidence(
        quarantined_file="billable_events.jsonl",
        quarantined_line=len(scene.partner.rows["billable_events"]),
        best_verdict="incomplete",
    )


@scenario
def unsigned_manifest(world: World, tenant_id: str) -> None:
    """The manifest carries no signature: at most reconciled_with_warnings, no live payout."""
    _untrusted(world, tenant_id, "unsigned_manifest", "unsigned", "unsigned")


@scenario
def foreign_manifest(world: World, tenant_id: str) -> None:
    """The manifest is signed by a key nobody trusts: at most reconciled_with_warnings, no live
    payout."""
    _untrusted(world, tenant_id, "foreign_manifest", "foreign", "foreign")


@scenario
def missing_manifest(world: World, tenant_id: str) -> None:
    """There is no manifest: at most reconciled_with_warnings, no live payout."""
    _untrusted(world, tenant_id, "missing_manifest", "missing", "missing")


@scenario
def altered_export(world: World, tenant_id: str) -> None:
    """A line of billable_events is repeated after the manifest was signed: its digest does not
    match, at most reconciled_with_warnings, no live payout."""
    _untrusted(world, tenant_id, "altered_export", "altered", "mismatch")
