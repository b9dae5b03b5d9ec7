-- grain: one posting of a write-off or repayment that two people signed; its revocation posts the reverse
with
{{ paired_acts(ref('stg_tieout__write_offs'), 'write_off_id') }},

-- What was approved before it was revoked was in the books until then.
ever_approved as (
    select *
    from paired
    where
        approved_at is not null
        and line_status = 'valid'
        -- What was revoked before anybody approved it never was in the books.
        and coalesce(revocation_seq > approval_seq, true)
),

postings as (
    select
        write_off_id,
        'posted' as posting,
        approved_at as posted_at,
        amount_cents
    from ever_approved

    union all

    select
        write_off_id,
        'reversed' as posting,
        revoked_at as posted_at,
        -amount_cents as amount_cents
    from ever_approved
    where revoked_at is not null
),

final as (
    select
        acts.tenant_id,
        postings.write_off_id,
        postings.posting,
        acts.entry_kind,
        acts.party_id,
        acts.break_id,
        acts.drift_cents,
        acts.currency,
        postings.amount_cents,
        postings.posted_at,
        acts.act_status = 'approved' as is_standing
    from postings
    inner join ever_approved as acts
        on postings.write_off_id = acts.write_off_id
)

select *
from final
