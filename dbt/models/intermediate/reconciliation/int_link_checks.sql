-- grain: one link of a payout whose amount or currency is not its source's, or a source that two payouts use up
with links as (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        links.source_id,
        links.amount_cents,
        links.currency,
        expected.party_id,
        expected.period,
        expected.generated_at
    from {{ ref('stg_kernel__receipt_payout_links') }} as links
    inner join {{ ref('int_expected_payouts') }} as expected
        on
            links.tenant_id = expected.tenant_id
            and links.payout_key = expected.payout_key
            -- A second instruction for the same money is named as such; its links repeat the first one's.
            and expected.instruction_rank = 1
    where links.verdict <> 'mismatch'
),

sources as (
    select
        tenant_id,
        'receipt' as source_type,
        receipt_id as source_id,
        released_amount_cents as amount_cents,
        currency
    from {{ ref('stg_kernel__settlement_receipts') }}
    where verdict <> 'mismatch'

    union all

    select
        receipts.tenant_id,
        'fee' as source_type,
        'fee_' || receipts.receipt_id as source_id,
        {{ share_of('receipts.released_amount_cents', 'run.platform_fee_bps', '10000') }} as amount_cents,
        receipts.currency
    from {{ ref('stg_kernel__settlement_receipts') }} as receipts
    cross join {{ ref('stg_tieout__run') }} as run
    where receipts.verdict <> 'mismatch'

    union all

    select
        tenant_id,
        'adjustment' as source_type,
        adjustment_id as source_id,
        case when adjustment_kind = 'holdback_release' then amount_cents else 0 end as amount_cents,
        currency
    from {{ ref('stg_kernel__settlement_adjustments') }}
    where verdict <> 'mismatch'

    union all

    select
        tenant_id,
        'holdback' as source_type,
        hold_hash as source_id,
        hold_cents as amount_cents,
        currency
    from {{ ref('int_hold_positions') }}
),

-- A sum that is wrong, or a fee that is wrong in sum, has its name at the payout; this finds what offsets there.
compared as (
    select
        links.*,
        'link_' || links.source_type as check_kind,
        sources.amount_cents as source_cents,
        case
            when sources.currency <> links.currency then 'CURRENCY_MISMATCH'
            when abs(links.amount_cents) = sources.amount_cents then null
            when links.source_type = 'fee' then 'FEE_VARIANCE'
            when links.source_type in ('holdback', 'adjustment') then 'HOLDBACK_VARIANCE'
            when abs(links.amount_cents) > sources.amount_cents then 'AMOUNT_OVER'
            else 'AMOUNT_UNDER'
        end as reason_code
    from links
    inner join sources
        on
            links.tenant_id = sources.tenant_id
            and links.source_type = sources.source_type
            and links.source_id = sources.source_id
),

differing as (
    select compared.*
    from compared
    inner join {{ ref('int_payout_mapping') }} as mapping
        on
            compared.tenant_id = mapping.tenant_id
            and compared.payout_key = mapping.payout_key
    left join {{ ref('int_payout_checks') }} as checks
        on
            compared.tenant_id = checks.tenant_id
            and compared.payout_key = checks.payout_key
            and checks.reason_code = 'FEE_VARIANCE'
    where
        compared.reason_code is not null
        and (not mapping.has_link_variance or compared.reason_code = 'CURRENCY_MISMATCH')
        and (compared.reason_code <> 'FEE_VARIANCE' or checks.payout_key is null)
),

shared as (
    select
        tenant_id,
        source_type,
        source_id,
        max(payout_key) as payout_key,
        max(party_id) as party_id,
        max(period) as period,
        min(currency) as currency,
        max(generated_at) as generated_at,
        max(amount_cents) as source_cents,
        {{ sum_cents('amount_cents') }} as amount_cents
    from links
    where
        source_type in ('receipt', 'adjustment', 'holdback')
        and amount_cents > 0
    group by tenant_id, source_type, source_id
    having count(*) > 1
),

final as (
    select
        tenant_id,
        check_kind,
        payout_key || ':' || source_id as object_key,
        party_id,
        period,
        currency,
        reason_code,
        case when reason_code = 'CURRENCY_MISMATCH' then abs(amount_cents) else source_cents end as expected_cents,
        case when reason_code = 'CURRENCY_MISMATCH' then 0 else abs(amount_cents) end as actual_cents,
        source_id as kernel_object_id,
        payout_key,
        generated_at as since_at
    from differing

    union all

    select
        tenant_id,
        'shared_' || source_type as check_kind,
        source_id as object_key,
        party_id,
        period,
        currency,
        'DUPLICATE_INTERNAL' as reason_code,
        source_cents as expected_cents,
        amount_cents as actual_cents,
        source_id as kernel_object_id,
        payout_key,
        generated_at as since_at
    from shared
)

select *
from final
