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

{#- What was paid: CTEs that end in `of_links`, with a row for each link of a payout to a receipt, adjustment or hold: what was
    instructed, paid and taken back for it. -#}
{% macro source_payments() -%}
    -- What the balance does not show was not paid, whatever its transfer says.
    shown as (
        select distinct transfer_id
        from {{ ref('int_movement_outcomes') }}
        where
            movement_type = 'payout'
            and not is_repeat
            and currency = object_currency
    ),

    transfers as (
        select
            allocations.tenant_id,
            allocations.payout_key,
            allocations.transfer_id,
            allocations.expected_cents,
            allocations.allocated_cents,
            case
                when reversals.reversed_cents - allocations.undone_cents > allocations.allocated_cents
                    then allocations.allocated_cents
                else coalesce(reversals.reversed_cents - allocations.undone_cents, 0)
            end as reversed_cents
        from {{ ref('int_transfer_allocations') }} as allocations
        inner join shown
            on allocations.transfer_id = shown.transfer_id
        left join {{ ref('int_transfer_reversed') }} as reversals
            on allocations.transfer_id = reversals.transfer_id
        where allocations.allocated_cents > 0
    ),

    -- Most payouts went out in one transfer of which nothing came back: there each link was paid as instructed.
    whole as (
        select
            transfers.tenant_id,
            transfers.payout_key
        from transfers
        inner join {{ ref('int_payout_mapping') }} as mapping
            on
                transfers.tenant_id = mapping.tenant_id
                and transfers.payout_key = mapping.payout_key
        where
            mapping.mapping_level = 'receipt'
            and transfers.allocated_cents = transfers.expected_cents
            and transfers.reversed_cents = 0
    ),

    in_parts as (
        select transfers.*
        from transfers
        left join whole
            on
                transfers.tenant_id = whole.tenant_id
                and transfers.payout_key = whole.payout_key
        where whole.payout_key is null
    ),

    -- A reversal takes back from each source in proportion, the odd cents from the largest; a whole one takes back all.
    shares as (
        select
            in_parts.tenant_id,
            in_parts.payout_key,
            shares.transfer_id,
            shares.source_type,
            shares.source_id,
            shares.allocated_cents,
            in_parts.reversed_cents as whole_cents,
            {{ share_of('shares.allocated_cents', 'in_parts.reversed_cents', 'in_parts.allocated_cents') }} as share_cents,
            row_number() over (
                partition by shares.transfer_id
                order by
                    shares.allocated_cents desc nulls last,
                    shares.source_type asc nulls last,
                    shares.source_id asc nulls last
            ) as source_rank
        from in_parts
        inner join {{ ref('int_payout_references') }} as shares
            on in_parts.transfer_id = shares.transfer_id
    ),

    odd_cents as (
        select
            transfer_id,
            max(whole_cents) - {{ sum_cents('share_cents') }} as rest_cents
        from shares
        group by transfer_id
    ),

    paid as (
        select
            shares.tenant_id,
            shares.payout_key,
            shares.source_type,
            shares.source_id,
            {{ sum_cents('shares.allocated_cents') }} as paid_cents,
            {{ sum_cents('shares.share_cents + case when shares.source_rank = 1 then odd_cents.rest_cents else 0 end') }}
                as reversed_cents
        from shares
        inner join odd_cents
            on shares.transfer_id = odd_cents.transfer_id
        group by shares.tenant_id, shares.payout_key, shares.source_type, shares.source_id
    ),

    of_links as (
        select
            links.tenant_id,
            links.payout_key,
            links.source_type,
            links.source_id,
            {{ receipt_of('links') }} as receipt_id,
            links.currency,
            links.amount_cents as instructed_cents,
            case
                when whole.payout_key is not null then links.amount_cents
                else coalesce(paid.paid_cents, 0)
            end as paid_cents,
            coalesce(paid.reversed_cents, 0) as reversed_cents
        from {{ ref('stg_kernel__receipt_payout_links') }} as links
        left join whole
            on
                links.tenant_id = whole.tenant_id
                and links.payout_key = whole.payout_key
        left join paid
            on
                links.tenant_id = paid.tenant_id
                and links.payout_key = paid.payout_key
                and links.source_type = paid.source_type
                and links.source_id = paid.source_id
        where
            links.verdict <> 'mismatch'
            and links.source_type in ('receipt', 'adjustment', 'holdback', 'fee')
    )
{%- endmacro %}

{#- When a publication first told each month of a tenant that `months` lists: a month before a told one was told with
    it. -#}
{% macro told_by(months, period) -%}
(
    select
        months.tenant_id,
        months.{{ period }},
        min(told.told_at) as told_at
    from {{ months }} as months
    inner join {{ ref('int_told_months') }} as told
        on
            months.tenant_id = told.tenant_id
            and months.{{ period }} <= told.period
    group by months.tenant_id, months.{{ period }}
)
{%- endmacro %}
