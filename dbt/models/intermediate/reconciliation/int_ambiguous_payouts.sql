-- grain: one open payout key that more than one unreferenced transfer could settle, or that shares its only one
{{ config(materialized='view') }}
with matched as (
    select
        tenant_id,
        payout_key
    from {{ ref('int_transfer_nearest') }}
    where payout_key is not null
),

final as (
    select distinct
        pairs.tenant_id,
        pairs.payout_key
    from {{ ref('int_transfer_pairs') }} as pairs
    inner join {{ ref('int_transfer_nearest') }} as nearest
        on
            pairs.transfer_id = nearest.transfer_id
            and nearest.payout_key is null
    left join matched
        on
            pairs.tenant_id = matched.tenant_id
            and pairs.payout_key = matched.payout_key
    where
        pairs.payout_key is not null
        and matched.payout_key is null
)

select *
from final
