"""Independent programs agree: ssh-keygen, sha256sum, openssl, unzip, rfc8785."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import build, canonical, keys, signatures

PRINCIPAL = "packets@example.test"
NAMESPACE = signatures.SSHSIG_NAMESPACE


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here, and it is the oracle")
    return found


def unpack(forge) -> Path:
    folder = forge.folder / "p"
    for name, data in forge.files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def ssh_keygen_accepts(forge, folder: Path, *options: str, namespace: str = NAMESPACE) -> bool:
    signers = forge.folder / "allowed_signers"
    if not signers.exists():
        signers.write_text(forge.trust().allowed_signers(PRINCIPAL))
    command = [
        program("ssh-keygen"),
        *("-Y", "verify", "-f", str(signers), "-I", PRINCIPAL, "-n", namespace),
        *("-s", str(folder / build.SSHSIG_FILE), *options),
    ]
    statement = (folder / build.STATEMENT_FILE).read_bytes()
    done = subprocess.run(command, input=statement, capture_output=True, timeout=20, check=False)
    return done.returncode == 0


def test_ssh_keygen_accepts_the_statement(forge) -> None:
    assert ssh_keygen_accepts(forge, unpack(forge), "-Overify-time=20261122120000Z")


def test_ssh_keygen_refuses_one_changed_byte(forge) -> None:
    folder = unpack(forge)
    path = folder / build.STATEMENT_FILE
    path.write_bytes(path.read_bytes().replace(b"breaks", b"breakz"))
    assert not ssh_keygen_accepts(forge, folder, "-Overify-time=20261122120000Z")


def test_ssh_keygen_refuses_another_namespace_and_a_closed_window(forge) -> None:
    folder = unpack(forge)
    when = "-Overify-time=20261122120000Z"
    assert not ssh_keygen_accepts(forge, folder, when, namespace="git")
    assert not ssh_keygen_accepts(forge, folder, "-Overify-time=20300101120000Z")


def test_ssh_keygen_refuses_a_key_on_the_revocation_list(forge) -> None:
    revoked = forge.folder / "revoked"
    bad = forge.trust(keys=[forge.trusted(forge.signer, status="compromised", status_at=1)])
    revoked.write_bytes(bad.revoked_keys())
    when = "-Overify-time=20261122120000Z"
    assert not ssh_keygen_accepts(forge, unpack(forge), when, "-r", str(revoked))


def test_ssh_keygen_reads_the_revocation_list_key_by_key(forge) -> None:
    """A KRL names exactly the compromised keys; one without any is a list all the same."""
    revoked = forge.trusted(forge.second, status="compromised", status_at=1)
    retired = forge.trusted(forge.attacker, status="retired", status_at=1)
    some = forge.trust(keys=[forge.trusted(forge.signer), revoked, retired]).revoked_keys()
    for krl, bad in ((some, {forge.second}), (forge.trust().revoked_keys(), set())):
        path = forge.folder / "list.krl"
        path.write_bytes(krl)
        for signer in (forge.signer, forge.second, forge.attacker):
            key = forge.folder / "key.pub"
            key.write_text(signatures.openssh_key(signer.public_key) + "\n")
            asked = subprocess.run(
                ["ssh-keygen", "-Q", "-f", str(path), str(key)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert (asked.returncode == 1) is (signer in bad), asked.stdout + asked.stderr
            assert ("REVOKED" in asked.stdout) is (signer in bad)


def test_ssh_keygen_signs_the_same_bytes(forge) -> None:
    path = forge.folder / "key"
    signer = keys.create_key(path)
    # ssh-keygen reads its own key format, so the same key is written once more in it.
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    command = [program("ssh-keygen"), "-Y", "sign", "-f", str(path), "-n", NAMESPACE]
    done = subprocess.run(command, input=b"message", capture_output=True, timeout=20, check=True)
    assert done.stdout == signatures.sign_sshsig(b"message", signer)


def test_sha256sum_accepts_the_sums_and_refuses_a_changed_table(forge) -> None:
    folder = unpack(forge)
    command = [program("sha256sum"), "--strict", "--quiet", "-c", build.SUMS_FILE]

    def accepts() -> bool:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=20, check=False)
        return done.returncode == 0

    assert accepts()
    path = folder / "tables/reconciliation_drift.ndjson"
    path.write_bytes(path.read_bytes().replace(b"125", b"126"))
    assert not accepts()


def test_the_statement_names_the_sums(forge) -> None:
    files = forge.files()
    assert canonical.sha256_hex(files[build.SUMS_FILE]).encode() in files[build.STATEMENT_FILE]


def test_openssl_accepts_the_dsse_signature(forge) -> None:
    openssl = program("openssl")
    envelope = json.loads(forge.files()[build.ENVELOPE_FILE])
    body = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    (forge.folder / "pae").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body))
    (forge.folder / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (forge.folder / "pub.pem").write_text(keys.public_key_pem(forge.signer.public_key))
    options = ("-verify", "-pubin", "-inkey", "pub.pem", "-rawin", "-in", "pae")
    command = [openssl, "pkeyutl", *options, "-sigfile", "sig"]
    done = subprocess.run(command, cwd=forge.folder, capture_output=True, timeout=20, check=False)
    if b"nrecognized" in done.stderr or b"nknown option" in done.stderr:
        pytest.skip("this openssl has no pkeyutl -rawin")
    assert done.returncode == 0


def test_unzip_accepts_the_container(forge) -> None:
    path = forge.folder / "packet.zip"
    path.write_bytes(forge.honest().zip_bytes)
    command = [program("unzip"), "-tq", str(path)]
    assert subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0


def test_the_shell_procedure_needs_only_the_exported_line(forge) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    line = keys.allowed_signers_line(forge.signer.public_key, PRINCIPAL, start, end)
    (forge.folder / "allowed_signers").write_text(line)
    assert ssh_keygen_accepts(forge, unpack(forge), "-Overify-time=20261122120000Z")


NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:/@-]{0,9}", fullmatch=True).filter(
    lambda name: name not in {"__proto__", "constructor", "prototype"}
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(VALUES)
def test_rfc8785_writes_the_same_bytes_and_they_read_back(value) -> None:
    rfc8785 = pytest.importorskip("rfc8785", reason="the reference implementation is the oracle")
    written = canonical.dumps(value)
    assert written == rfc8785.dumps(value)
    assert canonical.loads_strict(written) == value
