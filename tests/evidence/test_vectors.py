"""Published vectors: bytes that two implementations agreed on before this one existed."""

from __future__ import annotations

import hashlib

import pytest

from evidence import canonical, container, merkle, notes, proof, signatures
from evidence.keys import KeySigner
from evidence.tables import Table, scan_table, write_table

SIGNER = KeySigner.from_seed(bytes(range(32)))
MESSAGE = (
    b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"tenant":"t1"},'
    b'"predicateType":"https://packets.example.test/run-packet/v1",'
    b'"subject":[{"digest":{"sha256":'
    b'"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"name":"sha256sums"}]}'
)
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "cfa7ae8c36b460c42a47c7e0a4a1836f6bbc30de398349b4dec2825a94bb633f",
    2: "726236b0124cd5124416e632a0431f0d5d84e9135a139249cfa963e20b04ec47",
    3: "26b7b08856a8340911ccf772d19b2789ca58d1665a70c1a8be9049625cdec915",
    5: "8c07d78c1d758aa4c94af35fdbb754241e11328d79b53939b3ea00a904fabb65",
    7: "8d0ad97ffec60d58299c6aab54c75cdc74507a7250de2a6510e34a348e1b5b67",
}
SIBLING_OF_3 = "9eab2b56c08e9b21c6d6b7074e6d1a2ec5aca9d4850a3584aa0327a7fffbb581"
LEAF_2 = "dc1afbc984aaca414d249cc677fa12cb629f8118023823d58d47b38b2eab873b"
RIGHT_OF_7 = "db044f8f41ea185b6a9b06926d95d08b980c9b460bbe9bbcbe617b53ec782457"
LOG_VKEY = "packets.example.test/log+7164ddf4+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
WITNESS_VKEY = (
    "witness.example.test/partner-a+95a8c2b8+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
)


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(b"row%d" % number) for number in range(count)]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_key_vector() -> None:
    raw = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    assert SIGNER.public_key.hex() == raw
    assert SIGNER.keyid == "a050837d85070582ccf7394b0988847cc312cb88259b894899f6f239cf1791a5"
    assert (
        signatures.openssh_key(SIGNER.public_key)
        == "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    )


def test_dsse_vector() -> None:
    assert len(MESSAGE) == 253
    assert sha256(MESSAGE) == "8bcc771a704eac0579beef6c77663917cf2ff9dcfd36e8c8405830d2c0b483e4"
    encoded = signatures.pae(MESSAGE)
    assert len(encoded) == 296
    assert sha256(encoded) == "cf5cb13b5235ea829c7f2e08f3ab34cbac47a15df129f9c39a9bd29b34136c04"
    assert signatures.b64_encode(SIGNER.sign(encoded)) == (
        "CC5bh3CCR7vTx0mi0CSrQQYyGzyAj8RPxUtQjd7q3Va8R/g9Q48cDbxivlf/Lm4C6uIZwN2XDKlyD6f95aABBQ=="
    )
    envelope = signatures.sign_envelope(MESSAGE, [SIGNER])
    assert len(envelope) == 588
    assert sha256(envelope) == "74d1736ad4a7e1b6fa96c8dba28be5bdc9877373c5019ea16e86a74b671936ea"
    opened = signatures.verify_envelope(envelope, {SIGNER.keyid: SIGNER.public_key})
    assert opened.payload == MESSAGE


def test_sshsig_vector() -> None:
    armoured = signatures.sign_sshsig(MESSAGE, SIGNER, "run-packet-v1")
    assert len(armoured) == 306
    assert sha256(armoured) == "65133d5a64e2550f7a58f650af071050c6b6b732f3a5255bf94b26f9624be195"
    raw = signatures.b64_decode("".join(armoured.decode().split("\n")[1:-2]))[-64:]
    assert raw.hex() == (
        "75b9fa5adb04db9056412feb5db61e4e809a6a9bc7e71b0da4c9806de7e18a00"
        "6db248a50359afa48a94172407fc5a41ea67b170c9b2e40425d48b1aa46c3009"
    )
    keys = [SIGNER.public_key]
    assert signatures.verify_sshsig(armoured, MESSAGE, keys, "run-packet-v1") == SIGNER.public_key


ODD = "".join(
    map(chr, (0, 8, 9, 0xA, 0xB, 0xC, 0xD, 0x1F, 0x22, 0x5C, 0x2F, 0x7F, 0x2028, 0xE9, 0x1F600))
)


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (
            {"b": 1, "a": [True, None, -5, "x"]},
            "fe96b0a03a5b6b02dabb041292c2d10188fa74dc4dba4ed89c7e3a3ae05189de",
        ),
        (
            {"10": 1, "9": 2, "A": 3, "_": 4, "a": 5},
            "3e1faf94097b4c5a6a17c8fa4784503833e02b3d96a707254c9b77a89a03ed2a",
        ),
        ({"s": ODD}, "fb2a4869a2fae0d61c6c1e90f00b1b45fcd2ce1df99d18dc653b9add821e7a2f"),
        (2**53 - 1, "f40b423c2dd95ff2b2f027e22208f438cf7242862e5e746860e697308c9add26"),
        ({}, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ],
)
def test_canonical_json_vectors(value: object, digest: str) -> None:
    written = canonical.dumps(value)
    assert sha256(written) == digest
    assert canonical.loads_strict(written) == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"9007199254740992", "json_int_range"),
        (b'"\\/"', "json_not_canonical"),
        (b" 1", "json_not_canonical"),
        (b"1\n", "json_not_canonical"),
        (b'{"a b":1}', "json_key"),
        (b'{"":1}', "json_key"),
        (b"00", "json_syntax"),
    ],
)
def test_canonical_json_refusal_vectors(text: bytes, code: str, refused) -> None:
    assert refused(lambda: canonical.loads_strict(text)) == code


def test_table_vector() -> None:
    odd = "\u00e9\u007f\n\u0001"
    rows = [{"id": "b", "n": 2, "s": odd}, {"id": "a", "n": -1, "s": None}]
    data = b"".join(write_table("x", Table(("id",), rows), 1 << 20))
    entry = scan_table("x", data, ("id",))
    assert entry.sha256 == "52c2fc88151a44ed094a8a0901bdb50f72740c75ec2784dd6564086cb303c4db"
    assert entry.merkle == "8189adb3e1ff69a5c189151dd6e25e96c511c38d7c80ccc4dc9bafdc87cdba38"


def test_zip_vector() -> None:
    data = container.write_zip({"b/c.json": b"{}", "a.txt": b"hello\n"})
    assert len(data) == 208
    assert sha256(data) == "39dbc3af803a3356772469e41691fd6ef8aa8af3d5149b7324e56faa0b557235"
    assert container.read_zip(data) == {"a.txt": b"hello\n", "b/c.json": b"{}"}


@pytest.mark.parametrize("count", sorted(ROOTS))
def test_merkle_root_vectors(count: int) -> None:
    assert merkle.root(leaves(count)).hex() == ROOTS[count]


def test_merkle_proof_vectors() -> None:
    path = [p.hex() for p in merkle.inclusion_path(leaves(7), 3)]
    assert path == [SIBLING_OF_3, ROOTS[2], RIGHT_OF_7]
    consistency = [p.hex() for p in merkle.consistency_proof(leaves(7), 3)]
    assert consistency == [SIBLING_OF_3, LEAF_2, ROOTS[2], RIGHT_OF_7]


def test_every_small_tree_proves_every_entry_and_every_prefix() -> None:
    for size in range(1, 18):
        tree = leaves(size)
        root = merkle.root(tree)
        for index in range(size):
            path = merkle.inclusion_path(tree, index)
            merkle.verify_inclusion(tree[index], index, size, path, root)
        for first in range(1, size + 1):
            steps = merkle.consistency_proof(tree, first)
            merkle.verify_consistency(first, merkle.root(tree[:first]), size, root, steps)


def test_log_vectors() -> None:
    log = notes.parse_key(LOG_VKEY, notes.LOG_ALGORITHM)
    witness = notes.parse_key(WITNESS_VKEY, notes.WITNESS_ALGORITHM)
    assert (str(log), str(witness)) == (LOG_VKEY, WITNESS_VKEY)
    root = merkle.root(leaves(7))
    note = notes.sign_checkpoint(log.name, 7, root, SIGNER)
    assert sha256(note) == "2eb46c91b3ac97749b151ffb3d9cf93072f6d053d8c6d8a7ebe8249b2ff90782"
    note += notes.cosign_checkpoint(note, witness.name, SIGNER, 1793600000)
    assert len(note) == 335
    assert sha256(note) == "2b067fee495ddfd09dcfa97677afb2d37f658a79e972b31c49355218b17b7e32"
    whole = proof.write_proof(3, merkle.inclusion_path(leaves(7), 3), note)
    assert sha256(whole) == "91d148169f56c329e3f2d60748c0624bf8c4b35cc776eeb5a97d3a5ef072bbc4"
    position = proof.verify_proof(whole, b"row3", log, [witness], 1)
    assert (position.index, position.size, position.trusted_time) == (3, 7, 1793600000)
