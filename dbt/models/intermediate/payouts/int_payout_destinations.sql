-- grain: one payout instruction: the account that may receive it, and the one the original would choose
with eligible as (
    select
        tenant_id,
        account_id,
        party_id,
        transfers_enabled,
        kyb_status,
        {{ may_fund('accounts') }} as may_fund
    from {{ ref('stg_kernel__connect_accounts') }} as accounts
    where
        coalesce(connect_status, 'active') = 'active'
        and coalesce(payouts_enabled, true)
),

party_accounts as (
    select
        tenant_id,
        party_id,
        min(account_id) as account_id,
        count(*) as accounts,
        count(case when may_fund then 1 end) as payable_accounts
    from eligible
    where party_id is not null
    group by tenant_id, party_id
),

defaults as (
    select
        controls.tenant_id,
        controls.connect_default_account_id as account_id
    from {{ ref('stg_kernel__money_rail_controls') }} as controls
    inner join eligible
        on
            controls.tenant_id = eligible.tenant_id
            and controls.connect_default_account_id = eligible.account_id
),

final as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        case
            when party_accounts.accounts = 1 and party_accounts.payable_accounts = 1 then party_accounts.account_id
        end as destination_account_id,
        coalesce(party_accounts.account_id, defaults.account_id) as kernel_account_id,
        coalesce(eligible.transfers_enabled, true)
        and coalesce(eligible.kyb_status, 'unknown') not in ('rejected', 'restricted')
        and disabled.account_id is null as is_mapping_capable,
        mappings.mapped_at,
        coalesce(last_paid.account_id = party_accounts.account_id, false) as is_proven,
        -- An account that another tenant claims as well is nobody's until one of them is corrected.
        accounts.account_id is not null and owners.account_id is not null as is_account_known,
        coalesce(accounts.is_capable, false) as is_account_capable,
        accounts.kyb_state,
        coalesce(accounts.capability_transfers, 'absent') as capability_transfers,
        coalesce(pins.is_pinned_elsewhere, false) as is_pinned_elsewhere
    from {{ ref('int_payout_subjects') }} as subjects
    left join party_accounts
        on
            subjects.tenant_id = party_accounts.tenant_id
            and subjects.party_id = party_accounts.party_id
    left join {{ ref('int_payout_pins') }} as pins
        on
            subjects.tenant_id = pins.tenant_id
            and subjects.payout_key = pins.payout_key
    left join defaults
        on subjects.tenant_id = defaults.tenant_id
    left join eligible
        on
            party_accounts.tenant_id = eligible.tenant_id
            and party_accounts.account_id = eligible.account_id
    left join {{ ref('int_account_mappings') }} as mappings
        on
            party_accounts.tenant_id = mappings.tenant_id
            and party_accounts.account_id = mappings.account_id
    -- A destination that already proved itself is not new.
    left join {{ ref('int_party_last_destinations') }} as last_paid
        on
            subjects.tenant_id = last_paid.tenant_id
            and subjects.party_id = last_paid.party_id
    left join {{ ref('int_account_owners') }} as owners
        on
            party_accounts.account_id = owners.account_id
            and subjects.tenant_id = owners.tenant_id
    left join {{ ref('int_ops_disabled_accounts') }} as disabled
        on
            party_accounts.account_id = disabled.account_id
            and subjects.tenant_id = disabled.tenant_id
    left join {{ ref('int_account_standing') }} as accounts
        on
            party_accounts.accounts = 1
            and party_accounts.account_id = accounts.account_id
)

select *
from final
