"""One pull of Stripe: the lists of the platform and its connected accounts, landed and counted.

Belongs here: the order of a pull, the accounts it covers, the balances around it, its coverage.
Does not belong here: HTTP, pages and retries (`reader`), what is kept (`endpoints`, `shapes`), one
slice (`slices`), time slices and threads (`plan`).

The order: who are we; which accounts; balances; lists, children before parents; balances again;
coverage last, so that a slice counts only once its rows are in.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ingest.coverage import COMPLETE, EPOCH, CoverageRow, complete_intervals, land_coverage
from ingest.errors import SettingError, SourceDenied
from ingest.landing import Landing, new_batch_id
from ingest.limits import Limiter
from ingest.stripe.balances import Balances
from ingest.stripe.endpoints import ACCOUNTS, ENDPOINTS, STRIPE_TABLES, Endpoint
from ingest.stripe.kept import BALANCES
from ingest.stripe.plan import merged, time_slices, whole_slice
from ingest.stripe.reader import StripeReader
from ingest.stripe.shapes import Seal, read_seal
from ingest.stripe.slices import UNAUTHORIZED, Account, RowSpill, Slice, SliceReader, Tally
from ingest.tables import COVERAGE, QUARANTINE, Quarantined, TableSpec

__all__ = ["PullResult", "pull_stripe"]

SOURCE: Final = "stripe"
UNNAMED_PLATFORM: Final = "platform"
_FAR: Final = datetime(9999, 1, 1, tzinfo=EPOCH.tzinfo)
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
    reads_per_second: float = 25.0,
    overall_reads_per_second: float = 100.0,
    workers: int = 4,
    attempts: int = 5,
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
        full: Read balance transactions from the beginning, and final children again.
        reads_per_second: For one endpoint, over all processes of this home.
        overall_reads_per_second: For all endpoints.
        workers: Slices of one list that are read at the same time.
        attempts: How often one request is tried.
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
        per_second=reads_per_second,
        overall_per_second=overall_reads_per_second,
        sleep=sleep,
    )
    try:
        reader = StripeReader(
            api_key=api_key, api_base=api_base, limiter=limiter, attempts=attempts, sleep=sleep
        )
        landing.ensure_schema((*STRIPE_TABLES, COVERAGE, QUARANTINE))
        pull = _Pull(reader, read_seal(home), landing, now, full, workers, progress)
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
        full: bool,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self._reader = reader
        self._seal = seal
        self._landing = landing
        self._now = now
        self._full = full
        self._workers = workers
        self._progress = progress or (lambda name, rows: None)
        self._pull_id = secrets.token_hex(6)
        self._batch_id = new_batch_id(now, self._pull_id)
        self._begun = time.monotonic()
        self._coverage: list[CoverageRow] = []

    def run(self, wanted: Sequence[str]) -> PullResult:
        platform = self._platform()
        balances = Balances(self._reader, self._seal, self._clock, self._workers)
        balances.read("before", [platform])
        self._check_mode(balances.rows)
        listed: list[str] = []
        self._pull_list(ACCOUNTS, [platform], listed)
        names = wanted or sorted({name for name in listed if _ACCOUNT.fullmatch(name)})
        connected = [Account(name, False) for name in names if name != platform.account_id]
        balances.read("before", connected)
        for endpoint in ENDPOINTS:
            accounts = [platform, *connected] if endpoint.connected else [platform]
            self._pull_list(endpoint, accounts)
        balances.read("after", [platform, *connected])
        self._write(BALANCES.spec, balances.rows, balances.refused)
        counts = self._landing.count_by_account(BALANCES.spec, self._batch_id)
        for account, tally in balances.tallies.items():
            part = whole_slice(account, self._now)
            self._cover(BALANCES.table, part, tally, counts.get(account.account_id, 0))
        land_coverage(self._landing, self._coverage, batch_id=self._batch_id, received_at=self._now)
        return PullResult(
            pull_id=self._pull_id,
            slices=self._coverage,
            rows_read=sum(row.rows_read for row in self._coverage),
            rows_landed=sum(row.rows_landed for row in self._coverage),
            complete=all(row.status == COMPLETE for row in self._coverage),
        )

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

    # --- lists ------------------------------------------------------------------------------------

    def _pull_list(
        self, endpoint: Endpoint, accounts: Sequence[Account], ids: list[str] | None = None
    ) -> None:
        """Lands one list of all its accounts, children first, and notes its coverage."""
        parts = self._parts(endpoint, accounts)
        folder = self._landing.home / "state"
        spills = {
            child.shape.table: RowSpill(child.shape.spec, folder) for child in endpoint.children
        }
        slices = SliceReader(
            reader=self._reader,
            endpoint=endpoint,
            seal=self._seal,
            clock=self._clock,
            spills=spills,
            known_parents=self._known_parents(endpoint),
        )

        def rows() -> Iterator[Row]:
            read = 0
            for page in merged(parts, slices.read, workers=self._workers):
                read += len(page)
                self._progress(endpoint.name, read)
                if ids is not None:
                    ids.extend(str(row["id"]) for row in page)
                yield from page
            # Landing commits the parents only after this generator has ended.
            for child in endpoint.children:
                table = child.shape.table
                self._write(child.shape.spec, spills[table], slices.refused[table])

        request = {"path": endpoint.path, "slices": len(parts), "full": self._full}
        try:
            self._write(endpoint.shape.spec, rows(), slices.refused[endpoint.shape.table], request)
        finally:
            for spill in spills.values():
                spill.close()
        self._cover_list(endpoint, parts)

    def _parts(self, endpoint: Endpoint, accounts: Sequence[Account]) -> list[Slice]:
        if not endpoint.sliced:
            return [whole_slice(account, self._now) for account in accounts]
        complete = (
            {}
            if self._full
            else complete_intervals(self._landing, source=SOURCE, endpoint=endpoint.name)
        )

        def plan(account: Account) -> Iterator[list[Slice]]:
            intervals = complete.get(account.account_id, [])
            yield time_slices(self._reader, endpoint.path, account, intervals, self._now)

        return [part for parts in merged(accounts, plan, workers=self._workers) for part in parts]

    def _known_parents(self, endpoint: Endpoint) -> set[tuple[object, ...]]:
        if self._full:
            return set()
        return {
            pair
            for child in endpoint.children
            if child.final
            for pair in self._landing.distinct(
                child.shape.spec, ("account_id", child.parent_column)
            )
        }

    def _write(
        self,
        spec: TableSpec,
        rows: Iterable[Row],
        refused: Sequence[Quarantined],
        request: dict[str, object] | None = None,
    ) -> None:
        self._landing.write(
            spec,
            rows,
            batch_id=self._batch_id,
            received_at=self._now,
            request=request,
            quarantined=refused,
        )

    # --- coverage ---------------------------------------------------------------------------------

    def _cover_list(self, endpoint: Endpoint, parts: Sequence[Slice]) -> None:
        spec = endpoint.shape.spec
        by_account = self._landing.count_by_account(spec, self._batch_id)
        if endpoint.sliced:
            bounds = [
                (part.account.account_id, part.start, _FAR if part.open_ended else part.end)
                for part in parts
            ]
            counts = self._landing.count_within(spec, self._batch_id, bounds)
        else:
            counts = [by_account.get(part.account.account_id, 0) for part in parts]
        for part, landed in zip(parts, counts, strict=True):
            if part.tally:
                self._cover(endpoint.name, part, part.tally, landed)
        for child in endpoint.children:
            if child.path:
                table = child.shape.table
                by_account = self._landing.count_by_account(child.shape.spec, self._batch_id)
                for part in parts:
                    landed = by_account.get(part.account.account_id, 0)
                    self._cover(table, part, part.children[table], landed)

    def _cover(self, name: str, part: Slice, tally: Tally, landed: int) -> None:
        self._coverage.append(
            CoverageRow(
                source=SOURCE,
                account_id=part.account.account_id,
                endpoint=name,
                tenant_id=None,
                slice_from=part.start,
                slice_to=part.end,
                status=tally.status,
                rows_read=tally.rows_read,
                rows_landed=landed,
                amount_sum_cents=tally.amount_sum_cents,
                error_code=tally.problem.code if tally.problem else None,
                error_detail=str(tally.problem) if tally.problem else None,
                started_at=tally.started_at,
                finished_at=tally.finished_at,
                pull_id=self._pull_id,
                is_platform=part.account.is_platform,
            )
        )

    def _clock(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self._begun)


def _changed(got: str, expected: str) -> SettingError:
    return SettingError(
        got=got,
        expected=f"{expected}, which this home already holds",
        remedy="Use another TIEOUT_HOME for another platform or mode, or correct STRIPE_API_KEY",
        code="stripe_platform_changed",
    )
