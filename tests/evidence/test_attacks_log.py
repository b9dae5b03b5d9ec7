"""Attacks on log proofs, notes, checkpoints, witnesses and history."""

from __future__ import annotations

import struct

import pytest

from evidence import build, merkle, notes, proof
from evidence.build import build_packet
from evidence.signatures import b64_encode

PROOF = build.PROOF_FILE


def parts(forge) -> tuple[int, list[bytes], bytes]:
    return proof.read_proof(forge.logged()[PROOF])


def with_proof(forge, index: int, path: list[bytes], note: bytes) -> dict[str, bytes]:
    return forge.files() | {PROOF: proof.write_proof(index, path, note)}


def with_body(forge, body: bytes, signer=None) -> bytes:
    """A note whose body is foreign, signed with the real log key and cosigned."""
    signer = signer or forge.log_signer
    line = notes._signature_line(forge.log_key, signer.sign(body))
    note = body + b"\n" + line
    return note + notes.cosign_checkpoint(
        note, forge.witness_key.name, forge.witness_signer, forge.witness_time
    )


def test_attack_54_rewritten_packet_with_another_packets_proof(forge) -> None:
    rewritten = build_packet(forge.spec(revision=2, supersedes="0" * 64), forge.signer)
    files = build.container.read_zip(rewritten.zip_bytes) | {PROOF: forge.logged()[PROOF]}
    assert forge.refusal(files) == "proof_root"


def test_attack_55_proof_stripped_where_policy_requires_it(forge) -> None:
    assert forge.refusal(forge.files(), require_log=True) == "log_proof_required"
    trust = forge.trust(log=None)
    assert forge.refusal(forge.logged(), require_log=True, trust=trust) == "log_proof_required"


@pytest.mark.parametrize("index", [0, 2, 4, 6])
def test_attack_56_index_changed(forge, index) -> None:
    _, path, note = parts(forge)
    assert forge.refusal(with_proof(forge, index, path, note)) in {"proof_root", "proof_length"}


@pytest.mark.parametrize("index", [b"03", b"+3", b"-3", b"3 ", b"", b"0x3", b"3" * 20])
def test_attack_57_index_in_another_spelling(forge, index) -> None:
    files = forge.logged()
    files[PROOF] = files[PROOF].replace(b"index 3\n", b"index " + index + b"\n")
    assert forge.refusal(files) == "proof_format"


def test_attack_58_checkpoint_size_changed(forge) -> None:
    files = forge.logged()
    files[PROOF] = files[PROOF].replace(b"log\n7\n", b"log\n8\n")
    assert forge.refusal(files) == "note_bad_signature"


def test_attack_59_checkpoint_signed_by_another_log_key(forge) -> None:
    log = forge.log("logged", forge.attacker)
    index = log.append(forge.honest().statement)
    forge.cosign(log)
    files = forge.files() | {PROOF: log.proof(index)}
    assert forge.refusal(files) == "note_no_log_signature"


def test_attack_59b_another_keys_signature_under_the_logs_name_and_id(forge) -> None:
    index, path, note = parts(forge)
    body = note.partition(b"\n\n")[0] + b"\n"
    forged = with_body(forge, body, forge.attacker)
    assert forge.refusal(with_proof(forge, index, path, forged)) == "note_bad_signature"


def test_attack_60_checkpoint_of_another_origin_same_key(forge) -> None:
    index, path, note = parts(forge)
    root = notes.open_checkpoint(note, forge.log_key).root
    other = notes.sign_checkpoint("other.example.test/log", 7, root, forge.log_signer)
    code = forge.refusal(with_proof(forge, index, path, other))
    assert code == "note_no_log_signature"


def test_attack_61_no_witness_cosignature(forge) -> None:
    log = forge.log()
    index = log.append(forge.honest().statement)
    files = forge.files() | {PROOF: log.proof(index)}
    assert forge.refusal(files) == "witness_quorum"


def test_attack_61b_cosignature_of_an_unknown_witness(forge) -> None:
    log = forge.log()
    index = log.append(forge.honest().statement)
    note = log.checkpoint()
    note += notes.cosign_checkpoint(note, "stranger.example.test", forge.attacker, 1)
    files = with_proof(forge, index, [], note)
    assert forge.refusal(files) == "witness_quorum"


def test_attack_62_witness_time_altered(forge) -> None:
    index, path, note = parts(forge)
    lines = note.decode().split("\n")
    dash, name, encoded = lines[-2].split(" ")
    raw = bytearray(notes.b64_decode(encoded))
    raw[11] ^= 1
    lines[-2] = f"{dash} {name} {b64_encode(bytes(raw))}"
    code = forge.refusal(with_proof(forge, index, path, "\n".join(lines).encode()))
    assert code == "note_bad_signature"


@pytest.mark.parametrize("kept", [5, 11, 12, 75])
def test_attack_62b_cosignature_cut_short(forge, kept) -> None:
    index, path, note = parts(forge)
    lines = note.decode().split("\n")
    dash, name, encoded = lines[-2].split(" ")
    lines[-2] = f"{dash} {name} {b64_encode(notes.b64_decode(encoded)[:kept])}"
    code = forge.refusal(with_proof(forge, index, path, "\n".join(lines).encode()))
    assert code == "note_bad_signature"


def test_a_witness_that_claims_the_future(forge) -> None:
    future = int(forge.now.timestamp()) + 301
    assert forge.refusal(forge.logged(future)) == "witness_future"


def test_trusted_time_is_the_quorum_th_earliest_and_a_repeated_witness_counts_once(forge) -> None:
    log = forge.log()
    log.append(b"{}")
    note = log.checkpoint()
    signers = {"a": forge.witness_signer, "b": forge.second, "c": forge.attacker}
    keys = [notes.make_key(n, notes.WITNESS_ALGORITHM, s.public_key) for n, s in signers.items()]
    for name, time in (("a", 100), ("b", 300), ("c", 200), ("a", 150)):
        note += notes.cosign_checkpoint(note, name, signers[name], time)
    opened = notes.open_checkpoint(note, log.key, keys)
    assert [c.unix_seconds for c in opened.cosignatures] == [150, 200, 300]
    times = [notes.trusted_time(opened.cosignatures, quorum) for quorum in (0, 1, 2, 3)]
    assert times == [None, 150, 200, 300]


# History.


def tree(count: int, salt: bytes = b"") -> list[bytes]:
    return [merkle.leaf_hash(b"row%d" % n + salt) for n in range(count)]


def test_attack_63_split_view_equal_size_other_root(refused) -> None:
    ours, theirs = merkle.root(tree(7)), merkle.root(tree(7, b"x"))
    assert refused(lambda: merkle.verify_consistency(7, ours, 7, theirs, [])) == "consistency"
    assert refused(lambda: merkle.verify_consistency(7, ours, 7, ours, [ours])) == "consistency"


def test_attack_64_history_rewritten_then_extended(refused) -> None:
    new = [*tree(2), *tree(11)[:1], *tree(9)[3:]]
    steps = merkle.consistency_proof(new, 5)
    old = merkle.root(tree(5))
    assert refused(lambda: merkle.verify_consistency(5, old, 9, merkle.root(new), steps)) == (
        "consistency"
    )


@pytest.mark.parametrize("first", [3, 4])
def test_attack_121_to_123_consistency_sizes_and_lengths(refused, first) -> None:
    old, new = merkle.root(tree(first)), merkle.root(tree(7))
    steps = merkle.consistency_proof(tree(7), first)

    def code(size: int, path: list[bytes]) -> str:
        return refused(lambda: merkle.verify_consistency(size, old, 7, new, path))

    assert code(0, steps) == "consistency_size"
    assert code(8, steps) == "consistency_size"
    assert code(first, []) == "consistency"
    assert code(first, [*steps, steps[0]]) == "consistency"
    assert code(first, steps[:-1]) == "consistency"
    assert code(first, [bytes(32), *steps[1:]]) == "consistency"
    assert refused(lambda: merkle.consistency_proof(tree(7), 0)) == "consistency_size"
    assert refused(lambda: merkle.inclusion_path(tree(7), 7)) == "proof_index"


# Keys, notes, checkpoints.


@pytest.mark.parametrize(
    ("damage", "codes"),
    [
        (lambda v: v[:-1], {"b64", "vkey"}),
        (lambda v: v[:-1] + "!", {"b64"}),
        (lambda v: v + "=", {"b64", "b64_not_canonical"}),
        (lambda v: v[:-4], {"vkey"}),
        (lambda v: v.replace("+", "", 2), {"vkey"}),
        (lambda v: v.replace("log+", "log\u00a0+"), {"vkey"}),
        (lambda v: "+" + v.split("+", 1)[1], {"vkey"}),
        (lambda _: None, {"vkey"}),
    ],
)
def test_attack_105_vkey_damaged(forge, refused, damage, codes) -> None:
    text = damage(str(forge.log_key))
    assert refused(lambda: notes.parse_key(text, notes.LOG_ALGORITHM)) in codes


def test_attack_106_vkey_id_altered(forge, refused) -> None:
    name, key_id, key = str(forge.log_key).split("+", 2)
    text = f"{name}+{int(key_id, 16) ^ 1:08x}+{key}"
    assert refused(lambda: notes.parse_key(text, notes.LOG_ALGORITHM)) == "vkey"


def test_gap_vkey_without_plus_or_with_the_wrong_algorithm(forge, refused) -> None:
    assert refused(lambda: notes.parse_key("nonsense", notes.LOG_ALGORITHM)) == "vkey"
    log, witness = str(forge.log_key), str(forge.witness_key)
    assert refused(lambda: notes.parse_key(log, notes.WITNESS_ALGORITHM)) == "vkey"
    assert refused(lambda: notes.parse_key(witness, notes.LOG_ALGORITHM)) == "vkey"


def vkey(name: str, algorithm: int, material: bytes) -> str:
    """A vkey whose id is right for `algorithm`, whatever its material says."""
    key_id = notes.VerifierKey(name, algorithm, material[1:]).key_id.hex()
    return f"{name}+{key_id}+{b64_encode(material)}"


def test_vkey_of_another_length_or_algorithm_under_a_right_id(forge, refused) -> None:
    key = forge.log_signer.public_key
    for material in (b"\x01" + key[:31], b"\x01" + key + b"\0", b"\x04" + key, b""):
        text = vkey("x", notes.LOG_ALGORITHM, material)
        assert refused(lambda text=text: notes.parse_key(text, notes.LOG_ALGORITHM)) == "vkey"
    text = vkey("x", notes.LOG_ALGORITHM, b"\x01" + key)
    assert notes.parse_key(text, notes.LOG_ALGORITHM).public_key == key


def test_a_note_beyond_its_limit_though_signed(forge, refused) -> None:
    _, _, note = parts(forge)
    body = note.partition(b"\n\n")[0] + b"\n" + b"x" * (1 << 16) + b"\n"
    signed = body + b"\n" + notes._signature_line(forge.log_key, forge.log_signer.sign(body))
    assert refused(lambda: notes.open_checkpoint(signed, forge.log_key)) == "note_format"


NOTE_DAMAGE = [
    ("107 control character", lambda n: n.replace(b"log\n", b"log\t\n", 1), "note_format"),
    ("107b carriage return", lambda n: n.replace(b"\n", b"\r\n"), "note_format"),
    ("108 invalid UTF-8", lambda n: n + b"\xff\n", "note_utf8"),
    ("109 no separator", lambda n: n.replace(b"\n\n", b"\n"), "note_format"),
    ("109b no final newline", lambda n: n[:-1], "note_format"),
    ("109c no signature", lambda n: n.partition(b"\n\n")[0] + b"\n\n", "note_format"),
    ("110 17 signatures", lambda n: n + n.split(b"\n")[-2] * 1 + b"\n", "accepted"),
    ("hyphen for dash", lambda n: n.replace("\u2014".encode(), b"-"), "note_format"),
    ("two spaces", lambda n: n.replace("\u2014 ".encode(), "\u2014  ".encode()), "note_format"),
    ("short signature", lambda n: n + "\u2014 x AAAA\n".encode(), "note_format"),
    ("bad base64", lambda n: n + "\u2014 x !\n".encode(), "b64"),
    ("too long", lambda n: n + b"x" * (1 << 16), "note_format"),
]


@pytest.mark.parametrize(
    ("damage", "code"), [row[1:] for row in NOTE_DAMAGE], ids=[row[0] for row in NOTE_DAMAGE]
)
def test_attack_on_a_note(forge, damage, code) -> None:
    index, path, note = parts(forge)
    files = with_proof(forge, index, path, damage(note))
    if code == "accepted":
        assert forge.verify(files).log
    else:
        assert forge.refusal(files) == code


def test_attack_110_seventeen_signature_lines(forge) -> None:
    index, path, note = parts(forge)
    line = note.split(b"\n")[-2] + b"\n"
    assert forge.refusal(with_proof(forge, index, path, note + line * 15)) == "note_signatures"
    assert forge.verify(with_proof(forge, index, path, note + line * 14)).log


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_gap_note_lines_are_split_on_0x0a_only(forge, separator) -> None:
    index, path, note = parts(forge)
    head, _, tail = note.decode().partition("\n\n")
    joined = head + "\n\n" + tail.replace("\n", separator, 1)
    code = forge.refusal(with_proof(forge, index, path, joined.encode()))
    assert code in {"note_format", "b64"}


BODIES = [
    ("111 extension line", "{origin}\n7\n{root}\nextension\n", "checkpoint_format"),
    ("111b line missing", "{origin}\n7\n", "checkpoint_format"),
    ("112 other origin", "other.example.test/log\n7\n{root}\n", "checkpoint_origin"),
    ("113 leading zero", "{origin}\n07\n{root}\n", "checkpoint_size"),
    ("114 non-ASCII digits", "{origin}\n\u0667\n{root}\n", "checkpoint_size"),
    ("114b sign", "{origin}\n+7\n{root}\n", "checkpoint_size"),
    ("115 short root", "{origin}\n7\n{short}\n", "checkpoint_root"),
    ("115b root is no base64", "{origin}\n7\n!\n", "b64"),
    ("116 index not below size", "{origin}\n3\n{root}\n", "proof_index"),
    ("empty tree", "{origin}\n0\n{root}\n", "proof_index"),
]


@pytest.mark.parametrize(
    ("body", "code"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_attack_on_a_checkpoint_signed_with_the_real_key(forge, body, code) -> None:
    index, path, note = parts(forge)
    root = notes.open_checkpoint(note, forge.log_key).root
    text = body.format(origin=forge.origin, root=b64_encode(root), short=b64_encode(root[:31]))
    forged = with_body(forge, text.encode())
    assert forge.refusal(with_proof(forge, index, path, forged)) == code


def test_attack_117_to_119_inclusion_path_lengths(forge) -> None:
    index, path, note = parts(forge)
    for altered, code in (
        ([*path, path[0]], "proof_length"),
        (path[:-1], "proof_root"),
        ([path[0][:31], *path[1:]], "proof_format"),
        ([path[0]] * 65, "proof_format"),
        (path[::-1], "proof_root"),
    ):
        assert forge.refusal(with_proof(forge, index, altered, note)) == code


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.replace(b"@v1", b"@v2"),
        lambda p: p.replace(b"index ", "index\u00a0".encode()),
        lambda p: p.replace(b"index 3\n", b""),
        lambda p: p.replace(b"index 3\n", b"extra AAAA\nindex 3\n"),
        lambda p: p.partition(b"\n\n")[0],
        lambda p: b"",
        lambda p: p + b"x" * (1 << 18),
    ],
)
def test_attack_120_proof_header(forge, damage) -> None:
    files = forge.logged()
    assert forge.refusal(files | {PROOF: damage(files[PROOF])}) == "proof_format"


def test_cosigned_bytes_are_the_body_and_the_time(forge) -> None:
    log = forge.log()
    log.append(b"{}")
    note = log.checkpoint()
    line = notes.cosign_checkpoint(note, "w", forge.witness_signer, 1793600000)
    raw = notes.b64_decode(line.decode().split(" ")[2].strip())
    assert struct.unpack(">Q", raw[4:12]) == (1793600000,)
    assert len(raw) == 76
