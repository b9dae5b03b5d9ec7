"""What stands against certifying a month, over a published file made for the purpose.

Belongs here: refusals that the office's world does not reach. Does not belong here: the commands
and their two people (`test_people.py`), or how an objection comes about (tests/warehouse).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from dagster_project.certifying import certifiable
from dagster_project.home import Home, prepare_home
from dagster_project.runs import Run, remember_published
from ingest.errors import TieoutError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _published(
    root: Path, blocker: tuple[str, str] | None, *, certification: str | None = None
) -> Home:
    """A home whose publication says `reconciled`, with one objection for a period or none, and one
    certification of October's figures as they are, of a status, or none."""
    home = prepare_home(root)
    with duckdb.connect(str(home.published / "tieout-one.duckdb")) as marts:
        marts.execute(
            "create table reconciliation_runs as select 'acme' as tenant_id, '2026-10' as period, "
            "'USD' as currency, 'reconciled' as verdict"
        )
        marts.execute(
            "create table certification_blockers (tenant_id varchar, period varchar, "
            "blocker varchar, blocked_items bigint, first_code varchar, first_item varchar)"
        )
        marts.execute(
            "create table period_figures as select 'acme' as tenant_id, '2026-10' as period, "
            "'USD' as currency, 'rail_total' as figure, 5::bigint as amount_cents, "
            "null::varchar as certification_id, null::bigint as certified_cents, "
            "false as is_restated"
        )
        marts.execute(
            "create table period_certifications (tenant_id varchar, period varchar, "
            "certification_id varchar, certification_status varchar)"
        )
        if certification is not None:
            marts.execute(
                "insert into period_certifications values ('acme', '2026-10', 'cert_1', ?)",
                [certification],
            )
        if blocker is not None:
            marts.execute(
                "insert into certification_blockers values ('acme', ?, ?, 1, 'A_CODE', 'a_1')",
                blocker,
            )
    home.current.symlink_to("tieout-one.duckdb")
    remember_published(home, Run(run_id="one", as_of=NOW, known_at=NOW, started_at=NOW))
    return home


@pytest.mark.parametrize("period", ["2026-10", "all"])
@pytest.mark.parametrize(
    "blocker", ["TIE_OUT_FAILS", "ARTIFACT_UNVERIFIED", "EXPORT_UNVERIFIED", "SOURCE_INCOMPLETE"]
)
def test_a_reconciled_month_with_an_objection_is_not_certified(
    tmp_path: Path, period: str, blocker: str
) -> None:
    home = _published(tmp_path, (period, blocker))
    with pytest.raises(TieoutError) as refused:
        certifiable(home, "acme", "2026-10", now=NOW)
    assert refused.value.code == "certification_blocked"
    assert blocker in str(refused.value)
    assert "a_1" in str(refused.value)


@pytest.mark.parametrize("blocker", [None, ("2026-09", "TIE_OUT_FAILS")])
def test_another_months_objection_blocks_nothing(
    tmp_path: Path, blocker: tuple[str, str] | None
) -> None:
    home = _published(tmp_path, blocker)
    with pytest.raises(TieoutError) as refused:
        certifiable(home, "acme", "2026-10", now=NOW)
    # The next thing asked for, which this home has none of.
    assert refused.value.code == "packet_missing"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ("certified", "already_certified"),
        # Late data undid it, and its figures have returned since.
        ("decertified", "packet_missing"),
        ("revoked", "packet_missing"),
    ],
)
def test_only_a_certification_that_stands_stands_in_the_way_of_another(
    tmp_path: Path, status: str, refusal: str
) -> None:
    home = _published(tmp_path, None, certification=status)
    with pytest.raises(TieoutError) as refused:
        certifiable(home, "acme", "2026-10", now=NOW)
    assert refused.value.code == refusal
