-- grain: one payout instruction of a tenant whose operators pinned accounts: whether its party's own account is the one
{{ config(materialized='view') }}
with accounts as (
    select
        tenant_id,
        party_id,
        account_id
    from {{ ref('stg_kernel__connect_accounts') }}
    where
        coalesce(connect_status, 'active') = 'active'
        and coalesce(payouts_enabled, true)
),

-- Party and account stand in the line as JSON; an id that JSON would have to escape cannot be signed.
compared as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        instr(settings.value_text, '"' || subjects.party_id || '":') > 0 as is_pinned,
        coalesce(
            instr(settings.value_text, '"' || subjects.party_id || '":"' || accounts.account_id || '"') > 0,
            false
        ) as is_pinned_here
    from {{ ref('int_payout_subjects') }} as subjects
    inner join {{ ref('int_operator_settings') }} as settings
        on
            settings.field = 'connect_accounts'
            and (settings.tenant_id = subjects.tenant_id or settings.tenant_id = '*')
            and (settings.provider_id is null or settings.provider_id = subjects.provider_id)
    left join accounts
        on
            subjects.tenant_id = accounts.tenant_id
            and subjects.party_id = accounts.party_id
),

-- Each pin of whatever scope must name every account that is mapped.
final as (
    select
        tenant_id,
        payout_key,
        max(case when is_pinned and not is_pinned_here then 1 else 0 end) = 1 as is_pinned_elsewhere
    from compared
    group by tenant_id, payout_key
)

select *
from final
