-- grain: one break or pending item of this build; both sides' amounts in the direction of the payment
with payout_items as (
    select
        tenant_id,
        'payout' as item_kind,
        payout_key as item_key,
        party_id,
        period,
        currency,
        open_code as reason_code,
        expected_cents,
        settled_cents as actual_cents,
        -- The kernel said this much would leave and it did not: the balance is higher by it.
        open_cents as balance_effect_cents,
        open_cents as unexplained_cents,
        artifact_id as kernel_object_id,
        transfer_id as rail_object_id,
        payout_key,
        generated_at as since_at,
        expected_by
    from {{ ref('int_payout_positions') }}
    where open_code is not null
),

check_items as (
    select
        checks.tenant_id,
        'payout_' || lower(checks.reason_code) as item_kind,
        checks.payout_key as item_key,
        positions.party_id,
        positions.period,
        positions.currency,
        checks.reason_code,
        checks.expected_cents,
        checks.actual_cents,
        0 as balance_effect_cents,
        checks.unexplained_cents,
        positions.artifact_id as kernel_object_id,
        positions.transfer_id as rail_object_id,
        checks.payout_key,
        positions.generated_at as since_at,
        positions.expected_by
    from {{ ref('int_payout_checks') }} as checks
    inner join {{ ref('int_payout_positions') }} as positions
        on
            checks.tenant_id = positions.tenant_id
            and checks.payout_key = positions.payout_key
),

collection_items as (
    select
        tenant_id,
        'collection' as item_kind,
        charge_id || ':' || currency as item_key,
        party_id,
        period,
        currency,
        open_code as reason_code,
        expected_cents,
        collected_cents as actual_cents,
        -open_cents as balance_effect_cents,
        open_cents as unexplained_cents,
        receipt_id as kernel_object_id,
        charge_id as rail_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        receipted_at as since_at,
        expected_by
    from {{ ref('int_collection_positions') }}
    where
        open_code is not null
        and open_cents > 0
),

refund_items as (
    select
        tenant_id,
        'refund' as item_kind,
        charge_id || ':' || currency as item_key,
        party_id,
        period,
        currency,
        open_code as reason_code,
        expected_cents,
        refunded_cents as actual_cents,
        open_cents as balance_effect_cents,
        open_cents as unexplained_cents,
        receipt_id as kernel_object_id,
        charge_id as rail_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        refundable_at as since_at,
        expected_by
    from {{ ref('int_refund_positions') }}
    where open_code is not null
),

directed as (
    select
        *,
        case when movement_type in ('payout', 'payout_reversal', 'refund', 'dispute') then -1 else 1 end as direction
    from {{ ref('int_movement_outcomes') }}
),

movement_items as (
    select
        tenant_id,
        'movement' as item_kind,
        movement_id as item_key,
        party_id,
        period,
        currency,
        amount_code as reason_code,
        -- Each kind has its direction: a payout is money out, so taking one back is a negative payout.
        direction * explained_cents as expected_cents,
        direction * amount_cents as actual_cents,
        break_cents as balance_effect_cents,
        case when break_cents < 0 then -break_cents else break_cents end as unexplained_cents,
        kernel_object_id,
        case
            when movement_type = 'payout_reversal' then coalesce(transfer_id, object_id, balance_transaction_id)
            else coalesce(object_id, balance_transaction_id)
        end as rail_object_id,
        payout_key,
        occurred_at as since_at,
        occurred_at as expected_by
    from directed
    where amount_code is not null
),

fee_items as (
    select
        tenant_id,
        'fee' as item_kind,
        movement_id as item_key,
        party_id,
        period,
        currency,
        'FEE_VARIANCE' as reason_code,
        explained_fee_cents as expected_cents,
        amount_cents - net_cents as actual_cents,
        fee_variance_cents as balance_effect_cents,
        case when fee_variance_cents < 0 then -fee_variance_cents else fee_variance_cents end as unexplained_cents,
        cast(null as {{ dbt.type_string() }}) as kernel_object_id,
        balance_transaction_id as rail_object_id,
        payout_key,
        occurred_at as since_at,
        occurred_at as expected_by
    from {{ ref('int_movement_outcomes') }}
    where fee_variance_cents <> 0
),

-- What was certified and what is there now; its money is explained, so nothing of it is unexplained.
restated_items as (
    select
        tenant_id,
        'restated' as item_kind,
        certification_id || ':' || figure as item_key,
        cast(null as {{ dbt.type_string() }}) as party_id,
        period,
        currency,
        'RESTATED' as reason_code,
        certified_cents as expected_cents,
        amount_cents as actual_cents,
        0 as balance_effect_cents,
        0 as unexplained_cents,
        certification_id as kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as rail_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        certified_at as since_at,
        certified_at as expected_by
    from {{ ref('int_certified_figures') }}
    where amount_cents <> certified_cents
),

excess_items as (
    select
        tenant_id,
        'collection_excess' as item_kind,
        charge_id || ':' || currency as item_key,
        party_id,
        period,
        currency,
        open_code as reason_code,
        expected_cents,
        collected_cents as actual_cents,
        excess_cents as balance_effect_cents,
        excess_cents as unexplained_cents,
        receipt_id as kernel_object_id,
        charge_id as rail_object_id,
        cast(null as {{ dbt.type_string() }}) as payout_key,
        receipted_at as since_at,
        expected_by
    from {{ ref('int_collection_positions') }}
    where
        is_converted
        and excess_cents > 0
),

rail_items as (
    select
        tenant_id,
        'rail_' || check_kind as item_kind,
        account_id || ':' || object_id as item_key,
        party_id,
        period,
        currency,
        reason_code,
        expected_cents,
        actual_cents,
        balance_effect_cents,
        abs(expected_cents - actual_cents) as unexplained_cents,
        cast(null as {{ dbt.type_string() }}) as kernel_object_id,
        object_id as rail_object_id,
        payout_key,
        created_at as since_at,
        expected_by
    from {{ ref('int_rail_checks') }}
),

kernel_items as (
    select
        tenant_id,
        'kernel_' || check_kind as item_kind,
        object_key as item_key,
        party_id,
        period,
        currency,
        reason_code,
        expected_cents,
        actual_cents,
        0 as balance_effect_cents,
        abs(expected_cents - actual_cents) as unexplained_cents,
        kernel_object_id,
        cast(null as {{ dbt.type_string() }}) as rail_object_id,
        payout_key,
        since_at,
        since_at as expected_by
    from {{ ref('int_kernel_checks') }}
),

items as (
    select * from payout_items
    union all
    select * from check_items
    union all
    select * from collection_items
    union all
    select * from refund_items
    union all
    select * from movement_items
    union all
    select * from fee_items
    union all
    select * from restated_items
    union all
    select * from excess_items
    union all
    select * from rail_items
    union all
    select * from kernel_items
),

coded as (
    select
        {{ hash_id('brk', ['items.tenant_id', 'items.item_kind', 'items.item_key', 'items.currency']) }} as break_id,
        items.*,
        coalesce(codes.verdict_effect, 'break') as effect_of_code,
        coalesce(codes.severity, 'high') as severity
    from items
    left join {{ ref('reason_codes') }} as codes
        on items.reason_code = codes.reason_code
),

given_up as (
    select distinct
        tenant_id,
        break_id,
        currency,
        drift_cents
    from {{ ref('int_write_offs') }}
    where
        is_standing
        and break_id is not null
),

-- A write-off closes exactly the difference that two people saw, sign included; another one is open again.
final as (
    select
        coded.*,
        given_up.break_id is not null as is_written_off,
        case
            when given_up.break_id is not null then 'ok'
            when coded.effect_of_code = 'pending' then 'pending'
            else 'break'
        end as outcome,
        case when given_up.break_id is not null then 'warning' else coded.effect_of_code end as verdict_effect
    from coded
    left join given_up
        on
            coded.tenant_id = given_up.tenant_id
            and coded.break_id = given_up.break_id
            and coded.currency = given_up.currency
            and coded.expected_cents - coded.actual_cents = given_up.drift_cents
)

select *
from final
