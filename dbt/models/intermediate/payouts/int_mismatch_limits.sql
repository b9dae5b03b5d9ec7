-- grain: one tenant and currency with breaks, now or earlier: the daily thresholds in force
with places as (
    select
        tenant_id,
        currency
    from {{ ref('reconciliation_drift') }}
    where outcome = 'break'

    union distinct

    select
        tenant_id,
        first_currency as currency
    from {{ ref('int_item_history') }}
    where first_break_at is not null
),

-- The stricter of a tenant's own line and one for all; null in a line is explicitly no threshold.
signed as (
    select
        places.tenant_id,
        places.currency,
        count(case when settings.field = 'mismatch_threshold_count' then 1 end) > 0 as is_count_set,
        min(case when settings.field = 'mismatch_threshold_count' then settings.limit_cents end) as threshold_count,
        count(case when settings.field = 'mismatch_threshold_cents' then 1 end) > 0 as is_money_set,
        min(case when settings.field = 'mismatch_threshold_cents' then settings.limit_cents end) as threshold_cents
    from places
    left join {{ ref('int_operator_settings') }} as settings
        on
            settings.tenant_id in (places.tenant_id, '*')
            and settings.provider_id is null
            and settings.field in ('mismatch_threshold_count', 'mismatch_threshold_cents')
    group by places.tenant_id, places.currency
),

-- A currency without a threshold has no number of breaks that would be too few to matter.
final as (
    select
        signed.tenant_id,
        signed.currency,
        signed.is_count_set or listed.currency is not null as is_count_limited,
        case when signed.is_count_set then signed.threshold_count else listed.threshold_count end as threshold_count,
        signed.is_money_set or listed.currency is not null as is_money_limited,
        case when signed.is_money_set then signed.threshold_cents else listed.threshold_cents end as threshold_cents
    from signed
    left join {{ ref('mismatch_thresholds') }} as listed
        on signed.currency = listed.currency
)

select *
from final
