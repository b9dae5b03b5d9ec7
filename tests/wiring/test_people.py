"""What people do on a demo's home, and what the next run shows of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.cli_acts import refuse_ended
from dagster_project.cli_explain import _SECTIONS
from dagster_project.excepting import (
    about,
    refuse_written_off,
    worth_of_override,
    worth_of_write_off,
)
from dagster_project.explaining import HISTORY
from dagster_project.home import prepare_home
from dagster_project.marts import Marts
from dagster_project.narration import money
from ingest.audit import AUDIT_FILE
from ingest.controls import WRITE_OFF_BOOK, ActLine
from ingest.errors import TieoutError
from ingest.tables import BREAKS
from tests.wiring.conftest import Answer, one_paragraph, type_command
from tests.wiring.receiver import receiving

TENANT = "tenant_aurora"
LINK = ("--evidence-url", "https://tickets.example/7")
NOTIFIED = "T0-hushhush-B0"
FIRST, SECOND = "demo-operator-1", "demo-operator-2"


class Office:
    """A copy of the demo's home in the hands of people."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ids: dict[str, str] = {}
        self.told: list[str] = []

    def type(self, *arguments: str) -> Answer:
        return type_command(self.home, *arguments)

    def done(self, *arguments: str) -> Any:
        answer = self.type(*arguments, "--json")
        assert answer.code == 0, answer
        return answer.json

    def rows(self, mart: str, **equal: str) -> list[dict[str, Any]]:
        with Marts.published(prepare_home(self.home)) as marts:
            return list(marts.rows(mart, **equal))

    def certify(self, period: str) -> str:
        certification = self.done(
            *("certify", "propose", "--tenant-id", TENANT, "--period", period, "--reason", "x")
        )["id"]
        self.done("certify", "approve", certification, "--reason", "agreed")
        return str(certification)


@pytest.fixture(scope="module")
def before(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """The office before anybody did anything; refusals leave it so."""
    home = tmp_path_factory.mktemp("office") / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    return Office(home)


@pytest.fixture(scope="module")
def office(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """The office after a day's work and the run that shows it."""
    home = tmp_path_factory.mktemp("people") / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    office = Office(home)
    (open_break,) = office.rows("mismatch_triage", reason_code="MISSING_INTERNAL")
    break_id = office.ids["break"] = open_break["break_id"]
    office.ids["override"] = office.done(
        *("override", "propose", break_id, "--amount-cents", "18400", *LINK),
        *("--expires", "2099-01-01", "--reason", "the bank confirmed it"),
    )["id"]
    office.done("override", "approve", office.ids["override"], "--reason", "agreed")
    office.done("triage", "assign", break_id, "ann", "--due", "2099-01-02")
    office.ids["triage"] = office.done("triage", "note", break_id, "asked the bank")["id"]
    office.ids["closed"] = office.certify("2026-09")
    office.ids["pending"] = office.certify("2026-10")
    with receiving(NOTIFIED) as receiver:
        answer = type_command(home, "run", "--json", TIEOUT_NOTIFY_URLS=receiver.address)
    assert answer.code == 1, answer
    assert NOTIFIED not in answer.out + answer.err
    office.told = receiver.lines
    return office


def test_an_override_shows_in_drift_and_lifts_the_gate(office: Office) -> None:
    (drift,) = office.rows("reconciliation_drift", break_id=office.ids["break"])
    assert (drift["override_id"], drift["outcome"]) == (office.ids["override"], "break")
    held = office.rows("payout_gates", tenant_id="tenant_cobalt", period="2026-10")
    assert not any("OPEN_BREAK" in (row["held_codes"] or "") for row in held)


def test_a_run_notifies_of_its_holds_and_keeps_the_address_nowhere(office: Office) -> None:
    waiting = [
        row
        for row in office.rows("payout_gates", tenant_id="tenant_birch", decision="hold")
        if "ALREADY_PAID" not in row["held_codes"]
    ]
    assert waiting
    total = money(sum(row["gross_cents"] for row in waiting), "USD")
    assert f"tenant_birch: {len(waiting)} payouts held, {total}, OPEN_BREAK" in office.told
    for path in office.home.rglob("*"):
        if path.is_file():
            assert NOTIFIED.encode() not in path.read_bytes(), path


def test_triage_shows_in_the_queue_and_changes_no_verdict(office: Office) -> None:
    (queued,) = office.rows("mismatch_triage", break_id=office.ids["break"])
    assert (queued["owner"], queued["triage_status"]) == ("ann", "acknowledged")
    assert (f"{queued['due_at']:%Y-%m-%d}", queued["note"]) == ("2099-01-02", "asked the bank")
    verdicts = office.rows("reconciliation_runs", tenant_id="tenant_cobalt", period="2026-09")
    assert "breaks" in {row["verdict"] for row in verdicts}


def test_a_certified_period_stays_certified_while_its_figures_do(office: Office) -> None:
    (row,) = office.rows("period_certifications", certification_id=office.ids["closed"])
    assert (row["certification_status"], row["verdict"]) == ("certified", "reconciled")
    assert (row["prepared_by"], row["approved_by"]) == (FIRST, SECOND)
    (packet,) = [
        row["packet_sha256"]
        for row in office.rows("run_packets", tenant_id=TENANT, period="2026-09")
    ]
    assert row["packet_sha256"] == packet


def test_late_data_decertifies_with_old_and_new_figures(office: Office) -> None:
    (row,) = office.rows("period_certifications", certification_id=office.ids["pending"])
    assert row["certification_status"] == "decertified"
    changed = {row["figure"]: row for row in office.rows("restatements", tenant_id=TENANT)}
    paid = sum(
        row["amount_cents"]
        for row in office.rows("payout_submissions", tenant_id=TENANT, state="submitted")
    )
    assert paid > 0
    assert (changed["rail_payout"]["old_cents"], changed["rail_payout"]["new_cents"]) == (0, -paid)
    drift = office.rows("reconciliation_drift", tenant_id=TENANT, reason_code="RESTATED")
    assert {(row["expected_cents"], row["actual_cents"]) for row in drift} == {
        (row["old_cents"], row["new_cents"]) for row in changed.values()
    }
    assert office.type("certify", "list").code == 1
    # It holds no payout, so that there is nothing to let pass.
    with pytest.raises(TieoutError) as refusal:
        about(prepare_home(office.home), drift[0]["break_id"], None, 10**9)
    assert refusal.value.code == "holds_nothing"


def test_the_audit_trail_holds_every_kind_of_act(office: Office) -> None:
    rows = office.rows("audit_log")
    kinds = {row["action"].split(".")[0] for row in rows}
    assert {"run", "publish", "packet", "decision", "payout"} <= kinds
    assert {"overrides", "certifications", "triage"} <= kinds
    assert {row["chain_status"] for row in rows} == {"intact"}
    signers = {row["actor"] for row in rows if row["action"].startswith("certifications.")}
    assert signers == {FIRST, SECOND}
    assert office.type("audit", "verify").code == 0


def test_a_broken_chain_is_refused_by_its_check(office: Office) -> None:
    path = office.home / AUDIT_FILE
    whole = path.read_text()
    path.write_text(whole.replace("demo-operator-1", "demo-operator-9", 1))
    answer = office.type("audit", "verify")
    path.write_text(whole)
    assert answer.code == 1
    one_paragraph(answer, "audit_changed")


def test_a_restated_period_is_certified_anew_only_after_its_revocation(office: Office) -> None:
    again = ("certify", "propose", "--tenant-id", TENANT, "--period", "2026-10", "--reason", "x")
    answer = office.type(*again)
    assert answer.code == 1
    one_paragraph(answer, "verdict breaks")
    office.done("certify", "revoke", office.ids["pending"], "--reason", "restated")


def test_the_sheet_goes_out_and_comes_back(office: Office, tmp_path: Path) -> None:
    sheet = tmp_path / "queue.csv"
    assert office.type("triage", "export", "--out", str(sheet)).code == 0
    assert office.type("triage", "import", str(sheet)).out.strip() == "nothing changed"
    sheet.write_text(sheet.read_text().replace("acknowledged,ann", "in_progress,bea"))
    (line,) = [office.done("triage", "import", str(sheet))]
    assert (line["owner"], line["triage_status"]) == ("bea", "in_progress")
    stale = office.type("triage", "import", str(sheet))
    assert stale.code == 1
    one_paragraph(stale, "since this sheet was written")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("override propose brk_none --amount-cents 1 --expires 2099-01-01", 1, "break_unknown"),
        ("override propose brk_none --amount-cents 1 --expires 2020-01-01", 2, "expiry_passed"),
        ("override propose brk_none --amount-cents 1 --expires soon", 2, "time_malformed"),
        ("override approve ovr_000000000000000000000000", 1, "proposal_unknown"),
        ("certify propose --tenant-id tenant_birch --period 2026-09", 1, "verdict_refused"),
        ("certify propose --tenant-id tenant_aurora --period 2026-11", 1, "period_open"),
        ("certify propose --tenant-id tenant_aurora --period 2026-13", 2, "period_malformed"),
        ("certify propose --tenant-id nobody --period 2026-09", 1, "period_unknown"),
        ("triage assign brk_none ann", 1, "break_unknown"),
        ("triage resolve brk_none --resolution nope", 2, "resolution_unknown"),
        ("triage list --status nope", 2, "triage_status_unknown"),
        ("triage note brk_none seen --status resolved", 2, "resolution_missing"),
        ("triage assign brk_none ann --status dismissed", 2, "resolution_missing"),
        ("triage export --out /no/such/dir/x.csv", 2, "out_folder_missing"),
        ("packet viewer --out /no/such/dir/x.html", 2, "out_folder_missing"),
        ("packet checkpoint --out /no/such/dir/x", 2, "out_folder_missing"),
        ("triage import /nowhere.csv", 1, "sheet_unreadable"),
        (
            "write-off propose --tenant-id t --amount-cents 0 --currency usd --party-id p",
            2,
            "act_malformed",
        ),
        (
            "write-off propose --tenant-id t --amount-cents 1 --currency usd --party-id p "
            "--break-id b",
            2,
            "break_and_party",
        ),
    ],
)
def test_misuse_and_refusals_write_nothing(
    before: Office, command: str, code: int, said: str
) -> None:
    books = {path.name for path in (before.home / "controls").glob("*")}
    arguments = command.split()
    if arguments[0] in ("override", "certify", "write-off"):
        arguments += ["--reason", "x"]
    if arguments[1] == "propose" and arguments[0] in ("override", "write-off"):
        arguments += LINK
    answer = before.type(*arguments)
    assert answer.code == code, answer
    one_paragraph(answer, said)
    assert {path.name for path in (before.home / "controls").glob("*")} == books


def test_nobody_approves_what_he_proposed(before: Office) -> None:
    proposed = before.done(
        *("certify", "propose", "--tenant-id", TENANT, "--period", "2026-08", "--reason", "x")
    )
    answer = before.type("certify", "approve", proposed["id"], "--reason", "x", "--operator", FIRST)
    assert answer.code == 1
    one_paragraph(answer, "self_approved")


def open_break(office: Office) -> dict[str, Any]:
    (row,) = office.rows("reconciliation_drift", reason_code="MISSING_INTERNAL", outcome="break")
    return row


def propose_override(office: Office, subject: str, cents: int, *more: str) -> Answer:
    return office.type(
        *("override", "propose", subject, "--amount-cents", str(cents), *LINK, *more),
        *("--expires", "2099-01-01", "--reason", "x", "--json"),
    )


def test_an_approval_says_what_it_is_worth_and_counts_once(before: Office) -> None:
    row = open_break(before)
    proposal = propose_override(before, row["break_id"], abs(row["drift_cents"])).json["id"]
    approve = ("override", "approve", proposal, "--reason", "x")
    told = before.type(*approve)
    assert told.code == 0, told
    assert "MISSING_INTERNAL of -184.00 USD holds no payout until 2099-01-01" in told.out
    one_paragraph(before.type(*approve), "already_decided")
    assert before.type("override", "revoke", proposal, "--reason", "x").code == 0
    one_paragraph(before.type("override", "revoke", proposal, "--reason", "x"), "already_decided")


def test_the_approval_of_a_revoked_proposal_is_refused(before: Office) -> None:
    row = open_break(before)
    proposal = propose_override(before, row["break_id"], abs(row["drift_cents"])).json["id"]
    before.done("override", "revoke", proposal, "--reason", "x")
    answer = before.type("override", "approve", proposal, "--reason", "x")
    assert answer.code == 1
    one_paragraph(answer, "already_decided")


def test_an_override_of_less_than_the_amount_is_refused(before: Office) -> None:
    row = open_break(before)
    answer = propose_override(before, row["break_id"], abs(row["drift_cents"]) - 1)
    assert answer.code == 1
    one_paragraph(answer, "over_amount")
    (gate, *_) = before.rows("payout_gates", tenant_id=row["tenant_id"], decision="hold")
    of_gate = (gate["payout_key"], gate["gross_cents"] - 1, "--condition", "OPEN_BREAK")
    one_paragraph(propose_override(before, *of_gate), "over_amount")


def proposed(row: dict[str, Any], **over: Any) -> ActLine:
    """A proposal to let a break pass, as its book holds it."""
    members = {name: row[name] for name in ("break_id", "reason_code", "drift_cents", "currency")}
    end = datetime(2099, 1, 1, tzinfo=UTC)
    members |= {"amount_cents": abs(row["drift_cents"]), "expires_at": end, **over}
    where = {"act_id": "ovr_1", "action": "propose", "tenant_id": row["tenant_id"]}
    who = {"operator": "ann", "at": None, "reason": "x", "line_sha256": ""}
    return ActLine(1, members=members, line_status="valid", void_code=None, **where, **who)


@pytest.mark.parametrize(
    "worth",
    [worth_of_override, partial(worth_of_write_off, book=())],
    ids=["override", "write_off"],
)
@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"drift_cents": 18400}, "drift_changed"),
        ({"drift_cents": -18399}, "drift_changed"),
        ({"currency": "EUR"}, "drift_changed"),
        ({"break_id": "brk_gone"}, "break_unknown"),
    ],
)
def test_an_approval_of_what_is_another_one_now_is_refused(
    before: Office, worth: Any, over: dict[str, Any], code: str
) -> None:
    home, row = prepare_home(before.home), open_break(before)
    assert "-184.00 USD" in worth(home, proposed(row, entry_kind="write_off"))
    with pytest.raises(TieoutError) as refusal:
        worth(home, proposed(row, **over))
    assert refusal.value.code == code


def debt_of(office: Office) -> dict[str, Any]:
    (row,) = [row for row in office.rows("chargeback_exposure") if row["outstanding_cents"] > 0]
    return row


def propose_write_off(office: Office, *flags: str, **given: object) -> Answer:
    said = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    return office.type("write-off", "propose", *said, *flags, *LINK, "--reason", "x", "--json")


def write_offs(office: Office) -> list[str]:
    path = office.home / WRITE_OFF_BOOK.file
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("flags", [(), ("--repayment",)], ids=["write_off", "repayment"])
@pytest.mark.parametrize(
    ("over", "more_cents", "code"),
    [
        ({"tenant_id": "nobody"}, 0, "nothing_owed"),
        ({"party_id": "pty_nobody"}, 0, "nothing_owed"),
        ({"party_id": None}, 0, "nothing_owed"),
        ({"currency": "EUR"}, 0, "nothing_owed"),
    ],
)
def test_what_is_not_owed_is_neither_given_up_nor_repaid(
    before: Office, flags: tuple[str, ...], over: dict[str, Any], more_cents: int, code: str
) -> None:
    row, book = debt_of(before), write_offs(before)
    given = {name: row[name] for name in ("tenant_id", "party_id", "currency")} | over
    given = {name: value for name, value in given.items() if value is not None}
    given["amount_cents"] = row["outstanding_cents"] + more_cents
    refused = propose_write_off(before, *flags, **given)
    assert refused.code == 1, refused
    one_paragraph(refused, code, "nothing was written")
    # Who approves is told the same of a debt that became less meanwhile.
    tenant_id = given.pop("tenant_id")
    proposal = replace(proposed(open_break(before)), tenant_id=tenant_id, members=given)
    with pytest.raises(TieoutError) as refusal:
        worth_of_write_off(prepare_home(before.home), proposal, ())
    assert refusal.value.code == code
    assert write_offs(before) == book


def test_no_more_is_given_up_than_is_owed_though_more_may_be_repaid(before: Office) -> None:
    row, book = debt_of(before), write_offs(before)
    given = {name: row[name] for name in ("tenant_id", "party_id", "currency")}
    given["amount_cents"] = row["outstanding_cents"] + 1
    one_paragraph(propose_write_off(before, **given), "more_than_owed", "nothing was written")
    assert write_offs(before) == book
    act_id = propose_write_off(before, "--repayment", **given).json["id"]
    approval = before.done("write-off", "approve", act_id, "--reason", "seen at the bank")
    assert approval["worth"].startswith("repayment of ")
    before.done("write-off", "revoke", act_id, "--reason", "a drill")


def test_the_whole_debt_of_a_party_is_given_up_or_repaid_by_two_people(before: Office) -> None:
    row = debt_of(before)
    given = {name: row[name] for name in ("tenant_id", "party_id", "currency")}
    given["amount_cents"] = row["outstanding_cents"]
    for flags, kind in (((), "write_off"), (("--repayment",), "repayment")):
        act_id = propose_write_off(before, *flags, **given).json["id"]
        approval = before.done("write-off", "approve", act_id, "--reason", "agreed")
        assert approval["worth"].startswith(f"{kind} of ")
        before.done("write-off", "revoke", act_id, "--reason", "a drill")


def test_a_debt_is_given_up_once_though_no_run_has_shown_it_yet(before: Office) -> None:
    row = debt_of(before)
    given = {name: row[name] for name in ("tenant_id", "party_id", "currency")}
    given["amount_cents"] = row["outstanding_cents"]
    first, waiting = [propose_write_off(before, **given).json["id"] for _ in range(2)]
    before.done("write-off", "approve", first, "--reason", "agreed")
    book = write_offs(before)
    one_paragraph(propose_write_off(before, **given), "more_than_owed", "approved since")
    second = ("write-off", "approve", waiting, "--reason", "agreed")
    one_paragraph(before.type(*second), "more_than_owed", "approved since")
    assert write_offs(before) == book
    before.done("write-off", "revoke", first, "--reason", "a drill")
    before.done(*second)
    before.done("write-off", "revoke", waiting, "--reason", "a drill")


def test_a_break_is_written_off_once_until_that_is_revoked(before: Office) -> None:
    row = open_break(before)
    given = {name: row[name] for name in ("tenant_id", "break_id", "currency")}
    given["amount_cents"] = abs(row["drift_cents"])
    first, waiting = [propose_write_off(before, **given).json["id"] for _ in range(2)]
    before.done("write-off", "approve", first, "--reason", "agreed")
    book = write_offs(before)
    one_paragraph(propose_write_off(before, **given), "already_written_off", first)
    second = ("write-off", "approve", waiting, "--reason", "agreed")
    one_paragraph(before.type(*second), "already_written_off", first)
    assert write_offs(before) == book
    before.done("write-off", "revoke", first, "--reason", "a drill")
    before.done(*second)
    before.done("write-off", "revoke", waiting, "--reason", "a drill")


def test_another_drift_of_the_same_break_may_be_written_off() -> None:
    drift = {"break_id": "brk_1", "drift_cents": -5, "currency": "USD"}
    closed = proposed({**drift, "reason_code": "AMOUNT_OVER", "tenant_id": "t"})
    at = datetime(2026, 11, 1, tzinfo=UTC)
    book = [closed, replace(closed, action="approve", operator="bea", at=at)]
    with pytest.raises(TieoutError) as refusal:
        refuse_written_off(book, "t", drift)
    assert refusal.value.code == "already_written_off"
    for over in ({"drift_cents": 5}, {"currency": "EUR"}, {"break_id": "brk_2"}):
        refuse_written_off(book, "t", {**drift, **over})
    refuse_written_off(book, "t_2", drift)


def test_the_approval_of_a_proposal_that_ended_is_refused(before: Office) -> None:
    ended = proposed(open_break(before), expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(TieoutError) as refusal:
        refuse_ended([ended], ended, "approve")
    assert refusal.value.code == "expired"
    refuse_ended([ended], ended, "revoke")


def test_the_life_of_a_break_tells_both_sides_the_rule_and_the_cure(office: Office) -> None:
    break_id = office.ids["break"]
    told = office.type("explain", break_id)
    assert told.code == 0, told
    for said in ("MISSING_INTERNAL", "Find the receipt", "Rail: movements", "missing-receipt"):
        assert said in told.out, told
    assert office.ids["override"] in told.out
    assert "ann by 2099-01-02" in told.out


@pytest.mark.parametrize("column", ["movement_id", "source_object_id", "payout_key"])
def test_any_name_of_a_payout_leads_to_both_its_sides(before: Office, column: str) -> None:
    paid = list(before.rows("money_movements", tenant_id=TENANT, movement_type="payout"))
    life = before.done("explain", paid[0][column])
    assert paid[0]["movement_id"] in {row["movement_id"] for row in life["money_movements"]}
    assert {row["payout_key"] for row in life["transfer_matches"]} == {paid[0]["payout_key"]}
    assert [row["decision"] for row in life["payout_gates"]] == ["hold"]
    sources = {row["source_id"] for row in life["movement_references"]}
    assert sources & {row["source_id"] for row in life["source_positions"]}


def test_a_line_of_triage_leads_to_its_break_and_says_who_wrote_it(office: Office) -> None:
    told = office.type("explain", office.ids["triage"])
    assert told.code == 0, told
    assert f"break MISSING_INTERNAL {office.ids['break']}" in told.out
    assert ("triage.note" in told.out, FIRST in told.out) == (True, True), told
    life = office.done("explain", office.ids["triage"])
    assert life["named_by"] == ["audit_log"]
    of_break = office.done("explain", office.ids["break"])
    marts = ("reconciliation_drift", "mismatch_triage", "overrides", "money_movements")
    assert {mart: life[mart] for mart in marts} == {mart: of_break[mart] for mart in marts}


def test_a_balance_transaction_leads_to_what_its_movement_leads_to(before: Office) -> None:
    paid = list(before.rows("money_movements", tenant_id=TENANT, movement_type="payout"))
    _, _, transaction = paid[0]["movement_id"].partition(":")
    by_movement = before.done("explain", paid[0]["movement_id"])
    by_transaction = before.done("explain", transaction)
    assert by_transaction == by_movement | {"id": transaction}
    # A part of one names nothing.
    one_paragraph(before.type("explain", transaction[1:]), "id_unknown")


def test_a_balance_transaction_of_several_accounts_is_told_for_each(tmp_path: Path) -> None:
    path = tmp_path / "published.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute(
            "create table money_movements as select * from (values ('t', 'acct_1:txn_1'), "
            "('t', 'acct_2:txn_1'), ('u', 'acct_3:txn_1'), ('u', 'acct_3:txn_11')) "
            "as movements(tenant_id, movement_id)"
        )
    with Marts(path) as marts:
        found = list(marts.rows_ending("money_movements", "movement_id", ":txn_1"))
        one = list(marts.rows_ending("money_movements", "movement_id", ":txn_1", tenant_id="u"))
    assert sorted(row["movement_id"] for row in found) == [
        *("acct_1:txn_1", "acct_2:txn_1", "acct_3:txn_1")
    ]
    assert [row["movement_id"] for row in one] == ["acct_3:txn_1"]


# What a person may ask about, the mart that has one and its column.
ASKED = {
    "settlement": ("source_positions", "settlement_id", {"source_type": "settlement"}),
    "receipt": ("source_positions", "receipt_id", {"source_type": "receipt"}),
    "adjustment": ("source_positions", "adjustment_id", {"source_type": "adjustment"}),
    "hold": ("source_positions", "source_id", {"source_type": "holdback"}),
    "transfer": ("money_movements", "source_object_id", {"movement_type": "payout"}),
    "charge": ("money_movements", "charge_id", {"movement_type": "collection"}),
    "refund": ("money_movements", "source_object_id", {"movement_type": "refund"}),
    "dispute": ("money_movements", "source_object_id", {"movement_type": "dispute"}),
    "pending": ("reconciliation_drift", "break_id", {"outcome": "pending"}),
    "instruction": ("payout_gates", "payout_key", {"decision": "hold"}),
}


@pytest.mark.parametrize("kind", ASKED)
def test_whatever_a_person_asks_about_is_told_for_each_tenant(before: Office, kind: str) -> None:
    mart, column, which = ASKED[kind]
    identifier = next(row[column] for row in before.rows(mart, **which) if row[column])
    told = before.type("explain", identifier)
    assert told.code == 0, told
    owners = {row["tenant_id"] for row in before.rows(mart, **{column: identifier})}
    assert {owner for owner in owners if f"{identifier} of {owner}" in told.out} == owners
    (one, *_) = owners
    alone = before.done("explain", identifier, "--tenant-id", one)
    marts = [rows for rows in alone.values() if isinstance(rows, list) and rows]
    assert {row["tenant_id"] for rows in marts for row in rows if isinstance(row, dict)} == {one}


def test_a_receipt_is_told_alone_and_its_amounts_add_up(before: Office) -> None:
    (drifting, *_) = (
        row
        for row in before.rows("source_positions", source_type="receipt")
        if row["reversed_cents"] > 0 and row["paid_cents"] > 0
    )
    asked = (drifting["receipt_id"], "--tenant-id", drifting["tenant_id"])
    told = before.type("explain", *asked)
    cells = {name: money(drifting[f"{name}_cents"], "USD") for name in ("paid", "reversed")}
    (line,) = (row for row in told.out.splitlines() if row.startswith("receipt "))
    assert all(f" {amount} " in line for amount in cells.values()), line
    left = drifting["entitled_cents"] - drifting["paid_cents"] + drifting["reversed_cents"]
    assert (left, line.rstrip().endswith(money(left, "USD"))) == (drifting["drift_cents"], True)
    life = before.done("explain", *asked)
    assert {row["receipt_id"] for row in life["source_positions"]} == {drifting["receipt_id"]}
    payouts = {
        row["movement_id"] for row in life["money_movements"] if row["movement_type"] == "payout"
    }
    # The fee on a receipt is told with it, so what it paid is what the payout allocates to it.
    paid = [row for row in life["movement_references"] if row["movement_id"] in payouts]
    assert "fee" in {row["source_type"] for row in paid}
    assert -sum(row["allocated_cents"] for row in paid) == drifting["paid_cents"]


def test_many_sources_of_a_payout_are_summed(before: Office) -> None:
    (paid, *_) = before.rows("money_movements", tenant_id=TENANT, movement_type="payout")
    told = before.type("explain", paid["source_object_id"])
    total = f"{paid['movement_id']} allocated {money(paid['amount_cents'], 'USD')}"
    assert total in told.out, told


def test_every_column_that_a_life_shows_is_published_or_landed(before: Office) -> None:
    with Marts.published(prepare_home(before.home)) as marts:
        for _, mart, heads, cells in _SECTIONS:
            landed = [column.name for column in BREAKS.columns]
            names = [*(landed if mart == HISTORY else marts.columns(mart)), "currency"]
            assert len(cells(dict.fromkeys(names))) == len(heads), mart


def test_two_people_let_an_account_go_and_the_book_lists_it(before: Office) -> None:
    account = "acct_1NeverSeen"
    proposed = before.done(
        *("departures", "propose", account, "--tenant-id", TENANT, "--reason", "closed")
    )
    assert before.done("departures", "list")["departed"] == []
    own = before.type(
        *("departures", "approve", proposed["id"], "--reason", "x", "--operator", FIRST)
    )
    assert own.code == 1
    one_paragraph(own, "self_approved")
    before.done("departures", "approve", proposed["id"], "--reason", "seen")
    assert before.done("departures", "list")["departed"] == [account]
    before.done("departures", "revoke", proposed["id"], "--reason", "it came back")
    assert before.done("departures", "list")["departed"] == []


def test_a_tenant_goes_only_by_two_people_and_not_while_it_is_open_or_read(before: Office) -> None:
    asked = ("erase", "propose", "--reason", "the alpha ended", "--tenant-id")
    one_paragraph(before.type(*asked, "tenant_brich"), "tenant_unknown")
    one_paragraph(before.type(*asked, "tenant_birch"), "items_open", "4 breaks")
    proposed = before.done(*asked, "tenant_birch", "--give-up-open")
    assert proposed["open_items"] > 4
    own = before.type("erase", "approve", proposed["id"], "--reason", "x", "--operator", FIRST)
    one_paragraph(own, "self_approved")
    looked = before.type("erase", "run", proposed["id"], "--json")
    assert looked.code == 1, looked
    codes = [obstacle["code"] for obstacle in looked.json["obstacles"]]
    assert codes[:5] == ["not_approved", *3 * ["account_read"], "tenant_exported"]
    rows = {share["table"]: share["rows"] for share in looked.json["goes"]}
    assert looked.json["row_count"] == sum(rows.values()) > 5_000
    assert "stripe/transfers" not in rows
    assert {"kernel/settlement_receipts", "stripe/balance_transactions"} <= rows.keys()
    before.done("erase", "revoke", proposed["id"], "--reason", "they stay")
    listed = before.done("erase", "list")
    assert listed["erased"] == []
    assert [line["action"] for line in listed["lines"]] == ["propose", "revoke"]
