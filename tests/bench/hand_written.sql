-- The floor that the models are measured against: one query that joins both sides in full and codes the difference.
-- It knows the bench world: one reference, no fees, no holds, no history, no second pass, nothing to explain.
with instructed as (
    select
        instructions.tenant_id,
        instructions.payout_key,
        instructions.party_id,
        instructions.period,
        instructions.currency,
        instructions.amount_cents,
        accounts.account_id as destination
    from read_parquet('{landing}/kernel/payout_instructions/*.parquet', union_by_name = true) as instructions
    left join read_parquet('{landing}/kernel/connect_accounts/*.parquet', union_by_name = true) as accounts
        on
            instructions.tenant_id = accounts.tenant_id
            and instructions.party_id = accounts.party_id
),

paid as (
    select
        transfers.transfer_group as payout_key,
        count(*) as transfers,
        sum(-movements.amount)::bigint as amount_cents,
        max(-movements.amount)::bigint as largest_cents,
        min(upper(movements.currency)) as currency,
        min(transfers.destination) as destination,
        min(transfers.id) as transfer_id
    from read_parquet('{landing}/stripe/balance_transactions/*.parquet', union_by_name = true) as movements
    inner join read_parquet('{landing}/stripe/transfers/*.parquet', union_by_name = true) as transfers
        on movements.source = transfers.id
    where movements.reporting_category = 'transfer'
    group by transfers.transfer_group
),

payouts as (
    select
        instructed.tenant_id,
        coalesce(instructed.payout_key, paid.transfer_id) as object_id,
        instructed.amount_cents as expected_cents,
        paid.amount_cents as actual_cents,
        case
            when instructed.payout_key is null then 'MISSING_INTERNAL'
            when paid.payout_key is null then 'MISSING_EXTERNAL'
            when paid.currency <> instructed.currency then 'CURRENCY_MISMATCH'
            when paid.destination <> instructed.destination then 'DESTINATION_MISMATCH'
            when paid.transfers > 1 and paid.largest_cents = instructed.amount_cents then 'DUPLICATE_EXTERNAL'
            when paid.amount_cents > instructed.amount_cents then 'AMOUNT_OVER'
            when paid.amount_cents < instructed.amount_cents and paid.transfers > 1 then 'SPLIT_INCOMPLETE'
            when paid.amount_cents < instructed.amount_cents then 'AMOUNT_UNDER'
        end as reason_code
    from instructed
    full outer join paid
        on instructed.payout_key = paid.payout_key
),

receipted as (
    select
        links.tenant_id,
        links.charge_id,
        sum(links.amount_cents)::bigint as amount_cents,
        min(receipts.currency) as currency
    from read_parquet('{landing}/kernel/charge_links/*.parquet', union_by_name = true) as links
    inner join read_parquet('{landing}/kernel/settlement_receipts/*.parquet', union_by_name = true) as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.source_id = receipts.receipt_id
    group by links.tenant_id, links.charge_id
),

collected as (
    select
        movements.source as charge_id,
        sum(movements.amount)::bigint as amount_cents,
        min(upper(movements.currency)) as currency
    from read_parquet('{landing}/stripe/balance_transactions/*.parquet', union_by_name = true) as movements
    where movements.reporting_category = 'charge'
    group by movements.source
),

collections as (
    select
        receipted.tenant_id,
        coalesce(receipted.charge_id, collected.charge_id) as object_id,
        receipted.amount_cents as expected_cents,
        collected.amount_cents as actual_cents,
        case
            when receipted.charge_id is null then 'MISSING_INTERNAL'
            when collected.charge_id is null then 'MISSING_EXTERNAL'
            when collected.currency <> receipted.currency then 'CURRENCY_MISMATCH'
            when collected.amount_cents > receipted.amount_cents then 'AMOUNT_OVER'
            when collected.amount_cents < receipted.amount_cents then 'AMOUNT_UNDER'
        end as reason_code
    from receipted
    full outer join collected
        on receipted.charge_id = collected.charge_id
)

select * from payouts
union all
select * from collections
