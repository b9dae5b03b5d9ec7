"""`tieout-witness`: a partner's word that a log only grew, and when it said so.

What belongs here: the request a log hands to a witness (C2SP tlog-witness, add-checkpoint), the
check against what the witness saw before, its cosignature, and its command line. What does not:
keeping the log (log.py), and trusting a witness (trust.py).

Exit codes: 0 cosigned, 1 refused, 2 misuse.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evidence import merkle, notes
from evidence.errors import Refusal, show
from evidence.keys import create_key, load_key
from evidence.signatures import Signer, b64_decode, b64_encode

MAX_REQUEST_BYTES = notes.MAX_NOTE_BYTES + (16 << 10)
PASSPHRASE_VARIABLE = "TIEOUT_WITNESS_KEY_PASSPHRASE"

_MAX_PROOF = 63
_HASH_BYTES = 32


def write_request(old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """What a witness is asked to cosign: a checkpoint, and how it follows from an older size."""
    lines = [f"old {old_size}", *(b64_encode(each) for each in proof)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint


def read_request(data: bytes) -> tuple[int, list[bytes], bytes]:
    """Old size, consistency proof and checkpoint note of a request, none of it authenticated.

    Raises:
        Refusal: `witness_request`, `b64`, `b64_not_canonical`.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise Refusal("witness_request", f"got {len(data)} bytes, expected a few hundred")
    head, separator, checkpoint = data.partition(b"\n\n")
    lines = head.decode("ascii", "replace").split("\n")
    if not separator or not lines[0].startswith("old ") or len(lines) - 1 > _MAX_PROOF:
        raise Refusal("witness_request", "got no request of a log")
    proof = [b64_decode(line) for line in lines[1:]]
    if any(len(each) != _HASH_BYTES for each in proof):
        raise Refusal("witness_request", "got a hash that is not 32 bytes long")
    return notes.parse_size(lines[0][4:], "witness_request"), proof, checkpoint


def check_request(
    data: bytes, log: notes.VerifierKey, seen: bytes | None
) -> tuple[notes.Checkpoint, bytes]:
    """The authenticated checkpoint of a request that extends everything seen before.

    Args:
        data: the request.
        log: the log's key, from the issuer's trust file.
        seen: the checkpoint note cosigned last; None for a first time.

    Returns:
        The checkpoint and its note.

    Raises:
        Refusal: `witness_memory` when the request starts from another size than the one seen;
            `consistency`, `consistency_size`: the log was rewritten or cut; `note_*`,
            `checkpoint_*`, `witness_request`.
    """
    old_size, proof, note = read_request(data)
    checkpoint = notes.open_checkpoint(note, log)
    before = notes.open_checkpoint(seen, log) if seen else None
    known = before.size if before else 0
    if old_size != known:
        raise Refusal(
            "witness_memory", f"got a request from size {old_size}, expected one from {known}"
        )
    if before is None or before.size == 0:
        if proof:
            raise Refusal("consistency", "got hashes for a log never seen, expected none")
    else:
        merkle.verify_consistency(before.size, before.root, checkpoint.size, checkpoint.root, proof)
    return checkpoint, note


def cosign(
    data: bytes, log: notes.VerifierKey, name: str, signer: Signer, memory: Path, now: datetime
) -> bytes:
    """Cosign a request, having remembered its checkpoint first.

    Args:
        data: the request.
        log: the log's key.
        name: the witness's own name.
        signer: the witness's own key.
        memory: the file that holds the checkpoint cosigned last; made on the first time.
        now: the witness's clock.

    Returns:
        One signature line for the issuer.

    Raises:
        Refusal: those of `check_request`, and `unreadable`.
    """
    _, note = check_request(data, log, _remembered(memory))
    # What is signed must never be forgotten: two branches could be cosigned otherwise.
    temporary = memory.with_name(f".{memory.name}.tmp")
    with temporary.open("wb") as file:
        file.write(note)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(memory)
    return notes.cosign_checkpoint(note, name, signer, int(now.timestamp()))


def _remembered(memory: Path) -> bytes | None:
    try:
        with memory.open("rb") as file:
            return file.read(notes.MAX_NOTE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refusal("unreadable", f"got {error.strerror} for {show(memory.name)}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tieout-witness`; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="tieout-witness",
        description="Cosign a Tieout packet log as a partner: prove that it only ever grew.",
        epilog=f"A key that is encrypted opens with {PASSPHRASE_VARIABLE}.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="make a witness key and print what the issuer needs")
    signing = commands.add_parser("cosign", help="check a request and answer it with a line")
    for command in (new, signing):
        command.add_argument("--name", required=True, help="your name, such as example.com/audit")
        command.add_argument("--key-file", required=True, type=Path)
    signing.add_argument("request", type=Path, help="the file the issuer sent")
    signing.add_argument("--log", required=True, help="the log's key: `vkey` in trust.json")
    signing.add_argument("--memory", required=True, type=Path, help="what was cosigned last")
    signing.add_argument("--out", required=True, type=Path, help="where the line is written")
    options = parser.parse_args(argv)
    try:
        return _new(options) if options.command == "new" else _cosign(options)
    except Refusal as refusal:
        print(f"REFUSED  {refusal.code}\n  {refusal.detail}.\n  What to do: {refusal.remedy}.")
        return 1


def _passphrase() -> bytes | None:
    return os.environ.get(PASSPHRASE_VARIABLE, "").encode() or None


def _new(options: argparse.Namespace) -> int:
    notes.make_key(options.name, notes.WITNESS_ALGORITHM, bytes(_HASH_BYTES))
    signer = create_key(options.key_file, _passphrase())
    print(notes.make_key(options.name, notes.WITNESS_ALGORITHM, signer.public_key))
    return 0


def _cosign(options: argparse.Namespace) -> int:
    log = notes.parse_key(options.log, notes.LOG_ALGORITHM)
    signer = load_key(options.key_file, _passphrase())
    try:
        with options.request.open("rb") as file:
            data = file.read(MAX_REQUEST_BYTES + 1)
    except OSError as error:
        raise Refusal("unreadable", f"got {error.strerror} for the request") from None
    now = datetime.now(UTC)
    line = cosign(data, log, options.name, signer, options.memory, now)
    options.out.write_bytes(line)
    size = notes.open_checkpoint(read_request(data)[2], log).size
    print(f"COSIGNED  {size} entries of {log.name} at {now:%Y-%m-%dT%H:%M:%SZ}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
