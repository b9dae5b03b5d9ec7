"""Attacks on operator lines: whoever cannot sign cannot loosen."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ingest.controls import append_control, sign_line
from tests.controls.conftest import NOW, Desk

TWO = {"operator": "alice", "second_operator": "bob"}


def status(desk: Desk) -> tuple[str, str | None]:
    line = desk.last()
    return line.line_status, line.void_code


# --- one key arms, two loosen ---------------------------------------------------------------------


def test_one_key_arms(desk: Desk) -> None:
    desk.say("kill")
    assert status(desk) == ("valid", None)
    assert desk.read().is_killed("t_any", "stripe_prod_us")


def test_arming_needs_no_role(desk: Desk) -> None:
    desk.say("kill", operator="carol")
    assert status(desk) == ("valid", None)


def test_two_different_keys_disarm(desk: Desk) -> None:
    desk.say("kill")
    desk.say("unkill", False, **TWO)
    assert status(desk) == ("valid", None)
    assert not desk.read().is_killed("t_any", None)


@pytest.mark.parametrize(
    ("names", "signers", "code"),
    [
        ({"operator": "alice"}, ["alice"], "second_missing"),
        ({"operator": "alice", "second_operator": "alice"}, ["alice", "alice"], "self_approved"),
        (TWO, ["alice"], "second_unsigned"),
        (TWO, ["alice", "alice"], "second_unsigned"),
        (TWO, ["alice", "mallory"], "second_unsigned"),
        (
            {"operator": "alice", "second_operator": "mallory"},
            ["alice", "mallory"],
            "second_unregistered",
        ),
        ({"operator": "alice", "second_operator": "carol"}, ["alice", "carol"], "role_missing"),
        ({"operator": "carol", "second_operator": "alice"}, ["carol", "alice"], "role_missing"),
        (TWO, [], "unsigned"),
        (TWO, ["bob"], "unsigned"),
        ({"operator": "mallory", "second_operator": "bob"}, ["mallory", "bob"], "unregistered"),
    ],
)
def test_a_loosening_without_two_peoples_keys_is_void(
    desk: Desk, names: dict[str, str], signers: list[str], code: str
) -> None:
    desk.say("kill")
    desk.append(desk.body("unkill", False, **names), *signers)
    assert status(desk) == ("void", code)
    assert desk.read().is_killed("t_any", None), "a void line changes nothing"


@pytest.mark.parametrize(
    ("names", "signers", "code"),
    [
        ({"operator": "alice"}, [], "unsigned"),
        ({"operator": "mallory"}, ["mallory"], "unregistered"),
        ({"operator": "alice"}, ["bob"], "unsigned"),
    ],
)
def test_even_arming_needs_a_registered_key(
    desk: Desk, names: dict[str, str], signers: list[str], code: str
) -> None:
    desk.append(desk.body("kill", **names), *signers)
    assert status(desk) == ("void", code)
    assert not desk.read().is_killed("t_any", None)


def test_a_signature_of_other_words_is_void(desk: Desk) -> None:
    desk.say("kill")
    body = desk.body("unkill", False, **TWO)
    promised = {**body, "tenant_id": "t_small"}
    entries = [sign_line(promised, desk.keys[name]) for name in ("alice", "bob")]
    append_control(desk.home, body, entries)
    assert status(desk) == ("void", "bad_signature")


def test_a_second_signature_of_other_words_is_void(desk: Desk) -> None:
    desk.say("kill")
    body = desk.body("unkill", False, **TWO)
    entries = [
        sign_line(body, desk.keys["alice"]),
        sign_line({**body, "reason": "something else"}, desk.keys["bob"]),
    ]
    append_control(desk.home, body, entries)
    assert status(desk) == ("void", "second_bad_signature")


def test_a_bare_message_signature_cannot_be_used_as_a_lines(desk: Desk) -> None:
    """Signatures cover a name for this use: one made for something else is no signature here."""
    body = desk.body("kill")
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    import base64

    key = desk.keys["alice"]
    forged = {"keyid": key.keyid, "sig": base64.b64encode(key.sign(text)).decode()}
    append_control(desk.home, body, [forged])
    assert status(desk) == ("void", "bad_signature")


def test_a_retired_operator_still_keeps_what_he_armed(desk: Desk) -> None:
    desk.say("kill", operator="bob")
    retired = (NOW - timedelta(days=1)).isoformat()
    desk.register({"name": "alice"}, {"name": "bob", "retired_at": retired}, {"name": "carol"})
    assert desk.read().is_killed("t_any", None)
    desk.say("unkill", False, **TWO)
    assert status(desk) == ("void", "role_missing")


# --- what tightens and what loosens ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "before", "after", "tightens"),
    [
        ("max_payout_amount_cents", None, 100, True),
        ("max_payout_amount_cents", 100, 99, True),
        ("max_payout_amount_cents", 100, 100, True),
        ("max_payout_amount_cents", 100, 101, False),
        ("max_payout_amount_cents", 100, None, False),
        ("max_payout_amount_cents", 100, 0, True),
        ("daily_payout_limit_cents", 5, 6, False),
        ("real_money_enabled", True, False, True),
        ("real_money_enabled", False, True, False),
        ("allowed_provider_ids", None, ["a"], True),
        ("allowed_provider_ids", ["a", "b"], ["b"], True),
        ("allowed_provider_ids", ["a"], ["a", "b"], False),
        ("allowed_provider_ids", ["a"], None, False),
        ("degraded_provider_ids", ["a"], ["a", "b"], True),
        ("degraded_provider_ids", ["a", "b"], ["a"], False),
        ("degraded_provider_ids", ["a"], None, True),
        ("negative_balance_mode", "net", "hold", True),
        ("negative_balance_mode", "hold", "net", False),
        ("deny_submit_payouts", True, False, False),
        ("payout_kill_switch", True, False, False),
        ("mismatch_threshold_count", 5, 4, True),
        ("mismatch_threshold_count", 5, None, False),
        ("mismatch_threshold_cents", 100, 101, False),
        ("connect_accounts", None, {"pa": "acct_a"}, True),
        ("connect_accounts", {"pa": "acct_a"}, {"pa": "acct_a", "pb": "acct_b"}, True),
        ("connect_accounts", {"pa": "acct_a"}, {"pa": None}, True),
        ("connect_accounts", {"pa": "acct_a"}, {"pa": "acct_b"}, False),
        ("connect_accounts", {"pa": None}, {"pa": "acct_a"}, False),
        ("connect_accounts", {"pa": "acct_a"}, {"pb": "acct_b"}, False),
        ("connect_accounts", {"pa": "acct_a"}, None, False),
    ],
)
def test_one_key_sets_only_what_is_at_least_as_strict(
    desk: Desk, field: str, before: object, after: object, tightens: bool
) -> None:
    desk.say("set", before, field=field, tenant_id="t_1", **TWO)
    assert status(desk) == ("valid", None)
    desk.say("set", after, field=field, tenant_id="t_1")
    assert status(desk) == (("valid", None) if tightens else ("void", "second_missing"))


@pytest.mark.parametrize(
    ("scope", "tightens"),
    [
        ({"tenant_id": "t_1"}, True),
        ({"tenant_id": "t_2"}, False),
        ({"tenant_id": "*"}, False),
        ({"tenant_id": "t_1", "provider_id": "p"}, False),
    ],
)
def test_a_first_value_needs_two_keys_because_an_absent_control_holds(
    desk: Desk, scope: dict[str, str], tightens: bool
) -> None:
    desk.say("set", 100, field="max_payout_amount_cents", tenant_id="t_1", **TWO)
    desk.say("set", 50, field="max_payout_amount_cents", **scope)
    assert status(desk)[0] == ("valid" if tightens else "void")


def test_a_void_loosening_does_not_become_the_value_to_compare_with(desk: Desk) -> None:
    desk.say("set", 100, field="max_payout_amount_cents", **TWO)
    desk.say("set", 5000, field="max_payout_amount_cents")
    desk.say("set", 4000, field="max_payout_amount_cents")
    assert [line.line_status for line in desk.read().lines] == ["valid", "void", "void"]


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"field": "payout_kil_switch"}, "value_invalid"),
        ({"value": 1}, "value_invalid"),
        ({"value": None}, "value_invalid"),
        ({"action": "kill", "value": False}, "value_invalid"),
        ({"action": "kill", "field": "degraded_enabled"}, "value_invalid"),
        ({"action": "set", "field": "max_payout_amount_cents", "value": -1}, "value_invalid"),
        ({"action": "set", "field": "max_payout_amount_cents", "value": True}, "value_invalid"),
        ({"action": "set", "field": "allowed_provider_ids", "value": ["a|b"]}, "value_invalid"),
        (
            {"action": "set", "field": "degraded_provider_ids", "value": ["p" * 90] * 50},
            "value_invalid",
        ),
        ({"action": "set", "field": "connect_accounts", "value": {"pa": "pm_1"}}, "value_invalid"),
        (
            {"action": "set", "field": "connect_accounts", "value": {'p"a': "acct_1"}},
            "value_invalid",
        ),
        (
            {"action": "set", "field": "connect_accounts", "value": {"p\\a": "acct_1"}},
            "value_invalid",
        ),
        ({"action": "set", "field": "connect_accounts", "value": {"": "acct_1"}}, "value_invalid"),
        ({"action": "wave"}, "action_unknown"),
        ({"tenant_id": ""}, "scope_invalid"),
        ({"provider_id": 5}, "scope_invalid"),
    ],
)
def test_a_line_that_says_nothing_doable_is_void(
    desk: Desk, over: dict[str, Any], code: str
) -> None:
    desk.say(**over)
    assert status(desk) == ("void", code)


@pytest.mark.parametrize(
    ("scope", "killed"),
    [
        ({"tenant_id": "*"}, {("t_1", "p"), ("t_2", "q")}),
        ({"tenant_id": "t_1"}, {("t_1", "p")}),
        ({"tenant_id": "*", "provider_id": "q"}, {("t_2", "q")}),
        ({"tenant_id": "t_1", "provider_id": "q"}, set()),
    ],
)
def test_a_kill_reaches_its_scope(
    desk: Desk, scope: dict[str, str], killed: set[tuple[str, str]]
) -> None:
    desk.say("kill", **scope)
    book = desk.read()
    found = {pair for pair in {("t_1", "p"), ("t_2", "q")} if book.is_killed(*pair)}
    assert found == killed


def test_disarming_everyone_leaves_a_tenants_own_switch_armed(desk: Desk) -> None:
    desk.say("kill", tenant_id="t_1")
    desk.say("kill")
    desk.say("unkill", False, **TWO)
    book = desk.read()
    assert (book.is_killed("t_1", None), book.is_killed("t_2", None)) == (True, False)


def test_w9_a_line_about_one_control_leaves_every_other_as_it_was(desk: Desk) -> None:
    desk.say("kill", tenant_id="t_1")
    desk.say("set", False, field="real_money_enabled", tenant_id="t_1")
    desk.say("set", 5, field="max_payout_amount_cents", tenant_id="t_1", **TWO)
    book = desk.read()
    assert book.is_killed("t_1", None)
    assert book.values("real_money_enabled", "t_1", None) == [False]
    assert book.values("max_payout_amount_cents", "t_1", None) == [5]
    assert book.values("daily_payout_limit_cents", "t_1", None) == []
