-- grain: one link of a payout whose amount, currency or party is not its source's, or a source that two payouts use up
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'kernel_object_id'],
    touched_by="""
        with payouts as (
            select tenant_id, payout_key from changed.int_expected_payouts
            union all
            select tenant_id, payout_key from changed.int_payout_mapping
            union all
            select tenant_id, payout_key from changed.int_payout_checks
        )

        select tenant_id, source_id from changed.stg_kernel__receipt_payout_links
        union all
        select tenant_id, source_id
        from carried.staging.stg_kernel__receipt_payout_links
        where
            -- Holds and adjustments are few, so links to them are always looked at.
            source_type in ('holdback', 'adjustment')
            or hash(tenant_id, payout_key) in (select hash(tenant_id, payout_key) from payouts)
        union all
        select tenant_id, receipt_id from changed.stg_kernel__settlement_receipts
        union all
        select tenant_id, 'fee_' || receipt_id from changed.stg_kernel__settlement_receipts
        union all
        select tenant_id, receipt_id from changed.int_charge_sources
    """,
    narrowed={'stg_kernel__receipt_payout_links': ['tenant_id', 'source_id']},
) }}
with links as {{ inlined() }} (
    select
        links.tenant_id,
        links.payout_key,
        links.source_type,
        links.source_id,
        {{ receipt_of('links') }} as receipt_id,
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

-- A receipt backs two kinds of links: what its party gets, and the fee that is taken off it.
of_receipts as (
    select
        links.*,
        case
            when links.source_type = 'fee'
                then {{ share_of('receipts.released_amount_cents', 'run.platform_fee_bps', '10000') }}
            else receipts.released_amount_cents
        end as source_cents,
        receipts.currency as source_currency
    from links
    cross join {{ ref('stg_tieout__run') }} as run
    inner join {{ ref('stg_kernel__settlement_receipts') }} as receipts
        on
            links.tenant_id = receipts.tenant_id
            and links.receipt_id = receipts.receipt_id
    where receipts.verdict <> 'mismatch'
),

others as (
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

sourced as (
    select *
    from of_receipts

    union all

    select
        links.*,
        others.amount_cents as source_cents,
        others.currency as source_currency
    from links
    inner join others
        on
            links.tenant_id = others.tenant_id
            and links.source_type = others.source_type
            and links.source_id = others.source_id
),

-- A sum that is wrong, or a fee that is wrong in sum, has its name at the payout; this finds what offsets there.
compared as (
    select
        *,
        'link_' || source_type as check_kind,
        case
            when source_currency <> currency then 'CURRENCY_MISMATCH'
            when abs(amount_cents) = source_cents then null
            when source_type = 'fee' then 'FEE_VARIANCE'
            when source_type in ('holdback', 'adjustment') then 'HOLDBACK_VARIANCE'
            when abs(amount_cents) > source_cents then 'AMOUNT_OVER'
            else 'AMOUNT_UNDER'
        end as reason_code
    from sourced
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

consuming as {{ inlined() }} (
    select *
    from links
    where
        source_type in ('receipt', 'adjustment', 'holdback')
        and amount_cents > 0
),

{{ repeated_hashes('consuming', ['tenant_id', 'source_type', 'source_id']) }},

-- Few sources are named twice, so only theirs are added up.
shared as (
    select
        consuming.tenant_id,
        consuming.source_type,
        consuming.source_id,
        max(consuming.payout_key) as payout_key,
        max(consuming.party_id) as party_id,
        max(consuming.period) as period,
        min(consuming.currency) as currency,
        max(consuming.generated_at) as generated_at,
        max(consuming.amount_cents) as source_cents,
        {{ sum_cents('consuming.amount_cents') }} as amount_cents
    from consuming
    inner join repeated_hashes
        on {{ key_hash(['tenant_id', 'source_type', 'source_id'], 'consuming') }} = repeated_hashes.key_hash
    group by consuming.tenant_id, consuming.source_type, consuming.source_id
    having count(*) > 1
),

strangers as (
    select links.*
    from links
    inner join {{ ref('int_charge_sources') }} as sources
        on
            links.tenant_id = sources.tenant_id
            and links.source_id = sources.receipt_id
            and links.party_id <> sources.party_id
    left join shared
        on
            links.tenant_id = shared.tenant_id
            and links.source_type = shared.source_type
            and links.source_id = shared.source_id
    where
        links.source_type = 'receipt'
        and links.amount_cents > 0
        and shared.source_id is null
),

-- A receipt of one party that another party's payout pays out; paid twice as well, that comes first.
misdirected as (
    select
        strangers.tenant_id,
        strangers.payout_key,
        strangers.source_id,
        strangers.party_id,
        strangers.period,
        strangers.currency,
        strangers.amount_cents,
        strangers.generated_at
    from strangers
    inner join {{ ref('int_charge_sources') }} as sources
        on
            strangers.tenant_id = sources.tenant_id
            and strangers.source_id = sources.receipt_id
    group by
        strangers.tenant_id, strangers.payout_key, strangers.source_id, strangers.party_id, strangers.period,
        strangers.currency, strangers.amount_cents, strangers.generated_at
    having min(sources.party_id) = max(sources.party_id)
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

    union all

    select
        tenant_id,
        'misdirected_receipt' as check_kind,
        payout_key || ':' || source_id as object_key,
        party_id,
        period,
        currency,
        'DESTINATION_MISMATCH' as reason_code,
        0 as expected_cents,
        amount_cents as actual_cents,
        source_id as kernel_object_id,
        payout_key,
        generated_at as since_at
    from misdirected
)

select *
from final
