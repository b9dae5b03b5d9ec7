"""What an override or a write-off is worth, judged by what is published.

Belongs here: looking up what one is about, and refusing one that could have no effect. Does not
belong here: its effect (the models, which judge every line again), or writing lines (`acting.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dagster_project.home import Home
from dagster_project.marts import Marts, Row
from dagster_project.narration import money
from dagster_project.runs import last_published
from ingest.controls import ActLine, approved
from ingest.errors import SettingError, TieoutError

__all__ = [
    "about",
    "refuse_undue",
    "refuse_written_off",
    "whole_drift",
    "worth_of_override",
    "worth_of_write_off",
]


_RESTATED: Final = "RESTATED"


def about(home: Home, subject: str, condition: str | None, amount_cents: int) -> dict[str, Any]:
    """Members of a proposal that say what it lets pass, as it is published now.

    Args:
        home: The home.
        subject: A break id, or with a condition a payout key.
        condition: Gate condition of that payout, or None.
        amount_cents: The most that the override shall cover.

    Raises:
        TieoutError: There is no such thing, it may not be overridden, or the amount is too small.
    """
    if condition is not None:
        return _of_gate(home, subject, condition, amount_cents)
    row = _break(home, subject)
    if row["reason_code"] == _RESTATED:
        raise TieoutError(
            got=f"break {subject}, a certified figure that changed",
            expected="a break that holds payouts; this one holds none",
            remedy="Certify the month anew: `tieout certify revoke`, a run, `tieout certify "
            "propose`; nothing was written",
            code="holds_nothing",
        )
    _refuse_too_little(amount_cents, _size_cents(row), row["currency"])
    return {
        name: row[name]
        for name in ("tenant_id", "break_id", "reason_code", "drift_cents", "currency")
    }


def whole_drift(home: Home, break_id: str, tenant_id: str, amount_cents: int, currency: str) -> int:
    """The signed drift of the break that a write-off closes.

    Raises:
        SettingError: The break is another tenant's or in another currency.
        TieoutError: There is no such break, or the amount is not the whole of its drift.
    """
    row = _break(home, break_id)
    if row["tenant_id"] != tenant_id or row["currency"] != currency:
        raise SettingError(
            got=f"break {break_id} of {row['tenant_id']} in {row['currency']}",
            expected="a break of the tenant and currency given",
            remedy="Correct --tenant-id or --currency",
            code="break_elsewhere",
        )
    drift_cents = int(row["drift_cents"])
    if abs(drift_cents) != amount_cents:
        raise TieoutError(
            got=f"{amount_cents} for a break whose drift is {drift_cents}",
            expected="the whole drift, so that nothing of it stays without a word",
            remedy="Correct --amount-cents; nothing was written",
            code="amount_is_not_the_drift",
        )
    return drift_cents


def refuse_written_off(
    book: Sequence[ActLine], tenant_id: str | None, said: Mapping[str, object]
) -> None:
    """A break is closed once: a second write-off would outlive the revocation of the first.

    Args:
        book: The write-offs as they are now; no run may have shown the newest yet.
        tenant_id: Whose break it is.
        said: Members of the proposal.

    Raises:
        TieoutError: A write-off of the same drift stands.
    """
    for act_id, act in approved(book).items():
        before = act.proposal.members
        names = ("break_id", "drift_cents", "currency")
        same = all(before.get(name) == said[name] for name in names)
        if same and act.proposal.tenant_id == tenant_id:
            raise TieoutError(
                got=f"{said['break_id']}, whose drift {act_id} writes off already",
                expected="a break without a write-off that stands",
                remedy="Nothing is to be done, the next `tieout run` shows it closed; revoke it "
                "first to write off anew; nothing was written",
                code="already_written_off",
            )


def refuse_undue(
    home: Home, book: Sequence[ActLine], tenant_id: str, said: Mapping[str, object]
) -> None:
    """Refuses to give up more than is owed, or to take back where nothing is: as published now,
    less what was approved since.

    A party may pay back more than it owes: the rest is then owed to it, and the book must say so.

    Args:
        home: The home.
        book: The write-offs as they are now; no run may have shown the newest yet.
        tenant_id: The tenant.
        said: Members of the proposal.

    Raises:
        TieoutError: Nothing is owed there, or less than is to be given up.
    """
    party_id, currency = said.get("party_id"), str(said["currency"])
    amount_cents = int(str(said["amount_cents"]))
    with Marts.published(home) as marts:
        owed_cents = sum(
            int(row["outstanding_cents"])
            for row in marts.rows("chargeback_exposure", tenant_id=tenant_id, currency=currency)
            if row["party_id"] == party_id
        )
    debt = f"unattributed debt of {tenant_id[:60]}"
    if party_id is not None:
        debt = f"debt of {str(party_id)[:60]} of {tenant_id[:60]}"
    if owed_cents == 0:
        raise TieoutError(
            got=f"no published {debt} in {currency}",
            expected="a tenant, party and currency with outstanding_cents in chargeback_exposure",
            remedy="Correct --tenant-id, --party-id or --currency; run again if the data is old; "
            "nothing was written",
            code="nothing_owed",
        )
    unseen_cents = _approved_since_cents(home, book, tenant_id, party_id, currency)
    left_cents = max(0, owed_cents - unseen_cents)
    if amount_cents > left_cents and said["entry_kind"] == "write_off":
        since = f" after {money(unseen_cents, currency)} approved since" if unseen_cents else ""
        raise TieoutError(
            got=f"{money(amount_cents, currency)} of {debt}, which is "
            f"{money(left_cents, currency)}{since}",
            expected="no more than the outstanding_cents in chargeback_exposure",
            remedy=f"Propose --amount-cents {left_cents} or less; run again if the data is old; "
            "nothing was written",
            code="more_than_owed",
        )


def _approved_since_cents(
    home: Home, book: Sequence[ActLine], tenant_id: str, party_id: object, currency: str
) -> int:
    """What stands in the book of one debt that the published run did not know."""
    published = last_published(home)
    return sum(
        _amount_cents(act.proposal)
        for act in approved(book).values()
        if act.proposal.tenant_id == tenant_id
        and act.proposal.members.get("break_id") is None
        and act.proposal.members.get("party_id") == party_id
        and act.proposal.members["currency"] == currency
        and (published is None or act.approval.at is None or act.approval.at > published.as_of)
    )


def worth_of_override(home: Home, proposal: ActLine) -> str:
    """What the approval of an override lets pass, in words.

    Raises:
        TieoutError: Nothing any more: what it was proposed for is gone or is another one now.
    """
    said = proposal.members
    amount_cents, until = _amount_cents(proposal), f"until {said['expires_at']:%Y-%m-%d %H:%M} UTC"
    if "break_id" not in said:
        payout_key, condition = str(said["payout_key"]), str(said["condition_code"])
        gate = _of_gate(home, payout_key, condition, amount_cents)
        if gate["observed"] != said["observed"]:
            raise _changed(f"{condition} observes", said["observed"], gate["observed"])
        return f"{payout_key} passes {condition} {until}"
    row = _break(home, str(said["break_id"]))
    names = ("drift_cents", "reason_code", "currency")
    if any(row[name] != said[name] for name in names):
        raise _changed(f"{row['break_id']} is", _drift(said), _drift(row))
    _refuse_too_little(amount_cents, _size_cents(row), row["currency"])
    return f"{_drift(row)} holds no payout {until}; it stays a break"


def worth_of_write_off(home: Home, proposal: ActLine, book: Sequence[ActLine]) -> str:
    """What the approval of a write-off or repayment does, in words.

    Args:
        home: The home.
        proposal: What is to be approved.
        book: The write-offs as they are now.

    Raises:
        TieoutError: Nothing: the break it would close is gone, closed or another one now, or not
            as much is owed.
    """
    said = proposal.members
    amount_cents, currency = _amount_cents(proposal), str(said["currency"])
    if "break_id" not in said:
        refuse_undue(home, book, str(proposal.tenant_id), said)
        of = said.get("party_id") or "what no party owes"
        return f"{said['entry_kind']} of {money(amount_cents, currency)} is posted to {of}"
    row = _break(home, str(said["break_id"]))
    if any(row[name] != said[name] for name in ("drift_cents", "currency")):
        raise _changed(f"{row['break_id']} is", said["drift_cents"], row["drift_cents"])
    refuse_written_off(book, proposal.tenant_id, said)
    return f"{_drift(row)} is closed while its drift stays that"


def _amount_cents(proposal: ActLine) -> int:
    return int(str(proposal.members["amount_cents"]))


def _drift(row: Any) -> str:
    return f"{row['reason_code']} of {money(row['drift_cents'], row['currency'])}"


def _size_cents(row: Row) -> int:
    """A break without an amount difference (a wrong destination) weighs what moved."""
    moved = max(abs(row["expected_cents"] or 0), abs(row["actual_cents"] or 0))
    return abs(int(row["drift_cents"])) or moved


def _refuse_too_little(amount_cents: int, size_cents: int, currency: str) -> None:
    if amount_cents < size_cents:
        raise TieoutError(
            got=f"{money(amount_cents, currency)} for {money(size_cents, currency)}",
            expected="at least the amount in question; a part of it lets nothing pass",
            remedy=f"Propose --amount-cents {size_cents} or more; nothing was written",
            code="over_amount",
        )


def _changed(what: str, was: object, now: object) -> TieoutError:
    return TieoutError(
        got=f"{what} {now} now, and {was} when it was proposed",
        expected="what both people looked at",
        remedy="Propose again if it should pass as it is now; nothing was written",
        code="drift_changed",
    )


def _break(home: Home, break_id: str) -> Row:
    with Marts.published(home) as marts:
        rows = list(marts.rows("reconciliation_drift", break_id=break_id, outcome="break"))
    if not rows:
        raise TieoutError(
            got=f"no published break {break_id[:60]!r}",
            expected="the id of an open break",
            remedy="Look it up with `tieout drift`; run again if the data is old",
            code="break_unknown",
        )
    return rows[0]


def _of_gate(home: Home, payout_key: str, condition: str, amount_cents: int) -> dict[str, Any]:
    where = {"payout_key": payout_key, "condition_code": condition}
    with Marts.published(home) as marts:
        rows = list(marts.rows("payout_gate_conditions", **where))
        gates = list(marts.rows("payout_gates", payout_key=payout_key))
    if not rows or not gates:
        raise TieoutError(
            got=f"no published condition {condition[:60]!r} of payout {payout_key[:80]!r}",
            expected="a payout key and one of its conditions",
            remedy="Look them up with `tieout gates --json` and in payout_gate_conditions",
            code="condition_unknown",
        )
    if not rows[0]["overridable"]:
        raise TieoutError(
            got=f"{condition}, which nobody may override",
            expected="a condition whose row says overridable",
            remedy="Cure what the condition asks for; nothing was written",
            code="not_overridable",
        )
    _refuse_too_little(amount_cents, gates[0]["gross_cents"], gates[0]["currency"])
    return {
        "tenant_id": rows[0]["tenant_id"],
        **where,
        "observed": str(rows[0]["observed"] or ""),
        "currency": gates[0]["currency"],
    }
