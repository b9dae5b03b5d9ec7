-- Every bridge ends at nought: what the kernel says plus every named line equals the rail's own total.
select
    tenant_id,
    period,
    currency,
    amount_cents
from {{ ref('reconciliation_bridge') }}
where
    line_code = 'residual'
    and amount_cents <> 0
