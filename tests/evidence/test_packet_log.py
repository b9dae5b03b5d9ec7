"""The packet log on disk: append-only, found again, crash-safe, and loud when tampered with."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evidence import log as packet_log
from evidence import merkle, notes, proof
from evidence.build import build_packet
from evidence.log import PacketLog


def filled(forge, count: int = 5) -> PacketLog:
    log = forge.log()
    for number in range(count):
        assert log.append(b'{"n":%d}' % number) == number
    return log


def test_a_statement_is_recorded_once(forge) -> None:
    log = filled(forge)
    assert log.append(b'{"n":2}') == 2
    assert log.size() == 5
    assert forge.log().entries() == [b'{"n":%d}' % n for n in range(5)]


def test_a_packet_built_twice_with_a_log_has_the_same_bytes(forge) -> None:
    log = forge.log()
    first = build_packet(forge.spec(), forge.signer, log)
    log.append(b'{"later":1}')
    second = build_packet(forge.spec(), forge.signer, log)
    assert first == second
    assert (first.log_index, log.size()) == (0, 2)


def test_nothing_is_recorded_when_a_packet_is_refused(forge, refused) -> None:
    log = forge.log()
    spec = forge.spec(verdict="reconciled")
    assert refused(lambda: build_packet(spec, forge.signer, log)) == "evidence_verdict"
    assert log.size() == 0


def test_every_entry_proves_itself_against_the_newest_checkpoint(forge) -> None:
    log = filled(forge)
    for index in range(5):
        for size in (None, 5):
            data = log.proof(index, size)
            position = proof.verify_proof(data, b'{"n":%d}' % index, log.key)
            assert position.index == index


def test_partners_extend_the_checkpoint_they_hold(forge) -> None:
    log = filled(forge, 3)
    held = notes.open_checkpoint(log.checkpoint(), log.key)
    log.append(b'{"n":3}')
    newest = notes.open_checkpoint(log.checkpoint(), log.key)
    steps = log.consistency(held.size)
    merkle.verify_consistency(held.size, held.root, newest.size, newest.root, steps)


def test_a_cosignature_is_kept_for_its_size_and_enters_earlier_proofs(forge) -> None:
    log = filled(forge, 3)
    forge.cosign(log)
    forge.cosign(log)
    assert log.checkpoint().count(b"witness.example.test") == 1
    log.append(b'{"n":3}')
    assert b"witness.example.test" not in log.checkpoint()
    position = proof.verify_proof(log.proof(0), b'{"n":0}', log.key, [forge.witness_key], 1)
    assert (position.size, position.trusted_time) == (3, forge.witness_time)


def test_a_cosignature_that_does_not_verify_is_not_kept(forge, refused) -> None:
    log = filled(forge, 2)
    note = log.checkpoint()
    stranger = notes.cosign_checkpoint(note, "stranger", forge.attacker, 1)
    assert refused(lambda: log.add_cosignature(stranger, forge.witness_key)) == "witness_quorum"
    forged = notes.cosign_checkpoint(
        note.replace(b"\n2\n", b"\n3\n"), forge.witness_key.name, forge.witness_signer, 1
    )
    assert refused(lambda: log.add_cosignature(forged, forge.witness_key)) == "note_bad_signature"
    assert log.checkpoint() == note


def test_a_crash_after_the_entry_is_made_good_by_the_next_append(forge) -> None:
    log = filled(forge, 2)
    with (forge.folder / "log" / "entries.ndjson").open("ab") as file:
        file.write(b'{"n":2}\n')
    assert log.size() == 2
    assert log.append(b'{"n":2}') == 2
    assert log.size() == 3


def test_a_torn_last_line_is_dropped(forge) -> None:
    log = filled(forge, 2)
    with (forge.folder / "log" / "entries.ndjson").open("ab") as file:
        file.write(b'{"n"')
    assert log.size() == 2
    assert log.append(b'{"n":2}') == 2
    assert forge.log().entries()[2] == b'{"n":2}'


@pytest.mark.parametrize(
    "tamper",
    [
        lambda data: data.replace(b'{"n":0}', b'{"n":9}'),
        lambda data: data[: data.rindex(b"\n", 0, -1) + 1],
        lambda data: data + b'{"n":5}\n{"n":6}\n',
        lambda data: b"",
    ],
    ids=["rewritten", "truncated", "extended", "emptied"],
)
def test_a_rewritten_history_is_refused(forge, refused, tamper) -> None:
    log = filled(forge)
    path = forge.folder / "log" / "entries.ndjson"
    path.write_bytes(tamper(path.read_bytes()))
    assert refused(lambda: log.append(b'{"n":7}')) == "log_tampered"
    assert refused(log.checkpoint) == "log_tampered"


def test_a_lost_checkpoint_is_refused(forge, refused) -> None:
    log = filled(forge)
    (forge.folder / "log" / "checkpoint").unlink()
    assert refused(log.size) == "log_tampered"


def test_the_origin_and_the_key_are_fixed_by_the_first_entry(forge, refused) -> None:
    filled(forge)
    renamed = PacketLog(forge.folder / "log", "other.example.test/log", forge.log_signer)
    assert refused(lambda: renamed.append(b"{}")) == "log_origin"
    rekeyed = forge.log(signer=forge.attacker)
    assert refused(lambda: rekeyed.append(b"{}")) == "note_no_log_signature"
    assert refused(lambda: PacketLog(forge.folder / "x", "two words", forge.signer)) == "vkey"


@pytest.mark.parametrize("statement", [b"", b"two\nlines", b"x" * (1 << 15)])
def test_an_entry_is_one_bounded_line(forge, refused, statement) -> None:
    assert refused(lambda: forge.log().append(statement)) == "log_entry"


@pytest.mark.parametrize(("index", "size"), [(5, None), (-1, 3), (0, 6), (3, 3)])
def test_a_proof_is_asked_for_an_entry_that_is_there(forge, refused, index, size) -> None:
    log = filled(forge)
    assert refused(lambda: log.proof(index, size)) == "proof_index"


def test_a_log_that_outgrows_its_reader_is_refused(forge, refused, monkeypatch) -> None:
    log = filled(forge)
    monkeypatch.setattr(packet_log, "MAX_LOG_BYTES", 10)
    assert refused(log.size) == "log_too_big"


def test_the_log_is_private_to_its_owner(forge) -> None:
    log = filled(forge)
    forge.cosign(log)
    for path in [forge.folder / "log", *(forge.folder / "log").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path.name


WRITER = """
import sys
from pathlib import Path
from evidence.keys import KeySigner
from evidence.log import PacketLog
log = PacketLog(Path(sys.argv[1]), sys.argv[2], KeySigner.from_seed(bytes.fromhex(sys.argv[3])))
for number in range(8):
    log.append(b'{"writer":"%s","n":%d}' % (sys.argv[4].encode(), number))
"""


def test_two_processes_append_without_losing_an_entry(forge) -> None:
    seed = b"packet log".ljust(32, b".").hex()
    folder = str(forge.folder / "log")
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, forge.origin, seed, name], env=environment
        )
        for name in ("a", "b")
    ]
    assert [writer.wait(timeout=30) for writer in writers] == [0, 0]
    assert len(set(forge.log().entries())) == 16
