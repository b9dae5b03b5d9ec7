-- grain: one proposed write-off or repayment, void ones included, and why it does not count
with
{{ paired_acts(ref('stg_tieout__write_offs'), 'write_off_id') }},

-- One that closes a break ends when the break is gone or its drift is another one, sign included.
compared as (
    select
        paired.*,
        case
            when paired.act_status <> 'approved' or paired.break_id is null then paired.act_void_code
            when items.break_id is null then 'break_gone'
            when
                items.expected_cents - items.actual_cents <> paired.drift_cents
                or items.currency <> paired.currency
                then 'drift_changed'
        end as final_void_code
    from paired
    left join {{ ref('int_open_items') }} as items
        on
            paired.tenant_id = items.tenant_id
            and paired.break_id = items.break_id
),

final as (
    select
        tenant_id,
        write_off_id,
        entry_kind,
        party_id,
        break_id,
        drift_cents,
        amount_cents,
        currency,
        evidence_url,
        reason,
        proposed_by,
        proposed_at,
        approved_by,
        approved_at,
        revoked_by,
        revoked_at,
        case when final_void_code is not null then 'void' else act_status end as write_off_status,
        final_void_code as void_code
    from compared
)

select *
from final
