"""Drills: a what-if that repeats to the byte, touches nothing live, and is recorded."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dagster_project import issuing, pipeline
from dagster_project.drilling import DrillOptions, carry_out
from dagster_project.marts import Marts
from dagster_project.runs import begin
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.signing import packet_signer
from ingest.errors import TieoutError
from ingest.folding import fold_landing
from ingest.tables import DRILLS
from tests.wiring.conftest import Answer, one_paragraph, type_command

TENANT = "tenant_birch"
HOLD = "NEGATIVE_BALANCE_PAYOUT_HOLD"


class Drill:
    """A copy of the demo's home, one operation to drill, and the drills of this module."""

    def __init__(self, home: Path) -> None:
        settings = replace(Settings.from_env({"TIEOUT_HOME": str(home)}))
        self.session = Session.open(settings)
        with Marts.published(self.session.home) as marts:
            self.payout = next(
                row for row in marts.rows("payout_gates", tenant_id=TENANT, decision="release")
            )
            self.operation = next(
                row
                for row in marts.rows(
                    "kernel_operations", tenant_id=TENANT, party_id=self.payout["party_id"]
                )
                if row["operation_state"] == "confirmed"
            )

    def run(self) -> Any:
        """A chargeback of the operation, as expected."""
        asked = DrillOptions(
            "chargeback",
            TENANT,
            self.operation["operation_id"],
            provider_id=self.operation["provider_id"],
            party_id=self.operation["party_id"],
            period=self.operation["period"],
            payout_period=self.payout["period"],
            expect_outstanding_cents=self.operation["amount_cents"],
            expect_payout_code=HOLD,
        )
        return carry_out(
            self.session, asked, packet_signer(self.session.settings, self.session.home), None
        )

    def files(self) -> dict[str, str]:
        """Everything of the home but the drills' own rows, by digest."""
        root = self.session.home.root
        skipped = ("landing/tieout/drills", "state/", "quarantine", "dbt/")
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
            and not (name := path.relative_to(root).as_posix()).startswith(skipped)
        }


@pytest.fixture(scope="module")
def drill(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Drill:
    home = tmp_path_factory.mktemp("drill") / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    drill = Drill(home)
    # A drill reads folds as a run does, and links them as it links what was landed.
    assert fold_landing(home, now=drill.session.clock(), least=2).folds > 0
    return drill


@pytest.fixture(scope="module")
def before(drill: Drill) -> dict[str, str]:
    return drill.files()


@pytest.fixture(scope="module")
def drilled(drill: Drill, before: dict[str, str]) -> Any:
    assert before
    return drill.run()


def test_a_chargeback_holds_the_next_payout_of_its_party(drill: Drill, drilled: Any) -> None:
    record = drilled.record
    assert (record["status"], record["failures"]) == ("pass", [])
    assert record["checks"] == {
        "reverseApplied": True,
        "operationStateAfter": "reversed",
        "outstandingCents": drill.operation["amount_cents"],
        "payoutStatusCode": 409,
        "payoutCode": HOLD,
    }
    assert [row["decision"] for row in drilled.gates_before] == ["release"]
    assert [row["decision"] for row in drilled.gates_after] == ["hold"]


def test_a_drill_touches_nothing_live(drill: Drill, drilled: Any, before: dict[str, str]) -> None:
    assert drilled.record["execution"] == "what_if_overlay"
    assert drill.files() == before
    assert list(drill.session.home.state.glob("what-if-*")) == []


def test_a_partners_rule_of_hash_and_signature_holds(drill: Drill, drilled: Any) -> None:
    record = dict(drilled.record)
    signature, stated = record.pop("signature"), record.pop("artifactHash")
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).digest()
    assert digest.hex() == stated
    signer = packet_signer(drill.session.settings, drill.session.home)
    key = Ed25519PublicKey.from_public_bytes(signer.public_key)
    signed = base64.b64decode(signature["signatureBase64"])
    key.verify(signed, digest)
    with pytest.raises(InvalidSignature):
        key.verify(signed, hashlib.sha256(b"other").digest())


def test_an_operation_nobody_exported_is_refused(drill: Drill) -> None:
    signer = packet_signer(drill.session.settings, drill.session.home)
    with pytest.raises(TieoutError) as refused:
        carry_out(drill.session, DrillOptions("chargeback", TENANT, "mop_none"), signer, None)
    assert refused.value.code == "operation_unknown"
    # Where to find an id is told by one that would do.
    example = refused.value.expected.removeprefix(
        "a payout operation that the kernel exported, such as "
    )
    assert example.startswith("mop_")
    with Marts.published(drill.session.home) as marts:
        (named,) = marts.rows("kernel_operations", tenant_id=TENANT, operation_id=example)
    assert (named["direction"], named["party_id"] is None) == ("payout", False)


@pytest.mark.parametrize(
    "words", [("drill", "chargeback"), ("drill", "refund"), ("packet", "build")]
)
def test_help_names_every_long_flag_of_the_runbook_whole(tmp_path: Path, words: Any) -> None:
    said = type_command(tmp_path / "home", *words, "--help", COLUMNS="80")
    for flag in ("--expect-chargeback-outstanding-cents", "--expect-chargeback-payout-code"):
        assert flag in said.out


def typed(drill: Drill, kind: str, out: Path, *more: str) -> Answer:
    """The drill of this module as an operator types it, with the runbook's flags."""
    words = (
        *("drill", kind, "--tenant-id", TENANT),
        *("--chargeback-operation-id", drill.operation["operation_id"]),
        *("--provider-id", drill.operation["provider_id"]),
        *("--chargeback-party-id", drill.operation["party_id"]),
        *("--chargeback-payout-period", drill.payout["period"]),
        *("--period", drill.operation["period"], "--signature-key-id", "partner_key_1"),
        *("--out", str(out)),
    )
    return type_command(drill.session.home.root, *words, *more)


def test_the_same_drill_typed_has_the_same_hash_under_another_key(
    drill: Drill, drilled: Any, tmp_path: Path
) -> None:
    out, key_file = tmp_path / "evidence.json", tmp_path / "partner.pem"
    assert type_command(tmp_path / "home", "keys", "new", str(key_file)).code == 0
    answer = typed(
        *(drill, "chargeback", out, "--signing-key-file", str(key_file)),
        *("--expect-outstanding-cents", str(drill.operation["amount_cents"])),
        *("--expect-chargeback-payout-code", HOLD),
    )
    assert answer.code == 0, answer
    record = json.loads(out.read_text())
    assert record["artifactHash"] == drilled.record["artifactHash"]
    assert record["signature"]["signatureBase64"] != drilled.record["signature"]["signatureBase64"]
    assert record["signature"]["keyId"] == "partner_key_1"
    assert record["inputs"]["period"] == drill.operation["period"]


def test_a_refund_differs_in_its_reason_and_what_is_not_as_expected_fails_and_says_so(
    drill: Drill, drilled: Any, tmp_path: Path
) -> None:
    out = tmp_path / "evidence.json"
    answer = typed(
        *(drill, "refund", out, "--expect-outstanding-cents", "7"),
        *("--expect-chargeback-payout-code", "PAYOUT_KILL_SWITCH_ACTIVE"),
    )
    assert answer.code == 1, answer
    record = json.loads(out.read_text())
    assert record["inputs"]["reasonCode"] == "refund"
    assert record["calls"]["operationAfter"]["body"]["operation"]["reasonCode"] == "refund"
    assert record["artifactHash"] != drilled.record["artifactHash"]
    assert record["status"] == "fail"
    assert record["failures"] == [
        f"expected outstanding 7 but got {drill.operation['amount_cents']}",
        f"expected payout code PAYOUT_KILL_SWITCH_ACTIVE but got {HOLD}",
    ]


def test_a_token_on_the_command_line_is_refused_and_never_repeated(tmp_path: Path) -> None:
    words = ("drill", "refund", "--tenant-id", "t", "--ops-token", "tok_hidden_value")
    answer = type_command(tmp_path / "home", *words)
    assert answer.code == 2
    assert "hidden_value" not in answer.out + answer.err
    one_paragraph(answer, "secret_on_command_line", "STRIPE_API_KEY")


@pytest.mark.slow
def test_the_next_packet_of_the_month_holds_the_record(drill: Drill, drilled: Any) -> None:
    session = drill.session
    assert session.landing.rows(DRILLS, ["drill"])
    run = begin(session.home, "after-drill", now=session.clock())
    pipeline.build_warehouse(session, run).require_good()
    pipeline.publish(session, run)
    packets = {
        (packet.tenant_id, packet.period): packet for packet in issuing.issue_packets(session, run)
    }
    packet = packets[TENANT, drill.operation["period"]]
    with zipfile.ZipFile(session.home.root / packet.path) as archive:
        lines = archive.read("tables/drill_records.ndjson").decode().splitlines()
    records = {row["artifact_sha256"]: json.loads(row["record"]) for row in map(json.loads, lines)}
    assert drilled.record["artifactHash"] in records
