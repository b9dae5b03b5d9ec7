"""Signed notes and checkpoints (C2SP): what a log says about itself and who cosigned it.

What belongs here: verifier keys (vkeys), the note format, the checkpoint body, log signatures and
Ed25519 witness cosignatures. What does not: Merkle arithmetic and the log's files.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evidence.errors import Refusal, show
from evidence.signatures import Signer, b64_decode, b64_encode, is_signed

LOG_ALGORITHM = 0x01
WITNESS_ALGORITHM = 0x04
MAX_NOTE_BYTES = 64 << 10
MAX_NOTE_SIGNATURES = 16

_NAME = re.compile(r"[!-*,-~]{1,255}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,14}")
_DASH = "\u2014"
_KEY_BYTES = 32
_ID_BYTES = 4
_HASH_BYTES = 32
_SIGNATURE_BYTES = 64
_TIME_BYTES = 8


@dataclass(frozen=True)
class VerifierKey:
    """A key as C2SP configures it: who, with which algorithm, under which key."""

    name: str
    algorithm: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that select this key in a signature line."""
        material = bytes([self.algorithm]) + self.public_key
        return hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        key = b64_encode(bytes([self.algorithm]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{key}"


@dataclass(frozen=True)
class Cosignature:
    """One witness's word that it saw the checkpoint at a time."""

    witness: VerifierKey
    unix_seconds: int


@dataclass(frozen=True)
class Checkpoint:
    """An authenticated checkpoint and the trusted witnesses that cosigned it."""

    origin: str
    size: int
    root: bytes
    cosignatures: tuple[Cosignature, ...] = ()


def make_key(name: str, algorithm: int, public_key: bytes) -> VerifierKey:
    """A verifier key over a raw public key; a name with spaces or `+` is refused."""
    if not _NAME.fullmatch(name):
        raise Refusal("vkey", f"got name {show(name)}, expected visible ASCII without plus")
    return VerifierKey(name, algorithm, public_key)


def parse_key(text: object, algorithm: int) -> VerifierKey:
    """Read a vkey of the given algorithm, recomputing its id.

    Raises:
        Refusal: `vkey`, `b64`, `b64_not_canonical`.
    """
    parts = text.split("+", 2) if type(text) is str else []
    if len(parts) != 3:
        raise Refusal("vkey", f"got {show(text)}, expected name+id+key")
    name, key_id, encoded = parts
    material = b64_decode(encoded)
    if len(material) != 1 + _KEY_BYTES or material[0] != algorithm:
        raise Refusal("vkey", f"got key {show(encoded)}, expected Ed25519 of type {algorithm}")
    key = make_key(name, algorithm, material[1:])
    if key.key_id.hex() != key_id:
        raise Refusal("vkey", f"got id {show(key_id)}, expected {key.key_id.hex()}")
    return key


def checkpoint_body(origin: str, size: int, root: bytes) -> bytes:
    """The three lines that a log signs and witnesses cosign."""
    return f"{origin}\n{size}\n{b64_encode(root)}\n".encode()


def sign_checkpoint(origin: str, size: int, root: bytes, signer: Signer) -> bytes:
    """A checkpoint note signed by the log's key."""
    key = make_key(origin, LOG_ALGORITHM, signer.public_key)
    body = checkpoint_body(origin, size, root)
    return body + b"\n" + _signature_line(key, signer.sign(body))


def cosign_checkpoint(note: bytes, name: str, signer: Signer, unix_seconds: int) -> bytes:
    """The line a witness adds to a checkpoint it has found consistent with all it saw before.

    Args:
        note: the checkpoint note; its body is what is cosigned.
        name: the witness's name.
        signer: the witness's own key.
        unix_seconds: the witness's clock.

    Returns:
        One signature line, final newline included.
    """
    key = make_key(name, WITNESS_ALGORITHM, signer.public_key)
    body, _ = _split_note(note)
    signature = signer.sign(_cosigned(body, unix_seconds))
    return _signature_line(key, struct.pack(">Q", unix_seconds) + signature)


def open_checkpoint(
    note: bytes, log: VerifierKey, witnesses: Iterable[VerifierKey] = ()
) -> Checkpoint:
    """Authenticate a checkpoint note.

    Signature lines of unknown signers are ignored; a line that names a trusted key must verify.

    Raises:
        Refusal: `note_utf8`, `note_format`, `note_signatures`, `note_bad_signature`,
            `note_no_log_signature`, `checkpoint_format`, `checkpoint_origin`,
            `checkpoint_size`, `checkpoint_root`, `b64`, `b64_not_canonical`.
    """
    body, lines = _split_note(note)
    known = {(w.name, w.key_id): w for w in witnesses}
    cosignatures: dict[bytes, Cosignature] = {}
    log_signed = False
    for name, key_id, signature in (_parse_line(line) for line in lines):
        if (name, key_id) == (log.name, log.key_id):
            _must_verify(log, signature, body)
            log_signed = True
        elif (name, key_id) in known:
            seen = _open_cosignature(known[name, key_id], signature, body)
            earlier = cosignatures.get(seen.witness.public_key)
            # One key is one witness; of its several times the later promises less.
            if earlier is None or earlier.unix_seconds < seen.unix_seconds:
                cosignatures[seen.witness.public_key] = seen
    if not log_signed:
        raise Refusal("note_no_log_signature", f"got no signature of log {show(log.name)}")
    size, root = _parse_body(body, log.name)
    ordered = sorted(cosignatures.values(), key=lambda c: (c.unix_seconds, c.witness.name))
    return Checkpoint(log.name, size, root, tuple(ordered))


def trusted_time(cosignatures: Sequence[Cosignature], quorum: int) -> int | None:
    """The quorum-th earliest witness time in unix seconds; None where no quorum is asked for.

    The earliest alone would let a single lying witness back-date a packet.
    """
    if quorum < 1:
        return None
    if len(cosignatures) < quorum:
        raise Refusal("witness_quorum", f"got {len(cosignatures)} witnesses, expected {quorum}")
    return sorted(c.unix_seconds for c in cosignatures)[quorum - 1]


def parse_size(text: str, code: str) -> int:
    """A size or index in ASCII decimal without leading zeros."""
    if not _SIZE.fullmatch(text):
        raise Refusal(code, f"got {show(text)}, expected plain decimal digits")
    return int(text)


def _split_note(note: bytes) -> tuple[bytes, list[str]]:
    if len(note) > MAX_NOTE_BYTES:
        raise Refusal("note_format", f"got {len(note)} bytes, expected {MAX_NOTE_BYTES} at most")
    try:
        text = note.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Refusal("note_utf8", "got invalid UTF-8") from None
    if any(c < " " and c != "\n" for c in text):
        raise Refusal("note_format", "got a control character")
    body, separator, tail = text.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise Refusal("note_format", "got no blank line before the signatures or no final newline")
    # Lines end in 0x0A alone; str.splitlines would also split on U+0085 and U+2028.
    lines = tail[:-1].split("\n")
    if not 1 <= len(lines) <= MAX_NOTE_SIGNATURES:
        raise Refusal("note_signatures", f"got {len(lines)}, expected at most 16")
    return (body + "\n").encode(), lines


def _parse_line(line: str) -> tuple[str, bytes, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH or not parts[1]:
        raise Refusal("note_format", f"got signature line {show(line)}")
    raw = b64_decode(parts[2])
    if len(raw) <= _ID_BYTES:
        raise Refusal("note_format", f"got a signature of {len(raw)} bytes")
    return parts[1], raw[:_ID_BYTES], raw[_ID_BYTES:]


def _parse_body(body: bytes, origin: str) -> tuple[int, bytes]:
    lines = body.decode().split("\n")
    if len(lines) != 4:
        raise Refusal("checkpoint_format", f"got {len(lines) - 1} lines, expected 3")
    if lines[0] != origin:
        raise Refusal("checkpoint_origin", f"got {show(lines[0])}, expected {show(origin)}")
    size, root = parse_size(lines[1], "checkpoint_size"), b64_decode(lines[2])
    if len(root) != _HASH_BYTES:
        raise Refusal("checkpoint_root", f"got {len(root)} bytes, expected 32")
    return size, root


def _open_cosignature(witness: VerifierKey, signature: bytes, body: bytes) -> Cosignature:
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        raise Refusal("note_bad_signature", f"got {len(signature)} bytes, expected 72")
    (unix_seconds,) = struct.unpack(">Q", signature[:_TIME_BYTES])
    _must_verify(witness, signature[_TIME_BYTES:], _cosigned(body, unix_seconds))
    return Cosignature(witness, unix_seconds)


def _must_verify(key: VerifierKey, signature: bytes, message: bytes) -> None:
    if not is_signed(key.public_key, signature, message):
        raise Refusal("note_bad_signature", f"got a signature that {show(key.name)} never made")


def _cosigned(body: bytes, unix_seconds: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % unix_seconds + body


def _signature_line(key: VerifierKey, signature: bytes) -> bytes:
    return f"{_DASH} {key.name} {b64_encode(key.key_id + signature)}\n".encode()
