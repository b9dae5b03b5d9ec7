"""The balance of each account, as Stripe states it, before and after a sweep of its movements.

Belongs here: reading the balance object and laying out its amounts as rows. Does not belong here:
comparing a balance with movements; that is the warehouse's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from ingest.errors import SourceDenied, SourceIncomplete, SourceUnavailable
from ingest.stripe.kept import BALANCES
from ingest.stripe.plan import merged
from ingest.stripe.reader import StripeReader
from ingest.stripe.shapes import FieldRefused, JsonObject, Seal
from ingest.stripe.slices import Account, Tally
from ingest.tables import Quarantined

__all__ = ["Balances"]

# Balance type, the part of the object that holds it (None: the object itself), and its buckets.
# `instant_available` is left out: it is a part of what the other buckets already count.
_PARTS: Final[tuple[tuple[str, str | None, tuple[str, ...]], ...]] = (
    ("payments", None, ("available", "pending", "connect_reserved")),
    ("issuing", "issuing", ("available",)),
    ("refund_and_dispute_prefunding", "refund_and_dispute_prefunding", ("available", "pending")),
)


class Balances:
    """Balances of several accounts, read once before their movements and once after.

    Attributes:
        rows: An amount each.
        refused: What could not be accepted.
        tallies: How reading went, by account, over both times.
    """

    def __init__(
        self, reader: StripeReader, seal: Seal, clock: Callable[[], datetime], workers: int
    ) -> None:
        self._reader = reader
        self._seal = seal
        self._clock = clock
        self._workers = workers
        self.rows: list[dict[str, Any]] = []
        self.refused: list[Quarantined] = []
        self.tallies: dict[Account, Tally] = {}

    def read(self, snapshot: str, accounts: Sequence[Account]) -> None:
        """Reads the balance of each account; `snapshot` is `before` or `after`.

        Raises:
            SourceDenied: The key itself was refused (HTTP 401).
        """
        for account in accounts:
            at = self._clock()
            self.tallies.setdefault(account, Tally(started_at=at, finished_at=at))

        def ask(account: Account) -> Iterator[tuple[Account, datetime, JsonObject, str]]:
            at = self._clock()
            tally = self.tallies[account]
            try:
                yield account, at, *self._reader.get("/v1/balance", account=account.header)
            except (SourceDenied, SourceIncomplete, SourceUnavailable) as error:
                tally.fail(error)
            tally.finished_at = self._clock()

        for account, at, answer, version in merged(accounts, ask, workers=self._workers):
            self._keep(account, answer, snapshot=snapshot, taken_at=at, version=version)

    def _keep(
        self,
        account: Account,
        answer: JsonObject,
        *,
        snapshot: str,
        taken_at: datetime,
        version: str,
    ) -> None:
        for line, (balance_type, bucket, entry) in enumerate(_entries(answer), start=1):
            self.tallies[account].rows_read += 1
            stated = {
                "snapshot": snapshot,
                "balance_type": balance_type,
                "bucket": bucket,
                "currency": entry.get("currency"),
                "amount": entry.get("amount"),
                "livemode": answer.get("livemode"),
            }
            try:
                row: dict[str, Any] = BALANCES.row(stated, self._seal)
            except FieldRefused as refusal:
                place = f"stripe/{account.account_id}/balances"
                detail = f"got {refusal.got}, expected {refusal.expected}"
                self.tallies[account].refused += 1
                self.refused.append(
                    Quarantined(place, line, refusal.code, detail, None, refusal.remedy)
                )
                continue
            row |= {
                "account_id": account.account_id,
                "is_platform": account.is_platform,
                "taken_at": taken_at,
                "api_version": version,
            }
            self.rows.append(row)


def _entries(answer: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    for balance_type, name, buckets in _PARTS:
        part = answer if name is None else answer.get(name) or {}
        for bucket in buckets:
            for entry in part.get(bucket) or ():
                yield balance_type, bucket, entry if isinstance(entry, dict) else {}
