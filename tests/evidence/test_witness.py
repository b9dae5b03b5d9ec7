"""A partner as witness: it signs a log that grew, once remembered, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence import build, notes, witness
from evidence.errors import Refusal
from evidence.keys import create_key
from evidence.log import PacketLog
from tests.evidence.conftest import NOW, WITNESS, Forge

LATER = datetime(2026, 11, 23, tzinfo=UTC)


def grown(log: PacketLog, entries: int, first: int = 0) -> PacketLog:
    for number in range(first, first + entries):
        log.append(b'{"entry":%d}' % number)
    return log


def request(log: PacketLog, since: int) -> bytes:
    return witness.write_request(since, log.consistency(since) if since else [], log.checkpoint())


def cosigned(forge: Forge, data: bytes, memory: Path, now: datetime = NOW) -> bytes:
    return witness.cosign(data, forge.log_key, WITNESS, forge.witness_signer, memory, now)


def refusal(forge: Forge, data: bytes, memory: Path) -> str:
    before = memory.read_bytes() if memory.exists() else None
    with pytest.raises(Refusal) as caught:
        cosigned(forge, data, memory)
    assert (memory.read_bytes() if memory.exists() else None) == before
    return caught.value.code


def test_a_witness_cosigns_a_log_that_grew_and_packets_then_have_trusted_time(
    forge, tmp_path
) -> None:
    log, memory = grown(forge.log(), 3), tmp_path / "seen"
    index = log.append(forge.honest().statement)
    log.add_cosignature(cosigned(forge, request(log, 0), memory), forge.witness_key)
    packet = forge.files() | {build.PROOF_FILE: log.proof(index)}
    assert forge.verify(packet, require_log=True).trusted_time == int(NOW.timestamp())
    grown(log, 4, first=10)
    line = cosigned(forge, request(log, 4), memory, LATER)
    assert log.take_cosignature(line, [forge.witness_key]) == WITNESS
    assert memory.read_bytes().split(b"\n")[1] == b"8"
    # The packet keeps its earliest time: the smallest tree that anybody cosigned.
    assert log.proof(index) == packet[build.PROOF_FILE]


def test_attack_63_a_split_view_of_equal_size_is_not_cosigned(forge, tmp_path) -> None:
    memory = tmp_path / "seen"
    cosigned(forge, request(grown(forge.log("one"), 5), 0), memory)
    other = grown(forge.log("two"), 5, first=100)
    data = witness.write_request(5, [], other.checkpoint())
    assert refusal(forge, data, memory) == "consistency"


def test_attack_64_a_history_rewritten_and_extended_is_not_cosigned(forge, tmp_path) -> None:
    memory = tmp_path / "seen"
    cosigned(forge, request(grown(forge.log("one"), 5), 0), memory)
    assert (
        refusal(forge, request(grown(forge.log("two"), 9, first=100), 5), memory) == "consistency"
    )


def test_a_log_that_shrank_is_not_cosigned(forge, tmp_path) -> None:
    memory, log = tmp_path / "seen", grown(forge.log("one"), 5)
    early = log.checkpoint()
    cosigned(forge, request(grown(log, 4, first=50), 0), memory)
    data = witness.write_request(9, [], early)
    assert refusal(forge, data, memory) == "consistency_size"


def test_a_request_from_another_size_than_the_one_remembered(forge, tmp_path) -> None:
    memory, log = tmp_path / "seen", grown(forge.log(), 5)
    cosigned(forge, request(log, 0), memory)
    grown(log, 4, first=50)
    assert refusal(forge, request(log, 0), memory) == "witness_memory"
    assert refusal(forge, request(log, 3), memory) == "witness_memory"


def test_a_checkpoint_of_another_log_is_not_cosigned(forge, tmp_path) -> None:
    log = grown(forge.log("other", signer=forge.attacker), 2)
    assert refusal(forge, request(log, 0), tmp_path / "seen") == "note_no_log_signature"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data.replace(b"old 0", b"old 00"), "witness_request"),
        (lambda data: data.replace(b"old 0", b"new 0"), "witness_request"),
        (lambda data: data.replace(b"\n\n", b"\n", 1), "b64"),
        (lambda data: data.replace(b"old 0\n", b"old 0\nAAAA\n"), "witness_request"),
        (lambda data: data.replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n"), "consistency"),
        (lambda data: data.replace(b"\n\n", b"\n" + b"AAAA\n" * 64 + b"\n", 1), "witness_request"),
        (lambda data: data + b"x" * (1 << 17), "witness_request"),
    ],
)
def test_a_request_out_of_form(forge, tmp_path, change, code) -> None:
    data = change(request(grown(forge.log(), 2), 0))
    assert refusal(forge, data, tmp_path / "seen") == code


def test_a_line_of_nobody_trusted_is_not_kept(forge, refused) -> None:
    log = grown(forge.log(), 2)
    line = notes.cosign_checkpoint(log.checkpoint(), "mallory", forge.attacker, 1)
    assert refused(lambda: log.take_cosignature(line, [forge.witness_key])) == "witness_unknown"
    forged = notes.cosign_checkpoint(log.checkpoint(), WITNESS, forge.attacker, 1)
    assert refused(lambda: log.take_cosignature(forged, [forge.witness_key])) == "witness_quorum"


def test_the_partners_command_makes_a_key_cosigns_and_refuses(forge, tmp_path, capsys) -> None:
    key, memory, out = tmp_path / "w.pem", tmp_path / "seen", tmp_path / "line"
    named = ["--name", "partner.example/audit", "--key-file", str(key)]
    assert witness.main(["new", *named]) == 0
    vkey = notes.parse_key(capsys.readouterr().out.strip(), notes.WITNESS_ALGORITHM)
    log = grown(forge.log(), 3)
    (tmp_path / "request").write_bytes(request(log, 0))
    asked = ["cosign", *named, "--log", str(forge.log_key), "--memory", str(memory)]
    asked += ["--out", str(out), str(tmp_path / "request")]
    assert witness.main(asked) == 0
    assert "COSIGNED  3 entries" in capsys.readouterr().out
    assert log.take_cosignature(out.read_bytes(), [vkey]) == "partner.example/audit"
    assert witness.main(asked) == 1
    assert "witness_memory" in capsys.readouterr().out
    assert witness.main(["new", *named]) == 1
    with pytest.raises(SystemExit) as misused:
        witness.main(["cosign"])
    assert misused.value.code == 2
    # Whoever holds the log's key cannot be its witness: the trust file says so, not this command.
    assert create_key(tmp_path / "other.pem").public_key != vkey.public_key


def test_what_a_witness_cannot_read_is_no_first_time(forge, tmp_path, capsys) -> None:
    """A memory that is there and unreadable must not count as none: it would allow a split view."""
    (tmp_path / "seen").mkdir()
    with pytest.raises(Refusal) as caught:
        cosigned(forge, request(grown(forge.log(), 2), 0), tmp_path / "seen")
    assert caught.value.code == "unreadable"
    key = tmp_path / "w.pem"
    create_key(key)
    asked = ["cosign", "--name", WITNESS, "--key-file", str(key), "--log", str(forge.log_key)]
    asked += ["--memory", str(tmp_path / "m"), "--out", str(tmp_path / "o"), str(tmp_path / "no")]
    assert witness.main(asked) == 1
    assert "REFUSED  unreadable" in capsys.readouterr().out
    assert not (tmp_path / "o").exists()
