"""What must be read again of lists that were read before.

Belongs here: which old objects are open, which ones events and movements name, which parts of a
list nobody has listed for a week, and the cheaper way to read them: one by one or as a list. Does
not belong here: reading, landing.

A `created` cursor misses every change of an object that is older than the cursor. So in each pull:

- a list of one page is read whole, which costs no more than reading its newest part;
- an object that is not final is read again;
- an object that a new event or a new balance transaction names is read again, the second because
  money never moves without one, event or not;
- what no pull has listed within a week is listed again, whatever anyone said about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ingest.coverage import (
    COMPLETE,
    EPOCH,
    Interval,
    complete_intervals,
    last_finished,
    merged_intervals,
    split_by_month,
)
from ingest.landing import Landing
from ingest.parquet import sql_text, sql_time
from ingest.stripe.endpoints import ACCOUNTS, BALANCES, ENDPOINTS, Changes, Endpoint
from ingest.stripe.kept import BALANCE_TRANSACTIONS, EVENTS
from ingest.stripe.plan import new_slices, whole_slice
from ingest.stripe.slices import Account, Slice
from ingest.tables import TableSpec

__all__ = ["History"]

SOURCE: Final = "stripe"
AUDIT_EVERY: Final = timedelta(days=7)
# Movements never change; one that was missed is soon due in the account's balance, which ties out.
MOVEMENTS_AUDITED: Final = timedelta(days=35)
PAGE: Final = 100
# Below a full page, so that a page of new objects still leaves it one request.
ONE_PAGE: Final = 90
WHOLE_PAGES: Final = 5
IDS_A_PART: Final = 20
_FAMILIES: Final = {
    covered: name
    for endpoint in (ACCOUNTS, *ENDPOINTS)
    for covered, name in endpoint.families.items()
}


@dataclass
class _Known:
    """What is landed of one list of one account."""

    months: dict[datetime, int] = field(default_factory=dict)
    named: dict[str, datetime | None] = field(default_factory=dict)
    orphaned: bool = False
    audit_from: datetime = EPOCH

    @property
    def rows(self) -> int:
        return sum(self.months.values())


class History:
    """What earlier pulls of a home have read.

    Args:
        landing: The home.
        now: When this pull began.
        full: As if there were no earlier pull.
    """

    def __init__(self, landing: Landing, now: datetime, *, full: bool = False) -> None:
        self._landing = landing
        self._now = now
        self._full = full
        self._complete = complete_intervals(landing, source=SOURCE, families=_FAMILIES)
        self._recent = complete_intervals(
            landing, source=SOURCE, families=_FAMILIES, since=now - AUDIT_EVERY
        )
        self._finished = last_finished(
            landing, source=SOURCE, families=_FAMILIES, closing=BALANCES.table
        )

    def reached(self, endpoint: str, account: Account) -> datetime | None:
        """Up to when a list was read to its end; None when it never was."""
        ends = [end for _, end in self._complete.get((endpoint, account.account_id), [])]
        return max(ends, default=None)

    def new(self, endpoint: Endpoint, accounts: Sequence[Account]) -> list[Slice]:
        """What is new of a list, by account; of a short list all of it."""
        known = {} if self._full else self._counts(endpoint)
        found: list[Slice] = []
        for account in accounts:
            complete = self._complete.get((endpoint.name, account.account_id), [])
            months = known.get(account.account_id)
            short = months is not None and sum(months.values()) <= ONE_PAGE
            if self._full or (short and endpoint.changes):
                found.append(whole_slice(account, self._now))
            else:
                found += new_slices(account, complete, self._now)
        return found

    def again(
        self, endpoint: Endpoint, accounts: Sequence[Account], read: Iterable[Slice]
    ) -> list[Slice]:
        """What must be read again of a list beside `read`, the slices of this very pull.

        Asked after those have landed, because what they brought need not be read twice.
        """
        if self._full or not endpoint.audited:
            return []
        whole = [part for part in read if part.tally and part.tally.status == COMPLETE]
        newest = _newest_starts(whole)
        left = [
            account
            for account in accounts
            if newest.get(account.account_id, self._now) > EPOCH
            and (endpoint.name, account.account_id) in self._complete
        ]
        if not left:
            return []
        known = self._known(endpoint, left)
        found: list[Slice] = []
        for account in left:
            of_it = known.get(account.account_id, _Known())
            start = newest.get(account.account_id, self._now)
            named = {i: at for i, at in of_it.named.items() if at is None or at < start}
            recent = self._recent.get((endpoint.name, account.account_id), [])
            mine = [(part.start, part.end) for part in whole if part.account == account]
            of_it.audit_from = EPOCH if endpoint.changes else self._now - MOVEMENTS_AUDITED
            found += self._chosen(account, of_it, named, merged_intervals([*recent, *mine]))
        return found

    # --- the cheaper way --------------------------------------------------------------------------

    def _chosen(
        self,
        account: Account,
        known: _Known,
        named: Mapping[str, object],
        recent: Sequence[Interval],
    ) -> list[Slice]:
        pages = -(-known.rows // PAGE)
        if known.orphaned or pages <= WHOLE_PAGES:
            if not _covered((known.audit_from, self._now - AUDIT_EVERY), recent):
                return [whole_slice(account, self._now, "audit")]
            if known.orphaned or len(named) > pages:
                return [whole_slice(account, self._now, "open")]
            return self._one_by_one(account, list(named))
        slices: list[Slice] = []
        singles = [object_id for object_id, at in named.items() if at is None]
        for start, end in split_by_month((EPOCH, self._now), oldest=min(known.months)):
            within = [
                i for i, at in named.items() if isinstance(at, datetime) and start <= at < end
            ]
            rows = sum(n for month, n in known.months.items() if start <= month < end)
            due = (max(start, known.audit_from), min(end, self._now - AUDIT_EVERY))
            audit = not _covered(due, recent)
            if audit or len(within) > -(-rows // PAGE):
                purpose = "audit" if audit else "open"
                newest = end == self._now
                slices.append(Slice(account, start, end, newest, start > EPOCH, purpose=purpose))
            else:
                singles += within
        return slices + self._one_by_one(account, singles)

    def _one_by_one(self, account: Account, ids: Sequence[str]) -> list[Slice]:
        return [
            Slice(
                account,
                self._now,
                self._now,
                purpose="open",
                ids=tuple(ids[first : first + IDS_A_PART]),
            )
            for first in range(0, len(ids), IDS_A_PART)
        ]

    # --- what is landed ---------------------------------------------------------------------------

    def _counts(self, endpoint: Endpoint) -> dict[str, dict[datetime, int]]:
        query = """select account_id, date_trunc('month', created)::timestamp, count(distinct id)
            from objects where created is not null group by all"""
        found: dict[str, dict[datetime, int]] = {}
        for account_id, month, rows in self._landing.query(query, objects=endpoint.shape.spec):
            assert isinstance(month, datetime)
            found.setdefault(str(account_id), {})[month] = int(str(rows))
        return found

    def _known(self, endpoint: Endpoint, accounts: Sequence[Account]) -> dict[str, _Known]:
        known = {name: _Known(months) for name, months in self._counts(endpoint).items()}
        if endpoint.changes is None:
            return known
        since = {
            a.account_id: self._finished.get((endpoint.name, a.account_id), EPOCH) for a in accounts
        }
        tables = {
            "objects": endpoint.shape.spec,
            "events": EVENTS.spec,
            "movements": BALANCE_TRANSACTIONS.spec,
        }
        query = _names_query(endpoint, endpoint.changes, since, self._now, tables)
        for account_id, object_id, created in self._landing.query(query, **tables):
            of_it = known.setdefault(str(account_id), _Known())
            of_it.named[str(object_id)] = created if isinstance(created, datetime) else None
        for child in endpoint.children:
            tables["children"] = child.shape.spec
            for prefix in endpoint.changes.orphans:
                query = _orphans_query(prefix, since)
                for (account_id,) in self._landing.query(query, **tables):
                    known.setdefault(str(account_id), _Known()).orphaned = True
        return known


def _names_query(
    endpoint: Endpoint,
    changes: Changes,
    since: Mapping[str, datetime],
    now: datetime,
    tables: dict[str, TableSpec],
) -> str:
    """Who is open or named. What names an object is read before it in every pull, so an object that
    landed in the same pull or a later one is not named any more."""
    open_when = changes.open_when.replace(":now", sql_time(now))
    events = ", ".join(map(sql_text, changes.events))
    # Whoever an event belongs to, accounts are listed by the platform.
    named = "e.object_id" if endpoint is not ACCOUNTS else "coalesce(e.account, e.account_id)"
    listed = "e.account_id" if endpoint is not ACCOUNTS else "s.account_id"
    joined = "using (account_id)" if endpoint is not ACCOUNTS else "on true"
    parts = [
        f"""select account_id, id, {sql_time(now)} from (
            select *, row_number() over (
                partition by account_id, id order by received_at desc, batch_id desc, row_no desc
            ) as newest
            from objects semi join (select account_id, id from objects where {open_when}) as ever
            using (account_id, id)
        ) where newest = 1 and ({open_when})""",
        f"""select {listed}, {named}, e.received_at from events as e join since as s {joined}
        where e.received_at > s.after_at and e.object_type in ({events})""",
    ]
    if changes.sources:
        pattern = sql_text(f"^({'|'.join(changes.sources)})_")
        parts.append(
            f"""select m.account_id, m.source, m.received_at
            from movements as m join since using (account_id)
            where m.received_at > since.after_at and regexp_matches(m.source, {pattern})"""
        )
    for number, (shape, column) in enumerate(changes.named_in):
        tables[f"others_{number}"] = shape.spec
        parts.append(
            f"""select o.account_id, o."{column}", o.received_at from others_{number} as o
            join since using (account_id) where o.received_at > since.after_at"""
        )
    return f""", {_since(since)},
        named (account_id, id, named_at) as ({" union all ".join(parts)})
        select n.account_id, n.id, max(o.created)
        from named as n join since using (account_id)
        left join objects as o on n.account_id = o.account_id and n.id = o.id
        where n.id is not null and not starts_with(n.id, 'masked:')
        group by n.account_id, n.id
        having coalesce(max(o.received_at) < max(n.named_at), true)
        order by n.account_id, n.id"""


def _orphans_query(prefix: str, since: Mapping[str, datetime]) -> str:
    return f""", {_since(since)}
        select distinct m.account_id from movements as m join since using (account_id)
        anti join children as c on m.account_id = c.account_id and m.source = c.id
        where m.received_at > since.after_at and starts_with(m.source, '{prefix}_')"""


def _since(since: Mapping[str, datetime]) -> str:
    values = ", ".join(f"({sql_text(name)}, {sql_time(at)})" for name, at in since.items())
    return f"since (account_id, after_at) as (values {values})"


def _newest_starts(whole: Iterable[Slice]) -> dict[str, datetime]:
    """From when on each account's list was read in this pull, as far as that is without a gap."""
    found: dict[str, datetime] = {}
    for part in sorted(whole, key=lambda part: part.start, reverse=True):
        reached = found.get(part.account.account_id)
        if part.ids or (reached is not None and part.end < reached):
            continue
        found[part.account.account_id] = part.start
    return found


def _covered(interval: Interval, islands: Iterable[Interval]) -> bool:
    """Whether one island holds the whole interval; an empty interval needs none."""
    start, end = interval
    return start >= end or any(first <= start and end <= last for first, last in islands)
