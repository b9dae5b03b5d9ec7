-- grain: one kernel artifact that could fund a payout and that no export signed by a trusted key ever carried
{%- set funding = [
    ('settlement_receipts', 'receipt_id', 'coalesce(settled_at, created_at)'),
    ('settlement_adjustments', 'adjustment_id', 'created_at'),
    ('funding_holds', 'hold_hash', 'created_at'),
    ('party_statements', 'artifact_id', none),
    ('payout_instructions', 'artifact_id', none)
] %}
with unvouched as (
    {%- for artifact_type, id_column, dated in funding %}
    select
        tenant_id,
        '{{ artifact_type }}' as artifact_type,
        {{ id_column }} as artifact_id,
        {{ period_of(dated) if dated else 'period' }} as period
    from {{ ref('stg_kernel__' ~ artifact_type) }}
    where not is_vouched

    union all
    {% endfor %}
    select
        tenant_id,
        'receipt_payout_links' as artifact_type,
        payout_key || '/' || source_type || '/' || source_id as artifact_id,
        nullif(regexp_extract(payout_key, ':period:([0-9]{4}-[0-9]{2}):', 1), '') as period
    from {{ ref('stg_kernel__receipt_payout_links') }}
    where not is_vouched

    union all

    select
        tenant_id,
        'charge_links' as artifact_type,
        charge_id || '/' || party_id || '/' || source_type || '/' || source_id as artifact_id,
        cast(null as {{ dbt.type_string() }}) as period
    from {{ ref('stg_kernel__charge_links') }}
    where not is_vouched
),

final as (
    select
        tenant_id,
        artifact_type,
        artifact_id,
        coalesce(period, 'all') as period
    from unvouched
)

select *
from final
