-- grain: one party of a tenant that was ever paid: where its money went last
{{ config(materialized='view') }}
with paid_before as (
    select
        operations.tenant_id,
        operations.party_id,
        operations.stripe_connect_account_id as account_id,
        operations.paid_at,
        operations.payout_key
    from {{ ref('int_payout_operations') }} as operations
    where operations.is_paid

    union all

    select
        tenant_id,
        party_id,
        destination_account_id as account_id,
        first_at as paid_at,
        payout_key
    from {{ ref('int_payout_journal') }}
    where is_submitted
),

final as (
    select
        tenant_id,
        party_id,
        account_id
    from (
        select
            *,
            row_number() over (
                partition by tenant_id, party_id
                order by paid_at desc nulls last, payout_key desc nulls last, account_id desc nulls last
            ) as newest_rank
        from paid_before
        where account_id is not null
    ) as ranked
    where newest_rank = 1
)

select *
from final
