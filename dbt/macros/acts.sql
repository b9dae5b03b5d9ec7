{#- Acts that take two people: a proposal, its approval by somebody else, and its revocation.
    `agreeing` is a further condition between a proposal (p) and an approval (a). -#}

{% macro paired_acts(lines, act_id, agreeing='true') %}
    run as (
        select as_of
        from {{ ref('stg_tieout__run') }}
    ),

    -- A line dated later than the run is not known to it; one that cannot be read has no date.
    lines as (
        select lines.*
        from {{ lines }} as lines
        cross join run
        where lines.occurred_at <= run.as_of
    ),

    proposals as (
        select *
        from lines
        where action = 'propose'
    ),

    answers as (
        select
            p.{{ act_id }} as act_id,
            min(case when a.action = 'approve' and a.operator <> p.operator and {{ agreeing }} then a.seq end) as approval_seq,
            min(case when a.action = 'approve' and a.operator = p.operator then a.seq end) as self_approval_seq,
            min(case when a.action = 'approve' and a.operator <> p.operator and not ({{ agreeing }}) then a.seq end) as other_approval_seq,
            min(case when a.action = 'revoke' then a.seq end) as revocation_seq
        from proposals as p
        inner join lines as a
            on
                p.{{ act_id }} = a.{{ act_id }}
                and p.tenant_id = a.tenant_id
        where a.line_status = 'valid'
        group by p.{{ act_id }}
    ),

    paired as (
        select
            proposals.*,
            answers.approval_seq,
            answers.revocation_seq,
            proposals.operator as proposed_by,
            proposals.occurred_at as proposed_at,
            approvals.operator as approved_by,
            approvals.occurred_at as approved_at,
            revocations.operator as revoked_by,
            revocations.occurred_at as revoked_at,
            case
                when proposals.line_status <> 'valid' then 'void'
                when answers.revocation_seq is not null then 'revoked'
                when answers.approval_seq is not null then 'approved'
                when answers.self_approval_seq is not null or answers.other_approval_seq is not null then 'void'
                else 'proposed'
            end as act_status,
            case
                when proposals.line_status <> 'valid' then proposals.void_code
                when answers.revocation_seq is not null or answers.approval_seq is not null then null
                when answers.self_approval_seq is not null then 'self_approved'
                when answers.other_approval_seq is not null then 'approved_other_figures'
            end as act_void_code
        from proposals
        left join answers
            on proposals.{{ act_id }} = answers.act_id
        left join lines as approvals
            on answers.approval_seq = approvals.seq
        left join lines as revocations
            on answers.revocation_seq = revocations.seq
    )
{%- endmacro %}
