-- grain: one object of an account that a balance transaction can name as its source
{{ config(
    materialized='carried',
    carried_key=['account_id', 'object_id'],
    touched_by="""
        select account_id, charge_id as object_id from changed.stg_stripe__charges
        union all
        select account_id, id as object_id from arrived.stripe_refunds
        union all
        select account_id, id as object_id from arrived.stripe_disputes
        union all
        select account_id, transfer_id as object_id from changed.stg_stripe__transfers
        union all
        select account_id, id as object_id from arrived.stripe_transfer_reversals
        union all
        select account_id, id as object_id from arrived.stripe_payouts
        union all
        select account_id, id as object_id from arrived.stripe_topups
        union all
        select account_id, id as object_id from arrived.stripe_application_fees
    """,
    narrowed={
        'stg_stripe__charges': ['account_id', 'charge_id'],
        'stg_stripe__refunds': ['account_id', 'refund_id'],
        'stg_stripe__disputes': ['account_id', 'dispute_id'],
        'stg_stripe__transfers': ['account_id', 'transfer_id'],
        'stg_stripe__transfer_reversals': ['account_id', 'transfer_reversal_id'],
        'stg_stripe__payouts': ['account_id', 'payout_id'],
        'stg_stripe__topups': ['account_id', 'topup_id'],
        'stg_stripe__application_fees': ['account_id', 'application_fee_id'],
    },
) }}
with objects as (
    select
        account_id,
        charge_id as object_id,
        'charge' as object_type,
        charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        1 as expected_sign,
        is_platform,
        balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__charges') }}

    union all

    select
        account_id,
        refund_id as object_id,
        'refund' as object_type,
        charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        -1 as expected_sign,
        is_platform,
        balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__refunds') }}

    union all

    select
        account_id,
        dispute_id as object_id,
        'dispute' as object_type,
        charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        0 as expected_sign,
        is_platform,
        cast(null as {{ dbt.type_string() }}) as balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__disputes') }}

    union all

    select
        account_id,
        transfer_id as object_id,
        'transfer' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        -1 as expected_sign,
        is_platform,
        balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__transfers') }}

    union all

    select
        account_id,
        transfer_reversal_id as object_id,
        'transfer_reversal' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        1 as expected_sign,
        true as is_platform,
        balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__transfer_reversals') }}

    union all

    select
        account_id,
        payout_id as object_id,
        'payout' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        -1 as expected_sign,
        is_platform,
        balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__payouts') }}

    union all

    select
        account_id,
        topup_id as object_id,
        'topup' as object_type,
        cast(null as {{ dbt.type_string() }}) as charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        1 as expected_sign,
        is_platform,
        balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__topups') }}

    union all

    select
        account_id,
        application_fee_id as object_id,
        'application_fee' as object_type,
        charge_id,
        cast(null as {{ dbt.type_string() }}) as transfer_id,
        amount_cents as object_amount_cents,
        currency as object_currency,
        1 as expected_sign,
        is_platform,
        balance_transaction_id,
        created_at
    from {{ ref('stg_stripe__application_fees') }}
),

final as (
    select *
    from objects
)

select *
from final
