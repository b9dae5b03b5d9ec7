"""One pull of Stripe: the lists of the platform and its connected accounts, landed and counted.

Belongs here: the order of a pull, the accounts it covers, the balances around it. Does not belong
here: HTTP, pages and retries (`reader`), what is kept (`kept`, `shapes`), what is read again
(`rereads`), slices and threads (`slices`, `plan`), batches and coverage rows (`lists`).

The order: who are we; which accounts; balances; each list, what is new and then what is read again,
children before parents; balances again. Coverage follows its rows, so that a slice counts only once
they are in.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ingest.coverage import COMPLETE, DEPARTED, CoverageRow
from ingest.errors import SettingError, SourceDenied
from ingest.landing import Landing, new_batch_id
from ingest.limits import Limiter, ReadLimits
from ingest.stripe.balances import Balances
from ingest.stripe.endpoints import (
    ACCOUNTS,
    BALANCES,
    ENDPOINTS,
    EVENTS_LIST,
    STRIPE_TABLES,
    Endpoint,
)
from ingest.stripe.lists import ListLanding
from ingest.stripe.plan import whole_slice
from ingest.stripe.reader import StripeReader
from ingest.stripe.rereads import History
from ingest.stripe.shapes import Seal, read_seal
from ingest.stripe.slices import UNAUTHORIZED, Account, Slice, Tally
from ingest.tables import COVERAGE, QUARANTINE

__all__ = ["PullResult", "pull_stripe"]

SOURCE: Final = "stripe"
UNNAMED_PLATFORM: Final = "platform"
# The list of accounts is read at least so often, and in every pull while it is short.
ACCOUNTS_EVERY: Final = timedelta(days=1)
FEW_ACCOUNTS: Final = 1_000
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9_]{1,100}")

Row = dict[str, Any]
Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class PullResult:
    """What a pull came to.

    Attributes:
        pull_id: Ends the batch id of every table of this pull.
        slices: Its coverage, as landed.
        rows_read: Objects received, over all lists.
        rows_landed: Of these, new or changed.
        complete: Every slice was read to its end.
    """

    pull_id: str
    slices: list[CoverageRow]
    rows_read: int
    rows_landed: int
    complete: bool


def pull_stripe(
    *,
    home: Path,
    api_key: str,
    api_base: str,
    accounts: Sequence[str],
    now: datetime,
    landing: Landing,
    progress: Progress | None = None,
    full: bool = False,
    limits: ReadLimits = ReadLimits(),  # noqa: B008 - it is frozen
    slice_pages: int = 20,
    departed: Collection[str] = (),
    erased: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> PullResult:
    """Reads Stripe and lands what is new.

    Args:
        home: `TIEOUT_HOME`; holds the limiter and the key of the digests.
        api_key: Read key of the platform.
        api_base: Such as `https://api.stripe.com`.
        accounts: Connected accounts to read; empty means all that Stripe lists.
        now: When the pull starts, UTC-aware; the end of its newest slices and its `received_at`.
        landing: Where batches go.
        progress: Called with a list's name and the objects read of it so far.
        full: Read every list from the beginning, and final children again.
        limits: How hard Stripe may be read.
        slice_pages: Pages after which a slice is cut and its rest read side by side.
        departed: Accounts that two people declared departed: not asked while Stripe does not list
            them.
        erased: Of these, accounts of erased tenants: not asked although Stripe may list them.
        sleep: Called with seconds to wait, for a rate or before another attempt.

    Returns:
        The coverage of every slice. A list that failed or was denied is a row there, not an error.

    Raises:
        SourceDenied: The key itself was refused (HTTP 401).
        SourceUnavailable: Stripe cannot be reached at all.
        SettingError: Key, address or accounts are malformed, or the key belongs to another platform
            or mode than what this home already holds.
        LandingError: The home cannot take the rows.
    """
    wrong = [name for name in accounts if not _ACCOUNT.fullmatch(name)]
    if wrong:
        raise SettingError(
            got=f"{len(wrong)} connected account(s) that are no Stripe account ids",
            expected="ids such as acct_1A2b3C, separated by commas",
            remedy="Correct TIEOUT_STRIPE_ACCOUNTS",
            code="stripe_accounts_malformed",
        )
    limiter = Limiter(
        home / "state" / "limits.sqlite",
        per_second=limits.per_second,
        overall_per_second=limits.overall_per_second,
        per_month=limits.per_month,
        sleep=sleep,
    )
    try:
        reader = StripeReader(
            api_key=api_key,
            api_base=api_base,
            limiter=limiter,
            attempts=limits.attempts,
            timeout_seconds=limits.timeout_seconds,
            sleep=sleep,
        )
        landing.ensure_schema((*STRIPE_TABLES, COVERAGE, QUARANTINE))
        pull = _Pull(
            reader,
            read_seal(home),
            landing,
            now,
            full=full,
            workers=limits.slices,
            slice_pages=slice_pages,
            departed=departed,
            erased=erased,
            progress=progress,
        )
        return pull.run(accounts)
    finally:
        limiter.close()


class _Pull:
    """The state of one pull."""

    def __init__(
        self,
        reader: StripeReader,
        seal: Seal,
        landing: Landing,
        now: datetime,
        *,
        full: bool,
        workers: int,
        slice_pages: int,
        departed: Collection[str],
        erased: Collection[str],
        progress: Progress | None,
    ) -> None:
        self._reader = reader
        self._seal = seal
        self._landing = landing
        self._now = now
        self._workers = workers
        self._departed = departed
        self._pull_id = secrets.token_hex(6)
        self._batch_id = new_batch_id(now, self._pull_id)
        self._begun = time.monotonic()
        self._accounts_listed = False
        self._history = History(landing, now, full=full)
        self._lists = ListLanding(
            reader=reader,
            seal=seal,
            landing=landing,
            now=now,
            pull_id=self._pull_id,
            batch_id=self._batch_id,
            workers=workers,
            slice_pages=slice_pages,
            full=full,
            clock=self._clock,
            progress=progress or (lambda name, rows: None),
            erased=erased,
        )

    def run(self, wanted: Sequence[str]) -> PullResult:
        platform = self._platform()
        balances = Balances(self._reader, self._seal, self._clock, self._workers)
        balances.read("before", [platform])
        self._check_mode(balances.rows)
        connected = self._connected(platform, wanted)
        balances.read("before", connected)
        for endpoint in ENDPOINTS:
            self._pull_list(endpoint, [platform, *connected])
            if endpoint is EVENTS_LIST and not self._accounts_listed:
                self._lists.read(ACCOUNTS, self._history.again(ACCOUNTS, [platform], []))
        balances.read("after", [platform, *connected])
        self._close(balances)
        coverage = self._lists.coverage
        return PullResult(
            pull_id=self._pull_id,
            slices=coverage,
            rows_read=sum(row.rows_read for row in coverage),
            rows_landed=sum(row.rows_landed for row in coverage),
            complete=all(row.status in {COMPLETE, DEPARTED} for row in coverage),
        )

    def _pull_list(self, endpoint: Endpoint, accounts: Sequence[Account]) -> None:
        read = self._lists.read(endpoint, self._history.new(endpoint, accounts))
        self._lists.read(endpoint, self._history.again(endpoint, accounts, read))

    def _close(self, balances: Balances) -> None:
        """The balances come last: a pull whose balances are not covered has died."""
        self._lists.write(BALANCES.spec, balances.rows, balances.refused, self._batch_id)
        counts = self._landing.count_by_account(BALANCES.spec, self._batch_id)
        self._lists.cover()
        for account, tally in balances.tallies.items():
            part = whole_slice(account, self._now)
            self._lists.note(BALANCES.table, part, tally, counts.get(account.account_id, 0))
        self._lists.cover()

    # --- who we are -------------------------------------------------------------------------------

    def _platform(self) -> Account:
        """The platform, under the id this home knows it by.

        A restricted key may often not read its own account: then the platform has no name. A home
        keeps the id it first used, else the same objects would land under two.
        """
        try:
            answer, _ = self._reader.get("/v1/account", unreachable_attempts=2)
            found = self._seal.object_id(str(answer.get("id")))
        except SourceDenied as error:
            if error.code == UNAUTHORIZED:
                raise
            found = UNNAMED_PLATFORM
        known = {str(name) for name, is_platform, _ in self._landed_balances() if is_platform}
        for name in known:
            if UNNAMED_PLATFORM not in {name, found} and name != found:
                raise _changed(f"a key of platform {found}", f"platform {name}")
        return Account(next(iter(known), found), True)

    def _check_mode(self, balances: list[Row]) -> None:
        """Test data and live data never meet in one home."""
        modes = {row["livemode"] for row in balances} - {None}
        known = {livemode for _, _, livemode in self._landed_balances()} - {None}
        if modes and known and modes != known:
            raise _changed(f"a key with livemode {modes.pop()}", f"livemode {known.pop()}")

    def _landed_balances(self) -> set[tuple[object, ...]]:
        return self._landing.distinct(BALANCES.spec, ("account_id", "is_platform", "livemode"))

    # --- whose lists ------------------------------------------------------------------------------

    def _connected(self, platform: Account, wanted: Sequence[str]) -> list[Account]:
        """The connected accounts to read, after the list of accounts was read where it is due.

        An account that is not listed any more is asked all the same, so that its refusal shows; one
        that two people declared departed is covered as such instead.
        """
        known = self._landing.distinct(ACCOUNTS.shape.spec, ("id",))
        covered = {
            str(name)
            for source, name, is_platform in self._landing.distinct(
                COVERAGE, ("source", "account_id", "is_platform")
            )
            if source == SOURCE and is_platform is False
        }
        reached = self._history.reached(ACCOUNTS.name, platform)
        listed: list[str] = []
        if reached is None or self._now - reached >= ACCOUNTS_EVERY or len(known) <= FEW_ACCOUNTS:
            parts = [whole_slice(platform, self._now)]
            self._lists.read(ACCOUNTS, parts, listed)
            self._accounts_listed = True
            left = set(self._departed) - set(listed)
        else:
            listed = [str(name) for (name,) in known]
            left = set(self._departed)
        names = {name for name in (*listed, *covered) if _ACCOUNT.fullmatch(name)}
        for name in sorted(left):
            self._note_departed(Account(name, False))
        chosen = set(wanted) if wanted else names
        return [Account(name, False) for name in sorted(chosen - left - {platform.account_id})]

    def _note_departed(self, account: Account) -> None:
        """Covers an account that left: nothing is asked, and what was read stays as it was."""
        at = self._clock()
        for endpoint in ENDPOINTS:
            reached = self._history.reached(endpoint.name, account)
            if reached is not None:
                part = Slice(account, reached, reached, purpose="all")
                self._lists.note(endpoint.name, part, Tally(at, at), 0, status=DEPARTED)

    def _clock(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self._begun)


def _changed(got: str, expected: str) -> SettingError:
    return SettingError(
        got=got,
        expected=f"{expected}, which this home already holds",
        remedy="Use another TIEOUT_HOME for another platform or mode, or correct STRIPE_API_KEY",
        code="stripe_platform_changed",
    )
