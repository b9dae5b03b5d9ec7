"""Public keys as PEM text, and the id that names one.

Belongs here: the key id of the packet format (hex SHA-256 over the DER SubjectPublicKeyInfo), taken
from PEM text by plain decoding, so that a registry can be checked without any cryptography. Does
not belong here: verifying a signature (the evidence floor does that and is passed in).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

__all__ = ["MAX_PEM_BYTES", "pem_keyid"]

MAX_PEM_BYTES: Final = 4096
_ED25519_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")
_DER_BYTES: Final = 44
_ARMOUR: Final = re.compile(
    r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*"
)


def pem_keyid(pem: str) -> str | None:
    """The id of an Ed25519 public key in PEM, or None when the text is no such key."""
    armoured = _ARMOUR.fullmatch(pem) if len(pem) <= MAX_PEM_BYTES else None
    if armoured is None:
        return None
    try:
        der = base64.b64decode("".join(armoured[1].split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(der) != _DER_BYTES or not der.startswith(_ED25519_PREFIX):
        return None
    return hashlib.sha256(der).hexdigest()
