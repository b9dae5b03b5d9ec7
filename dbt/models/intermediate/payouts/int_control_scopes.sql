-- grain: one provider of a tenant, and per tenant one row without a provider
{{ config(materialized='view') }}
with scopes as (
    select
        tenant_id,
        -- A provider without a name is none.
        nullif(provider_id, '') as provider_id
    from {{ ref('int_payout_subjects') }}

    union distinct

    select
        tenant_id,
        nullif(provider_id, '') as provider_id
    from {{ ref('stg_kernel__money_rail_providers') }}

    union distinct

    select
        tenant_id,
        cast(null as {{ dbt.type_string() }}) as provider_id
    from {{ ref('int_payout_subjects') }}

    union distinct

    select
        tenant_id,
        cast(null as {{ dbt.type_string() }}) as provider_id
    from {{ ref('stg_kernel__money_rail_controls') }}
),

applied as (
    select
        scopes.tenant_id,
        scopes.provider_id,
        settings.field,
        settings.value_text,
        settings.limit_cents
    from scopes
    inner join {{ ref('int_operator_settings') }} as settings
        on
            (settings.tenant_id = scopes.tenant_id or settings.tenant_id = '*')
            and (settings.provider_id is null or settings.provider_id = scopes.provider_id)
),

final as (
    select
        scopes.tenant_id,
        scopes.provider_id,
        coalesce(scopes.provider_id, '') as provider_key,
        max(case when applied.field = 'payout_kill_switch' and applied.value_text <> 'false' then 1 else 0 end) = 1 as is_killed,
        max(case when applied.field = 'real_money_enabled' and applied.value_text <> 'true' then 1 else 0 end) = 1 as is_real_money_denied,
        max(case when applied.field = 'real_money_enabled' then 1 else 0 end) = 1 as is_real_money_set,
        max(case when applied.field = 'degraded_enabled' and applied.value_text <> 'false' then 1 else 0 end) = 1 as is_degraded,
        -- A degraded mode covers every provider and denies everything unless a line says otherwise.
        coalesce(max(case
            when applied.field = 'degraded_provider_ids'
                then case
                    when applied.value_text = 'null' or instr(applied.value_text, '"' || coalesce(scopes.provider_id, '') || '"') > 0 then 1
                    else 0
                end
        end), 1) = 1 as is_degraded_here,
        coalesce(max(case
            when applied.field = 'deny_enqueue_payouts' then case when applied.value_text = 'false' then 0 else 1 end
        end), 1) = 1 as is_enqueue_denied,
        coalesce(max(case
            when applied.field = 'deny_submit_payouts' then case when applied.value_text = 'false' then 0 else 1 end
        end), 1) = 1 as is_submit_denied,
        max(case
            when
                applied.field = 'allowed_provider_ids'
                and applied.value_text <> 'null'
                and instr(applied.value_text, '"' || coalesce(scopes.provider_id, '') || '"') = 0
                then 1
            else 0
        end) = 1 as is_provider_denied,
        count(case when applied.field = 'max_payout_amount_cents' then 1 end) > 0 as is_single_limit_set,
        min(case when applied.field = 'max_payout_amount_cents' then applied.limit_cents end) as single_limit_cents,
        count(case when applied.field = 'daily_payout_limit_cents' then 1 end) > 0 as is_daily_limit_set,
        min(case when applied.field = 'daily_payout_limit_cents' then applied.limit_cents end) as daily_limit_cents,
        count(case when applied.field = 'max_outstanding_cents' then 1 end) > 0 as is_outstanding_limit_set,
        min(case when applied.field = 'max_outstanding_cents' then applied.limit_cents end) as outstanding_limit_cents,
        -- 1 hold, 2 net: the smaller is the stricter; an unknown word is hold.
        min(case
            when applied.field = 'negative_balance_mode' then case applied.value_text when '"net"' then 2 else 1 end
        end) as policy_rank,
        max(case
            when applied.field = 'chargebacks_enabled' then case when applied.value_text = 'false' then 0 else 1 end
        end) = 0 as is_policy_off
    from scopes
    left join applied
        on
            scopes.tenant_id = applied.tenant_id
            and coalesce(scopes.provider_id, '') = coalesce(applied.provider_id, '')
    group by scopes.tenant_id, scopes.provider_id
)

select *
from final
