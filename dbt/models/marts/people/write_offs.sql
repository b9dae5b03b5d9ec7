-- grain: one proposed write-off or repayment, void ones included, and why it does not count
with
{{ paired_acts(ref('stg_tieout__write_offs'), 'write_off_id') }},

final as (
    select
        tenant_id,
        write_off_id,
        entry_kind,
        party_id,
        break_id,
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
        act_status as write_off_status,
        act_void_code as void_code
    from paired
)

select *
from final
