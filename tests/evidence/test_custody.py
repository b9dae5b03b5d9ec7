"""Keys over time: rotation, retirement, compromise, the root, and roll-back of the trust file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from evidence import build, cli, custody, notes
from evidence.keys import KeySigner, public_key_pem
from evidence.trust import TrustedLog, TrustFile, load_trust, trusted_key

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def first(forge) -> TrustFile:
    key = trusted_key(forge.signer, NOW - 300 * DAY, NOW + 300 * DAY)
    return TrustFile(4, 1, (key,), TrustedLog(forge.log_key))


def test_rotation_names_the_new_key_and_lets_the_old_one_run_out(forge, first) -> None:
    after = custody.rotated(first, forge.second, NOW, 730 * DAY, 30 * DAY)
    old, new = after.keys
    assert after.version == 5
    assert old.status == new.status == "active"
    assert old.valid_until == int((NOW + 30 * DAY).timestamp())
    assert (new.keyid, new.valid_from) == (forge.second.keyid, int(NOW.timestamp()))
    assert load_trust(custody.write_trust(after)) == after


def test_rotation_never_lengthens_a_window(forge, first) -> None:
    after = custody.rotated(first, forge.second, NOW, 730 * DAY, 3000 * DAY)
    assert after.keys[0].valid_until == first.keys[0].valid_until


def test_the_same_key_cannot_follow_itself(forge, first, refused) -> None:
    change = lambda: custody.rotated(first, forge.signer, NOW, DAY, DAY)  # noqa: E731
    assert refused(change) == "trust_keyid"


def test_what_a_retired_key_signed_before_stays_good_with_trusted_time_alone(forge, first) -> None:
    after = custody.retired(first, forge.signer.keyid[:12], NOW, compromised=False)
    log = {"vkey": str(forge.log_key), "witnesses": [str(forge.witness_key)], "quorum": 1}
    document = json.loads(custody.write_trust(after)) | {"log": log}
    trust = load_trust(json.dumps(document).encode())
    seen_before = forge.logged(time=int(NOW.timestamp()) - 3600)
    forge.verify(seen_before, trust=trust)
    without = {name: data for name, data in seen_before.items() if name != build.PROOF_FILE}
    assert forge.refusal(without, trust=trust) == "retired_key_needs_trusted_time"


@pytest.mark.parametrize(
    ("compromised", "code"), [(False, "key_outside_validity"), (True, "key_compromised")]
)
def test_what_was_signed_after_retirement_or_compromise_is_refused(
    forge, first, compromised, code
) -> None:
    at = datetime.fromtimestamp(forge.witness_time - 60, UTC)
    after = custody.retired(first, forge.signer.keyid, at, compromised=compromised)
    log = {"vkey": str(forge.log_key), "witnesses": [str(forge.witness_key)], "quorum": 1}
    document = json.loads(custody.write_trust(after)) | {"log": log}
    trust = load_trust(json.dumps(document).encode())
    assert forge.refusal(forge.logged(), trust=trust) == code


@pytest.mark.parametrize("keyid", ["", "zz", "0" * 64])
def test_no_key_is_retired_by_a_name_that_is_not_its_own(first, refused, keyid) -> None:
    change = lambda: custody.retired(first, keyid, NOW, compromised=False)  # noqa: E731
    assert refused(change) == "trust_keyid"


def test_a_beginning_that_two_keys_share_retires_neither(first, refused) -> None:
    both = first
    for number in range(17):
        both = custody.rotated(both, KeySigner.from_seed(b"%032d" % number), NOW, DAY, DAY)
    starts = [key.keyid[0] for key in both.keys]
    shared = next(start for start in starts if starts.count(start) > 1)
    change = lambda: custody.retired(both, shared, NOW, compromised=False)  # noqa: E731
    assert refused(change) == "trust_keyid"


def test_a_compromised_key_is_never_called_merely_retired(forge, first, refused) -> None:
    bad = custody.retired(first, forge.signer.keyid, NOW, compromised=True)
    change = lambda: custody.retired(bad, forge.signer.keyid, NOW, compromised=False)  # noqa: E731
    assert refused(change) == "trust_keyid"


def test_only_the_root_key_makes_a_root_signed_file(forge, first, refused) -> None:
    root = forge.attacker
    signed = custody.write_trust(first, root)
    assert load_trust(signed, [root.public_key]) == first
    assert refused(lambda: load_trust(signed, [forge.second.public_key])) == "untrusted_key"
    plain = custody.write_trust(first)
    assert refused(lambda: load_trust(plain, [root.public_key])) == "envelope_fields"
    assert refused(lambda: custody.write_trust(first, forge.signer)) == "trust_root"


def test_certificates_for_timestamps_survive_a_change(forge, first) -> None:
    from dataclasses import replace

    kept = replace(first, tsa=("-----BEGIN CERTIFICATE-----",))
    after = custody.rotated(kept, forge.second, NOW, DAY, DAY)
    assert load_trust(custody.write_trust(after)).tsa == kept.tsa


def test_witnesses_need_a_log_and_a_quorum_they_can_reach(forge, first, refused) -> None:
    after = custody.witnessed(first, [forge.witness_key], 1)
    assert load_trust(custody.write_trust(after)).log.quorum == 1
    no_log = TrustFile(1, 1, first.keys)
    assert refused(lambda: custody.witnessed(no_log, [forge.witness_key], 1)) == "trust_fields"
    too_many = custody.witnessed(first, [forge.witness_key], 2)
    assert refused(lambda: custody.write_trust(too_many)) == "witness_quorum"
    signer_as_witness = notes.make_key("w", notes.WITNESS_ALGORITHM, forge.signer.public_key)
    bad = custody.witnessed(first, [signer_as_witness], 1)
    assert refused(lambda: custody.write_trust(bad)) == "witness_key"


def test_a_verifier_remembers_the_newest_trust_file_and_refuses_an_older_one(
    forge, first, tmp_path, capsys
) -> None:
    packet, trust, memory = (tmp_path / name for name in ("p.zip", "trust.json", "memory"))
    packet.write_bytes(forge.pack(forge.logged()))
    root = tmp_path / "root.pem"
    root.write_text(public_key_pem(forge.attacker.public_key))
    asked = [str(packet), "--trust", str(trust), "--trust-memory", str(memory), "--json"]
    asked += ["--root-key", str(root)]

    def answer(version: int) -> str:
        from dataclasses import replace

        trust.write_bytes(custody.write_trust(replace(first, version=version), forge.attacker))
        cli.main(asked)
        return str(json.loads(capsys.readouterr().out).get("code", "accepted"))

    assert [answer(4), answer(4), answer(6), answer(5)] == [*["accepted"] * 3, "trust_version"]
    assert memory.read_text() == "6\n"
    memory.write_text("six")
    assert answer(7) == "trust_memory"
