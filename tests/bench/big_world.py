"""A landing of any size with planted breaks, written by DuckDB instead of pulled.

Belongs here: the rows of a large clean world, the breaks planted among them, and the truth about
them. Does not belong here: pulling (the simulator's worlds do that), timing, or a judgement.

A world is a number of sales. Each has a receipt, a charge with its fee line and a link; ten sales
in a row are one party's month, with one statement, one instruction and the transfer that pays it.
Months and tenants take turns, so that every tenant-month is as large as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from dagster_project.sources import all_specs
from ingest.landing import Landing

__all__ = ["AS_OF", "KINDS", "RUN_ID", "SALES_PER_PAYOUT", "Kind", "pin", "plant", "truth"]

AS_OF: Final = datetime(2026, 12, 20, 12, tzinfo=UTC)
RUN_ID: Final = "bench"
PLATFORM: Final = "acct_1BenchPlatform"
TENANTS: Final = 2
MONTHS: Final = 12
SALES_PER_PAYOUT: Final = 10
# One payout, or one sale, in so many carries each kind of fault.
SPACING: Final = 200
ENDPOINTS: Final = ("accounts", "balance_transactions", "charges", "transfers", "balances")
LANDED_AT: Final = "timestamp '2026-12-20 12:00:00'"


@dataclass(frozen=True)
class Kind:
    """One planted fault, and the one code its object must get; None when it is harmless.

    Attributes:
        name: What was done.
        thing: `payout` or `charge`: which number the fault is counted by.
        rest: Things whose number leaves this rest modulo `SPACING` carry it.
        code: The reason code, or None.
        found_at: SQL for the object the code must stand at, over the `payouts` or `sales` relation.
    """

    name: str
    thing: str
    rest: int
    code: str | None
    found_at: str = "payout_key"


KINDS: Final = (
    Kind("the transfer is missing", "payout", 1, "MISSING_EXTERNAL"),
    Kind("the transfer is a cent too high", "payout", 2, "AMOUNT_OVER"),
    Kind("the transfer is a cent too low", "payout", 3, "AMOUNT_UNDER"),
    Kind("the transfer is in another currency", "payout", 4, "CURRENCY_MISMATCH"),
    Kind("the transfer went to another party", "payout", 5, "DESTINATION_MISMATCH"),
    Kind("the transfer was sent twice", "payout", 6, "DUPLICATE_EXTERNAL"),
    Kind(
        "nobody instructed the transfer",
        "payout",
        7,
        "MISSING_INTERNAL",
        "'tr_' || payout_no || '_1'",
    ),
    Kind("two transfers settle it in full", "payout", 8, None),
    Kind("of two transfers one is a cent short", "payout", 9, "SPLIT_INCOMPLETE"),
    Kind("no receipt is linked to the charge", "charge", 11, "MISSING_INTERNAL", "charge_id"),
    Kind("the charge is missing", "charge", 12, "MISSING_EXTERNAL", "charge_id"),
    Kind("the charge is a cent too low", "charge", 13, "AMOUNT_UNDER", "charge_id"),
)


def plant(home: Path, sales: int, *, batch: str = "base", first: int = 0) -> None:
    """Lands a world of so many sales, or adds some to the first month of each tenant.

    Args:
        home: The home; its landing folder gets one file a table.
        sales: How many; platform movements are 1.1 times as many.
        batch: Name of the batch. Every batch but `base` adds to a world that exists.
        first: Number of the first sale; a multiple of `SALES_PER_PAYOUT`.
    """
    added = batch != "base"
    if not added:
        # Sweeps out what no manifest names, as these batches are.
        Landing(home).ensure_schema(all_specs())
    with duckdb.connect() as database:
        database.execute("set memory_limit = '3GB'")
        database.execute("set preserve_insertion_order = false")
        database.execute(_SALES, {"first": first, "last": first + sales, "added": added})
        database.execute(_PAYOUTS)
        for (source, table), query in _ROWS.items():
            if not (added and (source, table) in _STANDING):
                _write(database, home, source, table, batch, query)
        folder = home / "truth"
        folder.mkdir(exist_ok=True)
        database.execute(f"copy ({_TRUTH}) to '{folder / batch}.parquet' (format parquet)")


def truth(home: Path) -> str:
    """SQL of the planted truth: `object_id`, `reason_code`, one row a break."""
    return f"select object_id, reason_code from '{home}/truth/*.parquet'"


def pin(home: Path, *batches: str, run_id: str = RUN_ID) -> None:
    """Writes the list of batches of every table that a run reads."""
    values = ", ".join(
        f"('{run_id}', '{spec.source}', '{spec.table}', '{batch}', 1, {LANDED_AT})"
        for spec in all_specs()
        for batch in batches
    )
    names = "run_id, source, table_name, batch_id, row_no, received_at"
    target = home / f"landing/tieout/pinned_batches/1-pin-{run_id}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as database:
        database.execute(
            f"copy (select * from (values {values}) as pinned ({names})) "
            f"to '{target}' (format parquet)"
        )


def _write(
    database: duckdb.DuckDBPyConnection,
    home: Path,
    source: str,
    table: str,
    batch: str,
    query: str,
) -> None:
    spec = next(spec for spec in all_specs() if (spec.source, spec.table) == (source, table))
    offered = {row[0] for row in database.execute(f"describe {query}").fetchall()}
    missing = offered - {column.name for column in (*spec.columns, *spec.lineage)}
    if missing:
        raise ValueError(f"{spec.name} has no columns {sorted(missing)}")
    lineage = {
        "batch_id": f"'{batch}'",
        "row_no": "row_number() over ()",
        "received_at": LANDED_AT,
    }
    chosen = [
        f"cast({column.name if column.name in offered else lineage.get(column.name, 'null')} "
        f"as {column.type}) as {column.name}"
        for column in (*spec.columns, *spec.lineage)
    ]
    folder = home / "landing" / source / table
    database.execute(
        f"copy (select {', '.join(chosen)} from ({query})) "
        f"to '{folder / batch}.parquet' (format parquet, compression zstd)"
    )


# One row a sale. Amounts are mixed by a multiplication, so that a party's months differ.
_SALES: Final = f"""
create table sales as
with numbered as (
    select
        range as sale_no,
        range // {SALES_PER_PAYOUT} as payout_no
    from range($first, $last)
),

placed as (
    select
        *,
        sale_no % {SPACING} as sale_rest,
        payout_no % {SPACING} as payout_rest,
        'tenant_' || (payout_no % {TENANTS}) as tenant_id,
        case when $added then 0 else (payout_no // {TENANTS}) % {MONTHS} end as month_no,
        case when $added then payout_no else payout_no // {TENANTS * MONTHS} end as party_no,
        10000 + (sale_no * 7919) % 900000 as gross_cents
    from numbered
)

select
    *,
    'pty_' || party_no as party_id,
    'acct_' || tenant_id || '_' || party_no as account_id,
    strftime(date '2025-12-01' + to_months(month_no::integer), '%Y-%m') as period,
    (date '2025-12-01' + to_months(month_no::integer))::timestamp
        + to_seconds((sale_no * 7919) % 2000000) as sold_at,
    (date '2025-12-01' + to_months(month_no::integer + 1))::timestamp + interval 2 hour
        as closed_at,
    (gross_cents * 2000) // 10000 as platform_fee_cents,
    'rcpt_' || sale_no as receipt_id,
    'ch_' || sale_no as charge_id,
    tenant_id || ':party:pty_' || party_no || ':period:'
        || strftime(date '2025-12-01' + to_months(month_no::integer), '%Y-%m')
        || ':statement:' || sha256('statement' || payout_no) as payout_key
from placed
"""

_PAYOUTS: Final = """
create table payouts as
select
    payout_no, payout_rest, tenant_id, month_no, party_no, party_id, account_id, period, closed_at,
    payout_key,
    sum(gross_cents - platform_fee_cents)::bigint as payout_cents
from sales
group by all
"""

_TRANSFERS: Final = """
select
    *,
    'tr_' || payout_no || '_' || part as transfer_id,
    'txn_t' || payout_no || '_' || part as balance_transaction_id,
    case
        when payout_rest = 2 then payout_cents + 1
        when payout_rest = 3 then payout_cents - 1
        when payout_rest in (8, 9) and part = 1 then payout_cents // 2
        when payout_rest = 8 then payout_cents - payout_cents // 2
        when payout_rest = 9 then payout_cents - payout_cents // 2 - 1
        else payout_cents
    end as amount_cents,
    case when payout_rest = 4 then 'eur' else 'usd' end as rail_currency,
    case
        when payout_rest = 5 then 'acct_' || tenant_id || '_' || (party_no + 1)
        else account_id
    end as destination,
    closed_at + interval 26 hour + to_minutes(part) as paid_at
from payouts
cross join (values (1), (2)) as parts (part)
where
    payout_rest <> 1
    and (part = 1 or payout_rest in (6, 8, 9))
"""

_CHARGES: Final = """
select
    *,
    'txn_c' || sale_no as balance_transaction_id,
    gross_cents - case when sale_rest = 13 then 1 else 0 end as charged_cents,
    (gross_cents * 29) // 1000 + 30 as charge_fee_cents
from sales
where sale_rest <> 12
"""

_TRUTH: Final = " union all ".join(
    f"select {kind.found_at} as object_id, '{kind.code}' as reason_code "
    f"from {'payouts' if kind.thing == 'payout' else 'sales'} "
    f"where {'payout' if kind.thing == 'payout' else 'sale'}_rest = {kind.rest}"
    for kind in KINDS
    if kind.code is not None
)

# What stands once, whatever is added later.
_STANDING: Final = frozenset(
    {("kernel", "tenant_profiles"), ("kernel", "export_manifests"), ("tieout", "coverage")}
)

_ROWS: Final = {
    ("stripe", "charges"): f"""
select
    '{PLATFORM}' as account_id, true as is_platform, charge_id as id, charged_cents as amount,
    charged_cents as amount_captured, 0 as amount_refunded, 'usd' as currency,
    balance_transaction_id as balance_transaction, true as captured, true as paid,
    false as refunded, false as disputed, 'succeeded' as status, sold_at as created,
    false as livemode, receipt_id as meta_receipt_id
from ({_CHARGES})
""",
    ("stripe", "transfers"): f"""
select
    '{PLATFORM}' as account_id, true as is_platform, transfer_id as id, amount_cents as amount,
    0 as amount_reversed, false as reversed, rail_currency as currency,
    balance_transaction_id as balance_transaction, destination, 'card' as source_type,
    payout_key as transfer_group, paid_at as created, false as livemode,
    tenant_id as meta_tenant_id, 'mop_' || payout_key as meta_operation_id,
    payout_key as meta_payout_key
from ({_TRANSFERS})
""",
    ("stripe", "balance_transactions"): f"""
select
    '{PLATFORM}' as account_id, true as is_platform, balance_transaction_id as id,
    charged_cents as amount, charge_fee_cents as fee, charged_cents - charge_fee_cents as net,
    'usd' as currency, 'charge' as type, 'charge' as reporting_category,
    'payments' as balance_type, charge_id as source, 'available' as status, sold_at as created,
    sold_at + interval 2 day as available_on
from ({_CHARGES})
union all
select
    '{PLATFORM}', true, balance_transaction_id, -amount_cents, 0, -amount_cents, rail_currency,
    'transfer', 'transfer', 'payments', transfer_id, 'available', paid_at, paid_at
from ({_TRANSFERS})
""",
    ("stripe", "balance_transaction_fees"): f"""
select
    '{PLATFORM}' as account_id, true as is_platform, balance_transaction_id, 1 as fee_no,
    charge_fee_cents as amount, 'usd' as currency, 'stripe_fee' as type
from ({_CHARGES})
""",
    ("stripe", "accounts"): f"""
select distinct
    '{PLATFORM}' as account_id, true as is_platform, account_id as id, 'US' as country,
    'usd' as default_currency, 'express' as type, true as charges_enabled,
    true as payouts_enabled, true as details_submitted, 'active' as capability_transfers,
    0 as currently_due_count, 0 as past_due_count, 0 as pending_verification_count,
    'daily' as payouts_interval, timestamp '2025-11-01' as created
from payouts
""",
    ("kernel", "settlement_receipts"): """
select
    tenant_id, receipt_id, 'run_' || sale_no as run_id, 'setl_' || sale_no as settlement_id,
    'dec_' || sale_no as decision_id, sha256('decision' || sale_no) as decision_hash,
    'completed' as run_status, 'evt_' || sale_no as resolution_event_id,
    'released' as status, gross_cents as amount_cents,
    gross_cents as released_amount_cents, 0 as refunded_amount_cents, 100 as release_rate_pct,
    'USD' as currency, 'final' as finality_state, sold_at as settled_at, sold_at as created_at,
    sha256(receipt_id) as receipt_hash, 'export' as origin, sha256(receipt_id) as artifact_sha256,
    'verified' as verdict, true as is_vouched
from sales
""",
    ("kernel", "charge_links"): """
select
    tenant_id, charge_id, party_id, 'receipt' as source_type, receipt_id as source_id,
    gross_cents as amount_cents, 'USD' as currency, 'unhashed' as verdict, true as is_vouched
from sales
where sale_rest <> 11
""",
    ("kernel", "receipt_payout_links"): """
select
    tenant_id, payout_key, 'receipt' as source_type, receipt_id as source_id,
    sha256(receipt_id) as source_hash, gross_cents as amount_cents, 'USD' as currency,
    'unhashed' as verdict, true as is_vouched
from sales
where payout_rest <> 7
union all
select
    tenant_id, payout_key, 'fee', 'fee_' || receipt_id, sha256(receipt_id),
    -platform_fee_cents, 'USD', 'unhashed', true
from sales
where payout_rest <> 7
""",
    ("kernel", "party_statements"): """
select
    tenant_id, 'statement_' || payout_no as artifact_id, party_id, 'operator' as party_role,
    period, 'settledAt' as basis, 'USD' as currency, payout_cents, 0 as fees_cents,
    0 as credits_cents, payout_cents as net_cents, 0 as balance_delta_cents,
    closed_at as generated_at, sha256('statement' || payout_no) as artifact_hash,
    sha256('statement' || payout_no) as artifact_sha256, 'verified' as verdict, true as is_vouched
from payouts
where payout_rest <> 7
""",
    ("kernel", "payout_instructions"): """
select
    tenant_id, 'payout_' || payout_no as artifact_id, party_id, 'operator' as party_role, period,
    payout_key, payout_cents as amount_cents, 'USD' as currency,
    sha256('statement' || payout_no) as statement_hash, closed_at as generated_at,
    sha256('payout' || payout_no) as artifact_hash,
    sha256('payout' || payout_no) as artifact_sha256, 'verified' as verdict, true as is_vouched
from payouts
where payout_rest <> 7
""",
    ("kernel", "connect_accounts"): """
select distinct
    tenant_id, account_id, party_id, 'operator' as party_role, true as payouts_enabled,
    true as transfers_enabled, 'active' as status, 'verified' as kyb_status,
    timestamp '2025-11-01' as updated_at, 'unhashed' as verdict, true as is_vouched
from payouts
""",
    ("kernel", "tenant_profiles"): """
select distinct
    tenant_id, 'platform' as merchant_of_record, 'separate' as charge_model, 'kernel' as payer,
    'unhashed' as verdict, true as is_vouched
from payouts
""",
    ("kernel", "export_manifests"): f"""
select distinct
    tenant_id, 'bench' as signer_keyid, 'trusted' as manifest_status,
    {LANDED_AT} as exported_through, 1 as files_declared, 1 as files_ok,
    sha256(tenant_id) as manifest_sha256
from payouts
""",
    ("tieout", "coverage"): f"""
select
    'stripe' as source, '{PLATFORM}' as account_id, true as is_platform, endpoint,
    null as tenant_id,
    timestamp '1970-01-01' as slice_from, {LANDED_AT} as slice_to, 'complete' as status,
    {LANDED_AT} as started_at, {LANDED_AT} as finished_at, 'bench' as pull_id
from (values {", ".join(f"('{name}')" for name in ENDPOINTS)}) as lists (endpoint)
union all
select
    'kernel', null, null, 'exports', tenant_id, timestamp '1970-01-01', {LANDED_AT}, 'complete',
    {LANDED_AT}, {LANDED_AT}, 'bench'
from (select distinct tenant_id from payouts)
""",
}
