-- grain: one platform transfer without any reference and one open instruction near it in amount and time
with unreferenced as (
    select
        transfers.transfer_id,
        transfers.amount_cents,
        transfers.currency,
        transfers.created_at,
        owners.tenant_id,
        owners.party_id
    from {{ ref('stg_stripe__transfers') }} as transfers
    inner join {{ ref('int_account_owners') }} as owners
        on transfers.destination_account_id = owners.account_id
    left join {{ ref('int_transfer_references') }} as led
        on transfers.transfer_id = led.transfer_id
    where
        transfers.is_platform
        and led.transfer_id is null
        and transfers.transfer_group is null
        and transfers.meta_operation_id is null
        and transfers.meta_payout_key is null
),

open_payouts as (
    select expected.*
    from {{ ref('int_expected_payouts') }} as expected
    left join {{ ref('int_transfer_references') }} as led
        on
            expected.tenant_id = led.tenant_id
            and expected.payout_key = led.payout_key
    where
        led.transfer_id is null
        and expected.expected_cents > 0
),

final as (
    select
        unreferenced.transfer_id,
        unreferenced.tenant_id,
        open_payouts.payout_key,
        abs(unreferenced.amount_cents - open_payouts.expected_cents) as distance_cents
    from unreferenced
    left join open_payouts
        on
            unreferenced.tenant_id = open_payouts.tenant_id
            and unreferenced.party_id = open_payouts.party_id
            and unreferenced.currency = open_payouts.currency
            and abs(unreferenced.amount_cents - open_payouts.expected_cents) <= open_payouts.nearest_cents
            and unreferenced.created_at >= open_payouts.generated_at
            and unreferenced.created_at <= {{ add_days('open_payouts.generated_at', 'open_payouts.window_days') }}
)

select *
from final
