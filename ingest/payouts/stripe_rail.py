"""The Stripe rail: one request per call.

Belongs here: how the three questions of `rail.Rail` are put to Stripe, and the reads a re-check
needs right before a payment (available balance, account capability, new disputes). Does not
belong here: whether to pay, the journal, how answers are read (`stripe_answers`), or bulk reading
(`ingest.stripe`).

No SDK retry, no redirect, no reused connection: a request is sent once or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import stripe

from ingest.errors import SettingError
from ingest.payouts.rail import (
    RailIdentity,
    RailListing,
    RailRejected,
    RailTransfer,
    RailUnclear,
    TransferIntent,
)
from ingest.payouts.schedules import PayoutSchedule
from ingest.payouts.stripe_answers import (
    AccountState,
    account_state_of,
    ask,
    dispute_of,
    exactly,
    list_all,
    movement_of,
    read,
    schedule_of,
    transfer_of,
)

__all__ = ["API_VERSION", "AccountState", "StripeRail"]

API_VERSION: Final = "2026-10-28.endive"
_CONNECT_SECONDS: Final = 5.0
_READ_SECONDS: Final = 30.0
_MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_KEY: Final = re.compile(r"(?:sk|rk)_(live|test)_[!-~]+")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class StripeRail:
    """Stripe as a payout rail.

    Args:
        api_key: The restricted key that may write transfers; kept in the SDK client alone.
        platform_account_id: The account the key is said to belong to; checked where Stripe tells.
        livemode: Must be what the key says.
        api_base: Another base address, for the simulator.

    Raises:
        SettingError: When key and livemode contradict each other.
    """

    def __init__(
        self,
        api_key: str,
        *,
        platform_account_id: str,
        livemode: bool,
        api_base: str | None = None,
        api_version: str = API_VERSION,
    ) -> None:
        kind = _KEY.fullmatch(api_key)
        if kind is None or (kind.group(1) == "live") is not livemode:
            raise SettingError(
                got="a payout key that is no Stripe key of the decision's livemode",
                expected=f"a {'live' if livemode else 'test'} secret or restricted key",
                remedy="Set TIEOUT_PAYOUT_API_KEY to a key of that livemode",
                code="payout_key_invalid",
            )
        self._platform_account_id = platform_account_id
        self._livemode = livemode
        self._client = stripe.StripeClient(
            api_key,
            stripe_version=api_version,
            base_addresses={"api": api_base} if api_base else {},
            max_network_retries=0,
            http_client=_SingleRequest(_is_loopback(api_base)),
        )

    def __repr__(self) -> str:
        """Name the account only."""
        return f"StripeRail({self._platform_account_id}, livemode={self._livemode})"

    def identity(self) -> RailIdentity:
        """Ask Stripe whose key this is.

        A restricted key is often not allowed to read its own account; then the balance, which it
        must be able to read, still tells the livemode, and the account stays as configured,
        unconfirmed.
        """
        balance, now = ask(self._client.v1.balance.retrieve)
        livemode = read(lambda: exactly(balance.livemode, bool))
        try:
            account, now = ask(self._client.v1.accounts.retrieve_current)
        except RailRejected as error:
            if error.status != 403:
                raise
            return RailIdentity(self._platform_account_id, livemode, False, now)
        return RailIdentity(read(lambda: exactly(account.id, str)), livemode, True, now)

    def find_transfers(self, transfer_group: str) -> RailListing:
        """List the group's transfers to the end, newest first, of any time."""
        rows, rail_now = list_all(
            self._client.v1.transfers.list,
            {"transfer_group": transfer_group},
            transfer_of,
            lambda row: row.transfer_id,
        )
        if any(row.transfer_group != transfer_group for row in rows):
            # The filter was not applied, so an empty answer would prove nothing either.
            raise RailUnclear("foreign_rows_in_listing")
        return RailListing(tuple(rows), rail_now)

    def create_transfer(self, intent: TransferIntent, idempotency_key: str) -> RailTransfer:
        """Ask once for the transfer, bound to payout, operation and tenant."""
        answer, _ = ask(
            lambda: self._client.v1.transfers.create(
                {
                    "amount": intent.amount_cents,
                    "currency": intent.currency.lower(),
                    "destination": intent.destination_account_id,
                    "transfer_group": intent.payout_key,
                    "description": f"Payout {intent.operation_id}",
                    "metadata": {
                        "nooterra_tenant_id": intent.tenant_id,
                        "nooterra_operation_id": intent.operation_id,
                        "nooterra_provider_id": intent.provider_id,
                        "nooterra_payout_key": intent.payout_key,
                    },
                },
                {"idempotency_key": idempotency_key},
            )
        )
        return read(lambda: transfer_of(answer))

    # What a re-check reads right before a payment.

    def available_cents(self, currency: str) -> int:
        """Return the platform's available balance in minor units of `currency`; 0 without one."""
        balance, _ = ask(self._client.v1.balance.retrieve)
        return read(
            lambda: sum(
                exactly(funds.amount, int)
                for funds in balance.available
                if funds.currency == currency.lower()
            )
        )

    def account_state(self, account_id: str) -> AccountState:
        """Return what the connected account may receive right now."""
        account, _ = ask(lambda: self._client.v1.accounts.retrieve(account_id))
        return read(lambda: account_state_of(account, account_id))

    def disputes_since(self, moment: datetime) -> tuple[str, ...]:
        """Return what a dispute did on the platform at or after `moment`, to the end.

        New disputes by id, and balance transactions of older ones: an inquiry that becomes a
        chargeback is no new dispute, but takes money.
        """
        since = {"created": {"gte": int(moment.timestamp())}}
        disputes, _ = list_all(self._client.v1.disputes.list, since, dispute_of, str)
        moved, _ = list_all(
            self._client.v1.balance_transactions.list,
            {**since, "type": "adjustment"},
            movement_of,
            lambda row: row[0],
        )
        taken = [id_ for id_, category in moved if category.startswith("dispute")]
        return (*disputes, *taken)

    def transfers_since(self, account_id: str, moment: datetime) -> tuple[RailTransfer, ...]:
        """Return every transfer to the account created at or after `moment`, to the end."""
        rows, _ = list_all(
            self._client.v1.transfers.list,
            {"destination": account_id, "created": {"gte": int(moment.timestamp())}},
            transfer_of,
            lambda row: row.transfer_id,
        )
        return tuple(rows)

    # When an account's own balance is paid out.

    def payout_schedule(self, account_id: str) -> PayoutSchedule:
        """Return how the connected account's balance is paid out by itself."""
        settings, _ = ask(
            lambda: self._client.v1.balance_settings.retrieve({}, {"stripe_account": account_id})
        )
        return read(lambda: schedule_of(settings))

    def set_payout_schedule(
        self, account_id: str, schedule: PayoutSchedule, idempotency_key: str
    ) -> None:
        """Ask once for another schedule; an answer that shows another one is unclear."""
        days: dict[str, Any] = {}
        if schedule.weekly_payout_days:
            days["weekly_payout_days"] = list(schedule.weekly_payout_days)
        if schedule.monthly_payout_days:
            days["monthly_payout_days"] = list(schedule.monthly_payout_days)
        payouts: Any = {"schedule": {"interval": schedule.interval, **days}}
        answer, _ = ask(
            lambda: self._client.v1.balance_settings.update(
                {"payments": {"payouts": payouts}},
                {"stripe_account": account_id, "idempotency_key": idempotency_key},
            )
        )
        if read(lambda: schedule_of(answer)) != schedule:
            raise RailUnclear("another_schedule")


class _SingleRequest(stripe.RequestsClient):
    """The SDK's HTTP client, made to send each request exactly once and read a bounded answer."""

    def __init__(self, is_loopback: bool) -> None:
        super().__init__(timeout=(_CONNECT_SECONDS, _READ_SECONDS))
        session = self.requests.Session()
        # A redirect would send a payment to an address nobody configured.
        session.max_redirects = 0
        # With an explicit `auth`, no .netrc entry can replace the key in the request.
        session.auth = _keep_as_is
        # A kept-alive connection may die as a request is written, which cannot be told from one
        # that died after it.
        session.headers["Connection"] = "close"
        session.trust_env = not is_loopback
        self._session = session

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[Any, int, Mapping[str, str]]:
        """Send one request and read at most the bounded number of bytes of its answer."""
        stream, status, answer_headers = self.request_stream(method, url, headers, post_data)
        body: bytes = stream.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
        if len(body) > _MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long")
        return body, status, answer_headers


def _keep_as_is(request: Any) -> Any:
    return request


def _is_loopback(api_base: str | None) -> bool:
    return api_base is not None and urlsplit(api_base).hostname in _LOOPBACK
