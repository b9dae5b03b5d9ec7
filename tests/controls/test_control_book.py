"""The book of control lines: its file, its past, its registry, and the table it lands as."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.artifacts import is_signed_by
from evidence.keys import public_key_pem
from ingest.controls import load_operators, read_book
from ingest.errors import LandingError, SettingError
from tests.controls.conftest import NOW, Desk

TWO = {"operator": "alice", "second_operator": "bob"}


def status(desk: Desk) -> tuple[str, str | None]:
    line = desk.last()
    return line.line_status, line.void_code


# --- the file -------------------------------------------------------------------------------------


def test_garbage_is_shown_and_stops_nothing(desk: Desk) -> None:
    desk.say("kill")
    with desk.path.open("a") as file:
        file.write('{"torn":\n')
    desk.say("set", 5, field="max_payout_amount_cents", **TWO)
    found = [(line.line_status, line.void_code) for line in desk.read().lines]
    assert found == [("valid", None), ("void", "unparsable"), ("valid", None)]


def test_a_torn_last_line_keeps_its_place(desk: Desk) -> None:
    desk.say("kill")
    desk.say("unkill", False, **TWO)
    data = desk.path.read_bytes()
    desk.path.write_bytes(data[: len(data) - 40])
    desk.say("kill", tenant_id="t_1")
    found = [(line.seq, line.line_status, line.void_code) for line in desk.read().lines]
    assert found[1:3] == [(2, "void", "unparsable"), (3, "valid", None)]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0], lines[1], '{"unsigned":true}', lines[2]],
        lambda lines: [lines[0].replace("a drill", "a party"), *lines[1:]],
        lambda lines: [lines[0], lines[0], lines[2]],
    ],
    ids=["removed", "reordered", "inserted", "edited", "repeated"],
)
def test_a_book_whose_past_was_changed_arms_itself(
    desk: Desk, change: Callable[[list[str]], list[str]]
) -> None:
    desk.say("set", 100, field="max_payout_amount_cents", **TWO)
    desk.say("kill", tenant_id="t_1")
    desk.say("set", 200, field="max_payout_amount_cents", **TWO)
    assert not desk.read().is_killed("t_2", None)
    desk.edit(change)
    book = desk.read()
    assert book.broken_code == "chain_broken"
    assert book.is_killed("t_2", None)
    assert book.lines[-1].operator == "tieout"
    late = next(line for line in book.lines if line.value == "200")
    assert (late.line_status, late.void_code) == ("void", "chain_broken")


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:-1],
        lambda lines: [],
        lambda lines: [lines[0], lines[1].replace('"kill"', '"kilt"')],
    ],
    ids=["cut off", "emptied", "last line spoilt"],
)
def test_cutting_off_the_end_does_not_disarm(
    desk: Desk, change: Callable[[list[str]], list[str]]
) -> None:
    desk.say("set", 100, field="max_payout_amount_cents", **TWO)
    desk.say("kill", tenant_id="t_1")
    desk.edit(change)
    book = desk.read()
    assert book.broken_code == "history_rewritten"
    assert book.is_killed("t_1", None)
    desk.land()
    assert desk.read().is_killed("t_1", None), "landing it does not make it right"


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize(
    "change",
    [lambda lines: lines[:-1], lambda lines: [lines[0], lines[2]]],
    ids=["end", "middle"],
)
def test_two_operators_mend_a_book_and_one_cannot(
    desk: Desk, change: Callable[[list[str]], list[str]], landed: bool
) -> None:
    desk.say("set", 100, field="max_payout_amount_cents", **TWO)
    desk.say("kill", tenant_id="t_1")
    desk.say("kill", tenant_id="t_2")
    desk.edit(change)
    if landed:
        desk.land()
    desk.say("unkill", False)
    assert desk.read().is_killed("t_9", None)
    desk.say("unkill", False, tenant_id="t_1", **TWO)
    assert desk.read().is_killed("t_9", None), "only an unkill for all tenants takes the book over"
    desk.say("unkill", False, **TWO)
    book = desk.read()
    assert (book.broken_code, book.is_killed("t_9", None)) == (None, False)
    desk.land()
    assert desk.read().broken_code is None
    desk.say("set", 7, field="max_payout_amount_cents")
    assert status(desk) == ("valid", None)


def test_a_line_of_another_book_cannot_be_moved_here(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other", desk.registry)
    other.say("set", 10**9, field="max_payout_amount_cents", book="home-2", **TWO)
    desk.path.parent.mkdir(parents=True)
    desk.path.write_bytes(other.path.read_bytes())
    book = read_book(desk.home, desk.operators, is_signed_by, book="home-1")
    assert book.lines[0].void_code == "chain_broken"
    assert book.is_killed("t_1", None)


def test_a_proposal_that_another_line_overtook_has_to_be_signed_again(desk: Desk) -> None:
    body = desk.body("set", 100, field="max_payout_amount_cents", **TWO)
    desk.say("kill")
    with pytest.raises(LandingError) as refusal:
        desk.append(body, "alice", "bob")
    assert refusal.value.code == "line_overtaken"
    assert len(desk.read().lines) == 1


def test_a_replayed_line_is_refused_and_void_when_forced(desk: Desk) -> None:
    desk.say("kill")
    desk.say("unkill", False, **TWO)
    desk.say("kill")
    desk.edit(lambda lines: [*lines, lines[1]])
    book = desk.read()
    assert book.lines[3].void_code == "chain_broken"
    assert book.is_killed("t_1", None)


def test_floats_and_odd_names_cannot_be_signed(desk: Desk) -> None:
    for value in (1.5, {"é": 1}, 2**53):
        with pytest.raises(LandingError) as refusal:
            desk.say("set", value, field="max_payout_amount_cents")
        assert refusal.value.code == "line_malformed"
    assert not desk.path.exists()


def test_another_spelling_of_a_signed_line_is_no_line(desk: Desk) -> None:
    desk.say("kill")
    desk.edit(lambda lines: [lines[0].replace(",", ", ", 1)])
    assert desk.read().lines[0].void_code == "unparsable"


def test_a_repeated_member_is_no_line(desk: Desk) -> None:
    desk.say("kill")
    desk.edit(lambda lines: [lines[0].replace("{", '{"action":"unkill",', 1)])
    assert desk.read().lines[0].void_code == "unparsable"


def test_the_book_is_private_and_an_unreadable_one_is_an_error(desk: Desk) -> None:
    desk.say("kill")
    assert desk.path.stat().st_mode & 0o077 == 0
    desk.path.unlink()
    desk.path.mkdir()
    with pytest.raises(LandingError) as refusal:
        desk.read()
    assert refusal.value.code == "line_book_unreadable"


# --- the registry ---------------------------------------------------------------------------------


def test_lines_without_a_registry_hold_everything(desk: Desk) -> None:
    assert read_book(desk.home, None, is_signed_by).broken_code is None
    desk.say("set", 100, field="max_payout_amount_cents", **TWO)
    book = read_book(desk.home, None, is_signed_by)
    assert book.broken_code == "registry_missing"
    assert book.is_killed("t_1", None)
    assert desk.read().broken_code is None


def test_one_person_under_two_names_is_refused(desk: Desk) -> None:
    alice = desk.keys["alice"]
    pem = public_key_pem(alice.public_key)
    twin = {"name": "bob", "keyid": alice.keyid, "pem": pem}
    cases = [
        [{"name": "alice"}, twin],
        [{"name": "alice"}, {"name": "alice"}],
        [{"name": "alice", "pem": public_key_pem(desk.keys["bob"].public_key)}],
        [{"name": "alice", "pem": "no key"}],
        [{"name": "alice", "retired_at": "2026-01-01T00:00:00"}],
    ]
    for entries in cases:
        desk.register(*entries)
        with pytest.raises(SettingError) as refusal:
            load_operators(desk.registry)
        assert "TIEOUT_OPERATORS" in str(refusal.value)


def test_a_registry_that_cannot_be_read_is_one_paragraph(desk: Desk, tmp_path: Path) -> None:
    desk.registry.write_text("{")
    for path in (desk.registry, tmp_path / "absent.json"):
        with pytest.raises(SettingError) as refusal:
            load_operators(path)
        assert "\n" not in str(refusal.value)


# --- landing --------------------------------------------------------------------------------------


def test_every_line_lands_void_ones_included(desk: Desk) -> None:
    desk.say("kill", tenant_id="t_1", provider_id="stripe_prod_us")
    desk.append(desk.body("unkill", False, tenant_id="t_1"), "alice")
    desk.say("set", ["b", "a"], field="allowed_provider_ids", **TWO)
    desk.land()
    shown = [
        (r["seq"], r["tenant_id"], r["provider_id"], r["field"], r["value"], r["action"])
        for r in desk.landed()
    ]
    assert shown == [
        (1, "t_1", "stripe_prod_us", "payout_kill_switch", "true", "kill"),
        (2, "t_1", None, "payout_kill_switch", "false", "unkill"),
        (3, "*", None, "allowed_provider_ids", '["b","a"]', "set"),
    ]
    assert [(r["line_status"], r["void_code"]) for r in desk.landed()] == [
        ("valid", None),
        ("void", "second_missing"),
        ("valid", None),
    ]
    assert desk.landed()[2]["second_operator"] == "bob"
    assert desk.landed()[0]["at"] == (NOW + timedelta(minutes=1)).replace(tzinfo=None)


def test_landing_the_same_book_again_changes_nothing(desk: Desk) -> None:
    desk.say("kill")
    assert desk.land()[1] is not None
    assert desk.land()[1] is None


def test_an_absent_book_lands_an_empty_table(desk: Desk) -> None:
    book, manifest = desk.land()
    assert (book.lines, manifest, desk.landed()) == ((), None, [])


def test_a_damaged_book_lands_the_switch_it_armed(desk: Desk) -> None:
    desk.say("kill", tenant_id="t_1")
    desk.land()
    desk.path.unlink()
    desk.land()
    last = desk.landed()[-1]
    assert (last["tenant_id"], last["field"], last["value"]) == ("*", "payout_kill_switch", "true")
    assert (last["line_status"], last["operator"]) == ("valid", "tieout")
    assert last["void_code"] == "history_rewritten"


@pytest.mark.skipif(os.name != "posix", reason="file locks are POSIX here")
def test_many_writers_leave_one_unbroken_chain(desk: Desk) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def write(number: int) -> int:
        for attempt in range(200):
            try:
                desk.say("kill", tenant_id=f"t_{number}")
            except LandingError as error:
                if error.code != "line_overtaken":
                    raise
                continue
            return attempt
        raise AssertionError("a writer never got its turn")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))
    book = desk.read()
    assert book.broken_code is None
    assert [line.line_status for line in book.lines] == ["valid"] * 8
