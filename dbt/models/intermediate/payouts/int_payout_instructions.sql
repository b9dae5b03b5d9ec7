-- grain: one payout key of a tenant: its latest instruction, a verified one if there is any
{{ config(
    materialized='carried',
    carried_key=['tenant_id', 'payout_key'],
    touched_by='select tenant_id, payout_key from changed.stg_kernel__payout_instructions',
    narrowed={'stg_kernel__payout_instructions': ['tenant_id', 'payout_key']},
) }}
with ranked as (
    select
        *,
        row_number() over (
            partition by tenant_id, payout_key
            order by
                case when verdict = 'mismatch' then 1 else 0 end asc nulls last,
                case when is_vouched then 0 else 1 end asc nulls last,
                generated_at desc nulls last,
                artifact_id desc nulls last
        ) as latest_rank
    from {{ ref('stg_kernel__payout_instructions') }}
    where payout_key is not null
),

-- Two instructions under one key that want different money cannot both be meant.
variants as (
    select
        tenant_id,
        payout_key,
        count(distinct cast(amount_cents as {{ dbt.type_string() }}) || currency || party_id || period) as variants
    from ranked
    where verdict <> 'mismatch'
    group by tenant_id, payout_key
),

final as (
    select
        ranked.tenant_id,
        ranked.payout_key,
        ranked.artifact_id,
        ranked.artifact_hash,
        ranked.verdict,
        {{ may_fund('ranked') }} as may_fund,
        ranked.party_id,
        ranked.party_role,
        ranked.period,
        ranked.currency,
        ranked.amount_cents as instructed_cents,
        -- Only operators and subcontractors are paid; everything else is nothing due, as in the original.
        case
            when ranked.party_role in ('operator', 'subcontractor') and ranked.amount_cents > 0 then ranked.amount_cents
            else 0
        end as gross_cents,
        ranked.destination_ref,
        ranked.statement_hash,
        ranked.generated_at,
        coalesce(variants.variants, 0) > 1 as is_ambiguous
    from ranked
    left join variants
        on
            ranked.tenant_id = variants.tenant_id
            and ranked.payout_key = variants.payout_key
    where ranked.latest_rank = 1
)

select *
from final
