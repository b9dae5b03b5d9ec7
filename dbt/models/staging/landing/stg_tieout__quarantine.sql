-- grain: one input that could not be accepted
with
{{ all_landed('tieout', 'quarantine') }},

final as (
    select
        tenant_id,
        source,
        table_name,
        source_file,
        line as line_no,
        code as quarantine_code,
        detail,
        key as object_key,
        remedy,
        received_at
    from latest
)

select *
from final
