-- grain: one movement of the platform whose kernel side two people had erased, and that is erased
{{ config(materialized='view') }}
with lines as (
    select
        erasure_id,
        tenant_id,
        action,
        operator
    from {{ ref('stg_tieout__erasures') }}
    where line_status = 'valid'
),

decided as (
    select distinct
        done.erasure_id,
        done.tenant_id
    from lines as done
    inner join lines as proposed
        on
            done.erasure_id = proposed.erasure_id
            and done.tenant_id = proposed.tenant_id
            and proposed.action = 'propose'
    inner join lines as approvals
        on
            proposed.erasure_id = approvals.erasure_id
            and proposed.tenant_id = approvals.tenant_id
            and proposed.operator <> approvals.operator
            and approvals.action = 'approve'
    where done.action = 'done'
),

final as (
    select
        movements.tenant_id,
        movements.movement_id,
        movements.balance_transaction_id
    from {{ ref('stg_tieout__erased_movements') }} as movements
    inner join decided
        on
            movements.erasure_id = decided.erasure_id
            and movements.tenant_id = decided.tenant_id
)

select *
from final
