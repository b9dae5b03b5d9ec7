"""Ed25519 signatures in their two envelopes: DSSE for tools, SSHSIG for `ssh-keygen`.

What belongs here: the signer interface, key ids, strict base64, the DSSE envelope and the SSHSIG
armour, each made and checked byte for byte. What does not: which keys are trusted (trust.py) and
where private keys lie (keys.py).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evidence import canonical, schema
from evidence.errors import Refusal, show

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SSHSIG_NAMESPACE = "tieout-run-packet-v1"
MAX_ENVELOPE_BYTES = 64 << 10
MAX_SIGNATURES = 8

_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
_ARMOUR_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_ARMOUR_END = b"-----END SSH SIGNATURE-----\n"
_ARMOUR_WIDTH = 70
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64


class Signer(Protocol):
    """What can sign: a key in a file, or one in a KMS that never leaves it."""

    @property
    def keyid(self) -> str:
        """Hex sha256 of the DER SubjectPublicKeyInfo."""

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes of the public key; SSHSIG and signed notes name it."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a pure Ed25519 signature (RFC 8032) over `message`."""


@dataclass(frozen=True)
class Envelope:
    """An authenticated envelope: its payload and the trusted keys that signed it."""

    payload: bytes
    keyids: tuple[str, ...]


def keyid_of(public_key: bytes) -> str:
    """The id of a raw 32-byte Ed25519 public key: hex sha256 of its DER form."""
    if len(public_key) != _KEY_BYTES:
        raise Refusal("trust_key_type", f"got {len(public_key)} key bytes, expected {_KEY_BYTES}")
    return hashlib.sha256(_SPKI_PREFIX + public_key).hexdigest()


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is the raw key's Ed25519 signature over `message`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def b64_encode(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def b64_decode(text: object) -> bytes:
    """Strict standard base64: the one spelling of the bytes, or `b64`, `b64_not_canonical`."""
    if type(text) is not str:
        raise Refusal("b64", f"got {show(text)}, expected a base64 string")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("b64", f"got {show(text)}, expected standard base64") from None
    if b64_encode(data) != text:
        raise Refusal("b64_not_canonical", f"got {show(text)}, expected zero trailing bits")
    return data


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign_envelope(
    payload: bytes, signers: Iterable[Signer], payload_type: str = PAYLOAD_TYPE
) -> bytes:
    """A DSSE envelope over `payload` as canonical JSON, signatures sorted by key id."""
    message = pae(payload, payload_type)
    signatures = [{"keyid": s.keyid, "sig": b64_encode(s.sign(message))} for s in signers]
    signatures.sort(key=lambda entry: entry["keyid"])
    return canonical.dumps(
        {
            "payload": b64_encode(payload),
            "payloadType": payload_type,
            "signatures": signatures,
        }
    )


def open_envelope(
    data: bytes, payload_type: str = PAYLOAD_TYPE, max_bytes: int = MAX_ENVELOPE_BYTES
) -> tuple[bytes, list[dict[str, object]]]:
    """Read an envelope's form without trusting a word of it.

    Returns:
        The payload bytes and the signature entries, both unauthenticated.
    """
    document = canonical.loads_strict(data, max_bytes)
    fields = schema.members(document, ("payload", "payloadType", "signatures"), "envelope_fields")
    if fields["payloadType"] != payload_type:
        raise Refusal(
            "payload_type", f"got {show(fields['payloadType'])}, expected {show(payload_type)}"
        )
    payload = b64_decode(fields["payload"])
    entries = fields["signatures"]
    if type(entries) is not list or not entries:
        raise Refusal("no_signatures", "got no list of signatures, expected at least one")
    if len(entries) > MAX_SIGNATURES:
        raise Refusal(
            "too_many_signatures", f"got {len(entries)}, expected at most {MAX_SIGNATURES}"
        )
    return payload, [schema.members(e, ("keyid", "sig"), "signature_fields") for e in entries]


def verify_envelope(
    data: bytes,
    keys: Mapping[str, bytes],
    threshold: int = 1,
    payload_type: str = PAYLOAD_TYPE,
    max_bytes: int = MAX_ENVELOPE_BYTES,
) -> Envelope:
    """Authenticate a DSSE envelope before anything parses its payload.

    Args:
        data: the envelope as canonical JSON.
        keys: trusted raw public keys by key id; signers not in it are ignored.
        threshold: distinct trusted keys that must have signed, counted by key material.
        payload_type: the one payload type accepted.
        max_bytes: largest envelope accepted.

    Raises:
        Refusal: `envelope_fields`, `payload_type`, `no_signatures`, `too_many_signatures`,
            `signature_fields`, `signature_length`, `bad_signature`, `untrusted_key`,
            `threshold`, `b64`, `b64_not_canonical`, `json_*`.
    """
    payload, entries = open_envelope(data, payload_type, max_bytes)
    if threshold < 1:
        raise Refusal("threshold", f"got threshold {threshold}, expected at least 1")
    message, keyids, material = pae(payload, payload_type), list[str](), set[bytes]()
    for entry in entries:
        keyid, signature = entry["keyid"], b64_decode(entry["sig"])
        if type(keyid) is not str:
            raise Refusal("signature_fields", f"got keyid {show(keyid)}, expected a string")
        if keyid not in keys:
            continue
        if len(signature) != _SIGNATURE_BYTES:
            raise Refusal("signature_length", f"got {len(signature)} bytes, expected 64")
        if not is_signed(keys[keyid], signature, message):
            raise Refusal("bad_signature", f"got a signature that key {keyid} never made")
        material.add(keys[keyid])
        keyids.append(keyid)
    if not keyids:
        raise Refusal("untrusted_key", "got no signature of a key trusted for this, expected one")
    # Key material is counted, never entries or ids: one key listed twice is one signer.
    if len(material) < threshold:
        raise Refusal("threshold", f"got {len(material)} distinct keys, expected {threshold}")
    return Envelope(payload, tuple(sorted(set(keyids))))


def sign_sshsig(message: bytes, signer: Signer, namespace: str = SSHSIG_NAMESPACE) -> bytes:
    """An armoured SSHSIG over `message`, byte-equal to what `ssh-keygen -Y sign` writes."""
    signature = signer.sign(_sshsig_signed(message, namespace))
    return _armour(_sshsig_blob(signer.public_key, signature, namespace))


def verify_sshsig(
    data: bytes,
    message: bytes,
    keys: Collection[bytes],
    namespace: str = SSHSIG_NAMESPACE,
) -> bytes:
    """Check an armoured SSHSIG against trusted raw public keys.

    Returns:
        The raw public key that signed.

    Raises:
        Refusal: `sshsig_format`, `sshsig_untrusted_key`, `sshsig_bad_signature`,
            `sshsig_not_canonical`.
    """
    if len(data) > MAX_ENVELOPE_BYTES:
        raise Refusal("sshsig_format", f"got {len(data)} bytes, expected a few hundred")
    if not (data.startswith(_ARMOUR_BEGIN) and data.endswith(_ARMOUR_END)):
        raise Refusal("sshsig_format", "got no SSH SIGNATURE armour")
    body = data[len(_ARMOUR_BEGIN) : -len(_ARMOUR_END)].replace(b"\n", b"")
    try:
        blob = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("sshsig_format", "got armour that holds no base64") from None
    signature = blob[-_SIGNATURE_BYTES:]
    # The one valid blob is rebuilt around the signature instead of parsing a foreign one: other
    # keys, namespaces, hashes and versions all fail the same comparison.
    for key in keys:
        if _sshsig_blob(key, signature, namespace) == blob:
            break
    else:
        raise Refusal("sshsig_untrusted_key", "got a signature of another key or namespace")
    if not is_signed(key, signature, _sshsig_signed(message, namespace)):
        raise Refusal("sshsig_bad_signature", "got a signature over other bytes")
    if _armour(blob) != data:
        raise Refusal("sshsig_not_canonical", "got armour that ssh-keygen would not write")
    return key


def openssh_key(public_key: bytes) -> str:
    """The public key as OpenSSH writes it: type, space, base64."""
    return f"ssh-ed25519 {b64_encode(ssh_public_key(public_key))}"


def ssh_string(data: bytes) -> bytes:
    """`data` behind its length, as SSH writes a string."""
    return struct.pack(">I", len(data)) + data


def ssh_public_key(public_key: bytes) -> bytes:
    """A raw Ed25519 public key as SSH writes one."""
    return ssh_string(b"ssh-ed25519") + ssh_string(public_key)


def _sshsig_signed(message: bytes, namespace: str) -> bytes:
    head = b"SSHSIG" + ssh_string(namespace.encode()) + ssh_string(b"") + ssh_string(b"sha512")
    return head + ssh_string(hashlib.sha512(message).digest())


def _sshsig_blob(public_key: bytes, signature: bytes, namespace: str) -> bytes:
    return (
        b"SSHSIG"
        + struct.pack(">I", 1)
        + ssh_string(ssh_public_key(public_key))
        + ssh_string(namespace.encode())
        + ssh_string(b"")
        + ssh_string(b"sha512")
        + ssh_string(ssh_string(b"ssh-ed25519") + ssh_string(signature))
    )


def _armour(blob: bytes) -> bytes:
    text = base64.b64encode(blob)
    lines = [text[i : i + _ARMOUR_WIDTH] for i in range(0, len(text), _ARMOUR_WIDTH)]
    return _ARMOUR_BEGIN + b"".join(line + b"\n" for line in lines) + _ARMOUR_END
