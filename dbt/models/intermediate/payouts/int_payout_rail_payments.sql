-- grain: one payout key of a tenant for which the rail shows at least one transfer, whoever made it
{{ config(materialized='view') }}
with matched as (
    select
        tenant_id,
        payout_key,
        transfer_id
    from {{ ref('int_transfer_matches') }}
    where payout_key is not null
),

-- A label is enough to stop a second payment, even where the matching gave the transfer to another key.
labelled as (
    select
        instructions.tenant_id,
        instructions.payout_key,
        transfers.transfer_id
    from {{ ref('stg_stripe__transfers') }} as transfers
    inner join {{ ref('int_payout_instructions') }} as instructions
        on transfers.transfer_group = instructions.payout_key
    where transfers.is_platform

    union distinct

    select
        instructions.tenant_id,
        instructions.payout_key,
        transfers.transfer_id
    from {{ ref('stg_stripe__transfers') }} as transfers
    inner join {{ ref('int_payout_instructions') }} as instructions
        on transfers.meta_payout_key = instructions.payout_key
    where transfers.is_platform
),

paired as (
    select * from matched
    union distinct
    select * from labelled
),

final as (
    select
        paired.tenant_id,
        paired.payout_key,
        min(paired.transfer_id) as transfer_id,
        count(*) as transfers,
        {{ sum_cents('transfers.amount_cents') }} as transferred_cents,
        {{ sum_cents('coalesce(transfers.reversed_cents, 0)') }} as reversed_cents
    from paired
    inner join {{ ref('stg_stripe__transfers') }} as transfers
        on
            paired.transfer_id = transfers.transfer_id
            and transfers.is_platform
    group by paired.tenant_id, paired.payout_key
)

select *
from final
