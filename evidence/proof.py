"""The tlog-proof (C2SP) that travels inside a packet: an entry's place in the packet log.

What belongs here: writing, reading and checking `c2sp.org/tlog-proof@v1`. What does not: keeping
the log (log.py) or deciding which logs are trusted (trust.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evidence import merkle, notes
from evidence.errors import Refusal
from evidence.signatures import b64_decode, b64_encode

MAX_PROOF_BYTES = 128 << 10
MAX_PATH = 64

_HEADER = "c2sp.org/tlog-proof@v1"
_HASH_BYTES = 32


@dataclass(frozen=True)
class LogPosition:
    """Where an entry stands in an authenticated log, and who witnessed it."""

    index: int
    size: int
    root: bytes
    witnesses: tuple[str, ...]
    trusted_time: int | None


def write_proof(index: int, path: Sequence[bytes], checkpoint: bytes) -> bytes:
    """The proof that the entry at `index` is in the tree of the checkpoint note."""
    lines = [_HEADER, f"index {index}", *(b64_encode(sibling) for sibling in path)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint


def read_proof(data: bytes) -> tuple[int, list[bytes], bytes]:
    """Index, inclusion path and checkpoint note of a proof, none of it authenticated.

    Raises:
        Refusal: `proof_format`, `b64`, `b64_not_canonical`.
    """
    if len(data) > MAX_PROOF_BYTES:
        raise Refusal("proof_format", f"got {len(data)} bytes, expected {MAX_PROOF_BYTES} at most")
    head, separator, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Refusal("proof_format", "got a header that is not ASCII") from None
    if not separator or lines[0] != _HEADER or not lines[1:] or lines[1][:6] != "index ":
        raise Refusal("proof_format", f"got no {_HEADER} with its index line")
    index, path = notes.parse_size(lines[1][6:], "proof_format"), lines[2:]
    if len(path) > MAX_PATH:
        raise Refusal("proof_format", f"got {len(path)} hashes, expected at most {MAX_PATH}")
    hashes = [b64_decode(line) for line in path]
    if any(len(sibling) != _HASH_BYTES for sibling in hashes):
        raise Refusal("proof_format", "got a hash that is not 32 bytes long")
    return index, hashes, checkpoint


def verify_proof(
    data: bytes,
    entry: bytes,
    log: notes.VerifierKey,
    witnesses: Sequence[notes.VerifierKey] = (),
    quorum: int = 0,
) -> LogPosition:
    """Check that `entry` is in the log, under a checkpoint that enough witnesses cosigned.

    Raises:
        Refusal: `proof_*`, `note_*`, `checkpoint_*`, `witness_quorum`, `b64*`.
    """
    index, path, note = read_proof(data)
    checkpoint = notes.open_checkpoint(note, log, witnesses)
    merkle.verify_inclusion(merkle.leaf_hash(entry), index, checkpoint.size, path, checkpoint.root)
    time = notes.trusted_time(checkpoint.cosignatures, quorum)
    names = tuple(c.witness.name for c in checkpoint.cosignatures)
    return LogPosition(index, checkpoint.size, checkpoint.root, names, time)
