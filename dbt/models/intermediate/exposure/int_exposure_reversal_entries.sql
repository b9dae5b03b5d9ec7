-- grain: one transfer reversal, as far as it took back money that was rightly paid
{{ config(materialized='view') }}
with reversals as (
    select
        reversals.transfer_reversal_id,
        reversals.transfer_id,
        reversals.amount_cents,
        reversals.currency,
        reversals.created_at,
        transfers.amount_cents as transferred_cents,
        owners.tenant_id,
        owners.party_id,
        {{ running_cents('reversals.amount_cents', 'reversals.transfer_id', 'reversals.created_at asc nulls last, reversals.transfer_reversal_id asc nulls last') }} as reversed_cents
    from {{ ref('stg_stripe__transfer_reversals') }} as reversals
    inner join {{ ref('stg_stripe__transfers') }} as transfers
        on
            reversals.transfer_id = transfers.transfer_id
            and transfers.is_platform
    inner join {{ ref('int_account_owners') }} as owners
        on transfers.destination_account_id = owners.account_id
),

-- Money that no instruction asked for is a mistake undone when it comes back, not a debt recovered.
excess as (
    select
        transfer_id,
        {{ sum_cents('excess_cents') }} as excess_cents
    from {{ ref('int_transfer_allocations') }}
    group by transfer_id
),

refund_times as (
    select
        transfer_reversal_id,
        max(created_at) as refunded_at
    from {{ ref('stg_stripe__refunds') }}
    where transfer_reversal_id is not null
    group by transfer_reversal_id
),

recovered as (
    select
        reversals.*,
        refund_times.refunded_at,
        case
            when coalesce(excess.excess_cents, reversals.transferred_cents) >= reversals.reversed_cents then 0
            when
                reversals.reversed_cents - coalesce(excess.excess_cents, reversals.transferred_cents)
                < reversals.amount_cents
                then reversals.reversed_cents - coalesce(excess.excess_cents, reversals.transferred_cents)
            else reversals.amount_cents
        end as recovered_cents
    from reversals
    left join excess
        on reversals.transfer_id = excess.transfer_id
    left join refund_times
        on reversals.transfer_reversal_id = refund_times.transfer_reversal_id
),

final as (
    select
        tenant_id,
        party_id,
        coalesce(party_id, '') as party_key,
        currency,
        'reversal' as entry_kind,
        transfer_reversal_id as entry_id,
        transfer_id as source_id,
        cast(null as {{ dbt.type_string() }}) as source_status,
        -- A reversal made together with a refund never counts before that refund.
        case when refunded_at > created_at then refunded_at else created_at end as occurred_at,
        -recovered_cents as debt_cents
    from recovered
    where recovered_cents > 0
)

select *
from final
