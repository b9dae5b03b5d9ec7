"""One slice of one list: its objects become rows page by page, and its tally becomes coverage.

Belongs here: turning pages into rows and child rows, counting, and deciding how a slice ended. Does
not belong here: which slices a pull has, threads, landing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.coverage import COMPLETE, DENIED, EPOCH, FAILED, PARTIAL
from ingest.errors import SourceDenied, SourceIncomplete, SourceUnavailable, TieoutError
from ingest.stripe.endpoints import ABOUT_ACCOUNTS, Child, Endpoint
from ingest.stripe.reader import Page, StripeReader
from ingest.stripe.shapes import FieldRefused, JsonObject, Seal, Shape
from ingest.stripe.spills import RowSpill
from ingest.tables import Quarantined

__all__ = ["UNAUTHORIZED", "Account", "Slice", "SliceReader", "Tally"]

Row = dict[str, Any]
UNAUTHORIZED: Final = "stripe_unauthorized"


@dataclass(frozen=True)
class Account:
    """A Stripe account we read: the platform itself, or one connected to it."""

    account_id: str
    is_platform: bool

    @property
    def header(self) -> str | None:
        """The account to act for, as a request names it."""
        return None if self.is_platform else self.account_id


@dataclass
class Tally:
    """What one list of one slice came to."""

    started_at: datetime
    finished_at: datetime
    rows_read: int = 0
    amount_sum_cents: int | None = None
    refused: int = 0
    error: TieoutError | None = None

    @property
    def status(self) -> str:
        """`complete`, `denied`, `partial` when some but not all was accepted, else `failed`."""
        if self.error is None:
            return PARTIAL if self.refused else COMPLETE
        if isinstance(self.error, SourceDenied):
            return DENIED
        return PARTIAL if self.rows_read else FAILED

    @property
    def problem(self) -> TieoutError | None:
        """Why the slice is not complete."""
        if self.error is None and self.refused:
            return SourceIncomplete(
                got=f"{self.refused} object(s) that do not fit their table",
                expected="every object of the list to be accepted",
                remedy="Read the quarantine of this list, then extend the declaration that refused",
                code="stripe_object_refused",
            )
        return self.error

    def add(self, value: JsonObject) -> None:
        """Counts one object."""
        self.rows_read += 1
        amount = value.get("amount")
        if type(amount) is int:
            self.amount_sum_cents = (self.amount_sum_cents or 0) + amount

    def join(self, other: Tally) -> None:
        """Counts another part of the same slice in."""
        self.started_at = min(self.started_at, other.started_at)
        self.finished_at = max(self.finished_at, other.finished_at)
        self.rows_read += other.rows_read
        self.refused += other.refused
        self.error = self.error or other.error
        if other.amount_sum_cents is not None:
            self.amount_sum_cents = (self.amount_sum_cents or 0) + other.amount_sum_cents

    def fail(self, error: TieoutError) -> None:
        """Keeps the first error; raises it when nothing of the pull can go on."""
        if error.code == UNAUTHORIZED:
            raise error
        self.error = self.error or error


@dataclass
class Slice:
    """`[start, end)` of one list of one account; the newest slice has no upper bound in fact.

    Attributes:
        account: Whose list.
        start: Inclusive; moves up to where reading ended, when the slice was cut.
        end: Exclusive.
        open_ended: Objects made after `end` are read too.
        bounded: Stripe is told `start`.
        purpose: As coverage spells it.
        ids: Objects to read one by one instead; then the slice covers no time.
        tally: What it came to, once it was begun.
        children: The same for lists that hang off its objects.
        rest: Slices for what was left when it was cut.
    """

    account: Account
    start: datetime
    end: datetime
    open_ended: bool = True
    bounded: bool = False
    purpose: str = "all"
    ids: tuple[str, ...] = ()
    tally: Tally | None = None
    children: dict[str, Tally] = field(default_factory=dict)
    rest: list[Slice] = field(default_factory=list)

    @property
    def parameters(self) -> dict[str, object]:
        """The query parameters that ask for this slice and no more."""
        created: dict[str, int] = {}
        if self.bounded:
            created["gte"] = int(self.start.timestamp())
        if not self.open_ended:
            created["lt"] = int(self.end.timestamp())
        return {"created": created} if created else {}


class SliceReader:
    """Reads slices of one endpoint; one instance serves all threads of a pull.

    Args:
        reader: The way to Stripe.
        endpoint: What is read.
        seal: For digests and masks.
        clock: For the times in the tally.
        spills: Where child rows go, by child table.
        known_parents: (account_id, parent id) whose children are landed and final.
        max_pages: Where a slice is cut, if `rest_of` is given.
        rest_of: Makes slices of what a cut slice has left: the slice, the cut, objects read.
        erased: Accounts of erased tenants; objects about them are as if they were not listed.
    """

    def __init__(
        self,
        *,
        reader: StripeReader,
        endpoint: Endpoint,
        seal: Seal,
        clock: Callable[[], datetime],
        spills: dict[str, RowSpill],
        known_parents: set[tuple[object, ...]],
        max_pages: int = 0,
        rest_of: Callable[[Slice, datetime, int], list[Slice]] | None = None,
        erased: Collection[str] = (),
    ) -> None:
        self._reader = reader
        self._endpoint = endpoint
        self._seal = seal
        self._clock = clock
        self._spills = spills
        self._known_parents = known_parents
        self._max_pages = max_pages
        self._rest_of = rest_of
        self._erased = erased
        self._about = ABOUT_ACCOUNTS.get(endpoint.shape.spec.name, "")
        tables = (endpoint.shape.table, *spills)
        self.refused: dict[str, list[Quarantined]] = {table: [] for table in tables}

    def read(self, part: Slice) -> Iterator[list[Row]]:
        """Rows of a slice, a page at a time; its tally tells afterwards how it ended.

        Raises:
            SourceDenied: The key itself was refused (HTTP 401).
        """
        tally = part.tally = self._tally()
        part.children = {
            child.shape.table: self._tally() for child in self._endpoint.children if child.path
        }
        try:
            for number, page in enumerate(self._pages(part), start=1):
                rows: list[Row] = []
                for value in page.data:
                    tally.add(value)
                    row = self._row(self._endpoint.shape, part, value, page.api_version, tally)
                    if row and row.get(self._about) not in self._erased:
                        self._read_children(part, value, row)
                        rows.append(row)
                yield rows
                if page.data and page.has_more and self._cut(part, page, number):
                    break
        except (SourceDenied, SourceIncomplete, SourceUnavailable) as error:
            tally.fail(error)
        for each in (tally, *part.children.values()):
            # Of parents that were not read nobody knows the children.
            each.error = each.error or tally.error
            each.finished_at = self._clock()

    def _pages(self, part: Slice) -> Iterator[Page]:
        path, account = self._endpoint.path, part.account.header
        if not part.ids:
            yield from self._reader.pages(path, part.parameters, account=account)
        for object_id in part.ids:
            value, version = self._reader.get(f"{path}/{object_id}", account=account)
            yield Page([value], version)

    def _cut(self, part: Slice, page: Page, pages: int) -> bool:
        """Ends a long slice above the second of its last object, which is read again with the rest:
        more objects of that second may follow."""
        assert part.tally is not None
        last = page.data[-1].get("created")
        if self._rest_of is None or pages < self._max_pages or type(last) is not int:
            return False
        cut = EPOCH + timedelta(seconds=last + 1)
        if not part.start < cut < part.end:
            return False
        part.rest = self._rest_of(part, cut, part.tally.rows_read)
        part.start = cut
        return True

    def _tally(self) -> Tally:
        at = self._clock()
        return Tally(started_at=at, finished_at=at)

    def _row(
        self,
        shape: Shape,
        part: Slice,
        value: object,
        version: str,
        tally: Tally,
        ordinal: int | None = None,
    ) -> Row | None:
        named: object = None
        try:
            if not isinstance(value, dict):
                raise FieldRefused("no object", "an object", "Read Stripe's changelog")
            named = value.get("id")
            row: Row = shape.row(value, self._seal)
            if "id" in row and not row["id"]:
                raise FieldRefused("an object without id", "an id", "Report it to Stripe")
        except FieldRefused as refusal:
            key = self._seal.object_id(named) if isinstance(named, str) else None
            entry = Quarantined(
                source_file=f"stripe/{part.account.account_id}/{shape.table}",
                # A place in a list moves with every new object; an id stays.
                line=0 if key else ordinal or tally.rows_read,
                code=refusal.code,
                detail=f"got {refusal.got}, expected {refusal.expected}",
                key=key,
                remedy=refusal.remedy,
            )
            self.refused[shape.table].append(entry)
            tally.refused += 1
            return None
        row["account_id"] = part.account.account_id
        row["is_platform"] = part.account.is_platform
        row["api_version"] = version
        return row

    # --- children ---------------------------------------------------------------------------------

    def _read_children(self, part: Slice, parent: JsonObject, parent_row: Row) -> None:
        assert part.tally is not None
        for child in self._endpoint.children:
            rows: list[Row] = []
            tally = part.children.get(child.shape.table, part.tally)
            refused = tally.refused
            for ordinal, (value, version) in enumerate(
                self._child_objects(child, part, parent, parent_row), start=1
            ):
                row = self._row(child.shape, part, value, version, tally, ordinal)
                if row:
                    row[child.parent_column] = parent_row["id"]
                    if child.ordinal:
                        row[child.ordinal] = ordinal
                    rows.append(row)
            # Of children that are read only once a part would stand for all of them.
            if rows and not (child.final and tally.refused > refused):
                self._spills[child.shape.table].add(rows)

    def _child_objects(
        self, child: Child, part: Slice, parent: JsonObject, parent_row: Row
    ) -> list[tuple[JsonObject, str]]:
        version = parent_row["api_version"]
        embedded = parent.get(child.embedded) if child.embedded else None
        if child.path is None:
            return [(value, version) for value in embedded or ()]
        if not child.wanted(parent):
            return []
        tally = part.children[child.shape.table]
        whole = _whole_list(embedded)
        if whole is not None:
            found = [(value, version) for value in whole]
        elif (part.account.account_id, parent_row["id"]) in self._known_parents:
            return []
        else:
            found = self._listed(child, part, str(parent.get("id")), tally)
        for value, _ in found:
            tally.add(value)
        return found

    def _listed(
        self, child: Child, part: Slice, parent_id: str, tally: Tally
    ) -> list[tuple[JsonObject, str]]:
        """The whole list of one parent or nothing of it: half a list would look like all of it."""
        # After a refusal or a dead connection, asking once for each further parent helps nobody.
        if isinstance(tally.error, (SourceDenied, SourceUnavailable)):
            return []
        parameters: dict[str, object] = {child.parameter: parent_id} if child.parameter else {}
        path = (child.path or "").format(id=parent_id)
        try:
            return [
                (value, page.api_version)
                for page in self._reader.pages(path, parameters, account=part.account.header)
                for value in page.data
            ]
        except (SourceDenied, SourceIncomplete, SourceUnavailable) as error:
            tally.fail(error)
            return []


def _whole_list(embedded: Any) -> list[JsonObject] | None:
    """The objects of an embedded list if it holds all of them; None asks for the list itself."""
    if isinstance(embedded, dict) and embedded.get("has_more") is False:
        data = embedded.get("data")
        return data if isinstance(data, list) and data else None
    return None
