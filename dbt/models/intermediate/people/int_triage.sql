-- grain: one break that somebody took in hand: the newest of each thing said about it
with run as (
    select as_of
    from {{ ref('stg_tieout__run') }}
),

lines as (
    select triage.*
    from {{ ref('stg_tieout__triage') }} as triage
    cross join run
    where
        triage.line_status = 'valid'
        and triage.occurred_at <= run.as_of
),

newest as (
    select
        tenant_id,
        break_id,
        max(case when triage_status is not null then seq end) as status_seq,
        max(case when owner is not null then seq end) as owner_seq,
        max(case when due_at is not null then seq end) as due_seq,
        max(case when note is not null then seq end) as note_seq,
        max(seq) as last_seq,
        count(note) as notes
    from lines
    group by tenant_id, break_id
),

final as (
    select
        newest.tenant_id,
        newest.break_id,
        coalesce(statuses.triage_status, 'open') as triage_status,
        -- A resolution belongs to the status that closed the matter.
        statuses.resolution,
        owners.owner,
        dues.due_at,
        noted.note,
        newest.notes,
        newest.last_seq,
        last_lines.occurred_at as last_act_at
    from newest
    inner join lines as last_lines
        on newest.last_seq = last_lines.seq
    left join lines as statuses
        on newest.status_seq = statuses.seq
    left join lines as owners
        on newest.owner_seq = owners.seq
    left join lines as dues
        on newest.due_seq = dues.seq
    left join lines as noted
        on newest.note_seq = noted.seq
)

select *
from final
