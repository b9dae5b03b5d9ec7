-- grain: one open payout key that more than one unreferenced transfer could settle, or that shares its only one
with nearest as (
    select *
    from {{ ref('int_transfer_nearest') }}
    where
        candidates > 0
        and payout_key is null
),

transfers as (
    select
        nearest.transfer_id,
        transfers.amount_cents,
        transfers.currency,
        owners.tenant_id,
        owners.party_id
    from nearest
    inner join {{ ref('stg_stripe__transfers') }} as transfers
        on nearest.transfer_id = transfers.transfer_id
    inner join {{ ref('int_account_owners') }} as owners
        on transfers.destination_account_id = owners.account_id
),

final as (
    select distinct
        expected.tenant_id,
        expected.payout_key
    from {{ ref('int_expected_payouts') }} as expected
    inner join transfers
        on
            expected.tenant_id = transfers.tenant_id
            and expected.party_id = transfers.party_id
            and expected.currency = transfers.currency
            and expected.expected_cents = transfers.amount_cents
    left join {{ ref('int_transfer_references') }} as led
        on
            expected.tenant_id = led.tenant_id
            and expected.payout_key = led.payout_key
    where led.transfer_id is null
)

select *
from final
