-- grain: one balance transaction with its object, the scope of its category and the charge or transfer behind it
{{ config(
    materialized='carried',
    carried_key=['account_id', 'balance_transaction_id'],
    touched_by="""
        with movements as (
            select account_id, balance_transaction_id from changed.stg_stripe__balance_transactions
            union all
            select account_id, balance_transaction_id from arrived.stripe_balance_transaction_fees
            union all
            select account_id, balance_transaction_id from arrived.stripe_dispute_balance_transactions
            union all
            select account_id, balance_transaction_id from changed.int_rail_objects
        ),

        -- Movements of one object are counted against each other, so they are touched together.
        objects as (
            select account_id, object_id from changed.int_rail_objects
            union all
            select account_id, source_object_id from changed.stg_stripe__balance_transactions
            union all
            select account_id, dispute_id from arrived.stripe_dispute_balance_transactions
            union all
            select objects.account_id, objects.object_id
            from carried.intermediate.int_rail_objects as objects
            where
                hash(objects.account_id, objects.balance_transaction_id) in (
                    select hash(account_id, balance_transaction_id) from movements
                )
            union all
            select linked.account_id, linked.object_id
            from carried.intermediate.int_movements_linked as linked
            where
                hash(linked.account_id, linked.balance_transaction_id) in (
                    select hash(account_id, balance_transaction_id) from movements
                )
        )

        select account_id, balance_transaction_id from movements
        union all
        select linked.account_id, linked.balance_transaction_id
        from carried.intermediate.int_movements_linked as linked
        where
            hash(linked.account_id, linked.object_id) in (
                select hash(account_id, object_id) from objects where object_id is not null
            )
    """,
    narrowed={'stg_stripe__balance_transactions': ['account_id', 'balance_transaction_id']},
) }}
with dispute_rows as (
    select
        account_id,
        balance_transaction_id,
        min(dispute_id) as dispute_id
    from {{ ref('stg_stripe__dispute_balance_transactions') }}
    group by account_id, balance_transaction_id
),

-- A balance transaction without a source is found by the object that names it.
naming_objects as (
    select
        objects.account_id,
        objects.balance_transaction_id,
        min(objects.object_id) as object_id
    from {{ ref('int_rail_objects') }} as objects
    inner join {{ ref('stg_stripe__balance_transactions') }} as transactions
        on
            objects.account_id = transactions.account_id
            and objects.balance_transaction_id = transactions.balance_transaction_id
    where transactions.source_object_id is null
    group by objects.account_id, objects.balance_transaction_id
    having count(*) = 1
),

sourced as {{ inlined() }} (
    select
        transactions.*,
        coalesce(transactions.source_object_id, dispute_rows.dispute_id, naming_objects.object_id) as object_id
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    left join dispute_rows
        on
            transactions.account_id = dispute_rows.account_id
            and transactions.balance_transaction_id = dispute_rows.balance_transaction_id
    left join naming_objects
        on
            transactions.account_id = naming_objects.account_id
            and transactions.balance_transaction_id = naming_objects.balance_transaction_id
),

-- An object of the rail moves money once in each direction; only disputes move it in several parts.
moved_again as (
    select
        sourced.account_id,
        sourced.object_id,
        sourced.reporting_category
    from sourced
    inner join {{ ref('movement_scope') }} as scopes
        on sourced.reporting_category = scopes.reporting_category
    where
        sourced.object_id is not null
        and scopes.moves_once
    group by sourced.account_id, sourced.object_id, sourced.reporting_category
    having count(*) > 1
),

repeats as (
    select
        sourced.account_id,
        sourced.balance_transaction_id,
        row_number() over (
            partition by sourced.account_id, sourced.object_id, sourced.reporting_category
            order by sourced.created_at asc nulls last, sourced.balance_transaction_id asc nulls last
        ) as movement_rank
    from sourced
    inner join moved_again
        on
            sourced.account_id = moved_again.account_id
            and sourced.object_id = moved_again.object_id
            and sourced.reporting_category = moved_again.reporting_category
),

joined as (
    select
        sourced.account_id || ':' || sourced.balance_transaction_id as movement_id,
        sourced.account_id,
        sourced.is_platform,
        sourced.balance_transaction_id,
        sourced.reporting_category,
        coalesce(scopes.movement_type, 'unmapped') as movement_type,
        coalesce(scopes.scope, 'unmapped') as scope,
        sourced.object_id,
        objects.object_type,
        -- Only a charge's own movement collects it. One that is not landed is known by its name all the same.
        case
            when scopes.movement_type = 'collection' and objects.object_id is null then sourced.object_id
            when scopes.movement_type = 'collection' and objects.object_type <> 'charge' then null
            else objects.charge_id
        end as charge_id,
        -- Only a transfer's own movement pays it, and only a reversal's takes it back.
        case
            when scopes.movement_type = 'payout' and objects.object_type <> 'transfer' then null
            when scopes.movement_type = 'payout_reversal' and objects.object_type <> 'transfer_reversal' then null
            else objects.transfer_id
        end as transfer_id,
        objects.object_amount_cents,
        objects.object_currency,
        objects.expected_sign,
        sourced.amount_cents,
        sourced.fee_cents,
        sourced.net_cents,
        sourced.currency,
        sourced.created_at as occurred_at,
        sourced.available_on,
        -- Amount, fee, fee lines and net must agree: where lines and net do, the fee itself is what does not.
        case
            when fees.fee_lines_cents <> sourced.amount_cents - sourced.net_cents then fees.fee_lines_cents
            else sourced.fee_cents
        end as explained_fee_cents,
        sourced.net_cents - sourced.amount_cents
        + case
            when fees.fee_lines_cents <> sourced.amount_cents - sourced.net_cents then fees.fee_lines_cents
            else sourced.fee_cents
        end as fee_variance_cents,
        objects.object_id is not null
        and objects.expected_sign <> 0
        and scopes.movement_type in ('collection', 'payout', 'payout_reversal', 'refund', 'bank_payout', 'topup')
        and objects.expected_sign * sourced.amount_cents < 0 as has_sign_mismatch,
        coalesce(repeats.movement_rank, 1) > 1 as is_repeat,
        sourced.exchange_rate_text is not null as has_rate,
        case
            when
                objects.object_currency <> sourced.currency
                and scopes.movement_type in ('collection', 'refund')
                and sourced.exchange_rate_text is not null
                then {{ billionths('sourced.exchange_rate_text') }}
        end as exchange_rate_billionths
    from sourced
    left join {{ ref('movement_scope') }} as scopes
        on sourced.reporting_category = scopes.reporting_category
    left join {{ ref('int_rail_objects') }} as objects
        on
            sourced.account_id = objects.account_id
            and sourced.object_id = objects.object_id
    left join {{ ref('int_movement_fees') }} as fees
        on
            sourced.account_id = fees.account_id
            and sourced.balance_transaction_id = fees.balance_transaction_id
    left join repeats
        on
            sourced.account_id = repeats.account_id
            and sourced.balance_transaction_id = repeats.balance_transaction_id
),

-- A converted movement meets the kernel in its object's currency; the balance's follows from the rate.
converted as (
    select
        *,
        -- What the movement would be if it ran the way of its object.
        case when has_sign_mismatch then -amount_cents else amount_cents end as directed_cents,
        exchange_rate_billionths is not null as is_converted,
        case
            when exchange_rate_billionths is not null then object_currency
            else currency
        end as claimed_currency,
        case
            when exchange_rate_billionths is not null then expected_sign * object_amount_cents
            when has_sign_mismatch then -amount_cents
            else amount_cents
        end as claimed_cents,
        case
            when exchange_rate_billionths is not null
                then case when has_sign_mismatch then -amount_cents else amount_cents end
                - {{ at_rate('(expected_sign * object_amount_cents)', 'exchange_rate_billionths') }}
            else 0
        end as conversion_gap_cents
    from joined
),

final as (
    select
        converted.*,
        case
            when abs(converted.conversion_gap_cents) > run.conversion_tolerance_cents then converted.conversion_gap_cents
            else 0
        end as fx_variance_cents
    from converted
    cross join {{ ref('stg_tieout__run') }} as run
)

select *
from final
