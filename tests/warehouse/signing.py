"""A key that signs a test world's exports, and the trust file that names it.

Belongs here: throw-away keys of tests. Does not belong here: anything that verifies.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


def export_key() -> bytes:
    """A new private key as PKCS#8 PEM."""
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def write_trust(path: Path, private_pem: bytes) -> Path:
    """Writes a trust file that names the key's public half for every tenant."""
    public = load_pem_private_key(private_pem, None).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys = [{"keyid": hashlib.sha256(der).hexdigest(), "pem": pem.decode(), "tenants": ["*"]}]
    path.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    return path
