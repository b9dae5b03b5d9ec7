"""Books of people's acts: who may write, what counts, and what a changed past undoes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.artifacts import is_signed_by
from evidence.keys import KeySigner, public_key_pem
from ingest.controls import (
    ACT_BOOKS,
    DEPARTURE_BOOK,
    OVERRIDE_BOOK,
    TRIAGE_BOOK,
    WRITE_OFF_BOOK,
    ActBook,
    ActLine,
    Operator,
    departed_accounts,
    land_acts,
    lapsed_overrides,
    read_acts,
    write_acts,
)
from ingest.controls.acts import why_malformed
from ingest.errors import SettingError
from ingest.landing import Landing, new_batch_id

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROPOSAL = {
    "action": "propose",
    "tenant_id": "t_1",
    "break_id": "brk_1",
    "reason_code": "AMOUNT_OVER",
    "drift_cents": -5,
    "amount_cents": 5,
    "currency": "USD",
    "evidence_url": "https://tickets.example/1",
    "expires_at": "2026-12-01T00:00:00Z",
}
NOTE = {"action": "note", "tenant_id": "t_1", "break_id": "brk_1", "note": "asked the bank"}


class Books:
    """Ann and Ben may write in every book, Cid in none; Dan has retired."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.keys = {
            name: KeySigner.from_seed(name.encode().ljust(32, b"."))
            for name in ("ann", "ben", "cid", "dan", "eve")
        }
        roles = frozenset(book.name for book in ACT_BOOKS)
        self.operators = {
            name: Operator(
                name,
                self.keys[name].keyid,
                public_key_pem(self.keys[name].public_key).encode(),
                frozenset() if name == "cid" else roles,
                NOW - timedelta(days=1) if name == "dan" else None,
            )
            for name in ("ann", "ben", "cid", "dan")
        }

    def write(
        self, book: ActBook, *acts: dict[str, Any], by: str = "ann", key: str | None = None
    ) -> list[ActLine]:
        write_acts(
            self.home,
            book,
            acts,
            operator=by,
            signer=self.keys[key or by],
            reason="a drill",
            at=NOW,
            home_id="h1",
        )
        return self.read(book)[-len(acts) :]

    def read(self, book: ActBook, home_id: str = "h1") -> list[ActLine]:
        return read_acts(self.home, book, self.operators, is_signed_by, home_id=home_id)

    def edit(self, book: ActBook, lines: Sequence[str]) -> None:
        (self.home / book.file).write_text("".join(f"{line}\n" for line in lines))

    def text(self, book: ActBook) -> list[str]:
        return (self.home / book.file).read_text().splitlines()


@pytest.fixture
def books(home: Path) -> Books:
    return Books(home)


def codes(lines: Sequence[ActLine]) -> list[str | None]:
    return [line.void_code for line in lines]


def test_a_proposal_gets_an_id_from_its_bytes_and_an_approval_names_it(books: Books) -> None:
    (proposed,) = books.write(OVERRIDE_BOOK, PROPOSAL)
    assert proposed.act_id == f"ovr_{proposed.line_sha256[:24]}"
    decide = {"action": "approve", "tenant_id": "t_1", "act_id": proposed.act_id}
    (approved,) = books.write(OVERRIDE_BOOK, decide, by="ben")
    assert (approved.act_id, approved.operator) == (proposed.act_id, "ben")
    assert codes(books.read(OVERRIDE_BOOK)) == [None, None]


@pytest.mark.parametrize(
    ("by", "key", "code"),
    [
        ("cid", None, "role_missing"),
        ("dan", None, "role_missing"),
        ("eve", None, "unregistered"),
        ("ann", "ben", "unsigned"),
    ],
)
def test_only_registered_operators_with_the_books_role_write(
    books: Books, by: str, key: str | None, code: str
) -> None:
    (line,) = books.write(TRIAGE_BOOK, NOTE, by=by, key=key)
    assert (line.line_status, line.void_code) == ("void", code)


def test_without_a_registry_nothing_counts(books: Books) -> None:
    books.write(TRIAGE_BOOK, NOTE)
    lines = read_acts(books.home, TRIAGE_BOOK, None, is_signed_by, home_id="h1")
    assert codes(lines) == ["registry_missing"]


@pytest.mark.parametrize(
    "over",
    [
        {"action": "bless"},
        {"tenant_id": ""},
        {"amount_cents": 0},
        {"amount_cents": -5},
        {"amount_cents": True},
        {"amount_cents": "5"},
        {"currency": "usd"},
        {"expires_at": "tomorrow"},
        {"expires_at": "2026-13-01T00:00:00Z"},
        {"expires_at": None},
        {"evidence_url": "see my mail"},
        {"evidence_url": "https://user:pw@tickets.example/1"},
        {"evidence_url": "http://tickets.example/1"},
        {"evidence_url": None},
        {"reason_code": None},
        {"payout_key": "p"},
        {"condition_code": "OPEN_BREAK"},
        {"surprise": 1},
    ],
)
def test_a_malformed_act_is_refused_before_it_is_written(
    books: Books, over: dict[str, Any]
) -> None:
    with pytest.raises(SettingError) as refusal:
        books.write(OVERRIDE_BOOK, {**PROPOSAL, **over})
    assert refusal.value.code == "act_malformed"
    assert not (books.home / OVERRIDE_BOOK.file).exists()


WRITTEN_OFF = {
    "action": "propose",
    "tenant_id": "t_1",
    "entry_kind": "write_off",
    "break_id": "brk_1",
    "drift_cents": -5,
    "amount_cents": 5,
    "currency": "USD",
    "evidence_url": "https://tickets.example/1",
}


@pytest.mark.parametrize(
    "over",
    [
        {"drift_cents": None},
        {"drift_cents": -4},
        {"entry_kind": "repayment"},
        {"break_id": None},
    ],
)
def test_a_break_is_written_off_by_its_whole_drift_with_its_sign(
    books: Books, over: dict[str, Any]
) -> None:
    with pytest.raises(SettingError) as refusal:
        books.write(WRITE_OFF_BOOK, {**WRITTEN_OFF, **over})
    assert refusal.value.code == "act_malformed"
    assert codes(books.write(WRITE_OFF_BOOK, WRITTEN_OFF)) == [None]


CLOSED = {"tenant_id": "t_1", "break_id": "brk_1", "triage_status": "resolved"}
STRICTER: list[tuple[ActBook, dict[str, Any]]] = [
    (OVERRIDE_BOOK, {**PROPOSAL, "evidence_url": "http://tickets.example/1"}),
    (WRITE_OFF_BOOK, {**WRITTEN_OFF, "evidence_url": "http://tickets.example/1"}),
    (TRIAGE_BOOK, {**CLOSED, "action": "note", "note": "done"}),
    (TRIAGE_BOOK, {**CLOSED, "action": "assign", "owner": "ann"}),
    (TRIAGE_BOOK, {**CLOSED, "action": "resolve"}),
    (TRIAGE_BOOK, {**CLOSED, "action": "import", "triage_status": "dismissed"}),
]


@pytest.mark.parametrize(("book", "act"), STRICTER)
def test_what_is_written_no_more_counts_where_it_was_written(
    books: Books, monkeypatch: pytest.MonkeyPatch, book: ActBook, act: dict[str, Any]
) -> None:
    with pytest.raises(SettingError) as refusal:
        books.write(book, act)
    assert refusal.value.code == "act_malformed"
    assert not (books.home / book.file).exists()
    with monkeypatch.context() as earlier:
        earlier.setattr("ingest.controls.act_book.why_refused", why_malformed)
        books.write(book, act)
    assert codes(books.read(book)) == [None]


@pytest.mark.parametrize(
    ("book", "act", "expected"),
    [
        (OVERRIDE_BOOK, {"evidence_url": "https://u:s3cret@x"}, "packet: and 64 lower-case hex"),
        (OVERRIDE_BOOK, {"amount_cents": 0}, "minor units from 1"),
        (OVERRIDE_BOOK, {"tenant_id": "s3cret" * 60}, "1 to 300 printable characters"),
        (OVERRIDE_BOOK, {"expires_at": "s3cret"}, "2026-12-31T17:00:00Z"),
        (OVERRIDE_BOOK, {"payout_key": "s3cret"}, "either break_id"),
        (OVERRIDE_BOOK, {"action": "s3cret"}, "one of propose, approve, revoke"),
        (OVERRIDE_BOOK, {"surprise": "s3cret"}, "no member but tenant_id"),
        (WRITE_OFF_BOOK, {"entry_kind": "repayment"}, "a break is not repaid"),
        (WRITE_OFF_BOOK, {"drift_cents": 4}, "as large as amount_cents"),
        (WRITE_OFF_BOOK, {"break_id": None}, "none without break_id"),
        (TRIAGE_BOOK, {"note": "s3cret" * 100}, "1 to 500 printable characters"),
        (TRIAGE_BOOK, {"triage_status": "s3cret"}, "one of open, acknowledged"),
    ],
)
def test_a_refusal_says_what_was_expected_and_not_what_was_given(
    books: Books, book: ActBook, act: dict[str, Any], expected: str
) -> None:
    whole = {OVERRIDE_BOOK.name: PROPOSAL, WRITE_OFF_BOOK.name: WRITTEN_OFF, TRIAGE_BOOK.name: NOTE}
    with pytest.raises(SettingError) as refusal:
        books.write(book, {**whole[book.name], **act})
    assert expected in refusal.value.expected
    assert "s3cret" not in str(refusal.value)


def test_several_acts_are_written_all_or_none(books: Books) -> None:
    with pytest.raises(SettingError):
        books.write(TRIAGE_BOOK, NOTE, {**NOTE, "note": "x" * 501})
    assert not (books.home / TRIAGE_BOOK.file).exists()
    assert codes(books.write(TRIAGE_BOOK, NOTE, NOTE, {**NOTE, "break_id": "brk_2"})) == [None] * 3


def test_a_line_of_another_book_or_home_counts_in_neither(books: Books) -> None:
    act = {"action": "approve", "tenant_id": "t_1", "act_id": "wof_" + "0" * 24}
    books.write(WRITE_OFF_BOOK, act)
    (books.home / OVERRIDE_BOOK.file).write_bytes((books.home / WRITE_OFF_BOOK.file).read_bytes())
    assert codes(books.read(OVERRIDE_BOOK)) == ["chain_broken"]
    assert codes(books.read(WRITE_OFF_BOOK, home_id="h2")) == ["chain_broken"]


@pytest.mark.parametrize("removed", [0, 1, 2], ids=["first", "middle", "last"])
def test_removing_a_line_voids_all_up_to_it_and_later_lines_count(
    books: Books, removed: int
) -> None:
    for _ in range(3):
        books.write(OVERRIDE_BOOK, PROPOSAL)
    lines = books.text(OVERRIDE_BOOK)
    books.edit(OVERRIDE_BOOK, lines[:removed] + lines[removed + 1 :])
    assert None not in codes(books.read(OVERRIDE_BOOK))
    (fresh,) = books.write(OVERRIDE_BOOK, PROPOSAL, by="ben")
    assert fresh.valid
    assert codes(books.read(OVERRIDE_BOOK))[:-1] == ["history_rewritten"] * 2
    books.edit(OVERRIDE_BOOK, books.text(OVERRIDE_BOOK)[:-1])
    assert None not in codes(books.read(OVERRIDE_BOOK)), "damaged a second time"


def test_a_changed_amount_is_no_longer_signed(books: Books) -> None:
    books.write(OVERRIDE_BOOK, PROPOSAL)
    (text,) = books.text(OVERRIDE_BOOK)
    books.edit(OVERRIDE_BOOK, [text.replace('"amount_cents":5', '"amount_cents":500')])
    (line,) = books.read(OVERRIDE_BOOK)
    assert not line.valid


def test_a_forged_line_between_two_calls_does_not_hide_a_revocation(books: Books) -> None:
    """What was known to a decision is compared by digest, so removing the newest line shows."""
    books.write(OVERRIDE_BOOK, PROPOSAL)
    known = [(line.seq, line.line_sha256, line.line_status) for line in books.read(OVERRIDE_BOOK)]
    books.edit(OVERRIDE_BOOK, [json.dumps({"torn": True})])
    lapsed = lapsed_overrides(books.read(OVERRIDE_BOOK), known, "t_1", NOW, NOW)
    assert lapsed == ["line 1 of the book"]


def test_what_lapses_between_a_decision_and_a_payment(books: Books) -> None:
    (line,) = books.write(OVERRIDE_BOOK, PROPOSAL)
    known = [(line.seq, line.line_sha256, line.line_status)]
    now = NOW + timedelta(minutes=5)
    assert lapsed_overrides(books.read(OVERRIDE_BOOK), known, "t_1", NOW, now) == []
    books.write(
        OVERRIDE_BOOK, {"action": "revoke", "tenant_id": "t_1", "act_id": line.act_id}, by="ben"
    )
    lines = books.read(OVERRIDE_BOOK)
    assert lapsed_overrides(lines, known, "t_1", NOW, now) == [line.act_id]
    assert lapsed_overrides(lines, known, "t_2", NOW, now) == []
    everything = [(seen.seq, seen.line_sha256, seen.line_status) for seen in lines]
    assert lapsed_overrides(lines, everything, "t_1", NOW, now) == []
    later = datetime(2026, 12, 1, tzinfo=UTC)
    assert lapsed_overrides(lines, everything, "t_1", NOW, later) == [line.act_id]


def test_a_book_lands_once_with_typed_members_and_its_void_lines(books: Books) -> None:
    books.write(OVERRIDE_BOOK, PROPOSAL)
    books.write(OVERRIDE_BOOK, PROPOSAL, by="cid")
    landing = Landing(books.home)

    def land(number: int) -> int:
        now = NOW + timedelta(hours=number)
        manifest = land_acts(
            home=books.home,
            book=OVERRIDE_BOOK,
            operators=books.operators,
            check=is_signed_by,
            home_id="h1",
            landing=landing,
            batch_id=new_batch_id(now, str(number)),
            now=now,
        )
        return manifest.rows if manifest else 0

    assert [land(1), land(2)] == [2, 0]
    names = ("break_id", "amount_cents", "expires_at", "operator", "line_status", "void_code")
    end = datetime(2026, 12, 1, tzinfo=UTC)
    assert landing.rows(OVERRIDE_BOOK.table, names) == [
        ("brk_1", 5, end, "ann", "valid", None),
        ("brk_1", 5, end, "cid", "void", "role_missing"),
    ]


LEFT = {"action": "propose", "tenant_id": "t_1", "account_id": "acct_1Left"}


def decided(act_id: str | None, action: str, tenant_id: str = "t_1") -> dict[str, Any]:
    return {"action": action, "tenant_id": tenant_id, "act_id": act_id}


def test_an_account_has_left_when_another_person_says_so_too_and_until_one_takes_it_back(
    books: Books,
) -> None:
    (proposed,) = books.write(DEPARTURE_BOOK, LEFT)
    assert departed_accounts(books.read(DEPARTURE_BOOK)) == frozenset()
    books.write(DEPARTURE_BOOK, decided(proposed.act_id, "approve"), by="ann")
    assert departed_accounts(books.read(DEPARTURE_BOOK)) == frozenset()
    books.write(DEPARTURE_BOOK, decided(proposed.act_id, "approve"), by="ben")
    assert departed_accounts(books.read(DEPARTURE_BOOK)) == {"acct_1Left"}
    books.write(DEPARTURE_BOOK, decided(proposed.act_id, "revoke"), by="ann")
    assert departed_accounts(books.read(DEPARTURE_BOOK)) == frozenset()


@pytest.mark.parametrize(
    ("by", "key", "tenant_id"), [("cid", None, "t_1"), ("ben", "ann", "t_1"), ("ben", None, "t_2")]
)
def test_an_approval_that_does_not_count_lets_no_account_go(
    books: Books, by: str, key: str | None, tenant_id: str
) -> None:
    (proposed,) = books.write(DEPARTURE_BOOK, LEFT)
    books.write(DEPARTURE_BOOK, decided(proposed.act_id, "approve", tenant_id), by=by, key=key)
    assert departed_accounts(books.read(DEPARTURE_BOOK)) == frozenset()
