"""`tieout packet checkpoint|cosign`: what goes to a partner who witnesses the log, and comes back.

Belongs here: the two subcommands. Does not belong here: what the partner runs (`tieout-witness`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from dagster_project.narration import answer, out, require_out_folder
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.shelf import renew_proofs
from dagster_project.signing import packet_log
from dagster_project.trusting import own_trust
from evidence.witness import write_request

__all__ = ["add_witnessing"]

MAX_LINE_BYTES: Final = 1024


def add_witnessing(app: typer.Typer) -> None:
    """Adds the subcommands of this module."""
    app.command()(checkpoint)
    app.command()(cosign)


def checkpoint(
    path: Annotated[Path, typer.Option("--out", help="Where to write the request.")],
    since: Annotated[
        int, typer.Option("--since", help="Entries the witness has cosigned before.")
    ] = 0,
) -> None:
    """Write what a partner cosigns with `tieout-witness`: the log, and that it only grew."""
    require_out_folder(path)
    session = Session.open(Settings.from_env(os.environ))
    log = packet_log(session.settings, session.home)
    proof = log.consistency(since) if since else []
    path.write_bytes(write_request(since, proof, log.checkpoint()))
    out.print(f"wrote {path}: {log.size()} entries of {log.key.name}", soft_wrap=True)
    out.print(f"for: tieout-witness cosign {path.name} --log '{log.key}'", soft_wrap=True)


def cosign(
    path: Annotated[Path, typer.Argument(metavar="LINE", help="What the witness answered.")],
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Take in a witness's line; proofs carry it from now on, those of earlier packets too."""
    session = Session.open(Settings.from_env(os.environ))
    home, log = session.home, packet_log(session.settings, session.home)
    trust = own_trust(home)
    witnesses = trust.log.witnesses if trust and trust.log else ()
    with path.open("rb") as handle:
        line = handle.read(MAX_LINE_BYTES)
    with home.lock("packets"):
        witness = log.take_cosignature(line, witnesses)
        renewed = renew_proofs(home, log)
    size = log.size()
    if as_json:
        answer({"witness": witness, "size": size, "renewed": renewed})
    else:
        out.print(f"{witness} cosigned {size} entries; {renewed} packets carry a newer proof")
