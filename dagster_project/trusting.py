"""The home's own trust file, and what an auditor is handed with it.

Belongs here: keeping `trust/` in step with the signing key, its versions, its root. Does not belong
here: how a trust file changes or judges (`evidence`), choosing the signer (`signing.py`).

    trust/trust.json, allowed_signers, revoked_keys.krl, root.pem (once a root key signs)
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dagster_project.home import Home, read_state, write_state
from dagster_project.settings import Settings
from dagster_project.signing import packet_log, packet_signer
from evidence.custody import rotated, write_trust
from evidence.errors import Refusal
from evidence.keys import public_key_from_pem, public_key_pem
from evidence.signatures import Signer
from evidence.trust import TrustedLog, TrustFile, load_trust, trusted_key
from ingest.errors import SettingError

__all__ = ["PRINCIPAL", "TRUST_FILES", "change_trust", "own_trust", "trust_file", "trust_folder"]

PRINCIPAL: Final = "packets@tieout"
KEY_LIFE: Final = timedelta(days=730)
TRUST_FILES: Final = ("trust.json", "allowed_signers", "revoked_keys.krl")
ROOT: Final = "root.pem"

_DEMO_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
_DEMO_UNTIL: Final = datetime(2100, 1, 1, tzinfo=UTC)


def trust_folder(home: Home) -> Path:
    """Where the files lie that an auditor is handed, over a channel of its own."""
    return home.root / "trust"


def trust_file(settings: Settings, home: Home, *, now: datetime) -> TrustFile:
    """The home's trust file, made or extended when it does not name the signing key yet.

    Raises:
        SettingError: The key is retired or compromised, the file is older than the one before, or
            it is root-signed and lacks the key: then only the root key can add it.
    """
    signer = packet_signer(settings, home)
    trust = own_trust(home)
    known = {key.keyid: key for key in trust.keys} if trust else {}
    if signer.keyid not in known:
        trust = change_trust(settings, home, lambda trust: _with_key(trust, signer, home, now))
        known = {key.keyid: key for key in trust.keys}
    assert trust is not None
    if known[signer.keyid].status != "active":
        raise SettingError(
            got=f"a signing key that trust.json calls {known[signer.keyid].status}",
            expected="an active key",
            remedy="Run `tieout keys rotate FILE` and set TIEOUT_SIGNING_KEY_FILE to that file",
            code="signing_key_not_active",
        )
    return trust


def own_trust(home: Home) -> TrustFile | None:
    """The home's trust file as it stands; None before the first packet.

    Raises:
        SettingError: It does not verify under its root key, or is older than the one before.
    """
    folder = trust_folder(home)
    path, root = folder / "trust.json", folder / ROOT
    if not path.exists():
        return None
    roots = [public_key_from_pem(root.read_text("ascii"))] if root.exists() else []
    try:
        return load_trust(path, roots, int(read_state(_memory(home)).get("version", 1)))
    except Refusal as refusal:
        raise SettingError(
            got=f"a trust file of this home that was refused: {refusal.detail}",
            expected="the newest trust/trust.json, as it was written",
            remedy="Restore trust/ from a copy you trust; nothing is signed or paid until then",
            code=refusal.code,
        ) from None


def change_trust(
    settings: Settings,
    home: Home,
    change: Callable[[TrustFile], TrustFile],
    root: Signer | None = None,
) -> TrustFile:
    """Writes the next version of the trust file with what follows from it.

    Args:
        settings: For the log's key, when there is no trust file yet.
        home: The home.
        change: Gives the next version.
        root: The offline root key; needed for good once it has signed.

    Raises:
        SettingError: The file is root-signed and `root` is not that key.
        Refusal: The change is not possible.
    """
    folder = trust_folder(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    with home.lock("trust"):
        before = own_trust(home) or TrustFile(0, 1, (), TrustedLog(packet_log(settings, home).key))
        _require_root(folder / ROOT, root)
        trust = change(before)
        document = write_trust(trust, root)
        load_trust(document, [root.public_key] if root else ())
        if root is not None:
            _replace(folder / ROOT, public_key_pem(root.public_key).encode())
        _replace(folder / "allowed_signers", trust.allowed_signers(PRINCIPAL).encode())
        _replace(folder / "revoked_keys.krl", trust.revoked_keys())
        _replace(folder / "trust.json", document)
        write_state(_memory(home), {"version": trust.version})
    return trust


def _with_key(trust: TrustFile, signer: Signer, home: Home, now: datetime) -> TrustFile:
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if not trust.keys:
        window = (_DEMO_FROM, _DEMO_UNTIL) if home.mode == "demo" else (start, start + KEY_LIFE)
        return TrustFile(1, 1, (trusted_key(signer, *window),), trust.log)
    # A key set without `keys rotate` takes nothing from those before it.
    return rotated(trust, signer, start, KEY_LIFE, KEY_LIFE)


def _require_root(path: Path, root: Signer | None) -> None:
    if not path.exists():
        return
    if root is None or root.public_key != public_key_from_pem(path.read_text("ascii")):
        raise SettingError(
            got="a change of a root-signed trust file without its root key",
            expected="the root key that signed it",
            remedy="Repeat with --root-key-file; for a new signing key: `tieout keys rotate`",
            code="trust_root_missing",
        )


def _memory(home: Home) -> Path:
    return home.state / "trust.json"


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
