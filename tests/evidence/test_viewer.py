"""The page that verifies a packet in a browser: its policy, and its answers beside ours."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence import build, canonical, findings
from evidence.decision import DecidedPayout, DecisionSpec, build_decision
from evidence.errors import Refusal
from evidence.viewer import viewer_html
from tests.evidence.test_kernel_packet import carrying

CHROMIUM = Path("/usr/bin/chromium")
WAIT_MILLISECONDS = 30_000


def part(tag: str) -> str:
    found = re.findall(f"<{tag}>(.*?)</{tag}>", viewer_html().decode(), re.DOTALL)
    assert len(found) == 1
    return found[0]


def test_the_policy_forbids_every_connection_and_names_the_pages_own_script_by_hash() -> None:
    page = viewer_html().decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(part(tag).encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]


def test_the_page_names_no_other_page_and_writes_no_markup_from_a_packet() -> None:
    script = part("script")
    assert not re.findall(
        r"fetch\(|XMLHttpRequest|WebSocket|innerHTML|eval\(|document\.write", script
    )
    addresses = set(re.findall(r"https?://[^\"'\s]+", viewer_html().decode()))
    assert addresses == {"https://in-toto.io/Statement/v1"}


class Page:
    """The viewer in a real browser without a network."""

    def __init__(self, page, folder: Path) -> None:
        self._page = page
        self._folder = folder
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda r: self.errors.append(r.url) if "http" in r.url[:5] else None)

    def open(self, data: bytes, trust: bytes, name: str = "packet.zip", **expected: str) -> str:
        """Opens the page anew, gives it both files, and returns its answer or refusal code."""
        (self._folder / name).write_bytes(data)
        (self._folder / "trust.json").write_bytes(trust)
        (self._folder / "viewer.html").write_bytes(viewer_html())
        self._page.goto((self._folder / "viewer.html").as_uri())
        for field, value in expected.items():
            self._page.fill(f"#{field}", value)
        self._page.set_input_files("#trustfile", self._folder / "trust.json")
        return self.give(self._folder / name)

    def give(self, path: Path) -> str:
        """Gives the open page another file, and returns its answer or refusal code."""
        self._page.evaluate("delete document.body.dataset.answer")
        self._page.set_input_files("#file", path)
        self._page.wait_for_selector("body[data-answer]", timeout=WAIT_MILLISECONDS)
        said = self._page.evaluate("({...document.body.dataset})")
        return said.get("code", said["answer"])

    def text(self) -> str:
        return self._page.inner_text("#answer")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM} on this machine: the page was not tried in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        # A sandbox needs privileges that a container's root does not have.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        context = browser.new_context(offline=True)
        yield Page(context.new_page(), tmp_path_factory.mktemp("viewer"))
        browser.close()


def trust_of(forge, **changes: object) -> bytes:
    return json.dumps(forge.trust_document(**changes)).encode()


def edit(document: bytes, change) -> bytes:
    value = json.loads(document)
    change(value)
    return canonical.dumps(value)


def forgeries(forge) -> dict[str, dict[str, bytes]]:
    """Packets that are wrong in one way each, by the name of the way."""
    files = forge.logged()
    drift = "tables/reconciliation_drift.ndjson"
    proof = files[build.PROOF_FILE]

    def enveloped(change) -> dict[str, bytes]:
        return files | {build.ENVELOPE_FILE: edit(files[build.ENVELOPE_FILE], change)}

    return {
        "cell": files | {drift: files[drift].replace(b"250", b"251")},
        "proof stripped": {n: d for n, d in files.items() if n != build.PROOF_FILE},
        "proof index": files | {build.PROOF_FILE: proof.replace(b"index 3", b"index 2")},
        "proof head": files | {build.PROOF_FILE: proof.replace(b"index 3", b"index 03")},
        "extra file": files | {"notes.txt": b"x"},
        "missing table": {n: d for n, d in files.items() if n != drift},
        "missing envelope": {n: d for n, d in files.items() if n != build.ENVELOPE_FILE},
        "copy": files | {"statement.json": files["statement.json"] + b" "},
        "ssh armour": files
        | {build.SSHSIG_FILE: files[build.SSHSIG_FILE].replace(b"SSH SIG", b"PGP SIG")},
        "pretty envelope": files
        | {build.ENVELOPE_FILE: json.dumps(json.loads(files[build.ENVELOPE_FILE])).encode()},
        "no signatures": enveloped(lambda d: d.update(signatures=[])),
        "extra member": enveloped(lambda d: d.update(alg="none")),
        "signature field": enveloped(lambda d: d["signatures"][0].update(alg="none")),
        "payload type": enveloped(lambda d: d.update(payloadType="text/plain")),
        "other signer": enveloped(lambda d: d["signatures"][0].update(keyid="0" * 64)),
        "nine signatures": enveloped(lambda d: d.update(signatures=d["signatures"] * 9)),
    }


def signed_forgeries(forge) -> dict[str, dict[str, bytes]]:
    """What the holder of the real key could claim; without a log, so that the claim is reached."""
    files = forge.files()
    drift = "tables/reconciliation_drift.ndjson"
    lines = files[drift].split(b"\n")
    chargebacks, reconciliation = findings.CHARGEBACKS_FILE, findings.RECONCILIATION_FILE

    def restamped(name: str, change) -> dict[str, bytes]:
        return forge.seal(forge.restamp(files | {name: edit(files[name], change)}, name))

    def tables(change) -> dict[str, bytes]:
        return forge.seal(files | {build.TABLES_FILE: edit(files[build.TABLES_FILE], change)})

    def claim(**values: object) -> dict[str, bytes]:
        return forge.seal(files, lambda d: d["predicate"].update(values))

    def line(data: bytes) -> dict[str, bytes]:
        return forge.seal(files | {drift: b"\n".join((data, *lines[1:]))})

    return {
        "verdict": claim(verdict="reconciled"),
        "counts": claim(counts={"break": 1}),
        "revision two": claim(revision=2),
        "forward": claim(previous={"period": "2027-01", "sha256": "09" * 32}),
        "unknown claim": claim(argv=["--token"]),
        "other tenant": claim(tenant="t2"),
        "other type": forge.seal(files, lambda d: d.update(predicateType="urn:x")),
        "statement version": forge.seal(files, lambda d: d.update(_type="urn:x")),
        "weak digest": forge.seal(files, lambda d: d["subject"][0]["digest"].update(md5="0" * 32)),
        "evidence counts": restamped(reconciliation, lambda d: d.update(counts={"break": 3})),
        "evidence totals": restamped(chargebacks, lambda d: d.update(count=9)),
        "evidence chain": restamped(
            chargebacks, lambda d: d.update(reconciliation_sha256="0" * 64)
        ),
        "stamp": forge.seal(
            files
            | {reconciliation: edit(files[reconciliation], lambda d: d.update(artifactHash="0"))}
        ),
        "table digest": tables(lambda d: d["reconciliation_drift"].update(sha256="0" * 64)),
        "table root": tables(lambda d: d["reconciliation_drift"].update(merkle="0" * 64)),
        "table rows": tables(lambda d: d["reconciliation_drift"].update(rows=9)),
        "row order": forge.seal(files | {drift: b"\n".join((lines[1], lines[0], *lines[2:]))}),
        "no newline": forge.seal(files | {drift: files[drift][:-1]}),
        "float": line(lines[0].replace(b'"drift_cents":0', b'"drift_cents":0.5')),
        "huge": line(lines[0].replace(b'"drift_cents":0', b'"drift_cents":9007199254740993')),
        "proto": line(lines[0].replace(b'"actual', b'"__proto__":1,"actual').replace(
            b'{"break_id"', b'{"__proto__":1,"break_id"')),
        "run period": forge.seal(
            files
            | {build.RUN_FILE: edit(files[build.RUN_FILE], lambda d: d.update(period="2026-09"))}
        ),
        "undeclared": forge.seal(files | {"tables/extra.ndjson": b'{"id":"a"}\n'}),
    }  # fmt: skip


def ours(forge, files: dict[str, bytes], **options: object) -> str:
    try:
        forge.verify(files, **options)
    except Refusal as refusal:
        return refusal.code
    return "accepted"


@pytest.mark.slow
def test_an_honest_packet_is_accepted_and_shown(forge, page) -> None:
    packet = forge.pack(forge.logged())
    assert page.open(packet, trust_of(forge), tenant="t1", period="2026-10") == "accepted"
    said = page.text()
    for word in ("Bridge USD", "residual", "Breaks", "fee mismatch", "Chargeback exposure", "pty_a",
                 "Payout gates", "Not proven", "log: entry 3 of 7, 1 witnesses"):  # fmt: skip
        assert word in said
    assert page.errors == []


@pytest.mark.slow
def test_a_bare_public_key_is_trust_enough_and_the_gap_is_told(forge, page) -> None:
    from evidence.keys import public_key_pem

    pem = public_key_pem(forge.signer.public_key).encode()
    assert page.open(forge.pack(forge.files()), pem) == "accepted"
    assert "append-only log: the trust names none" in page.text()
    other = public_key_pem(forge.attacker.public_key).encode()
    assert page.open(forge.pack(forge.files()), other) == "untrusted_key"


@pytest.mark.slow
def test_what_the_page_leaves_open_is_told(forge, page) -> None:
    ended = "signed before its window ended"
    kernel = "kernel's own documents"
    assert page.open(forge.pack(forge.files()), trust_of(forge, log=None)) == "accepted"
    assert ended not in page.text()
    assert kernel not in page.text()
    old = forge.trust_document(keys=[forge.trusted(forge.signer, until=forge.witness_time)])
    packet = forge.pack(carrying(forge))
    assert page.open(packet, json.dumps(old | {"log": None}).encode()) == "accepted"
    assert ended in page.text()
    assert kernel in page.text()


@pytest.mark.slow
def test_the_page_refuses_what_we_refuse_with_the_same_code(forge, page) -> None:
    wrong = {}
    for name, files in forgeries(forge).items():
        expected = ours(forge, files, require_log=True)
        got = page.open(forge.pack(files), trust_of(forge), tenant="t1", period="2026-10")
        wrong |= {name: (got, expected)} if got != expected or got == "accepted" else {}
    bare = trust_of(forge, log=None)
    for name, files in signed_forgeries(forge).items():
        expected = ours(forge, files, trust=forge.trust(log=None))
        got = page.open(forge.pack(files), bare, tenant="t1", period="2026-10")
        wrong |= {name: (got, expected)} if got != expected or got == "accepted" else {}
    assert wrong == {}
    assert page.errors == []


@pytest.mark.slow
def test_the_page_refuses_other_containers_with_the_same_code(forge, page) -> None:
    packet = forge.pack(forge.files())
    cases = {
        "prefix": b"MZ" + packet,
        "trailer": packet + b"\0",
        "cut": packet[:-40],
        "no zip": b"PK nothing of the kind",
        "date": packet.replace(b"\x21\x00", b"\x22\x00", 1),
    }
    bare = trust_of(forge, log=None)
    for name, data in cases.items():
        with pytest.raises(Refusal) as caught:
            forge.verify(data)
        # Both name the container; which of its rules broke first depends on the way of reading.
        assert {page.open(data, bare)[:4], caught.value.code[:4]} == {"zip_"}, name


@pytest.mark.slow
def test_trust_decides_on_the_page_too(forge, page) -> None:
    packet = forge.pack(forge.logged())
    compromised = forge.trusted(forge.signer, status="compromised", status_at=1)
    retired = forge.trusted(forge.signer, status="retired", status_at=1)
    cases = {
        trust_of(forge, keys=[compromised]): "key_compromised",
        trust_of(forge, keys=[retired]): "accepted",
        trust_of(forge, keys=[retired], log=None): "retired_key_needs_trusted_time",
        trust_of(forge, threshold=2): "threshold",
        trust_of(forge, threshold=0): "threshold",
        trust_of(forge, keys=[forge.trusted(forge.signer, tenants=["t2"])]): "untrusted_key",
        trust_of(forge, keys=[forge.trusted(forge.signer, use=["decision"])]): "untrusted_key",
        trust_of(forge, keys=[forge.trusted(forge.signer, keyid="0" * 64)]): "trust_keyid",
        b"{}": "trust_fields",
        b"nothing": "trust_fields",
    }
    for trust, expected in cases.items():
        assert page.open(packet, trust) == expected
    assert page.open(packet, trust_of(forge), tenant="t2") == "untrusted_key"
    assert page.open(packet, trust_of(forge), period="2026-11") == "wrong_period"


@pytest.mark.slow
def test_a_gate_decision_is_another_document_with_its_own_answer(forge, page) -> None:
    payout = DecidedPayout(
        payout_key="p1", operation_id="mop_p1", provider_id="stripe", party_id="pty_a",
        period="2026-10", decision="hold", amount_cents=0, gross_cents=4_200, recovery_cents=0,
        currency="usd", destination_account_id="acct_1", counterparty_ref=None,
        codes=("OPEN_BREAK",),
    )  # fmt: skip
    now = datetime.now(UTC)
    spec = DecisionSpec(
        "t1", now, now + timedelta(minutes=30), False, "acct_0", ["ab" * 32], [payout]
    )
    decision = build_decision(spec, forge.signer)
    trust = trust_of(forge, keys=[forge.trusted(forge.signer, until=1 << 40)])
    assert page.open(decision, trust, "decision.json") == "accepted"
    assert "open break" in page.text()
    assert "in force" in page.text()
    assert "Bridge" not in page.text()
    forged = edit(
        decision, lambda d: d["signatures"][0].update(sig=d["signatures"][0]["sig"][::-1])
    )
    assert page.open(forged, trust, "decision.json") in (
        "b64",
        "b64_not_canonical",
        "bad_signature",
    )
    assert "pty_a" not in page.text(), "nothing of a refused document is shown"


@pytest.mark.slow
def test_a_packet_too_large_for_a_page_is_sent_to_the_verifier(forge, page, tmp_path) -> None:
    large = tmp_path / "large.zip"
    with large.open("wb") as file:
        file.truncate((256 << 20) + 1)
    page.open(forge.pack(forge.logged()), trust_of(forge))
    assert page.give(large) == "viewer_too_big"
    assert "Nothing was verified. Use tieout-verify" in page.text()
    assert "Do not rely on it" not in page.text()
    assert page.errors == []
