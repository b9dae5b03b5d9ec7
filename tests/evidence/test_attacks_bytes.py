"""Attacks on bytes: flipped bits, swapped files, edited texts."""

from __future__ import annotations

import json
import random
import unicodedata

import pytest

from evidence import build
from evidence.build import build_packet
from evidence.errors import Refusal

DRIFT = "tables/reconciliation_drift.ndjson"


def test_attack_01_single_bit_flips_anywhere_in_the_zip(forge) -> None:
    data, chance = forge.honest().zip_bytes, random.Random(1)
    for _ in range(200):
        flipped = bytearray(data)
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        assert forge.refusal(bytes(flipped)) != "verifier_defect"


def test_attack_01b_single_bit_flips_below_the_container(forge) -> None:
    # The container is rebuilt around each flip, so that no checksum of the ZIP hides the verifier.
    files, chance = forge.logged(), random.Random(2)
    for name, data in files.items():
        for _ in range(12):
            flipped = bytearray(data)
            flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            with pytest.raises(Refusal) as caught:
                forge.verify(files | {name: bytes(flipped)}, require_log=True)
            assert caught.value.code != "verifier_defect", name


def test_attack_02_table_cell_changed(forge) -> None:
    files = forge.files()
    files[DRIFT] = files[DRIFT].replace(b'"drift_cents":125', b'"drift_cents":126')
    assert forge.refusal(files) == "digest_mismatch"


def test_attack_03_table_and_sums_rewritten_statement_kept(forge) -> None:
    files = forge.files()
    forged = files | {DRIFT: files[DRIFT].replace(b":125,", b":126,")}
    forged[build.SUMS_FILE] = forge.seal(forged)[build.SUMS_FILE]
    assert forge.refusal(forged) == "digest_mismatch"


def test_attack_04_verdict_edited_old_signature_kept(forge) -> None:
    document = forge.statement()
    document["predicate"]["verdict"] = "reconciled"
    old = json.loads(forge.files()[build.ENVELOPE_FILE])["signatures"]
    forged = forge.enveloped(document)
    envelope = json.loads(forged[build.ENVELOPE_FILE]) | {"signatures": old}
    assert forge.refusal(forge.envelope(lambda e: e.update(envelope))) == "bad_signature"


def test_attack_34_unicode_normalisation_in_data(forge) -> None:
    files = forge.files()
    decomposed = unicodedata.normalize("NFD", files[DRIFT].decode()).encode()
    assert decomposed != files[DRIFT]
    assert forge.refusal(files | {DRIFT: decomposed}) == "digest_mismatch"


def test_attack_72_readable_statement_differs_from_the_payload(forge) -> None:
    files = forge.files()
    files[build.STATEMENT_FILE] = files[build.STATEMENT_FILE].replace(b"breaks", b"broken")
    assert forge.refusal(files) == "statement_copy_differs"


def test_attack_73_evidence_of_another_validly_issued_packet(forge, packet_tables, rows) -> None:
    other = forge.spec(tables=packet_tables(reconciliation_drift=rows["drift"](("break",) * 4)))
    from_other = forge.__class__(forge.folder)
    from_other._honest = build_packet(other, forge.signer)
    name = "evidence/reconciliation.json"
    mixed = forge.files() | {name: from_other.files()[name]}
    assert forge.refusal(mixed) == "digest_mismatch"
