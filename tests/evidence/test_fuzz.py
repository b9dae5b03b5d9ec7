"""Whatever the bytes are, only a refusal comes out of the readers, and never a defect."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence import build, canonical, container, notes, proof, signatures, sums, tables, trust
from evidence.decision import verify_decision
from evidence.errors import Refusal
from evidence.statement import check_run, read_run_statement

BOUNDED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def edits(data: bytes):
    """A few cuts, insertions and overwrites of honest bytes."""
    step = st.tuples(st.integers(0, max(len(data), 1)), st.integers(0, 9), st.binary(max_size=9))

    def apply(steps) -> bytes:
        edited = data
        for position, cut, inserted in steps:
            edited = edited[:position] + inserted + edited[position + cut :]
        return edited

    return st.lists(step, max_size=3).map(apply)


READERS = {
    "canonical": canonical.loads_strict,
    "container": container.read_zip,
    "entries": tables.read_entries,
    "envelope": lambda data: signatures.verify_envelope(data, {"k": b"\0" * 32}),
    "note": lambda data: notes.open_checkpoint(data, notes.VerifierKey("x", 1, b"\0" * 32)),
    "proof": proof.read_proof,
    "run": lambda data: check_run(canonical.loads_lenient(data)),
    "sshsig": lambda data: signatures.verify_sshsig(data, b"", [b"\0" * 32]),
    "statement": read_run_statement,
    "sums": sums.read_sums,
    "table": lambda data: tables.scan_table("x", data, ("id",)),
    "trust": trust.load_trust,
    "vkey": lambda data: notes.parse_key(data.decode("latin-1"), notes.LOG_ALGORITHM),
}


def refusal_of(action) -> str | None:
    """The code an action is refused with, None when it is accepted; nothing else may come out."""
    try:
        action()
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("name", sorted(READERS))
@BOUNDED
@given(data=st.data())
def test_a_reader_refuses_and_never_crashes(issuer, name, data) -> None:
    files = issuer.logged()
    honest = {
        "canonical": files["run.json"],
        "container": container.write_zip({"a": b"hello", "b/c": b"{}"}),
        "entries": files[build.TABLES_FILE],
        "envelope": files[build.ENVELOPE_FILE],
        "note": proof.read_proof(files[build.PROOF_FILE])[2],
        "proof": files[build.PROOF_FILE],
        "run": files[build.RUN_FILE],
        "sshsig": files[build.SSHSIG_FILE],
        "statement": files[build.STATEMENT_FILE],
        "sums": files[build.SUMS_FILE],
        "table": b'{"id":"a","n":1}\n{"id":"b","n":2}\n',
        "trust": json.dumps(issuer.trust_document()).encode(),
        "vkey": str(issuer.log_key).encode(),
    }[name]
    drawn = data.draw(edits(honest) | st.binary(max_size=40))
    assert refusal_of(lambda: READERS[name](drawn)) != "verifier_defect"


@BOUNDED
@given(data=st.data())
def test_no_edit_below_the_container_gets_past_the_verifier(issuer, data) -> None:
    files = issuer.logged()
    name = data.draw(st.sampled_from(sorted(files)))
    edited = data.draw(edits(files[name]))
    if edited == files[name]:
        assert issuer.verify(files)
        return
    code = refusal_of(lambda: issuer.verify(files | {name: edited}, require_log=True))
    assert code not in {None, "verifier_defect"}


@BOUNDED
@given(data=st.data())
def test_no_signed_nonsense_crashes_the_verifier(issuer, data) -> None:
    # The real key signs documents in which any one member is any JSON value at all.
    names = ("run.json", "tables.json", "evidence/reconciliation.json", "evidence/chargebacks.json")
    name = data.draw(st.sampled_from(names))
    files = issuer.files()
    document = json.loads(files[name])
    target = document
    while data.draw(st.booleans()):
        inner = [value for value in target.values() if isinstance(value, dict)]
        if not inner:
            break
        target = data.draw(st.sampled_from(inner))
    if target:
        target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    with contextlib.suppress(UnicodeEncodeError):
        files[name] = json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
    code = None
    try:
        issuer.verify(issuer.seal(files))
    except Refusal as refusal:
        code = refusal.code
    assert code != "verifier_defect"


@BOUNDED
@given(data=st.data())
def test_no_signed_statement_crashes_the_verifier(issuer, data) -> None:
    document = issuer.statement()
    target = data.draw(st.sampled_from([document, document["predicate"], document["subject"][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        forged = issuer.enveloped(document)
    except Refusal:
        return
    assert refusal_of(lambda: issuer.verify(forged)) != "verifier_defect"
    envelope = forged[build.ENVELOPE_FILE]
    decided = refusal_of(lambda: verify_decision(envelope, issuer.trust(), "t1", issuer.now, False))
    assert decided is not None


@pytest.mark.parametrize("value", [None, 3, 1.5, "\x1b[2J\u202e", b"\xff", [1], {"a": 1}, 10**99])
def test_a_refusal_shows_foreign_values_harmlessly(value) -> None:
    from evidence.errors import show

    text = show(value)
    assert text.isascii()
    assert text.isprintable()
    assert len(show("x" * 10_000)) < 100


def test_a_crash_inside_the_verifier_is_still_a_refusal(issuer, monkeypatch) -> None:
    def crash(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sums, "read_sums", crash)
    assert issuer.refusal(issuer.files()) == "verifier_defect"
