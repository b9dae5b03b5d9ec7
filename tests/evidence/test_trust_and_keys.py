"""The trust file and private keys in files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import canonical, keys, notes, signatures, trust
from evidence.errors import Refusal
from evidence.trust import TrustedLog, load_trust, trust_document, trusted_key


def witness(name: str, signer) -> str:
    return str(notes.make_key(name, notes.WITNESS_ALGORITHM, signer.public_key))


def log(forge, witnesses: list[str], quorum: object = 1) -> dict[str, object]:
    return {"vkey": str(forge.log_key), "witnesses": witnesses, "quorum": quorum}


def test_gap_one_witness_key_under_two_names(forge, refused) -> None:
    listed = [witness("a", forge.witness_signer), witness("b", forge.witness_signer)]
    assert refused(lambda: forge.trust(log=log(forge, listed, 2))) == "witness_key"


def test_gap_the_logs_own_key_as_a_witness(forge, refused) -> None:
    listed = [witness("a", forge.log_signer)]
    assert refused(lambda: forge.trust(log=log(forge, listed))) == "witness_key"


def test_a_packet_signers_key_as_a_witness(forge, refused) -> None:
    listed = [witness("a", forge.signer)]
    assert refused(lambda: forge.trust(log=log(forge, listed))) == "witness_key"


@pytest.mark.parametrize(
    ("quorum", "code"), [(2, "witness_quorum"), (-1, "trust_fields"), (True, "trust_fields")]
)
def test_a_quorum_is_at_most_the_number_of_witnesses(forge, refused, quorum, code) -> None:
    listed = [witness("a", forge.witness_signer)]
    assert refused(lambda: forge.trust(log=log(forge, listed, quorum))) == code


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": True},
        {"keys": {}},
        {"tsa": None},
        {"tsa": [1]},
        {"log": []},
        {"comment": "x"},
        {"log": {"vkey": "x", "witnesses": [], "quorum": 0, "url": "x"}},
    ],
)
def test_the_trust_file_is_an_allow_list(forge, refused, change) -> None:
    assert refused(lambda: forge.trust(**change)) == "trust_fields"


@pytest.mark.parametrize(
    "change",
    [
        {"use": "packet"},
        {"use": [1]},
        {"tenants": None},
        {"from": "2026"},
        {"from": 1.0},
        {"until": 0},
        {"status": "fine"},
        {"status": "fine", "status_at": 5},
        {"status": "retired"},
        {"status": "compromised", "status_at": None},
        {"status_at": "yesterday"},
        {"note": "x"},
    ],
)
def test_a_key_entry_is_an_allow_list(forge, refused, change) -> None:
    key = forge.trusted(forge.signer, **change)
    code = refused(lambda: forge.trust(keys=[key]))
    assert code == ("json_float_or_nan" if change == {"from": 1.0} else "trust_fields")


def test_an_older_trust_file_is_a_rollback(forge, refused) -> None:
    data = json.dumps(forge.trust_document(version=3)).encode()
    assert load_trust(data, minimum_version=3).version == 3
    assert refused(lambda: load_trust(data, minimum_version=4)) == "trust_version"


def test_a_trust_file_signed_by_the_offline_root(forge, refused) -> None:
    payload = canonical.dumps(forge.trust_document())
    signed = signatures.sign_envelope(payload, [forge.second], trust.TRUST_PAYLOAD_TYPE)
    root = (forge.second.public_key,)
    assert load_trust(signed, root) == load_trust(signed) == load_trust(payload)
    assert refused(lambda: load_trust(signed, (forge.attacker.public_key,))) == "untrusted_key"
    assert refused(lambda: load_trust(payload, root)) == "envelope_fields"
    other = signatures.sign_envelope(payload, [forge.second])
    assert refused(lambda: load_trust(other, root)) == "payload_type"


def test_the_trust_file_that_is_not_there(forge, refused) -> None:
    assert refused(lambda: load_trust(forge.folder / "trust.json")) == "unreadable"


def test_a_written_trust_file_reads_back(forge) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    listed = [trusted_key(forge.signer, start, end, tenants=["t1"])]
    data = trust_document(listed, TrustedLog(forge.log_key, (forge.witness_key,), 1), version=2)
    (forge.folder / "trust.json").write_bytes(data)
    read = load_trust(forge.folder / "trust.json")
    assert (read.keys, read.version) == (tuple(listed), 2)
    assert forge.verify(forge.logged(), trust=read, require_log=True)


def test_a_trust_file_that_would_be_refused_is_not_written(forge, refused) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    listed = [trusted_key(forge.signer, start, start)]
    assert refused(lambda: trust_document(listed)) == "trust_fields"


def test_exports_for_ssh_keygen_name_packet_keys_and_compromised_keys(forge) -> None:
    listed = [
        forge.trusted(forge.signer),
        forge.trusted(forge.second, use=["decision"], status="compromised", status_at=5),
    ]
    read = forge.trust(keys=listed)
    lines = read.allowed_signers("packets@example.test").splitlines()
    assert len(lines) == 1
    assert signatures.openssh_key(forge.signer.public_key) in lines[0]
    assert 'namespaces="tieout-run-packet-v1"' in lines[0]
    assert signatures.ssh_public_key(forge.second.public_key) in read.revoked_keys()
    assert signatures.ssh_public_key(forge.signer.public_key) not in read.revoked_keys()


# Private keys.


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_is_created_private_and_loads_again(tmp_path, passphrase) -> None:
    path = tmp_path / "packet.pem"
    made = keys.create_key(path, passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    assert (b"ENCRYPTED" in path.read_bytes()) == bool(passphrase)
    assert keys.load_key(path, passphrase).keyid == made.keyid
    assert made.sign(b"x") == keys.load_key(path, passphrase).sign(b"x")


def test_a_key_is_never_overwritten(tmp_path, refused) -> None:
    path = tmp_path / "packet.pem"
    keys.create_key(path)
    before = path.read_bytes()
    assert refused(lambda: keys.create_key(path)) == "key_file_exists"
    assert "a file that is not there" in Refusal("key_file_exists", "").remedy
    assert path.read_bytes() == before


def test_a_key_that_others_can_read_is_refused(tmp_path, refused) -> None:
    path = tmp_path / "packet.pem"
    keys.create_key(path)
    for mode in (0o604, 0o620, 0o666):
        path.chmod(mode)
        assert refused(lambda: keys.load_key(path)) == "key_file_mode"
    path.chmod(0o640)
    assert keys.load_key(path)


@pytest.mark.parametrize("given", [None, b"", b"wrong"])
def test_an_encrypted_key_needs_its_passphrase(tmp_path, refused, given) -> None:
    path = tmp_path / "packet.pem"
    keys.create_key(path, b"right")
    assert refused(lambda: keys.load_key(path, given)) == "key_file_passphrase"


def test_a_passphrase_for_a_plain_key_is_a_mistake(tmp_path, refused) -> None:
    path = tmp_path / "packet.pem"
    keys.create_key(path)
    assert refused(lambda: keys.load_key(path, b"needless")) == "key_file_passphrase"


def test_key_files_of_other_kinds(tmp_path, refused) -> None:
    assert refused(lambda: keys.load_key(tmp_path / "absent.pem")) == "unreadable"
    assert refused(lambda: keys.signer_from_pem(b"hello")) == "key_file_type"
    assert refused(lambda: keys.signer_from_pem(b"x" * (1 << 15))) == "key_file_type"
    elliptic = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert refused(lambda: keys.signer_from_pem(elliptic)) == "key_file_type"
    assert refused(lambda: keys.public_key_from_pem("x" * (1 << 15))) == "trust_key_type"
    padding = "\n" * (1 << 15)
    path = tmp_path / "padded.pem"
    signer = keys.create_key(path)
    padded = path.read_bytes() + padding.encode()
    assert refused(lambda: keys.signer_from_pem(padded)) == "key_file_type"
    public = keys.public_key_pem(signer.public_key) + padding
    assert refused(lambda: keys.public_key_from_pem(public)) == "trust_key_type"
    assert refused(lambda: signatures.keyid_of(b"short")) == "trust_key_type"


def test_a_signer_shows_its_id_and_no_secret(forge) -> None:
    assert repr(forge.signer) == f"KeySigner(keyid={forge.signer.keyid!r})"


@pytest.mark.parametrize("principal", ["", "two words", 'quo"te', "a,b", "line\nbreak"])
def test_a_principal_is_one_word(forge, refused, principal) -> None:
    key = forge.signer.public_key
    assert refused(lambda: keys.allowed_signers_line(key, principal)) == "key_principal"


def test_allowed_signers_line_carries_the_window(forge) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    line = keys.allowed_signers_line(
        forge.signer.public_key, "packets@example.test", start, start + timedelta(days=730)
    )
    assert line.startswith(
        'packets@example.test namespaces="tieout-run-packet-v1",'
        'valid-after="20260101000000Z",valid-before="20280101000000Z" ssh-ed25519 '
    )
