{#- Rules of matching that several models go by. -#}

{#- The receipt that a source of a payout is about: itself, or the one whose fee it is; null for any other source. -#}
{% macro receipt_of(relation) -%}
    case
        when {{ relation }}.source_type = 'receipt' then {{ relation }}.source_id
        when {{ relation }}.source_type = 'fee' and substr({{ relation }}.source_id, 1, 4) = 'fee_' then substr({{ relation }}.source_id, 5)
    end
{%- endmacro %}

{#- Nearness: pairs of which each side is the other's one nearest. Ties match nothing. -#}

{#- CTEs that end in `name`: transfer_id, tenant_id, payout_key of such pairs of a relation of pairs. -#}
{% macro mutual_best(pairs, name) -%}
    {{ name }}_of_transfers as (
        select
            near.transfer_id,
            min(near.payout_key) as payout_key
        from {{ pairs }} as near
        inner join (
            select transfer_id, min(distance_cents) as distance_cents
            from {{ pairs }}
            group by transfer_id
        ) as best
            on
                near.transfer_id = best.transfer_id
                and near.distance_cents = best.distance_cents
        group by near.transfer_id
        having count(*) = 1
    ),

    {{ name }}_of_payouts as (
        select
            near.tenant_id,
            near.payout_key,
            min(near.transfer_id) as transfer_id
        from {{ pairs }} as near
        inner join (
            select tenant_id, payout_key, min(distance_cents) as distance_cents
            from {{ pairs }}
            group by tenant_id, payout_key
        ) as best
            on
                near.tenant_id = best.tenant_id
                and near.payout_key = best.payout_key
                and near.distance_cents = best.distance_cents
        group by near.tenant_id, near.payout_key
        having count(*) = 1
    ),

    {{ name }} as (
        select
            payouts.transfer_id,
            payouts.tenant_id,
            payouts.payout_key
        from {{ name }}_of_payouts as payouts
        inner join {{ name }}_of_transfers as transfers
            on
                payouts.transfer_id = transfers.transfer_id
                and payouts.payout_key = transfers.payout_key
    )
{%- endmacro %}
