-- grain: one usable payout instruction of a month, ranked among those under the same key
with usable as (
    select
        tenant_id,
        period,
        payout_key,
        'mop_' || payout_key as operation_id,
        amount_cents,
        upper(currency) as currency,
        party_id,
        artifact_id
    from {{ ref('stg_kernel__payout_instructions') }}
    -- The original reads its own artifacts without hashing them again, so their verdict plays no part here.
    where
        payout_key is not null
        -- Another text is no month that a report could be asked for.
        and regexp_extract(period, '^[0-9]{4}-(0[1-9]|1[0-2])$', 0) = period
        and amount_cents is not null
),

final as (
    select
        *,
        row_number() over (
            partition by tenant_id, period, payout_key
            order by artifact_id asc nulls last
        ) as expected_rank,
        min(artifact_id) over (partition by tenant_id, period, payout_key) as primary_artifact_id
    from usable
)

select *
from final
