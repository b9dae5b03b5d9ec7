"""Reading again what webhook events hint at: the object as the API shows it now.

Belongs here: from waiting events to objects, to rows of the tables that lists fill too, to an
outcome for each event. Does not belong here: receiving events (`ingest.deliveries`), the lists
themselves (`ingest.stripe.client`).

It runs after a pull, under a batch id that sorts after the pull's, so that the object read last is
the one that counts. An event that cannot be followed loses nothing: lists are read in any case.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ingest.deliveries.spool import DeliverySpool, SpooledEvent
from ingest.errors import SourceDenied, SourceIncomplete, SourceUnavailable
from ingest.landing import Landing, new_batch_id
from ingest.limits import Limiter, ReadLimits
from ingest.stripe.endpoints import ACCOUNTS, BALANCES, ENDPOINTS, Endpoint
from ingest.stripe.plan import whole_slice
from ingest.stripe.reader import Page, StripeReader
from ingest.stripe.shapes import JsonObject, read_seal
from ingest.stripe.slices import UNAUTHORIZED, Account, SliceReader
from ingest.stripe.spills import RowSpill
from ingest.tables import Quarantined, TableSpec

__all__ = ["HintsRead", "read_hinted"]

MAX_EVENTS: Final = 2_000
_BY_NAME: Final = {endpoint.name: endpoint for endpoint in (ACCOUNTS, *ENDPOINTS)}
# The first prefix that fits an event's type says which list its object belongs to.
_PREFIXES: Final[tuple[tuple[str, str], ...]] = (
    ("charge.dispute.", "disputes"),
    ("charge.refund.", "refunds"),
    ("charge.", "charges"),
    ("refund.", "refunds"),
    ("transfer.", "transfers"),
    ("payout.", "payouts"),
    ("application_fee.refund.", ""),  # its object is the refund; the fee itself says no more
    ("application_fee.", "application_fees"),
    ("topup.", "topups"),
    ("account.", "accounts"),
    ("capability.", "accounts"),
    ("person.", "accounts"),
)


@dataclass(frozen=True)
class HintsRead:
    """What following the waiting events came to.

    Attributes:
        outcomes: Events by outcome: `read`, `gone` (404), `denied` (403), `not_read` (no table of
            ours, or an account we do not read).
        waiting: Events that wait on, because Stripe did not answer.
        rows_landed: Objects that differed from what was landed.
    """

    outcomes: dict[str, int]
    waiting: int
    rows_landed: int


def read_hinted(
    *,
    home: Path,
    api_key: str,
    api_base: str,
    accounts: Sequence[str],
    now: datetime,
    landing: Landing,
    spool: DeliverySpool,
    erased: Collection[str] = (),
    limits: ReadLimits = ReadLimits(),  # noqa: B008 - it is frozen
    sleep: Callable[[float], None] = time.sleep,
) -> HintsRead:
    """Reads the objects of waiting events again and lands what changed; see `pull_stripe`.

    Args:
        accounts: Connected accounts that are read; empty means all.
        now: When the run started; the `received_at` of the rows, as of the pull before it.
        spool: Its waiting events are followed, at most 2,000, and settled.
        erased: Accounts of erased tenants, of which nothing is read.

    Raises:
        SourceDenied: The key itself was refused (HTTP 401).
        LandingError: The home cannot take the rows.
    """
    events = spool.waiting(MAX_EVENTS)
    if not events:
        return HintsRead({}, 0, 0)
    limiter = Limiter(
        home / "state" / "limits.sqlite",
        per_second=limits.per_second,
        overall_per_second=limits.overall_per_second,
        per_month=limits.per_month,
        sleep=sleep,
    )
    try:
        reader = _ChosenObjects(
            api_key=api_key,
            api_base=api_base,
            limiter=limiter,
            attempts=limits.attempts,
            timeout_seconds=limits.timeout_seconds,
            sleep=sleep,
        )
        reading = _Reading(reader, landing, now, frozenset(accounts), erased)
        reading.follow(events)
        landed = reading.land(home)
    finally:
        limiter.close()
    spool.settle(reading.outcomes, at=now)
    counted: dict[str, int] = {}
    for outcome in reading.outcomes.values():
        counted[outcome] = counted.get(outcome, 0) + 1
    return HintsRead(counted, len(events) - len(reading.outcomes), landed)


class _ChosenObjects(StripeReader):
    """A reader whose top lists hold the objects chosen for them, and no other."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.chosen: dict[tuple[str | None, str], list[JsonObject]] = {}

    def pages(
        self, path: str, parameters: Mapping[str, object], *, account: str | None
    ) -> Iterator[Page]:
        chosen = self.chosen.get((account, path))
        if chosen is None:
            yield from super().pages(path, parameters, account=account)
        else:
            yield Page(chosen, self.version)


@dataclass
class _Reading:
    reader: _ChosenObjects
    landing: Landing
    now: datetime
    wanted: frozenset[str]
    erased: Collection[str]
    outcomes: dict[int, str] = field(default_factory=dict)
    _seen: dict[tuple[str, str | None, str], str | None] = field(default_factory=dict)
    _parts: dict[str, list[Account]] = field(default_factory=dict)

    def follow(self, events: Sequence[SpooledEvent]) -> None:
        """Fetches the object of each event, once each however many events name it."""
        platform = self._platform()
        for event in events:
            outcome = self._follow(event, platform)
            if outcome is not None:
                self.outcomes[event.seq] = outcome

    def land(self, home: Path) -> int:
        """Lands the fetched objects with their children; returns how many parents changed."""
        batch_id = new_batch_id(self.now, f"z-hints-{secrets.token_hex(6)}")
        seal, landed = read_seal(home), 0
        for name, accounts in self._parts.items():
            endpoint = _BY_NAME[name]
            spills = {
                c.shape.table: RowSpill(c.shape.spec, home / "state") for c in endpoint.children
            }
            slices = SliceReader(
                reader=self.reader,
                endpoint=endpoint,
                seal=seal,
                clock=lambda: self.now,
                spills=spills,
                known_parents=set(),
            )
            try:
                rows = [
                    row
                    for account in accounts
                    for page in slices.read(whole_slice(account, self.now))
                    for row in page
                ]
                for child in endpoint.children:
                    table = child.shape.table
                    self._write(child.shape.spec, spills[table], slices.refused[table], batch_id)
                refused = slices.refused[endpoint.shape.table]
                landed += self._write(endpoint.shape.spec, rows, refused, batch_id)
            finally:
                for spill in spills.values():
                    spill.close()
        return landed

    def _write(
        self,
        spec: TableSpec,
        rows: Iterable[Mapping[str, object]],
        refused: Sequence[Quarantined],
        batch_id: str,
    ) -> int:
        manifest = self.landing.write(
            spec,
            rows,
            batch_id=batch_id,
            received_at=self.now,
            request={"hints": True},
            quarantined=refused,
        )
        return manifest.rows if manifest else 0

    def _platform(self) -> str:
        rows = self.landing.distinct(BALANCES.spec, ("account_id", "is_platform"))
        return next((str(name) for name, is_platform in rows if is_platform), "platform")

    def _follow(self, event: SpooledEvent, platform: str) -> str | None:
        """The outcome of one event, or None where Stripe did not answer."""
        endpoint = _endpoint_of(event.event_type)
        account = None if event.account in (None, platform) else event.account
        unwanted = bool(account and self.wanted and account not in self.wanted)
        if endpoint is None or unwanted or account in self.erased:
            return "not_read"
        try:
            if endpoint is ACCOUNTS:
                # Accounts are read as the platform sees them, whoever the event belongs to.
                object_id, account = account, None
            else:
                object_id = self._object_of(event.event_id, account)
            if object_id is None or (account and not endpoint.connected):
                return "not_read"
            return self._fetch(endpoint, account, object_id, platform)
        except SourceDenied as error:
            if error.code == UNAUTHORIZED:
                raise
            return "gone" if error.code == "stripe_not_found" else "denied"
        except (SourceUnavailable, SourceIncomplete):
            return None

    def _object_of(self, event_id: str, account: str | None) -> str | None:
        answer, _ = self.reader.get(f"/v1/events/{event_id}", account=account)
        data = answer.get("data")
        found = data.get("object") if isinstance(data, dict) else None
        object_id = found.get("id") if isinstance(found, dict) else None
        return object_id if isinstance(object_id, str) and object_id.isidentifier() else None

    def _fetch(self, endpoint: Endpoint, account: str | None, object_id: str, platform: str) -> str:
        key = (endpoint.name, account, object_id)
        if key not in self._seen:
            found, _ = self.reader.get(f"{endpoint.path}/{object_id}", account=account)
            chosen = self.reader.chosen.setdefault((account, endpoint.path), [])
            if not chosen:
                whose = Account(account or platform, account is None)
                self._parts.setdefault(endpoint.name, []).append(whose)
            chosen.append(found)
            self._seen[key] = "read"
        return "read"


def _endpoint_of(event_type: str) -> Endpoint | None:
    plain = event_type.removeprefix("v1.")
    name = next((name for prefix, name in _PREFIXES if plain.startswith(prefix)), "")
    return _BY_NAME.get(name)
