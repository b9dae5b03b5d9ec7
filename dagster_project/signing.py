"""Which key signs, and the trust files that let others check it.

Belongs here: choosing the signer for a home, refusing demo keys outside a demo, and writing what an
auditor is handed. Does not belong here: how anything is signed (`evidence`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dagster_project.home import Home
from dagster_project.settings import Settings
from evidence.errors import Refusal
from evidence.keys import KeySigner, create_key, load_key
from evidence.log import PacketLog
from evidence.trust import TrustedLog, TrustFile, load_trust, trust_document, trusted_key
from ingest.errors import SettingError

__all__ = [
    "DEMO_OPERATORS",
    "PRINCIPAL",
    "TRUST_FILES",
    "demo_operator",
    "load_signer",
    "packet_log",
    "packet_signer",
    "trust_file",
    "trust_folder",
]

PRINCIPAL: Final = "packets@tieout"
DEFAULT_ORIGIN: Final = "tieout.local/packets"
DEMO_ORIGIN: Final = "tieout.demo/packets"
TRUST_FILES: Final = ("trust.json", "allowed_signers")
KEY_LIFE: Final = timedelta(days=730)

# Public on purpose: whoever sees one of these keys on a document knows that it proves nothing.
_DEMO_PACKET_SEED: Final = b"tieout demo key: packets        "
_DEMO_LOG_SEED: Final = b"tieout demo key: log            "
_DEMO_OPERATOR_SEEDS: Final = {
    "demo-operator-1": b"tieout demo key: operator one   ",
    "demo-operator-2": b"tieout demo key: operator two   ",
}
DEMO_OPERATORS: Final = tuple(_DEMO_OPERATOR_SEEDS)
_DEMO_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
_DEMO_UNTIL: Final = datetime(2100, 1, 1, tzinfo=UTC)


def demo_operator(name: str) -> KeySigner:
    """The signing key of one of the two demo operators."""
    return KeySigner.from_seed(_DEMO_OPERATOR_SEEDS[name])


def packet_signer(settings: Settings, home: Home) -> KeySigner:
    """The key that signs run packets and gate decisions of this home.

    A demo home uses the demo key. A test home without a key of its own makes one, so that a first
    run on test data needs no preparation. A live home must be given one.

    Raises:
        SettingError: No key, an unreadable key, or a demo key outside a demo home.
    """
    if home.mode == "demo":
        return KeySigner.from_seed(_DEMO_PACKET_SEED)
    path = settings.signing_key_file
    if path is None:
        path = home.keys / "packet.pem"
        if home.mode == "test" and not path.exists():
            return _create(path)
        if not path.exists():
            raise SettingError(
                got="no key to sign packets and decisions with",
                expected="TIEOUT_SIGNING_KEY_FILE naming a PKCS#8 Ed25519 private key",
                remedy="Run `tieout keys new FILE` and set TIEOUT_SIGNING_KEY_FILE to that file",
                code="signing_key_missing",
            )
    return load_signer(path, settings)


def load_signer(path: Path, settings: Settings) -> KeySigner:
    """A private key from a file, with the passphrase of the settings.

    Raises:
        SettingError: The file cannot be used, or holds a demo key.
    """
    passphrase = settings.signing_key_passphrase
    try:
        signer = load_key(path, passphrase.encode() if passphrase else None)
    except Refusal as refusal:
        raise SettingError(
            got=f"a key file that was refused: {refusal.detail}",
            expected="a PKCS#8 Ed25519 private key of mode 0600 that opens with "
            "TIEOUT_SIGNING_KEY_PASSPHRASE",
            remedy=refusal.remedy,
            code=refusal.code,
        ) from None
    if signer.keyid in _demo_keyids() and settings.mode != "demo":
        raise SettingError(
            got="a demo key for a home that is not a demo",
            expected="a key of your own: everybody has the demo keys",
            remedy="Run `tieout keys new FILE` and use that file",
            code="demo_key_refused",
        )
    return signer


def packet_log(settings: Settings, home: Home) -> PacketLog:
    """The append-only packet log of this home, under its own key.

    Raises:
        SettingError: The log's key cannot be read.
    """
    if home.mode == "demo":
        signer, origin = KeySigner.from_seed(_DEMO_LOG_SEED), DEMO_ORIGIN
    else:
        path = home.keys / "log.pem"
        signer = load_signer(path, settings) if path.exists() else _create(path)
        origin = DEFAULT_ORIGIN
    return PacketLog(home.packets / "log", settings.log_origin or origin, signer)


def trust_folder(home: Home) -> Path:
    """Where the files lie that an auditor is handed, over a channel of its own."""
    return home.root / "trust"


def trust_file(settings: Settings, home: Home, *, now: datetime) -> TrustFile:
    """The home's own trust file, written with its current keys when it does not name them yet.

    Beside `trust.json` lies `allowed_signers` for `ssh-keygen -Y verify`.
    """
    folder = trust_folder(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "trust.json"
    signer = packet_signer(settings, home)
    trust = load_trust(path) if path.exists() else None
    if trust is None or signer.keyid not in {key.keyid for key in trust.keys}:
        start, end = _window(home, now)
        older = trust.keys if trust else ()
        document = trust_document(
            (*older, trusted_key(signer, start, end)),
            TrustedLog(packet_log(settings, home).key),
            version=trust.version + 1 if trust else 1,
        )
        path.write_bytes(document)
        trust = load_trust(document)
        (folder / "allowed_signers").write_text(trust.allowed_signers(PRINCIPAL), encoding="ascii")
    return trust


def _window(home: Home, now: datetime) -> tuple[datetime, datetime]:
    if home.mode == "demo":
        return _DEMO_FROM, _DEMO_UNTIL
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + KEY_LIFE


def _create(path: Path) -> KeySigner:
    try:
        return create_key(path)
    except Refusal:
        # Another process made it between our look and our write.
        return load_key(path)


def _demo_keyids() -> set[str]:
    seeds = (_DEMO_PACKET_SEED, _DEMO_LOG_SEED, *_DEMO_OPERATOR_SEEDS.values())
    return {KeySigner.from_seed(seed).keyid for seed in seeds}
