"""`tieout packet build --out`: the original's run packet as a file, with a drill if asked."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dagster_project.home import prepare_home
from dagster_project.marts import Marts
from tests.wiring.conftest import one_paragraph, type_command

TENANT = "tenant_birch"


@pytest.fixture(scope="module")
def home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("run-packet") / "home"
    shutil.copytree(demo_home, copied, symlinks=True)
    return copied


@pytest.fixture(scope="module")
def operation(home: Path) -> dict[str, Any]:
    """A confirmed payout to a party whose next payout the gates release."""
    with Marts.published(prepare_home(home)) as marts:
        payout = next(marts.rows("payout_gates", tenant_id=TENANT, decision="release"))
        rows = marts.rows("kernel_operations", tenant_id=TENANT, party_id=payout["party_id"])
        found = next(row for row in rows if row["operation_state"] == "confirmed")
    return {**found, "next_period": payout["period"]}


def test_a_run_packet_with_a_drill_is_one_signed_document(
    home: Path, operation: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run.json"
    answer = type_command(
        home,
        *("packet", "build", "--tenant-id", TENANT, "--period", operation["period"]),
        *("--provider-id", operation["provider_id"], "--reconcile-expect-status", "pass"),
        *("--chargeback-operation-id", operation["operation_id"]),
        *("--chargeback-party-id", operation["party_id"]),
        *("--chargeback-payout-period", operation["next_period"]),
        *("--expect-outstanding-cents", str(operation["amount_cents"])),
        *("--expect-chargeback-payout-code", "NEGATIVE_BALANCE_PAYOUT_HOLD"),
        *("--signature-key-id", "partner_key", "--out", str(out), "--json"),
    )
    packet = json.loads(out.read_text())
    assert answer.code == (0 if packet["status"] == "pass" else 1), answer
    assert packet["type"] == "DesignPartnerMoneyRailRunPacket.v1"
    drilled = packet["payloads"]["chargeback"]
    assert (drilled["status"], drilled["drill"]) == ("pass", "chargeback")
    assert packet["failures"] == [
        f"reconcile status mismatch (expected=pass got={status})"
        for status in (packet["payloads"]["reconcile"]["status"],)
        if status != "pass"
    ]
    body = {k: v for k, v in packet.items() if k not in ("artifactHash", "signature")}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == packet["artifactHash"]
    assert packet["signature"]["keyId"] == "partner_key"


def test_what_a_drill_did_not_bear_out_fails_the_run_packet(
    home: Path, operation: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "run.json"
    answer = type_command(
        home,
        *("packet", "build", "--tenant-id", TENANT, "--period", operation["period"]),
        *("--chargeback-operation-id", operation["operation_id"]),
        *("--expect-outstanding-cents", "1", "--out", str(out)),
    )
    assert answer.code == 1, answer
    assert "chargeback evidence status is fail" in json.loads(out.read_text())["failures"]


def test_flags_that_go_nowhere_are_misuse(home: Path, tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "run.json"))
    for words in (
        ("--period", "2026-09"),
        ("--tenant-id", TENANT, *out),
        ("--tenant-id", TENANT, "--period", "2026-09", *out, "--expect-outstanding-cents", "1"),
    ):
        answer = type_command(home, "packet", "build", *words)
        assert answer.code == 2, answer
        one_paragraph(answer, "run_packet_unnamed")
    assert not (tmp_path / "run.json").exists()
