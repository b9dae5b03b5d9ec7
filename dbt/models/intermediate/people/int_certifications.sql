-- grain: one proposed certification of a tenant's period: who prepared, who approved, whether it stands
with
{{ paired_acts(ref('stg_tieout__certifications'), 'certification_id', agreeing='a.figures_sha256 = p.figures_sha256') }},

newest as (
    select
        tenant_id,
        period,
        max(seq) as seq
    from paired
    where act_status = 'approved'
    group by tenant_id, period
),

final as (
    select
        paired.certification_id,
        paired.tenant_id,
        paired.period,
        paired.verdict,
        paired.run_id,
        paired.packet_sha256,
        paired.figures_sha256,
        paired.reason,
        paired.proposed_by as prepared_by,
        paired.proposed_at as prepared_at,
        paired.approved_by,
        paired.approved_at as certified_at,
        paired.revoked_by,
        paired.revoked_at,
        case
            when paired.act_status = 'approved' and paired.seq < newest.seq then 'superseded'
            else paired.act_status
        end as certification_status,
        paired.act_void_code as void_code,
        coalesce(paired.seq = newest.seq, false) as is_standing
    from paired
    left join newest
        on
            paired.tenant_id = newest.tenant_id
            and paired.period = newest.period
)

select *
from final
