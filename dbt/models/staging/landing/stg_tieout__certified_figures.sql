-- grain: one figure of one certification, as it was certified
with
{{ latest_landed('tieout', 'certified_figures', key=['certification_id', 'tenant_id', 'period', 'currency', 'figure']) }},

final as (
    select
        certification_id,
        tenant_id,
        period,
        currency,
        figure,
        amount_cents
    from latest
)

select *
from final
