"""What POST asks for: a request turned into one named act with checked arguments.

Belongs here: which acts can be asked for over HTTP and how their parameters are checked.
Does not belong here: carrying acts out (journal.py), keys, faults and idempotency (api.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ingest.simulator import forms
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError
from ingest.simulator.reads import unknown_url

__all__ = ["Plan", "plan", "plan_delete"]

# The name of an act and its arguments, all of them JSON values.
Plan = tuple[str, dict[str, Any]]
_Given = Mapping[str, Any]


def plan(books: Books, account: str, path: str, given: _Given, at: int) -> Plan:
    """Turn a POST below /v1 into an act.

    Args:
        account: on whose behalf, already known to exist.
        path: e.g. `/v1/transfers/tr_1/reversals`.
        given: decoded body parameters.
        at: when, in unix seconds.

    Raises:
        RailError: a parameter is missing, unknown or malformed; nothing was executed.
    """
    parts = path.strip("/").split("/")[1:]
    where = _Where(books, account, at)
    match parts:
        case ["transfers"]:
            return _create_transfer(where, given)
        case ["transfers", transfer_id]:
            return _update_transfer(where, given, transfer_id)
        case ["transfers", transfer_id, "reversals"]:
            return _reverse_transfer(where, given, transfer_id)
        case ["payment_intents", *rest]:
            return _payment_intent(where, given, rest, path)
        case ["refunds" | "disputes" | "payouts" as name, object_id]:
            return _relabel(where, given, name.removesuffix("s"), object_id)
        case ["refunds"]:
            return _create_refund(where, given)
        case ["payouts"]:
            return _create_payout(where, given)
        case ["payouts", payout_id, "cancel"]:
            forms.check_known(given, frozenset())
            where.must_hold("payout", payout_id)
            return "cancel_payout", {"payout_id": payout_id, "status": "canceled", "at": at}
        case ["topups"]:
            return _top_up(where, given)
        case ["disputes", dispute_id, "close"]:
            forms.check_known(given, frozenset())
            where.must_hold("dispute", dispute_id)
            # Giving up an inquiry loses nothing; giving up a dispute loses it.
            status = books.record("dispute", dispute_id)["status"]
            ended = "warning_closed" if status.startswith("warning_") else "lost"
            closed = {"dispute_id": dispute_id, "status": ended, "at": at, "fee_returned": 0}
            return "close_dispute", closed
        case ["balance_settings"]:
            forms.check_known(given, frozenset(("payments",)))
            payments = _typed(_schedule_only(given.get("payments", {})))
            return "update_balance_settings", {"payments": payments, "at": at, "account": account}
        case ["accounts"]:
            forms.check_known(given, frozenset(("type", "country", "metadata")))
            where.platform_only("an account")
            kind = forms.text(given, "type") or "standard"
            if kind not in ("standard", "express", "custom"):
                raise RailError(f"Invalid type: {kind[:20]}", param="type")
            opened = {"type": kind, "metadata": forms.metadata(given)}
            return "open_account", {"at": at, "over": opened}
        case ["accounts", account_id]:
            forms.check_known(given, frozenset(("metadata", "settings")))
            over = {"metadata": forms.metadata(given), "settings": given.get("settings", {})}
            books.holder(account_id)
            return "update_account", {"account_id": account_id, "at": at, "over": _typed(over)}
    raise unknown_url("POST", path)


class _Where:
    """On whose books and when."""

    def __init__(self, books: Books, account: str, at: int) -> None:
        self.books, self.account, self.at = books, account, at

    def platform_only(self, what: str) -> None:
        if self.account != self.books.platform_id:
            raise RailError(f"got {what} on behalf of {self.account}; only the platform has them")

    def must_hold(self, kind: str, object_id: str, param: str | None = None) -> None:
        """Refuse objects that are not on this account: 404 in a path, 400 as a parameter."""
        if object_id not in self.books.shelf(kind, self.account):
            refusal = self.books.missing(kind, object_id, 404 if param is None else 400)
            refusal.param = param or "id"
            raise refusal


def plan_delete(books: Books, path: str, at: int) -> Plan:
    """Turn a DELETE below /v1 into an act; only accounts can be deleted."""
    match path.strip("/").split("/")[1:]:
        case ["accounts", account_id]:
            books.holder(account_id)
            return "delete_account", {"account_id": account_id, "at": at}
    raise unknown_url("DELETE", path)


def _payment_intent(where: _Where, given: _Given, rest: list[str], path: str) -> Plan:
    match rest:
        case []:
            names = (
                "amount currency description metadata transfer_group payment_method confirm"
                " payment_method_types capture_method confirmation_method return_url shipping"
            )
            forms.check_known(given, frozenset(names.split()))
            return "create_intent", {
                "at": where.at,
                "account": where.account,
                "amount": forms.integer(given, "amount", required=True),
                "currency": _currency(given),
                "metadata": forms.metadata(given),
                "transfer_group": forms.text(given, "transfer_group"),
                "payment_method": forms.text(given, "payment_method"),
                "confirm": forms.flag(given, "confirm"),
                "manual": forms.text(given, "capture_method") == "manual",
            }
        case [intent_id, "capture"]:
            forms.check_known(given, frozenset(("amount_to_capture",)))
            amount = forms.integer(given, "amount_to_capture")
            held = {"intent_id": intent_id, "account": where.account, "at": where.at}
            return "capture_intent", {**held, "amount": amount}
        case [intent_id, "cancel"]:
            forms.check_known(given, frozenset(("cancellation_reason",)))
            held = {"intent_id": intent_id, "account": where.account, "at": where.at}
            return "cancel_intent", held
    raise unknown_url("POST", path)


def _relabel(where: _Where, given: _Given, kind: str, object_id: str) -> Plan:
    forms.check_known(given, frozenset(("metadata",)))
    where.must_hold(kind, object_id)
    metadata = forms.metadata(given)
    return "relabel", {
        "kind": kind,
        "object_id": object_id,
        "at": where.at,
        "metadata": metadata,
    }


def _create_transfer(where: _Where, given: _Given) -> Plan:
    names = (
        "amount currency destination transfer_group metadata source_transaction description"
        " source_type"
    )
    forms.check_known(given, frozenset(names.split()))
    where.platform_only("a transfer")
    amount = forms.integer(given, "amount")
    source = forms.text(given, "source_transaction")
    if amount is None:
        if source is None:
            raise _missing("amount")
        where.must_hold("charge", source, "source_transaction")
        amount = int(where.books.record("charge", source)["amount"])
    return "create_transfer", {
        "amount": amount,
        "at": where.at,
        "destination": forms.text(given, "destination", required=True),
        "currency": _currency(given),
        "transfer_group": forms.text(given, "transfer_group"),
        "metadata": forms.metadata(given),
        "source_transaction": source,
        "description": forms.text(given, "description"),
        "personal": None,
    }


def _update_transfer(where: _Where, given: _Given, transfer_id: str) -> Plan:
    forms.check_known(given, frozenset(("metadata", "description")))
    where.must_hold("transfer", transfer_id)
    description = given.get("description")
    return "update_transfer", {
        "transfer_id": transfer_id,
        "at": where.at,
        "metadata": forms.metadata(given),
        "description": None if description is None else str(description),
    }


def _reverse_transfer(where: _Where, given: _Given, transfer_id: str) -> Plan:
    forms.check_known(
        given, frozenset(("amount", "metadata", "description", "refund_application_fee"))
    )
    where.must_hold("transfer", transfer_id)
    return "reverse_transfer", {
        "transfer_id": transfer_id,
        "amount": forms.integer(given, "amount"),
        "at": where.at,
        "metadata": forms.metadata(given),
    }


def _create_refund(where: _Where, given: _Given) -> Plan:
    names = "charge payment_intent amount metadata reason reverse_transfer refund_application_fee"
    forms.check_known(given, frozenset(names.split()))
    intent_id = forms.text(given, "payment_intent")
    if intent_id is None:
        charge_id = forms.text(given, "charge", required=True) or ""
    else:
        _, intent = where.books.intents.get(intent_id, (None, {"latest_charge": None}))
        charge_id = str(intent["latest_charge"])
    where.must_hold("charge", charge_id, "charge")
    for dispute_id in where.books.shelf("dispute", where.account).ids():
        dispute = where.books.shelf("dispute", where.account).view(dispute_id)
        if dispute["charge"] == charge_id and not (
            dispute["is_charge_refundable"] or dispute["status"] in ("won", "prevented")
        ):
            raise RailError(
                f"Charge {charge_id} has been charged back and cannot be refunded.",
                code="charge_disputed",
                executed=True,
            )
    return "create_refund", {
        "charge_id": charge_id,
        "amount": forms.integer(given, "amount"),
        "at": where.at,
        "status": "succeeded",
        "metadata": forms.metadata(given),
        "reason": forms.text(given, "reason"),
        "reverse_transfer": forms.flag(given, "reverse_transfer"),
        "refund_application_fee": forms.flag(given, "refund_application_fee"),
    }


def _create_payout(where: _Where, given: _Given) -> Plan:
    names = "amount currency metadata description method statement_descriptor source_type"
    forms.check_known(given, frozenset(names.split()))
    return "create_payout", {
        "amount": forms.integer(given, "amount", required=True),
        "at": where.at,
        "currency": _currency(given),
        "account": where.account,
        "automatic": False,
        "metadata": forms.metadata(given),
        "personal": None,
    }


def _top_up(where: _Where, given: _Given) -> Plan:
    names = "amount currency metadata description source statement_descriptor transfer_group"
    forms.check_known(given, frozenset(names.split()))
    where.platform_only("a top-up")
    return "top_up", {
        "amount": forms.integer(given, "amount", required=True),
        "at": where.at,
        "currency": _currency(given),
        "metadata": forms.metadata(given),
        "personal": None,
    }


def _missing(name: str) -> RailError:
    return RailError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def _currency(given: _Given) -> str:
    value = (forms.text(given, "currency", required=True) or "").lower()
    if len(value) != 3 or not value.isascii() or not value.isalpha():
        raise RailError(f"Invalid currency: {value[:20]}", param="currency")
    return value


def _schedule_only(payments: Any) -> dict[str, Any]:
    """Accept only the payout schedule and what decides negative balances."""
    if not isinstance(payments, dict) or not payments.keys() <= {
        "payouts",
        "debit_negative_balances",
    }:
        raise RailError("Invalid hash: payments takes payouts and debit_negative_balances")
    payouts = payments.get("payouts", {})
    if not isinstance(payouts, dict) or not payouts.keys() <= {"schedule", "statement_descriptor"}:
        raise RailError("Invalid hash: payouts takes schedule and statement_descriptor")
    return payments


_TYPES: Mapping[str, Callable[[str], Any]] = {
    "delay_days": int,
    "debit_negative_balances": lambda value: value == "true",
    "monthly_anchor": int,
}


def _typed(value: Any) -> Any:
    """Give form texts the type their field has on the object."""
    if not isinstance(value, dict):
        return value
    made = {}
    for name, held in value.items():
        convert = _TYPES.get(name)
        if name == "monthly_payout_days":
            made[name] = [_day(text) for text in held]
            continue
        if convert is None or not isinstance(held, str):
            made[name] = _typed(held)
            continue
        try:
            made[name] = convert(held)
        except ValueError as error:
            raise RailError(f"Invalid value: {name}", param=name) from error
    return made


def _day(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 31:
        raise RailError("Invalid day of the month", param="monthly_payout_days")
    return int(text)
