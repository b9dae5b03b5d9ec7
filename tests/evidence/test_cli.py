"""`tieout-verify`: its answers, its exit codes, and that nothing else ever comes out of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from evidence import chain, cli, container, keys, signatures
from evidence.build import build_packet
from evidence.log import PacketLog
from evidence.trust import TRUST_PAYLOAD_TYPE


@pytest.fixture
def desk(forge, monkeypatch):
    """An auditor's folder: the logged packet and the trust file beside it."""
    monkeypatch.delenv(cli.TRUST_VARIABLE, raising=False)
    (forge.folder / "packet.zip").write_bytes(container.write_zip(forge.logged()))
    (forge.folder / "trust.json").write_text(json.dumps(forge.trust_document()))
    return forge.folder


def run(desk, capsys, *options: str, packet: str = "packet.zip", trust: str = "trust.json"):
    code = cli.main([str(desk / packet), "--trust", str(desk / trust), *options])
    written = capsys.readouterr()
    assert "Traceback" not in written.out + written.err
    return code, written.out, written.err


ASKED = ("--tenant-id", "t1", "--period", "2026-10", "--revision", "1")


def test_an_honest_packet_is_accepted_and_the_gaps_are_told(desk, capsys, forge) -> None:
    code, out, err = run(desk, capsys, *ASKED)
    assert (code, err) == (0, "")
    assert out.startswith(f"ACCEPTED  packet {forge.honest().packet_sha256}\n")
    checked, _, gaps = out.partition("Not proven:")
    for word in ("container", "signatures", "identity", "log", "digests", "tables", "evidence"):
        assert f"  - {word}: " in checked
    assert "that the tables follow from the inputs" in gaps
    assert "2026-11-22T11:00:00Z" in checked


def test_what_was_not_asked_for_is_not_proven(desk, capsys) -> None:
    code, out, _ = run(desk, capsys)
    assert code == 0
    for name in ("tenant", "period", "revision"):
        assert f"that this is the {name} you want" in out.partition("Not proven:")[2]


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (("--tenant-id", "t2"), "untrusted_key"),
        (("--period", "2026-09"), "wrong_period"),
        (("--revision", "2"), "wrong_revision"),
        (("--replay",), "replay_plan"),
        (("--min-trust-version", "2"), "trust_version"),
    ],
)
def test_a_refusal_names_its_code_and_what_to_do(desk, capsys, options, refusal) -> None:
    code, out, err = run(desk, capsys, *options)
    assert (code, err) == (1, "")
    assert out.startswith(f"REFUSED  {refusal}\n")
    assert "What to do: " in out


def test_one_flipped_byte_is_refused(desk, capsys) -> None:
    data = bytearray((desk / "packet.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (desk / "packet.zip").write_bytes(data)
    assert run(desk, capsys)[0] == 1


def test_a_log_proof_is_required_unless_waived(desk, capsys, forge) -> None:
    (desk / "bare.zip").write_bytes(forge.honest().zip_bytes)
    code, out, _ = run(desk, capsys, packet="bare.zip")
    assert (code, out.split()[1]) == (1, "log_proof_required")
    code, out, _ = run(desk, capsys, "--no-log-proof", packet="bare.zip")
    assert code == 0
    assert "append-only log" in out.partition("Not proven:")[2]


def test_the_answer_as_json(desk, capsys, forge) -> None:
    code, out, _ = run(desk, capsys, "--json", *ASKED)
    answer = json.loads(out)
    assert (code, answer["accepted"], answer["verdict"]) == (0, True, "breaks")
    assert answer["packet_sha256"] == forge.honest().packet_sha256
    assert (answer["as_of"], answer["code_sha256"]) == ("2026-11-01T00:00:00Z", "c0" * 32)
    assert "as of 2026-11-01T00:00:00Z, as the issuer says" in run(desk, capsys, *ASKED)[1]
    code, out, _ = run(desk, capsys, "--json", "--period", "2026-09")
    assert (code, json.loads(out)["code"]) == (1, "wrong_period")
    assert cli.main(["--json"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "misuse"


def test_files_that_are_not_there_are_refused(desk, capsys) -> None:
    assert run(desk, capsys, packet="absent.zip")[1].split()[1] == "unreadable"
    assert run(desk, capsys, trust="absent.json")[1].split()[1] == "unreadable"
    code, out, _ = run(desk, capsys, "--root-key", str(desk / "absent.pem"))
    assert (code, out.split()[1]) == (1, "unreadable")


@pytest.mark.parametrize(
    "arguments", [[], ["--period"], ["p.zip", "--revision", "one"], ["a", "b"]]
)
def test_misuse_is_told_on_stderr_with_code_2(desk, capsys, arguments) -> None:
    assert cli.main(arguments) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert "tieout-verify: " in written.err


def test_without_a_trust_file_nothing_can_be_said(desk, capsys, monkeypatch) -> None:
    assert cli.main([str(desk / "packet.zip")]) == 2
    assert "no trust file" in capsys.readouterr().err
    monkeypatch.setenv(cli.TRUST_VARIABLE, str(desk / "trust.json"))
    assert cli.main([str(desk / "packet.zip")]) == 0


def test_help_is_no_failure(capsys) -> None:
    assert cli.main(["--help"]) == 0
    assert "0 accepted, 1 refused, 2 misuse" in " ".join(capsys.readouterr().out.split())


def test_a_signed_trust_file_is_held_to_its_root_key(desk, capsys, forge) -> None:
    payload = json.dumps(forge.trust_document()).encode()
    signed = signatures.sign_envelope(payload, [forge.second], TRUST_PAYLOAD_TYPE)
    (desk / "signed.json").write_bytes(signed)
    for name, signer in (("root", forge.second), ("other", forge.attacker)):
        (desk / f"{name}.pem").write_text(keys.public_key_pem(signer.public_key))
    root, other = str(desk / "root.pem"), str(desk / "other.pem")
    assert run(desk, capsys, "--root-key", root, trust="signed.json")[0] == 0
    code, out, _ = run(desk, capsys, "--root-key", other, trust="signed.json")
    assert (code, out.split()[1]) == (1, "untrusted_key")


def issue(forge, folder) -> None:
    """Three months in one folder, each with its log proof."""
    folder.mkdir()
    log = PacketLog(forge.folder / "chain-log", forge.origin, forge.log_signer)
    previous = None
    for period in ("2026-08", "2026-09", "2026-10"):
        built = forge.month(period, previous)
        index = log.append(built.statement)
        forge.cosign(log)
        files = container.read_zip(built.zip_bytes) | {"proof/packet.tlog-proof": log.proof(index)}
        (folder / f"{period}.zip").write_bytes(container.write_zip(files))
        previous = built


def test_the_chain_is_verified_from_a_folder(desk, capsys, forge) -> None:
    issue(forge, desk / "packets")
    options = ("--chain", str(desk / "packets"))
    code, out, _ = run(desk, capsys, *options, packet="packets/2026-10.zip")
    assert code == 0
    assert "chain: 3 packets, back to the tenant's first" in out
    assert "builds on" not in out
    (desk / "packets" / "2026-09.zip").unlink()
    code, out, _ = run(desk, capsys, *options, packet="packets/2026-10.zip")
    assert (code, out.split()[1]) == (1, "chain_gap")


def test_a_folder_of_more_packets_than_any_chain_has_is_not_read(
    desk, capsys, forge, monkeypatch
) -> None:
    issue(forge, desk / "packets")
    monkeypatch.setattr(chain, "MAX_CHAIN", 2)
    options = ("--chain", str(desk / "packets"))
    (desk / "packets" / "2026-08.zip").write_bytes(b"is never opened")
    code, out, _ = run(desk, capsys, *options, packet="packets/2026-10.zip")
    assert (code, out.split()[1]) == (1, "chain_too_long")


def test_a_defect_is_told_by_its_type_alone(desk, capsys, monkeypatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("\x1b[31m from the packet")

    monkeypatch.setattr(cli, "_verify", crash)
    code, out, _ = run(desk, capsys)
    assert (code, out.split()[1]) == (1, "verifier_defect")
    assert "from the packet" not in out


def test_it_runs_as_a_program_with_cryptography_alone(desk) -> None:
    script = (
        "import sys; from evidence.cli import main; code = main();"
        " extra = {m.split('.')[0] for m in sys.modules} & {'duckdb', 'orjson', 'rich', 'typer',"
        " 'dagster', 'dbt', 'ingest'}; print(sorted(extra)); raise SystemExit(code)"
    )
    packet, trust = str(desk / "packet.zip"), str(desk / "trust.json")
    command = [sys.executable, "-c", script, packet, "--trust", trust]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_changes_no_verdict_and_sees_no_traceback(desk) -> None:
    read, write = os.pipe()
    os.close(read)
    packet, trust = str(desk / "packet.zip"), str(desk / "trust.json")
    command = [sys.executable, "-m", "evidence.cli", packet, "--trust", trust]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_control_sequence_in_a_packet_never_reaches_the_terminal(desk, capsys, forge) -> None:
    document = forge.statement() | {"predicateType": "\x1b[2Jfriendly"}
    (desk / "evil.zip").write_bytes(forge.pack(forge.enveloped(document)))
    code, out, _ = run(desk, capsys, packet="evil.zip")
    assert code == 1
    assert "\x1b" not in out


def test_the_packet_of_another_signer_is_refused(desk, capsys, forge) -> None:
    (desk / "forged.zip").write_bytes(build_packet(forge.spec(), forge.attacker).zip_bytes)
    code, out, _ = run(desk, capsys, "--no-log-proof", packet="forged.zip")
    assert (code, out.split()[1]) == (1, "untrusted_key")
