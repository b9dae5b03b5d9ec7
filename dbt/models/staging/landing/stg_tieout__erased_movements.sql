-- grain: one movement of the platform that was a tenant's when its data was erased
with
{{ latest_landed('tieout', 'erased_movements', key=['movement_id']) }},

final as (
    select
        tenant_id,
        erasure_id,
        movement_id,
        balance_transaction_id
    from latest
)

select *
from final
