"""`tieout keys`: make, follow and retire signing keys, and say whom others should trust.

Belongs here: the subcommands. Does not belong here: how a trust file changes (`evidence.custody`),
or where the home's lies (`trusting.py`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from dagster_project.home import Home
from dagster_project.narration import answer, out, table
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.trusting import KEY_LIFE, PRINCIPAL, change_trust, own_trust, trust_folder
from evidence import notes
from evidence.custody import retired, rotated, witnessed
from evidence.keys import allowed_signers_line, create_key, load_key, public_key_pem
from evidence.signatures import Signer
from evidence.trust import TrustFile
from ingest.errors import SettingError, TieoutError

__all__ = ["keys_app"]

keys_app = typer.Typer(help="Signing keys, and whom others trust.", no_args_is_help=True)

OVERLAP_DAYS: Final = 30

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
RootKey = Annotated[
    Path | None,
    typer.Option("--root-key-file", help="Offline key that signs trust.json; for good once used."),
]


@keys_app.command("new")
def new_key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; must not exist.")],
    as_json: Json = False,
) -> None:
    """Make an Ed25519 key for packets, decisions or an operator, in a file of mode 0600.

    TIEOUT_SIGNING_KEY_PASSPHRASE, when set, encrypts it.
    """
    passphrase = os.environ.get("TIEOUT_SIGNING_KEY_PASSPHRASE")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    signer = create_key(path, passphrase.encode() if passphrase else None)
    said = {
        "file": str(path),
        "keyid": signer.keyid,
        "public_key_pem": public_key_pem(signer.public_key),
        "allowed_signers": allowed_signers_line(signer.public_key, PRINCIPAL).strip(),
    }
    if as_json:
        answer(said)
        return
    out.print(f"wrote {path} (mode 0600)", soft_wrap=True)
    out.print(f"key id {signer.keyid}", soft_wrap=True)
    out.print(said["public_key_pem"], markup=False)
    out.print(f"to sign packets with it: export TIEOUT_SIGNING_KEY_FILE={path}", soft_wrap=True)


@keys_app.command()
def rotate(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the new key is written.")],
    overlap_days: Annotated[
        int, typer.Option("--overlap-days", min=0, help="How long keys before it stay valid.")
    ] = OVERLAP_DAYS,
    root_key_file: RootKey = None,
    as_json: Json = False,
) -> None:
    """Make a key that follows the present one, and name it in the next version of trust.json."""
    session = _session()
    root, now = _root(root_key_file), session.clock()
    _require_trust(session.home)
    passphrase = session.settings.signing_key_passphrase
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    signer = create_key(path, passphrase.encode() if passphrase else None)
    overlap = timedelta(days=overlap_days)
    try:
        trust = change_trust(
            session.settings,
            session.home,
            lambda before: rotated(before, signer, now, KEY_LIFE, overlap),
            root,
        )
    except Exception:
        # A key that nothing names would only be taken for one that signs.
        path.unlink()
        raise
    _tell(session.home, trust, as_json)
    if not as_json:
        out.print(f"from now on: export TIEOUT_SIGNING_KEY_FILE={path}", soft_wrap=True)


@keys_app.command()
def retire(
    keyid: Annotated[str, typer.Argument(metavar="KEYID", help="Or how it begins.")],
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Somebody else may have signed with it.")
    ] = False,
    at: Annotated[
        datetime | None, typer.Option("--at", help="Since when, UTC; default: now.")
    ] = None,
    root_key_file: RootKey = None,
    as_json: Json = False,
) -> None:
    """Retire a key; what a compromised one signed is good only where witnesses saw it before."""
    session = _session()
    root = _root(root_key_file)
    moment = at.replace(tzinfo=UTC) if at else session.clock()
    _require_trust(session.home)
    trust = change_trust(
        session.settings,
        session.home,
        lambda before: retired(before, keyid, moment, compromised=compromised),
        root,
    )
    _tell(session.home, trust, as_json)


@keys_app.command("trust")
def show_trust(
    witness: Annotated[
        list[str] | None, typer.Option("--witness", help="A witness's vkey; all of them anew.")
    ] = None,
    quorum: Annotated[
        int, typer.Option("--quorum", min=0, help="How many witnesses a packet needs.")
    ] = 0,
    root_key_file: RootKey = None,
    as_json: Json = False,
) -> None:
    """Show whom trust.json names; name witnesses of the log; sign it with the root key."""
    session = _session()
    root = _root(root_key_file)
    trust = _require_trust(session.home)
    if witness:
        keys = [notes.parse_key(text, notes.WITNESS_ALGORITHM) for text in witness]
        trust = change_trust(
            session.settings, session.home, lambda before: witnessed(before, keys, quorum), root
        )
    elif root is not None:
        trust = change_trust(session.settings, session.home, _next_version, root)
    _tell(session.home, trust, as_json)


def _next_version(trust: TrustFile) -> TrustFile:
    return replace(trust, version=trust.version + 1)


def _session() -> Session:
    session = Session.open(Settings.from_env(os.environ))
    if session.home.mode == "demo":
        raise SettingError(
            got="a demo home, whose keys everybody has",
            expected="a home of your own",
            remedy="Set STRIPE_API_KEY and TIEOUT_KERNEL_EXPORTS, and TIEOUT_HOME to a new folder",
            code="demo_keys_fixed",
        )
    return session


def _require_trust(home: Home) -> TrustFile:
    trust = own_trust(home)
    if trust is None:
        raise TieoutError(
            got="no trust file in this home",
            expected="trust/trust.json, which the first packet writes",
            remedy="Run `tieout run` first",
            code="trust_missing",
        )
    return trust


def _root(path: Path | None) -> Signer | None:
    if path is None:
        return None
    passphrase = os.environ.get("TIEOUT_ROOT_KEY_PASSPHRASE", "")
    return load_key(path, passphrase.encode() or None)


def _tell(home: Home, trust: TrustFile, as_json: bool) -> None:
    keys = [
        {
            "keyid": key.keyid,
            "status": key.status,
            "from": datetime.fromtimestamp(key.valid_from, UTC),
            "until": datetime.fromtimestamp(key.valid_until, UTC),
        }
        for key in trust.keys
    ]
    log = trust.log
    if as_json:
        answer(
            {
                "version": trust.version,
                "keys": keys,
                "log": str(log.key) if log else None,
                "witnesses": [str(witness) for witness in log.witnesses] if log else [],
                "quorum": log.quorum if log else 0,
                "trust": str(trust_folder(home) / "trust.json"),
            }
        )
        return
    heads = ("key", "status", "from", "until")
    cells = [
        (key["keyid"], key["status"], f"{key['from']:%Y-%m-%d %H:%M}", f"{key['until']:%Y-%m-%d}")
        for key in keys
    ]
    out.print(table(f"Trust file, version {trust.version}", heads, cells))
    if log is not None:
        out.print(f"log        {log.key}", soft_wrap=True)
        for witness in log.witnesses:
            out.print(f"witness    {witness}", soft_wrap=True)
        out.print(f"quorum     {log.quorum}")
    out.print(f"hand out   {trust_folder(home)}", soft_wrap=True)
