-- grain: one payout instruction: whether its key, statement, links and operation all say the same
with links as (
    select
        tenant_id,
        payout_key,
        count(*) as links,
        count(case when not is_verified then 1 end) as unverified_links,
        {{ sum_cents('case when not is_verified and amount_cents > 0 then amount_cents end') }} as unverified_cents,
        count(distinct currency) as currencies,
        min(currency) as currency,
        {{ sum_cents('amount_cents') }} as linked_cents
    from {{ ref('int_gate_sources') }}
    group by tenant_id, payout_key
),

-- The statement is found by its hash; one whose own hash lies proves nothing, and one that nobody vouches for funds nothing.
statements as (
    select
        tenant_id,
        artifact_hash,
        min(case when verdict <> 'mismatch' then party_id end) as party_id,
        min(case when verdict <> 'mismatch' then period end) as period,
        min(case when verdict <> 'mismatch' then currency end) as currency,
        min(case when verdict <> 'mismatch' then payout_cents end) as payout_cents,
        count(distinct case
            when verdict <> 'mismatch'
                then cast(payout_cents as {{ dbt.type_string() }}) || party_id || period || currency
        end) as variants,
        count(case when not {{ may_fund('statements') }} then 1 end) as unverified
    from {{ ref('stg_kernel__party_statements') }} as statements
    group by tenant_id, artifact_hash
),

joined as (
    select
        subjects.tenant_id,
        subjects.payout_key,
        subjects.is_paid,
        coalesce(links.links, 0) as links,
        coalesce(links.unverified_links, 0) + coalesce(statements.unverified, 0) as unverified_sources,
        case
            when coalesce(links.links, 0) = 0 and statements.unverified > 0 then subjects.gross_cents
            else coalesce(links.unverified_cents, 0)
        end as unverified_cents,
        subjects.payout_key <> subjects.tenant_id || ':party:' || subjects.party_id
        || ':period:' || subjects.period || ':statement:' || subjects.statement_hash as is_key_wrong,
        coalesce(statements.variants, 0) > 0 as has_statement,
        coalesce(
            statements.variants > 1
            or statements.party_id <> subjects.party_id
            or statements.period <> subjects.period
            or statements.currency <> subjects.currency
            or statements.payout_cents <> subjects.instructed_cents,
            false
        ) as is_statement_wrong,
        coalesce(
            links.currencies > 1
            or links.currency <> subjects.currency
            or links.linked_cents <> subjects.instructed_cents,
            false
        ) as is_sum_wrong,
        operations.payout_key is not null and operations.payout_artifact_hash is null as is_operation_unbound,
        coalesce(operations.payout_artifact_hash <> subjects.artifact_hash, false) as is_operation_wrong,
        coalesce(
            operations.is_initiated
            and (
                upper(operations.currency) <> upper(subjects.currency)
                or operations.gross_cents <> subjects.instructed_cents
                or operations.amount_cents + operations.chargeback_recovery_applied_cents <> operations.gross_cents
            ),
            false
        ) as is_operation_amount_wrong,
        subjects.is_ambiguous
    from {{ ref('int_payout_subjects') }} as subjects
    left join {{ ref('int_payout_operations') }} as operations
        on
            subjects.tenant_id = operations.tenant_id
            and subjects.payout_key = operations.payout_key
    left join links
        on
            subjects.tenant_id = links.tenant_id
            and subjects.payout_key = links.payout_key
    left join statements
        on
            subjects.tenant_id = statements.tenant_id
            and subjects.statement_hash = statements.artifact_hash
),

final as (
    select
        tenant_id,
        payout_key,
        links,
        unverified_sources,
        unverified_cents,
        case
            when is_operation_wrong then 'artifact_hash_mismatch'
            when is_operation_unbound then 'artifact_hash_missing'
            when is_operation_amount_wrong then 'operation differs from its instruction'
            when is_ambiguous then 'several instructions under one key'
            when coalesce(is_key_wrong, true) then 'key does not name its instruction'
            when is_statement_wrong then 'statement differs'
            when is_sum_wrong then 'links do not sum to the instruction'
            when not is_paid and links = 0 and not has_statement then 'neither links nor statement'
        end as binding_error
    from joined
)

select *
from final
