"""What of a report is new: its rows beside those that lists have landed already.

Belongs here: which rows are known or contradict a list, which payout memberships are whole, and
both as canonical lines. Does not belong here: the CSV (`ingest.stripe.report_rows`), landing and
coverage (`ingest.stripe.reports`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.landing import Landing
from ingest.parquet import sql_path
from ingest.spool import CanonicalLines
from ingest.stripe import kept
from ingest.stripe.report_rows import ReportRows
from ingest.tables import TIMESTAMP, TableSpec

__all__ = ["compare_with_lists", "member_lines", "movement_lines", "whole_memberships"]

_MOVEMENT: Final = {
    name: name
    for name in ("account_id", "id", "amount", "fee", "net", "currency", "reporting_category")
} | {"source": "source", "created": "created", "available_on": "available_on"}


_MEMBER: Final = {
    "account_id": "account_id",
    "payout_id": "payout_id",
    "balance_transaction_id": "id",
    "net": "net",
    "currency": "currency",
}


def movement_lines(rows: ReportRows) -> CanonicalLines:
    """The accepted movements that no list has read."""
    return _lines(rows, kept.BALANCE_TRANSACTIONS.spec, _MOVEMENT, "movements")


def member_lines(rows: ReportRows) -> CanonicalLines:
    """The members of whole memberships."""
    return _lines(rows, kept.PAYOUT_MEMBERS.spec, _MEMBER, "members")


def compare_with_lists(rows: ReportRows, landing: Landing) -> None:
    """Marks rows that a list has read: known when the amounts are the same, refused when not."""
    _landed_view(rows, landing, kept.BALANCE_TRANSACTIONS.spec, "landed")
    rows.db.execute(
        "create temp table listed as select account_id, id, min(amount) as amount, "
        "min(fee) as fee, min(net) as net, min(currency) as currency from landed "
        "where type is not null group by account_id, id"
    )
    rows.db.execute("alter table report add column is_known boolean default false")
    same = "l.amount = r.amount and l.fee = r.fee and l.net = r.net and l.currency = r.currency"
    rows.db.execute(
        "create temp table met as select r.line, "
        f"{same} as is_same from report as r join listed as l "
        "on l.account_id = r.account_id and l.id = r.id where r.fault is null"
    )
    rows.db.execute(
        "update report set is_known = met.is_same, "
        "fault = case when met.is_same then null else 'report_disagrees' end "
        "from met where met.line = report.line"
    )
    rows.db.execute(
        "create temp view movements as select * from owned where fault is null and not is_known"
    )


def whole_memberships(rows: ReportRows, landing: Landing) -> int:
    """Makes the view of whole memberships; returns how many payouts are left to the list.

    A membership is whole when it adds up to zero with the payout's own movement, which no report
    of activity holds: it comes from the payout and its movement as lists have read them.
    """
    _landed_view(rows, landing, kept.PAYOUTS.spec, "landed_payouts")
    rows.db.execute(
        "create temp table own_movements as select distinct p.account_id, p.id as payout_id, "
        "b.id, b.net, b.currency from landed_payouts as p join landed as b "
        "on b.account_id = p.account_id and b.id = p.balance_transaction where p.automatic"
    )
    rows.db.execute(
        "create temp table named as select account_id, payout_id, id, net, currency, line "
        "from report where fault is null and payout_id is not null "
        "union all select m.account_id, m.payout_id, m.id, m.net, m.currency, 0 "
        "from own_movements as m where (m.account_id, m.payout_id) in "
        "(select (account_id, payout_id) from report where payout_id is not null)"
    )
    rows.db.execute(
        "create temp table whole as select account_id, payout_id from named "
        "group by account_id, payout_id having sum(net) = 0 and count(distinct currency) = 1 "
        "and count(*) filter (where line = 0) = 1"
    )
    rows.db.execute(
        "create temp view members as select n.*, o.is_platform from named as n "
        "join whole using (account_id, payout_id) left join "
        "(select distinct account_id, is_platform from owned) as o using (account_id) "
        "order by line, payout_id, id"
    )
    found = rows.db.execute(
        "select count(*) from (select distinct account_id, payout_id from named) "
        "anti join whole using (account_id, payout_id)"
    ).fetchone()
    return int(found[0]) if found else 0


def _lines(
    rows: ReportRows, spec: TableSpec, columns: Mapping[str, str], relation: str
) -> CanonicalLines:
    """Canonical JSON of a relation's rows: keys sorted, every declared column, times in UTC.

    All texts are plain words, so nothing in them is ever escaped.
    """
    values: list[str] = []
    for column in sorted(spec.columns, key=lambda column: column.name):
        source = "is_platform" if column.name == "is_platform" else columns.get(column.name)
        value = f'"{source}"' if source else f"null::{column.type}"
        if source and column.type == TIMESTAMP:
            value = f"strftime({value}, '%Y-%m-%dT%H:%M:%SZ')"
        values.append(f"{column.name} := {value}")
    line = f"to_json(struct_pack({', '.join(values)}))::varchar"
    return CanonicalLines(rows.lines(f"select {line} from {relation}"))


def _landed_view(rows: ReportRows, landing: Landing, spec: TableSpec, name: str) -> None:
    rows.db.execute(
        f"create temp view {name} as from read_parquet(["
        + ", ".join(map(sql_path, landing.readable(spec)))
        + "], union_by_name = true)"
    )
