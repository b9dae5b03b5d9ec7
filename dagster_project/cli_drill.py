"""`tieout drill`: what a chargeback or a refund would do; nothing live is touched.

Belongs here: the subcommands and their flags, which keep the names of the original's runbook. Does
not belong here: the drill (`drilling.py`), or the form of its record (`evidence`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.drilling import Drilled, DrillOptions, carry_out
from dagster_project.narration import (
    EXIT_FOUND,
    EXIT_OK,
    LongFlags,
    narrated,
    out,
    require_out_folder,
    table,
)
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.signing import load_signer, packet_signer
from ingest.files import publish_bytes

__all__ = ["drill_app"]

drill_app = typer.Typer(
    help="Drills as a what-if: repeatable, recorded, and nothing live is touched.",
    no_args_is_help=True,
)

TenantId = Annotated[str, typer.Option("--tenant-id", help="The tenant.")]
OperationId = Annotated[
    str,
    typer.Option(
        "--operation-id", "--chargeback-operation-id", help="The payout operation to reverse."
    ),
]
ProviderId = Annotated[str | None, typer.Option("--provider-id", help="Its payout provider.")]
PartyId = Annotated[
    str | None,
    typer.Option("--party-id", "--chargeback-party-id", help="Default: the operation's."),
]
Period = Annotated[
    str | None, typer.Option("--period", help="Exposure of this month; default all time.")
]
ReasonCode = Annotated[
    str | None,
    typer.Option(
        "--reason-code", "--chargeback-reason-code", help="Default: the drill's own reason."
    ),
]
At = Annotated[
    datetime | None,
    typer.Option("--at", "--chargeback-at", help="Default: right after the last event."),
]
PayoutPeriod = Annotated[
    str | None,
    typer.Option(
        "--payout-period",
        "--chargeback-payout-period",
        help="Then ask for the party's payout of this month.",
    ),
]
PayoutPartyId = Annotated[
    str | None, typer.Option("--payout-party-id", help="Default: the drilled party.")
]
ExpectOutstanding = Annotated[
    int | None,
    typer.Option(
        "--expect-outstanding-cents",
        "--expect-chargeback-outstanding-cents",
        help="Fail unless the party then owes this much.",
    ),
]
ExpectCode = Annotated[
    str | None,
    typer.Option(
        "--expect-chargeback-payout-code",
        "--expect-payout-code",
        help="Fail unless the payout asked for is answered with this code.",
    ),
]
KeyFile = Annotated[
    Path | None, typer.Option("--signing-key-file", help="Default: the home's packet key.")
]
KeyId = Annotated[
    str | None, typer.Option("--signature-key-id", help="What the partner calls the key.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the record to this file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer with the whole record.")]


def _command(drill: str) -> Callable[..., None]:
    """One subcommand: both take the same flags and differ in the reason alone."""

    def run(
        tenant_id: TenantId,
        operation_id: OperationId,
        provider_id: ProviderId = None,
        party_id: PartyId = None,
        period: Period = None,
        reason_code: ReasonCode = None,
        at: At = None,
        payout_period: PayoutPeriod = None,
        payout_party_id: PayoutPartyId = None,
        expect_outstanding_cents: ExpectOutstanding = None,
        expect_payout_code: ExpectCode = None,
        signing_key_file: KeyFile = None,
        signature_key_id: KeyId = None,
        out_file: Out = None,
        as_json: Json = False,
    ) -> None:
        options = DrillOptions(
            drill,
            tenant_id,
            operation_id,
            provider_id,
            party_id,
            period,
            reason_code,
            at.replace(tzinfo=UTC) if at else None,
            payout_period,
            payout_party_id,
            expect_outstanding_cents,
            expect_payout_code,
        )
        _drill(options, signing_key_file, signature_key_id, out_file, as_json)

    return run


for _drill_name, _help in (
    ("chargeback", "Reverse a payout by a chargeback, in a what-if; exit 1 unless as expected."),
    ("refund", "Give a payout back by a refund, in a what-if; exit 1 unless as expected."),
):
    drill_app.command(_drill_name, help=_help, cls=LongFlags)(_command(_drill_name))


def _drill(
    options: DrillOptions,
    key_file: Path | None,
    key_id: str | None,
    out_file: Path | None,
    as_json: bool,
) -> None:
    settings = Settings.from_env(os.environ)
    with narrated("drill") as progress:
        session = Session.open(settings, progress=progress)
        signer = (
            load_signer(key_file, settings) if key_file else packet_signer(settings, session.home)
        )
        drilled = carry_out(session, options, signer, key_id)
    record = drilled.record
    text = json.dumps(record, ensure_ascii=False, indent=2)
    if out_file is not None:
        _write(out_file, text)
    if as_json:
        print(text)
    else:
        _tell(drilled, out_file)
    raise typer.Exit(EXIT_OK if record["status"] == "pass" else EXIT_FOUND)


def _write(path: Path, text: str) -> None:
    require_out_folder(path)
    publish_bytes(f"{text}\n".encode(), path)


def _tell(drilled: Drilled, out_file: Path | None) -> None:
    record = drilled.record
    checks = record["checks"]
    facts = [
        ("status", record["status"]),
        *(("failure", failure) for failure in record["failures"]),
        ("operation", record["inputs"]["operationId"]),
        ("state after", checks["operationStateAfter"]),
        ("outstanding cents", checks["outstandingCents"]),
        ("payout answer", checks["payoutStatusCode"]),
        ("payout code", checks["payoutCode"]),
        *(
            (f"our gate {when}", f"{row['decision']} {row['held_codes'] or ''}".strip())
            for when, rows in (("before", drilled.gates_before), ("after", drilled.gates_after))
            for row in rows
        ),
        ("artifactHash", record["artifactHash"]),
        ("signed by", record["signature"]["keyId"]),
    ]
    out.print(table(f"Drill: {record['drill']} (nothing live was touched)", ("", ""), facts))
    where = f"; written to {out_file}" if out_file else ""
    out.print(f"recorded; the next packet of its month holds it{where}", soft_wrap=True)
