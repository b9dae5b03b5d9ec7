"""`tieout packet`: list, show, build and hand over run packets.

Belongs here: the subcommands. Does not belong here: building a packet (`issuing.py`), verifying one
(`tieout-verify`).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli_witness import add_witnessing
from dagster_project.deciding import newest_decision
from dagster_project.home import prepare_home
from dagster_project.index_page import write_pages
from dagster_project.issuing import issue_packets
from dagster_project.narration import (
    EXIT_FOUND,
    EXIT_OK,
    LongFlags,
    answer,
    narrated,
    out,
    require_out_folder,
    table,
)
from dagster_project.run_packet import RunPacketWanted
from dagster_project.runs import last_published
from dagster_project.session import Session
from dagster_project.settings import Settings, home_of
from dagster_project.shelf import IssuedPacket, issued, newest, packet_file
from dagster_project.trusting import PRINCIPAL, TRUST_FILES, own_trust, trust_folder
from evidence.content import sha256_of
from evidence.errors import Refusal
from evidence.kernel_packet import RunPacketInputs
from evidence.verify import verify_packet
from evidence.viewer import viewer_html
from ingest.errors import SettingError, TieoutError

__all__ = ["packet_app"]

packet_app = typer.Typer(help="Signed run packets.", no_args_is_help=True)
add_witnessing(packet_app)

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
TenantId = Annotated[str | None, typer.Option("--tenant-id", help="Only this tenant.")]
Period = Annotated[str | None, typer.Option("--period", help="Only this month.")]


@packet_app.command("list")
def list_packets(tenant_id: TenantId = None, period: Period = None, as_json: Json = False) -> None:
    """List issued packets, every revision."""
    packets = issued(prepare_home(home_of(os.environ)), tenant_id, period)
    if as_json:
        answer([asdict(packet) for packet in packets])
        return
    if not packets:
        out.print("no packets; `tieout run` issues them")
        return
    heads = ("tenant", "period", "rev", "verdict", "packet", "log", "replay", "file")
    cells = [
        (
            packet.tenant_id,
            packet.period,
            packet.revision,
            packet.verdict,
            packet.packet_sha256[:12],
            packet.log_index,
            "inputs" if packet.carries_inputs else "digests",
            packet.path,
        )
        for packet in packets
    ]
    out.print(table("Packets", heads, cells))


@packet_app.command()
def show(
    tenant_id: Annotated[str, typer.Option("--tenant-id", help="The tenant.")],
    period: Annotated[str, typer.Option("--period", help="The month, YYYY-MM.")],
    revision: Annotated[int | None, typer.Option("--revision", help="Default: newest.")] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Also compute its tables again from its inputs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Verify one packet with the home's own trust file and show what it says."""
    home = prepare_home(home_of(os.environ))
    packet = _chosen(issued(home, tenant_id, period), revision)
    trust = own_trust(home)
    if trust is None:
        raise TieoutError(
            got="no trust file in this home",
            expected="trust/trust.json, which the first packet writes",
            remedy="Run `tieout packet build`, or restore the folder from a copy",
            code="trust_missing",
        )
    try:
        verified = verify_packet(
            packet_file(home, packet),
            trust,
            tenant_id,
            period,
            packet.revision,
            require_log=True,
            replay=replay,
        )
    except Refusal as refusal:
        answer({**asdict(packet), "refused": refusal.code}) if as_json else out.print(str(refusal))
        raise typer.Exit(EXIT_FOUND) from None
    facts = {
        **asdict(packet),
        "code_sha256": verified.run["code_sha256"],
        "counts": dict(verified.statement.counts),
        "rows": dict(verified.rows),
        "signers": list(verified.signers),
        "checks": list(verified.checks),
        "not_proven": list(verified.not_proven),
    }
    if as_json:
        answer(facts)
        return
    cells = [(name.replace("_", " "), _readable(value)) for name, value in facts.items()]
    out.print(table(f"{tenant_id} {period}", ("fact", "value"), cells))


@packet_app.command(cls=LongFlags)
def build(
    tenant_id: TenantId = None,
    period: Annotated[
        str | None, typer.Option("--period", help="Of the original's run packet.")
    ] = None,
    provider_id: Annotated[
        str | None, typer.Option("--provider-id", help="Of the original's run packet.")
    ] = None,
    reconcile_expect_status: Annotated[
        str, typer.Option("--reconcile-expect-status", help="pass or fail.")
    ] = "pass",
    operation_id: Annotated[
        str | None,
        typer.Option("--chargeback-operation-id", help="Drill a chargeback of this payout."),
    ] = None,
    party_id: Annotated[
        str | None, typer.Option("--chargeback-party-id", help="Default: the operation's.")
    ] = None,
    payout_period: Annotated[
        str | None,
        typer.Option("--chargeback-payout-period", help="Of the payout asked for after it."),
    ] = None,
    expect_outstanding_cents: Annotated[
        int | None,
        typer.Option(
            "--expect-outstanding-cents",
            "--expect-chargeback-outstanding-cents",
            help="Fail unless the party then owes this much.",
        ),
    ] = None,
    expect_payout_code: Annotated[
        str | None,
        typer.Option(
            "--expect-chargeback-payout-code",
            help="Fail unless the payout asked for is answered with this code.",
        ),
    ] = None,
    signing_key_file: Annotated[
        Path | None, typer.Option("--signing-key-file", help="Of the original's run packet.")
    ] = None,
    signature_key_id: Annotated[
        str | None, typer.Option("--signature-key-id", help="What the partner calls the key.")
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Write the original's run packet of a tenant and month here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Issue packets whose content is new; with --out also the original's own run packet."""
    asked = RunPacketInputs(
        reconcile_expect_status,
        operation_id,
        party_id,
        payout_period,
        expect_outstanding_cents,
        expect_payout_code,
    )
    wanted = RunPacketWanted(
        tenant_id, period, provider_id, asked, signing_key_file, signature_key_id, out_file
    )
    wanted.check()
    with narrated("packets") as progress:
        session = Session.open(Settings.from_env(os.environ), progress=progress)
        run = last_published(session.home)
        if run is None:
            raise TieoutError(
                got="no published run",
                expected="a run that reached publication",
                remedy="Run `tieout run` first",
                code="nothing_published",
            )
        original = wanted.write(session)
        packets = [
            packet
            for packet in issue_packets(session, run)
            if tenant_id in (None, packet.tenant_id)
        ]
    if as_json:
        issued_now = [asdict(packet) for packet in packets]
        answer(issued_now if original is None else {**original, "issued": issued_now})
    else:
        out.print(f"{len(packets)} issued" if packets else "nothing new to issue")
        if original is not None:
            said = "; ".join(original["failures"]) or "as expected"
            out.print(f"{original['status']}: {said}; written to {out_file}", soft_wrap=True)
    if original is not None and original["status"] != "pass":
        raise typer.Exit(EXIT_FOUND)


@packet_app.command()
def export(
    folder: Annotated[Path, typer.Option("--out", help="Folder to hand over; made if absent.")],
    tenant_id: Annotated[str, typer.Option("--tenant-id", help="The tenant.")],
    period: Period = None,
    as_json: Json = False,
) -> None:
    """Copy a tenant's newest packets, its newest gate decision, the trust files and the viewer."""
    home = prepare_home(home_of(os.environ))
    packets = newest(home, tenant_id, period)
    if not packets:
        _chosen([], None)
    own = {Path(packet.path).name for packet in issued(home, tenant_id)}
    foreign = sorted(path.name for path in folder.glob("*.zip") if path.name not in own)
    if foreign:
        raise SettingError(
            got=f"--out {folder}, which holds {foreign[0]}",
            expected=f"a folder without packets of others than {tenant_id}",
            remedy="Name another folder",
            code="out_folder_foreign",
        )
    folder.mkdir(parents=True, exist_ok=True)
    copied = [shutil.copy2(packet_file(home, packet), folder) for packet in packets]
    decision = newest_decision(home, tenant_id)
    if decision is not None:
        # Another document with another life: in a folder of its own, never taken for a packet.
        (folder / "decision").mkdir(exist_ok=True)
        shutil.copy2(decision, folder / "decision")
    for name in TRUST_FILES:
        shutil.copy2(trust_folder(home) / name, folder)
    index = write_pages(folder, packets, lambda packet: Path(packet.path).name)
    said = {
        "packets": [str(path) for path in copied],
        "decision": str(folder / "decision" / decision.name) if decision else None,
        "trust": str(folder / "trust.json"),
        "trust_sha256": sha256_of((folder / "trust.json").read_bytes()),
        "allowed_signers": str(folder / "allowed_signers"),
        "index": str(index),
        "principal": PRINCIPAL,
        "exported_at": datetime.now(UTC),
    }
    if as_json:
        answer(said)
        return
    out.print(f"{len(copied)} packets and the trust files are in {folder}", soft_wrap=True)
    out.print(f"in a browser: {index}", soft_wrap=True)
    first = Path(copied[0]).name
    out.print(
        f"check each: tieout-verify {folder}/{first} --trust {folder}/trust.json --replay",
        soft_wrap=True,
    )
    out.print(
        "tell the auditor on another way than this folder, which anybody on it could replace:"
        f" trust.json has sha256 {said['trust_sha256']}",
        soft_wrap=True,
    )
    raise typer.Exit(EXIT_OK)


@packet_app.command()
def viewer(
    path: Annotated[Path, typer.Option("--out", help="Where to write the page.")],
) -> None:
    """Write the page that verifies and shows packets in a browser."""
    require_out_folder(path)
    path.write_bytes(viewer_html())
    out.print(f"wrote {path}; open it in a browser, no network is needed", soft_wrap=True)


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name} {number}" for name, number in value.items())
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return "" if value is None else str(value)


def _chosen(packets: list[IssuedPacket], revision: int | None) -> IssuedPacket:
    wanted = [packet for packet in packets if revision in (None, packet.revision)]
    if not wanted:
        raise TieoutError(
            got="no packet for that tenant, period and revision",
            expected="an issued packet",
            remedy="See `tieout packet list`",
            code="packet_unknown",
        )
    return wanted[-1]
