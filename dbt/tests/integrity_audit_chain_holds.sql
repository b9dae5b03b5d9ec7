-- Every act of the audit trail names the hash of the one before it, and none is missing.
{{ config(severity='warn') }}
with linked as (
    select
        seq,
        prev_hash,
        chain_status,
        lag(seq) over (order by seq asc nulls last) as seq_before,
        lag(entry_hash) over (order by seq asc nulls last) as hash_before
    from {{ ref('audit_log') }}
)

select
    seq,
    chain_status
from linked
where
    chain_status <> 'intact'
    or seq <> coalesce(seq_before, 0) + 1
    or (hash_before is not null and prev_hash <> hash_before)
