"""The original's run packet as a file of its own: `tieout packet build --out FILE`.

Belongs here: what the command line asks for, the drill it may ask first, and the file. Does not
belong here: our own packets (`issuing.py`), or the document (`evidence`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dagster_project.drilling import DrillOptions, carry_out
from dagster_project.kernel_evidence import kernel_evidence
from dagster_project.kernel_reports import Wanted
from dagster_project.marts import Marts
from dagster_project.narration import require_out_folder
from dagster_project.session import Session
from dagster_project.signing import load_signer, packet_signer
from evidence.kernel_packet import KernelEvidence, RunPacketInputs, run_packet
from ingest.errors import SettingError, TieoutError
from ingest.files import publish_bytes

__all__ = ["RunPacketWanted"]


@dataclass(frozen=True)
class RunPacketWanted:
    """What the command line gave; without `out_file` no run packet is wanted."""

    tenant_id: str | None
    period: str | None
    provider_id: str | None
    asked: RunPacketInputs
    signing_key_file: Path | None
    signature_key_id: str | None
    out_file: Path | None

    def check(self) -> None:
        """Refuses flags that go nowhere, before anything is built.

        Raises:
            SettingError: `run_packet_unnamed`, `out_folder_missing`, `status_unknown`.
        """
        Wanted(period=self.period)
        given = (self.period, self.provider_id, self.signing_key_file, self.signature_key_id)
        if self.out_file is None:
            if any(given) or self.asked != RunPacketInputs():
                raise _unnamed("no --out", "a file for the original's run packet", "--out")
            return
        if self.tenant_id is None or self.period is None:
            raise _unnamed(
                "no --tenant-id or no --period", "both beside --out", "--tenant-id and --period"
            )
        if (
            self.asked.operation_id is None
            and replace(self.asked, reconcile_expect_status="pass") != RunPacketInputs()
        ):
            raise _unnamed(
                "expectations of a chargeback and no operation",
                "the payout to drill",
                "--chargeback-operation-id",
            )
        if self.asked.reconcile_expect_status not in ("pass", "fail"):
            raise SettingError(
                got=f"--reconcile-expect-status {self.asked.reconcile_expect_status[:20]!r}",
                expected="pass or fail",
                remedy="Correct --reconcile-expect-status",
                code="status_unknown",
            )
        require_out_folder(self.out_file)

    def write(self, session: Session) -> dict[str, Any] | None:
        """Drills if asked, and writes the run packet; None when none is wanted.

        Raises:
            TieoutError: The month has nothing to reconcile, or the drill was refused.
            SettingError: `report_ambiguous`: several providers could be meant.
        """
        if self.out_file is None or self.tenant_id is None or self.period is None:
            return None
        settings, key_file = session.settings, self.signing_key_file
        signer = (
            load_signer(key_file, settings) if key_file else packet_signer(settings, session.home)
        )
        evidence = self._evidence(session)
        drilled = None
        if self.asked.operation_id is not None:
            options = DrillOptions(
                "chargeback",
                self.tenant_id,
                self.asked.operation_id,
                evidence.provider_id,
                self.asked.party_id,
                self.period,
                payout_period=self.asked.payout_period,
                expect_outstanding_cents=self.asked.expect_outstanding_cents,
                expect_payout_code=self.asked.expect_payout_code,
            )
            drilled = carry_out(session, options, signer, self.signature_key_id).record
        packet = run_packet(
            evidence,
            self.tenant_id,
            self.period,
            signer,
            key_id=self.signature_key_id,
            drill=drilled,
            asked=self.asked,
        )
        text = json.dumps(packet, ensure_ascii=False, indent=2)
        publish_bytes(f"{text}\n".encode(), self.out_file)
        return packet

    def _evidence(self, session: Session) -> KernelEvidence:
        assert self.tenant_id is not None
        assert self.period is not None
        with Marts.published(session.home) as marts:
            found = [
                one
                for one in kernel_evidence(marts, self.tenant_id, self.period)
                if self.provider_id in (None, one.provider_id)
            ]
        if not found:
            raise TieoutError(
                got="no payout instruction of that tenant, month and provider",
                expected="at least one, for there is nothing to reconcile",
                remedy="Name another --tenant-id, --period or --provider-id",
                code="MONEY_RAIL_RECONCILE_EVIDENCE_REQUIRED",
            )
        if len(found) > 1:
            choices = ", ".join(one.provider_id for one in found)
            raise SettingError(
                got=f"{len(found)} providers ({choices})",
                expected="one, chosen by --provider-id",
                remedy="Name --provider-id",
                code="report_ambiguous",
            )
        return found[0]


def _unnamed(got: str, expected: str, flags: str) -> SettingError:
    return SettingError(
        got=got, expected=expected, remedy=f"Name {flags}", code="run_packet_unnamed"
    )
