"""Private keys in files: created, loaded, and described to those who must trust them.

What belongs here: PKCS#8 PEM files of mode 0600 (encrypted when a passphrase is given), the
signer over such a key, and the public forms an auditor is handed. What does not: deciding whom to
trust (trust.py), and where keys lie (the caller's setting).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from evidence.errors import Refusal, show
from evidence.signatures import SSHSIG_NAMESPACE, keyid_of, openssh_key

_MAX_KEY_FILE_BYTES = 16 << 10
_TOO_OPEN = stat.S_IWGRP | stat.S_IRWXO


class KeySigner:
    """A `Signer` over an Ed25519 private key held in memory."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self._public_key = private_key.public_key().public_bytes_raw()
        self._keyid = keyid_of(self._public_key)

    @classmethod
    def from_seed(cls, seed: bytes) -> KeySigner:
        """The signer over the key that these 32 bytes are the seed of."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def keyid(self) -> str:
        """Hex sha256 of the DER SubjectPublicKeyInfo."""
        return self._keyid

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte public key."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature over `message`."""
        return self._private_key.sign(message)

    def __repr__(self) -> str:
        return f"KeySigner(keyid={self._keyid!r})"


def create_key(path: Path, passphrase: bytes | None = None) -> KeySigner:
    """Make a key and write it to a new file of mode 0600.

    Args:
        path: where to write; the parent exists, the file must not.
        passphrase: encrypts the file when given and not empty.

    Raises:
        Refusal: `key_file_exists`: a key is never overwritten.
    """
    return write_key(path, Ed25519PrivateKey.generate(), passphrase)


def write_key(
    path: Path, private_key: Ed25519PrivateKey, passphrase: bytes | None = None
) -> KeySigner:
    """Write an existing private key to a new file of mode 0600, as `create_key` does."""
    pem = private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption(),
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refusal("key_file_exists", f"got {path.name}, expected a new file name") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return KeySigner(private_key)


def load_key(path: Path, passphrase: bytes | None = None) -> KeySigner:
    """Read a PKCS#8 PEM private key from a file that others cannot read.

    Raises:
        Refusal: `unreadable`, `key_file_mode`, `key_file_type`, `key_file_passphrase`.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(_MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise Refusal("unreadable", f"got {error.strerror} for {show(path.name)}") from None
    if os.name == "posix" and mode & _TOO_OPEN:
        raise Refusal(
            "key_file_mode", f"got mode {stat.S_IMODE(mode):04o} for {path.name}, expected 0600"
        )
    return signer_from_pem(pem, passphrase)


def signer_from_pem(pem: bytes, passphrase: bytes | None = None) -> KeySigner:
    """A signer over a PKCS#8 PEM private key.

    Raises:
        Refusal: `key_file_type`, `key_file_passphrase`.
    """
    if len(pem) > _MAX_KEY_FILE_BYTES:
        raise Refusal("key_file_type", f"got {len(pem)} bytes, expected a private key in PEM")
    try:
        key = serialization.load_pem_private_key(pem, passphrase or None)
    except TypeError:
        state = "no passphrase for an encrypted key" if not passphrase else "a needless passphrase"
        raise Refusal("key_file_passphrase", f"got {state}") from None
    except (ValueError, UnsupportedAlgorithm):
        encrypted = b"ENCRYPTED" in pem
        code = "key_file_passphrase" if encrypted else "key_file_type"
        raise Refusal(code, "got a key file that does not open with what was given") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refusal("key_file_type", f"got {type(key).__name__}, expected an Ed25519 key")
    return KeySigner(key)


def public_key_from_pem(pem: str) -> bytes:
    """The raw bytes of an Ed25519 public key in PEM; anything else is `trust_key_type`."""
    if len(pem) > _MAX_KEY_FILE_BYTES:
        raise Refusal("trust_key_type", "got a PEM that is too long for a public key")
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Refusal("trust_key_type", "got no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Refusal("trust_key_type", f"got {type(key).__name__}, expected an Ed25519 key")
    return key.public_bytes_raw()


def public_key_pem(public_key: bytes) -> str:
    """A raw Ed25519 public key as SubjectPublicKeyInfo PEM."""
    keyid_of(public_key)
    encoded = Ed25519PublicKey.from_public_bytes(public_key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode("ascii")


def allowed_signers_line(
    public_key: bytes,
    principal: str,
    valid_after: datetime | None = None,
    valid_before: datetime | None = None,
    namespaces: Iterable[str] = (SSHSIG_NAMESPACE,),
) -> str:
    """One line of the `allowed_signers` file that `ssh-keygen -Y verify` reads.

    Args:
        public_key: raw 32 bytes.
        principal: whom the key speaks for, such as `packets@example.test`; no white space.
        valid_after: start of the key's window, UTC; the day counts.
        valid_before: end of the key's window, UTC; the day counts.
        namespaces: signature namespaces the key may sign in.
    """
    if not principal or any(c.isspace() or c in '",' for c in principal):
        raise Refusal("key_principal", f"got {show(principal)}, expected a name without spaces")
    options = [f'namespaces="{",".join(namespaces)}"']
    for name, moment in (("valid-after", valid_after), ("valid-before", valid_before)):
        if moment is not None:
            options.append(f'{name}="{moment.astimezone(UTC):%Y%m%d%H%M%SZ}"')
    return f"{principal} {','.join(options)} {openssh_key(public_key)}\n"
