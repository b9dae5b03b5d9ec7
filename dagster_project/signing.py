"""Which key signs.

Belongs here: choosing the signer of a home, its log's key, and refusing demo keys outside a demo.
Does not belong here: whom to trust (`trusting.py`), or how anything is signed (`evidence`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dagster_project.home import Home
from dagster_project.settings import Settings
from evidence.errors import Refusal
from evidence.keys import KeySigner, create_key, load_key, signer_from_pem
from evidence.log import PacketLog
from evidence.signatures import Signer, is_signed, keyid_of
from ingest.errors import SettingError

__all__ = [
    "DEMO_OPERATORS",
    "demo_operator",
    "load_signer",
    "packet_log",
    "packet_signer",
]

DEFAULT_ORIGIN: Final = "tieout.local/packets"
DEMO_ORIGIN: Final = "tieout.demo/packets"

# Public on purpose: whoever sees one of these keys on a document knows that it proves nothing.
_DEMO_PACKET_SEED: Final = b"tieout demo key: packets        "
_DEMO_LOG_SEED: Final = b"tieout demo key: log            "
_DEMO_OPERATOR_SEEDS: Final = {
    "demo-operator-1": b"tieout demo key: operator one   ",
    "demo-operator-2": b"tieout demo key: operator two   ",
}
DEMO_OPERATORS: Final = tuple(_DEMO_OPERATOR_SEEDS)


def demo_operator(name: str) -> KeySigner:
    """The signing key of one of the two demo operators."""
    return KeySigner.from_seed(_DEMO_OPERATOR_SEEDS[name])


def packet_signer(settings: Settings, home: Home) -> Signer:
    """The key that signs run packets and gate decisions of this home.

    It comes from TIEOUT_SIGNER (a key service behind the `Signer` protocol), else as PEM from
    TIEOUT_SIGNING_KEY, else from TIEOUT_SIGNING_KEY_FILE. A demo home uses the demo key. A test
    home without a key of its own makes one, so that a first run on test data needs no preparation.
    A live home must be given one.

    Raises:
        SettingError: No key, an unreadable key, or a demo key outside a demo home.
    """
    if home.mode == "demo":
        return KeySigner.from_seed(_DEMO_PACKET_SEED)
    if settings.signer is not None:
        return _imported_signer(settings.signer)
    if settings.signing_key is not None:
        pem = settings.signing_key.encode()
        return _checked(lambda phrase: signer_from_pem(pem, phrase), settings)
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
    return _checked(lambda phrase: load_key(path, phrase), settings)


def _checked(load: Callable[[bytes | None], KeySigner], settings: Settings) -> KeySigner:
    passphrase = settings.signing_key_passphrase
    try:
        signer = load(passphrase.encode() if passphrase else None)
    except Refusal as refusal:
        raise SettingError(
            got=f"a signing key that was refused: {refusal.detail}",
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


def _imported_signer(name: str) -> Signer:
    """The signer that `module:function` gives, once it has signed a probe.

    Raises:
        SettingError: There is no such function, or what it gives does not sign as it claims.
    """
    module, _, function = name.partition(":")
    probe = b"tieout signer probe"
    try:
        signer: Signer = getattr(importlib.import_module(module), function)()
        good = keyid_of(signer.public_key) == signer.keyid
        good = good and is_signed(signer.public_key, signer.sign(probe), probe)
    except Exception as error:
        raise SettingError(
            got=f"TIEOUT_SIGNER whose function ended in {type(error).__name__}",
            expected="module:function that gives an object with keyid, public_key and sign",
            remedy="Correct TIEOUT_SIGNER; docs/operating.md shows such a function",
            code="signer_unusable",
        ) from None
    if not good:
        raise SettingError(
            got="TIEOUT_SIGNER with a key id or signature that is not its key's",
            expected="a pure Ed25519 signature (RFC 8032) by the key it names",
            remedy="Use an Ed25519 key, and not the prehashed variant",
            code="signer_unusable",
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


def _create(path: Path) -> KeySigner:
    try:
        return create_key(path)
    except Refusal:
        # Another process made it between our look and our write.
        return load_key(path)


def _demo_keyids() -> set[str]:
    seeds = (_DEMO_PACKET_SEED, _DEMO_LOG_SEED, *_DEMO_OPERATOR_SEEDS.values())
    return {KeySigner.from_seed(seed).keyid for seed in seeds}
