"""The finance pack's inner digests, its side artifacts and the run packet are those it states.

Belongs here: vectors of money documents beside their own hash rule. Does not belong here: hash
rules of an artifact by itself (test_kernel_vectors.py), what lands (test_real_exports.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from evidence import kernel_json
from evidence.artifacts import KernelArtifacts, index_kernel_keys, is_digest_signed

Json = dict[str, Any]
VERIFIER = KernelArtifacts()


def load(path: Path) -> Json:
    loaded: Json = json.loads(path.read_bytes())
    return loaded


def digest(value: Any) -> str:
    return hashlib.sha256(kernel_json.dumps(value).encode()).hexdigest()


@pytest.fixture
def latest(fixtures: Path) -> Path:
    return fixtures / "repo/dashboard/public/demo/finance/latest"


@pytest.fixture
def month(fixtures: Path) -> Path:
    return fixtures / "derived/finance_demo/month/artifacts"


@pytest.mark.parametrize(
    ("name", "artifact_type"),
    [
        ("GLBatch", "gl_batches"),
        ("JournalCsv", "journal_csvs"),
        ("SettlementStatement", "settlement_statements"),
        ("CreditMemo", "credit_memos"),
    ],
)
def test_the_published_artifacts_hash_to_what_they_state_and_a_cent_more_does_not(
    latest: Path, name: str, artifact_type: str
) -> None:
    held = (latest / f"{name}.v1.json").read_bytes()
    stated = json.loads(held)
    judged = VERIFIER.verify(artifact_type, held)
    assert (judged.verdict, judged.got) == ("verified", stated["artifactHash"])
    changed = VERIFIER.verify(artifact_type, json.dumps({**stated, "artifactId": "x"}).encode())
    assert (changed.verdict, changed.code) == ("mismatch", "hash_mismatch")


def test_the_journals_digest_is_over_its_csv_in_an_object(latest: Path) -> None:
    journal = load(latest / "JournalCsv.v1.json")
    assert digest({"csv": journal["csv"]}) == journal["csvSha256"]
    assert journal["csv"].encode() == (latest / "JournalCsv.v1.csv").read_bytes()
    moved = journal["csv"].replace("8463", "8464")
    assert moved != journal["csv"]
    assert digest({"csv": moved}) != journal["csvSha256"]


def test_each_statements_allocations_are_the_ledgers_lines_of_its_party(month: Path) -> None:
    (batch,) = map(load, (month / "GLBatch.v1").glob("*.json"))
    names = ("entryId", "postingId", "accountId", "partyId", "partyRole", "currency", "amountCents")
    lines = [{name: line[name] for name in names} for line in batch["batch"]["lines"]]
    lines.sort(key=lambda line: (line["entryId"], line["postingId"], line["partyId"]))
    counts = {}
    for path in (month / "PartyStatement.v1").glob("*.json"):
        statement = load(path)["statement"]
        own = [line for line in lines if line["partyId"] == statement["partyId"]]
        assert digest(own) == statement["allocationDigest"], statement["partyId"]
        assert len(own) == statement["allocationCount"]
        counts[statement["partyId"]] = len(own)
    assert counts == {"pty_platform": 4, "pty_operator": 1, "pty_customer:cust_demo": 3}


def test_the_payout_key_names_tenant_party_period_and_statement(month: Path) -> None:
    (instruction,) = map(load, (month / "PayoutInstruction.v1").glob("*.json"))
    assert instruction["payoutKey"] == (
        "tenant_default:party:pty_operator:period:2026-01:statement:"
        "dc64fe38404ff8c6005c4d91e5a2c562b343d04ccaff14081c0acfb41aa9e956"
    )


def test_the_packs_own_reconciliation_is_reproduced_from_its_ledger(
    latest: Path, month: Path
) -> None:
    (batch,) = map(load, (month / "GLBatch.v1").glob("*.json"))
    totals: dict[tuple[str, str], int] = {}
    for line in batch["batch"]["lines"]:
        key = (line["partyId"], line["accountId"])
        totals[key] = totals.get(key, 0) + line["amountCents"]
    stated = {
        (statement["partyId"], account): cents
        for path in (month / "PartyStatement.v1").glob("*.json")
        for statement in [load(path)["statement"]]
        for account, cents in statement["totalsByAccountId"].items()
    }
    entries = {line["entryId"] for line in batch["batch"]["lines"]}
    report = load(latest / "reconcile.json")
    assert (len(stated), len(entries)) == (report["totalsKeys"], report["entryCount"]) == (7, 3)
    assert (totals == stated) is report["ok"] is True


def test_the_synthetic_run_packet_is_signed_over_its_raw_digest(fixtures: Path) -> None:
    packet = load(fixtures / "derived/oracle/run_packet_synthetic.json")["packet"]
    pems = [key["publicKeyPem"] for key in load(fixtures / "derived/public_keys.json")["keys"]]
    signed = packet["signature"]
    pem = index_kernel_keys(pems)[signed["keyId"]]
    assert is_digest_signed(pem, packet["artifactHash"], signed["signatureBase64"])
    bent = bytearray(base64.b64decode(signed["signatureBase64"]))
    bent[0] ^= 1
    assert not is_digest_signed(pem, packet["artifactHash"], base64.b64encode(bent).decode())
    changed = VERIFIER.verify("run_packets", json.dumps({**packet, "status": "fail"}).encode())
    assert (changed.verdict, changed.code) == ("mismatch", "hash_mismatch")


def test_the_amber_release_of_1251_is_625_and_626_and_moves_the_wallets_so(fixtures: Path) -> None:
    lineage = load(fixtures / "derived/oracle/kernel_holdback_lineage.json")
    for row in lineage["policyReleaseTable"]:
        released = row["amountCents"] * row["releaseRatePct"] // 100
        assert (row["releaseAmountCents"], row["refundAmountCents"]) == (
            released,
            row["amountCents"] - released,
        )
        assert row["settlementStatus"] == ("released" if released else "refunded")
    last = lineage["walletTrace"][-1]
    names = ("availableCents", "escrowLockedCents", "totalDebitedCents", "totalCreditedCents")
    assert [last["payer"][name] for name in names] == [4_375, 0, 625, 5_626]
    assert [last["payee"][name] for name in names] == [625, 0, 0, 625]
