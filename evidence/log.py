"""The packet log on disk: append-only entries under a signed checkpoint.

What belongs here: one folder holding the entries and the newest checkpoint, the lock around it,
the recovery from a crash between the two, proofs, and witness cosignatures. What does not: the
arithmetic (merkle.py), the texts (notes.py, proof.py). POSIX only; verifying needs none of it.

Files: `entries.ndjson` (one statement a line, the very bytes), `checkpoint` (signed note),
`cosignatures.ndjson` (witness lines by tree size), `lock`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evidence import canonical, merkle, notes, schema
from evidence.errors import Refusal, show
from evidence.proof import write_proof
from evidence.signatures import Signer
from evidence.statement import MAX_STATEMENT_BYTES

MAX_LOG_BYTES = 1 << 30


class PacketLog:
    """An append-only log of statements for all tenants.

    Args:
        folder: created with mode 0700 when absent.
        origin: the log's permanent name, such as `tieout.example.test/log`; fixed by the first
            entry.
        signer: the log's own key, which signs checkpoints.
    """

    def __init__(self, folder: Path, origin: str, signer: Signer) -> None:
        self._folder = folder
        self._signer = signer
        self.key = notes.make_key(origin, notes.LOG_ALGORITHM, signer.public_key)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, statement: bytes) -> int:
        """Record a statement durably; one already recorded is found, not repeated.

        Returns:
            The entry's index.

        Raises:
            Refusal: `log_entry` for bytes that cannot be one line, `log_tampered` and
                `log_origin` when the folder does not hold what its checkpoint says.
        """
        if not statement or b"\n" in statement or len(statement) > MAX_STATEMENT_BYTES:
            raise Refusal("log_entry", f"got {len(statement)} bytes, expected a statement's line")
        with self._locked():
            entries = self._recover()
            if statement in entries:
                index = entries.index(statement)
            else:
                index = len(entries)
                _append_line(self._folder / "entries.ndjson", statement)
                entries.append(statement)
            self._publish(entries)
            return index

    def size(self) -> int:
        """Number of entries under the newest checkpoint."""
        return len(self._entries())

    def entries(self) -> list[bytes]:
        """Every recorded statement, in order."""
        return self._entries()

    def checkpoint(self) -> bytes:
        """The newest checkpoint with every cosignature it has received."""
        return self._note(self._entries())

    def proof(self, index: int, size: int | None = None) -> bytes:
        """The tlog-proof of an entry, for a packet or an auditor.

        Args:
            index: the entry.
            size: tree size to prove against; by default the smallest that some witness
                cosigned, else the tree as it was when the entry was recorded. So the answer
                does not change as the log grows.
        """
        entries = self._entries()
        if size is None:
            cosigned = (n for n in sorted(self._cosignatures()) if index < n <= len(entries))
            size = next(cosigned, index + 1)
        if not 0 <= index < size <= len(entries):
            raise Refusal("proof_index", f"got index {index} and size {size} of {len(entries)}")
        leaves = [merkle.leaf_hash(entry) for entry in entries[:size]]
        return write_proof(index, merkle.inclusion_path(leaves, index), self._note(entries[:size]))

    def consistency(self, from_size: int) -> list[bytes]:
        """Hashes that show a partner that its checkpoint is a prefix of the newest."""
        leaves = [merkle.leaf_hash(entry) for entry in self._entries()]
        return merkle.consistency_proof(leaves, from_size)

    def add_cosignature(self, line: bytes, witness: notes.VerifierKey) -> None:
        """Keep a witness's signature line over the newest checkpoint.

        Raises:
            Refusal: `note_*` when the line does not verify, `witness_quorum` when it is another
                witness's.
        """
        with self._locked():
            entries = self._entries()
            note = self._note(entries)
            opened = notes.open_checkpoint(note + line, self.key, [witness])
            notes.trusted_time(opened.cosignatures, 1)
            record = canonical.dumps({"line": line.decode(), "size": len(entries)})
            if record not in _lines(self._folder / "cosignatures.ndjson"):
                _append_line(self._folder / "cosignatures.ndjson", record)

    def take_cosignature(self, line: bytes, witnesses: Sequence[notes.VerifierKey]) -> str:
        """Keep the line of whichever trusted witness signed the newest checkpoint; its name.

        Raises:
            Refusal: `note_*`, and `witness_unknown` when no trusted witness signed it.
        """
        for witness in witnesses:
            if line.startswith(f"\u2014 {witness.name} ".encode()):
                self.add_cosignature(line, witness)
                return witness.name
        raise Refusal("witness_unknown", "got a line of nobody whom trust.json names as a witness")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _recover(self) -> list[bytes]:
        """Entries after dropping a torn last line, which no checkpoint can cover."""
        path = self._folder / "entries.ndjson"
        data = _read(path)
        kept = data.rfind(b"\n") + 1
        entries = data[:kept].split(b"\n")[:-1]
        self._check(entries)
        if kept != len(data):
            with path.open("r+b") as file:
                file.truncate(kept)
                file.flush()
                os.fsync(file.fileno())
        return entries

    def _entries(self) -> list[bytes]:
        entries = _lines(self._folder / "entries.ndjson")
        return entries[: self._check(entries)]

    def _check(self, entries: list[bytes]) -> int:
        """Size of the newest checkpoint, once the entries are found to bear it out."""
        note = _read(self._folder / "checkpoint")
        if not note:
            size, root = 0, merkle.EMPTY_ROOT
        else:
            origin = note.partition(b"\n")[0].decode("utf-8", "replace")
            if origin != self.key.name:
                raise Refusal(
                    "log_origin", f"got a log of {show(origin)}, expected {show(self.key.name)}"
                )
            opened = notes.open_checkpoint(note, self.key)
            size, root = opened.size, opened.root
        # A crash between entry and checkpoint leaves exactly one entry more; nothing else does.
        if not size <= len(entries) <= size + 1:
            raise Refusal(
                "log_tampered", f"got {len(entries)} entries under a checkpoint of {size}"
            )
        if merkle.root(merkle.leaf_hash(entry) for entry in entries[:size]) != root:
            raise Refusal("log_tampered", "got entries that do not lead to the checkpoint's root")
        return size

    def _publish(self, entries: list[bytes]) -> None:
        target, temporary = self._folder / "checkpoint", self._folder / "checkpoint.new"
        note = self._bare_note(entries)
        if _read(target) == note:
            return
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(self._folder)

    def _bare_note(self, entries: list[bytes]) -> bytes:
        root = merkle.root(merkle.leaf_hash(entry) for entry in entries)
        return notes.sign_checkpoint(self.key.name, len(entries), root, self._signer)

    def _note(self, entries: list[bytes]) -> bytes:
        lines = self._cosignatures().get(len(entries), [])
        kept = lines[: notes.MAX_NOTE_SIGNATURES - 1]
        return self._bare_note(entries) + b"".join(kept)

    def _cosignatures(self) -> dict[int, list[bytes]]:
        lines: dict[int, list[bytes]] = {}
        for record in _lines(self._folder / "cosignatures.ndjson"):
            fields = schema.members(canonical.loads_strict(record), ("line", "size"), "log_entry")
            size = schema.integer(fields["size"], "log_entry", "size")
            line = schema.text(fields["line"], "log_entry", "line", 1024)
            lines.setdefault(size, []).append(line.encode())
        return lines


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LOG_BYTES + 1)
    except FileNotFoundError:
        return b""
    if len(data) > MAX_LOG_BYTES:
        raise Refusal("log_too_big", f"got over {MAX_LOG_BYTES} bytes in {path.name}")
    return data


def _lines(path: Path) -> list[bytes]:
    return _read(path).split(b"\n")[:-1]


def _append_line(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
