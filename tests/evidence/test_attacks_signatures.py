"""Attacks on keys, signers, thresholds, algorithms and envelopes."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from evidence import build, canonical, signatures
from evidence.statement import Link, write_run_statement

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def signed(forge, signer, keyid=None, message=None) -> dict[str, str]:
    payload = forge.honest().statement
    signature = signer.sign(signatures.pae(payload) if message is None else message)
    return {"keyid": keyid or signer.keyid, "sig": signatures.b64_encode(signature)}


def with_signatures(forge, entries: object) -> dict[str, bytes]:
    return forge.envelope(lambda envelope: envelope.update(signatures=entries))


def test_attack_05_attackers_key_under_its_own_keyid(forge) -> None:
    entries = [signed(forge, forge.attacker)]
    assert forge.refusal(with_signatures(forge, entries)) == "untrusted_key"


def test_attack_06_attackers_signature_under_a_trusted_keyid(forge) -> None:
    entries = [signed(forge, forge.attacker, forge.signer.keyid)]
    assert forge.refusal(with_signatures(forge, entries)) == "bad_signature"


def test_attack_06b_a_bad_trusted_signature_beside_a_good_one(forge) -> None:
    bad = signed(forge, forge.attacker, forge.second.keyid)
    trust = forge.trust(keys=[forge.trusted(forge.signer), forge.trusted(forge.second)])
    entries = [signed(forge, forge.signer), bad]
    assert forge.refusal(with_signatures(forge, entries), trust=trust) == "bad_signature"


def test_attack_07_empty_signature_list(forge) -> None:
    assert forge.refusal(with_signatures(forge, [])) == "no_signatures"


@pytest.mark.parametrize("entries", [None, {}, "none", 1])
def test_attack_08_signatures_is_not_a_list(forge, entries) -> None:
    assert forge.refusal(with_signatures(forge, entries)) == "no_signatures"


@pytest.mark.parametrize("name", build.FIXED_FILES)
def test_attack_09_a_fixed_file_is_missing(forge, name) -> None:
    files = forge.files()
    del files[name]
    assert forge.refusal(files) == "missing_file"


def test_attack_10_downgrade_extra_algorithm_field(forge) -> None:
    entries = [signed(forge, forge.signer) | {"alg": "none"}]
    assert forge.refusal(with_signatures(forge, entries)) == "signature_fields"


def test_attack_11_downgrade_tag_keyed_with_the_public_key(forge) -> None:
    message = signatures.pae(forge.honest().statement)
    tag = hmac.digest(forge.signer.public_key, message, hashlib.sha256)
    entry = {"keyid": forge.signer.keyid, "sig": signatures.b64_encode(tag)}
    assert forge.refusal(with_signatures(forge, [entry])) == "signature_length"


def test_attack_12_other_payload_type_validly_signed(forge) -> None:
    forged = forge.enveloped(forge.statement(), "text/plain")
    assert forge.refusal(forged) == "payload_type"


def test_attack_13_signature_over_the_raw_payload(forge) -> None:
    entries = [signed(forge, forge.signer, message=forge.honest().statement)]
    assert forge.refusal(with_signatures(forge, entries)) == "bad_signature"


def test_attack_14_signature_over_the_bare_digest(forge) -> None:
    digest = hashlib.sha256(forge.honest().statement).digest()
    entries = [signed(forge, forge.signer, message=digest)]
    assert forge.refusal(with_signatures(forge, entries)) == "bad_signature"


def test_attack_15_other_predicate_type_validly_signed(forge) -> None:
    document = forge.statement() | {"predicateType": "urn:tieout:gate-decision:v1"}
    assert forge.refusal(forge.enveloped(document)) == "predicate_type"


def test_attack_16_malleable_signature_s_plus_l(forge) -> None:
    entry = signed(forge, forge.signer)
    raw = signatures.b64_decode(entry["sig"])
    scalar = int.from_bytes(raw[32:], "little") + GROUP_ORDER
    entry["sig"] = signatures.b64_encode(raw[:32] + scalar.to_bytes(32, "little"))
    assert forge.refusal(with_signatures(forge, [entry])) == "bad_signature"


def test_attack_17_non_zero_trailing_bits_in_base64(forge) -> None:
    entry = signed(forge, forge.signer)
    head, last = entry["sig"][:-3], entry["sig"][-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    entry["sig"] = head + alphabet[alphabet.index(last) + 1] + "=="
    assert forge.refusal(with_signatures(forge, [entry])) == "b64_not_canonical"


@pytest.mark.parametrize("text", ["!!!!", "AAA", "AA-_", "AA==\n", "\u00e9\u00e9\u00e9\u00e9"])
def test_attack_17b_other_alphabets_and_broken_padding(forge, text) -> None:
    entries = [{"keyid": forge.signer.keyid, "sig": text}]
    assert forge.refusal(with_signatures(forge, entries)) == "b64"


def test_attack_65_key_compromised_before_the_trusted_time(forge) -> None:
    key = forge.trusted(forge.signer, status="compromised", status_at=forge.witness_time)
    assert forge.refusal(forge.logged(), trust=forge.trust(keys=[key])) == "key_compromised"


def test_attack_66_compromised_key_without_trusted_time(forge) -> None:
    key = forge.trusted(forge.signer, status="compromised", status_at=forge.witness_time + 9)
    assert forge.refusal(forge.files(), trust=forge.trust(keys=[key])) == "key_compromised"


@pytest.mark.parametrize("window", [{"until": -1}, {"until": 0}, {"from": 1}])
def test_attack_67_trusted_time_outside_the_window(forge, window) -> None:
    limits = {name: forge.witness_time + offset for name, offset in window.items()}
    key = forge.trusted(forge.signer, **limits)
    code = forge.refusal(forge.logged(), trust=forge.trust(keys=[key]))
    assert code == "key_outside_validity"


def test_attack_67b_key_whose_window_has_not_opened(forge) -> None:
    key = forge.trusted(forge.signer, **{"from": int(forge.now.timestamp()) + 1})
    assert forge.refusal(forge.files(), trust=forge.trust(keys=[key])) == "key_outside_validity"


def test_a_key_whose_window_is_over_is_told_where_no_trusted_time_dates_the_signature(
    forge,
) -> None:
    """A packet of that time and one forged today with the old key look alike."""
    end = int(forge.now.timestamp())
    for until, told in ((end, True), (end + 1, False)):
        trust = forge.trust(keys=[forge.trusted(forge.signer, until=until)])
        gaps = forge.verify(forge.files(), trust=trust).not_proven
        assert any("before its window ended" in gap for gap in gaps) is told
    trust = forge.trust(keys=[forge.trusted(forge.signer, until=forge.witness_time + 1)])
    gaps = forge.verify(forge.logged(), trust=trust).not_proven
    assert not any("before its window ended" in gap for gap in gaps)


def test_attack_68_key_of_another_tenant(forge) -> None:
    key = forge.trusted(forge.signer, tenants=["t2", "t10"])
    assert forge.refusal(forge.files(), trust=forge.trust(keys=[key])) == "untrusted_key"
    assert forge.refusal(forge.files(), trust=forge.trust(keys=[key]), tenant=None) == (
        "untrusted_key"
    )


def test_attack_69_key_trusted_for_another_use(forge) -> None:
    key = forge.trusted(forge.signer, use=["decision"])
    assert forge.refusal(forge.files(), trust=forge.trust(keys=[key])) == "untrusted_key"


def test_attack_70_keyring_entry_whose_keyid_is_not_its_hash(forge, refused) -> None:
    key = forge.trusted(forge.attacker, keyid=forge.signer.keyid)
    assert refused(lambda: forge.trust(keys=[key])) == "trust_keyid"


def test_attack_71_the_same_signature_twice_for_threshold_two(forge) -> None:
    entries = [signed(forge, forge.signer)] * 2
    trust = forge.trust(threshold=2)
    assert forge.refusal(with_signatures(forge, entries), trust=trust) == "threshold"


def test_attack_71b_one_key_material_counts_once_under_two_keyids(forge, refused) -> None:
    keys = {forge.signer.keyid: forge.signer.public_key, "other": forge.signer.public_key}
    entries = [signed(forge, forge.signer), signed(forge, forge.signer, "other")]
    envelope = with_signatures(forge, entries)[build.ENVELOPE_FILE]
    assert refused(lambda: signatures.verify_envelope(envelope, keys, 2)) == "threshold"
    listed = [forge.trusted(forge.signer)] * 2
    assert refused(lambda: forge.trust(keys=listed)) == "trust_keyid"


def test_attack_79_other_statement_version(forge) -> None:
    document = forge.statement() | {"_type": "https://in-toto.io/Statement/v0.1"}
    assert forge.refusal(forge.enveloped(document)) == "statement_type"


def test_attack_92_retired_key_without_trusted_time(forge) -> None:
    key = forge.trusted(forge.signer, status="retired", status_at=forge.witness_time)
    code = forge.refusal(forge.files(), trust=forge.trust(keys=[key]))
    assert code == "retired_key_needs_trusted_time"


@pytest.mark.parametrize("threshold", [0, -1, True, None, 9, "1"])
def test_attack_93_trust_file_with_a_senseless_threshold(forge, refused, threshold) -> None:
    assert refused(lambda: forge.trust(threshold=threshold)) == "threshold"


def test_attack_93b_threshold_zero_at_the_envelope(forge, refused) -> None:
    envelope = forge.files()[build.ENVELOPE_FILE]
    keys = {forge.signer.keyid: forge.signer.public_key}
    assert refused(lambda: signatures.verify_envelope(envelope, keys, 0)) == "threshold"


def test_attack_94_trust_file_holds_an_ec_key(forge, refused) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = pem.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    key = forge.trusted(forge.signer, pem=text)
    assert refused(lambda: forge.trust(keys=[key])) == "trust_key_type"
    key = forge.trusted(forge.signer, pem="not a key")
    assert refused(lambda: forge.trust(keys=[key])) == "trust_key_type"


def test_attack_95_extra_member_in_the_envelope(forge) -> None:
    assert forge.refusal(forge.envelope(lambda e: e.update(note="hello"))) == "envelope_fields"
    assert forge.refusal(forge.envelope(lambda e: e.pop("payloadType"))) == "envelope_fields"


@pytest.mark.parametrize("text", [b"[]", b"1", b"null", b'"x"'])
def test_attack_95b_envelope_is_not_an_object(forge, text) -> None:
    files = forge.files() | {build.ENVELOPE_FILE: text}
    assert forge.refusal(files) == "envelope_fields"


@pytest.mark.parametrize("payload", [None, 7, [], {}])
def test_attack_96_payload_is_not_a_string(forge, payload) -> None:
    assert forge.refusal(forge.envelope(lambda e: e.update(payload=payload))) == "b64"


def test_attack_97_nine_signatures(forge) -> None:
    entries = [signed(forge, forge.signer)] * 9
    assert forge.refusal(with_signatures(forge, entries)) == "too_many_signatures"


def test_attack_98_emitter_statement_beyond_4096_bytes(forge, refused) -> None:
    counts = {f"outcome_{number}": 1 for number in range(300)}
    assert (
        refused(
            lambda: write_run_statement(
                tenant="t1",
                period="2026-10",
                revision=1,
                previous=Link("2026-09", "0" * 64),
                supersedes=None,
                verdict="breaks",
                counts=counts,
                subjects={},
            )
        )
        == "statement_too_big"
    )


@pytest.mark.parametrize("keyid", [[], {}, None, 1])
def test_gap_keyid_is_not_a_string(forge, keyid) -> None:
    entry = signed(forge, forge.signer) | {"keyid": keyid}
    assert forge.refusal(with_signatures(forge, [entry])) == "signature_fields"


def test_attack_01c_sshsig_of_another_key(forge) -> None:
    forged = signatures.sign_sshsig(forge.honest().statement, forge.attacker)
    assert forge.refusal(forge.files() | {build.SSHSIG_FILE: forged}) == "sshsig_untrusted_key"


def test_attack_01d_sshsig_of_another_namespace(forge) -> None:
    forged = signatures.sign_sshsig(forge.honest().statement, forge.signer, "git")
    assert forge.refusal(forge.files() | {build.SSHSIG_FILE: forged}) == "sshsig_untrusted_key"


def test_attack_01e_sshsig_over_another_statement(forge) -> None:
    forged = signatures.sign_sshsig(b"{}", forge.signer)
    assert forge.refusal(forge.files() | {build.SSHSIG_FILE: forged}) == "sshsig_bad_signature"


def test_attack_103_sshsig_armour_rewrapped(forge) -> None:
    lines = forge.files()[build.SSHSIG_FILE].split(b"\n")
    body = b"".join(lines[1:-2])
    wrapped = [body[i : i + 64] for i in range(0, len(body), 64)]
    forged = b"\n".join([lines[0], *wrapped, *lines[-2:]])
    assert forge.refusal(forge.files() | {build.SSHSIG_FILE: forged}) == "sshsig_not_canonical"


@pytest.mark.parametrize("kind", ["pgp", "empty", "not base64", "long"])
def test_attack_104_sshsig_in_another_armour(forge, kind) -> None:
    honest = forge.files()[build.SSHSIG_FILE]
    forged = {
        "pgp": honest.replace(b"SSH SIGNATURE", b"PGP SIGNATURE"),
        "empty": b"",
        "not base64": honest.replace(b"U1NIU0lH", b"!!!!!!!!"),
        "long": honest.replace(b"\n", b"\n" * (1 << 17), 1),
    }[kind]
    assert forge.refusal(forge.files() | {build.SSHSIG_FILE: forged}) == "sshsig_format"


def test_the_sshsig_key_is_held_to_its_life_as_well(forge) -> None:
    # The envelope is signed by a good key, the SSHSIG by a compromised one.
    files = forge.files()
    statement = files[build.STATEMENT_FILE]
    files[build.SSHSIG_FILE] = signatures.sign_sshsig(statement, forge.second)
    bad = forge.trusted(forge.second, status="compromised", status_at=1)
    trust = forge.trust(keys=[forge.trusted(forge.signer), bad])
    assert forge.refusal(files, trust=trust) == "key_compromised"


def test_a_decision_envelope_is_no_packet_envelope(forge) -> None:
    document = json.loads(forge.honest().statement)
    payload = canonical.dumps(document | {"predicateType": "urn:tieout:gate-decision:v1"})
    envelope = signatures.sign_envelope(payload, [forge.signer])
    assert forge.refusal(forge.files() | {build.ENVELOPE_FILE: envelope}) == "predicate_type"
