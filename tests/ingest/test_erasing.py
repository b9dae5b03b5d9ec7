"""Rows of a tenant leave the landing, others' rows in the same files stay, whatever dies when."""

from __future__ import annotations

import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.coverage import CoverageRow, land_coverage
from ingest.deliveries.spool import DeliverySpool, SpooledEvent, SpooledRefusal, spool_path
from ingest.erasing import Subject, erase_rows, erased_so_far, quarantined_lines, shares_of
from ingest.errors import LandingError
from ingest.folding import fold_landing
from ingest.kernel.link_types import CHARGE_LINKS
from ingest.kernel.rail_types import CONNECT_ACCOUNTS
from ingest.landing import Landing
from ingest.stripe.endpoints import ACCOUNTS
from ingest.stripe.kept import BALANCE_TRANSACTIONS, EVENTS
from ingest.tables import COVERAGE, PACKETS, PINNED_BATCHES, QUARANTINE, Quarantined, TableSpec
from tests.ingest.dying import forked

NOW = datetime(2026, 4, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
GONE, OTHER = "t_gone", "t_other"
HERS, HIS, SHARED, PLATFORM = "acct_1Hers", "acct_1His", "acct_1Both", "acct_1Platform"
SPECS = (
    CONNECT_ACCOUNTS.spec,
    CHARGE_LINKS.spec,
    BALANCE_TRANSACTIONS.spec,
    ACCOUNTS.shape.spec,
    EVENTS.spec,
    COVERAGE,
    QUARANTINE,
    PACKETS,
)
ERASE = """
from ingest import landing, parquet
from tests.ingest.dying import die_at, serve_forks
from tests.ingest.test_erasing import erase

def work(home, fatal):
    die_at(fatal, (parquet, "copy_without"))
    erase(landing.Landing(home), {tables})

serve_forks(work)
"""


def land(
    landing: Landing, spec: TableSpec, *rows: dict[str, Any], batch: str = "b1", **more: Any
) -> None:
    landing.write(spec, rows, batch_id=batch, received_at=NOW, **more)


def covered(account: str | None, tenant: str | None = None) -> CoverageRow:
    source = "kernel" if tenant else "stripe"
    return CoverageRow(
        *(source, account, "x", tenant, NOW, NOW, "complete", 1, 1, None, None, None, NOW, NOW),
        pull_id=f"{account}{tenant}",
    )


@pytest.fixture
def landing(home: Path) -> Landing:
    """Two tenants whose rows lie in the same batches, and a platform."""
    landing = Landing(home)
    claims = ((GONE, HERS), (OTHER, HIS), (GONE, SHARED), (OTHER, SHARED))
    accounts = [
        {"tenant_id": t, "account_id": a, "source_file": t, "occurrence": 0} for t, a in claims
    ]
    links = [{"tenant_id": t, "charge_id": f"ch_{n}"} for t in (GONE, OTHER) for n in range(3)]
    moved = [
        {"account_id": a, "id": f"txn_{n}{a}", "amount": n}
        for n in range(3)
        for a in (HERS, HIS, SHARED, PLATFORM)
    ]
    refused = [
        Quarantined(f"{t}/charge_links.jsonl", 1, "torn", "ends early", None, "again", t)
        for t in (GONE, OTHER)
    ]
    of_rail = [
        Quarantined(f"stripe/{a}/balance_transactions", 0, "odd", "an odd one", "txn", "look")
        for a in (HERS, HIS)
    ]
    land(landing, CONNECT_ACCOUNTS.spec, *accounts)
    land(landing, CHARGE_LINKS.spec, *links, quarantined=refused)
    land(landing, CHARGE_LINKS.spec, {"tenant_id": GONE, "charge_id": "ch_9"}, batch="b2")
    land(landing, BALANCE_TRANSACTIONS.spec, *moved, quarantined=of_rail)
    land(landing, ACCOUNTS.shape.spec, *({"account_id": PLATFORM, "id": a} for a in (HERS, HIS)))
    event = {"account_id": PLATFORM, "account": HERS, "id": "evt_1"}
    land(landing, EVENTS.spec, event, {**event, "account": HIS, "id": "evt_2"})
    rows = [covered(HERS), covered(HIS), covered(None, GONE), covered(None, OTHER)]
    land_coverage(landing, rows, batch_id="b1", received_at=NOW)
    land(landing, PACKETS, {"tenant_id": GONE, "period": "2026-03", "revision": 1})
    assert fold_landing(home, now=NOW, least=2).folds == 2
    landing.pin(run_id="before", known_at=NOW)
    return landing


def erase(landing: Landing, tables: int = len(SPECS)) -> list[str]:
    """What of the tenant goes, of the first tables; returns those it was found in."""
    subject = Subject(GONE, (HERS,))
    shares = shares_of(landing, SPECS[:tables], subject)
    with landing.alone():
        erase_rows(landing, shares, subject, erasure_id="era_1", at=LATER)
    return [share.spec.table for share in shares]


def everything(landing: Landing) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table with its lineage."""
    return {
        spec.name: landing.rows(spec, [c.name for c in (*spec.columns, *spec.lineage)])
        for spec in SPECS
    }


def is_gone(spec: TableSpec, row: tuple[object, ...]) -> bool:
    named = dict(zip([c.name for c in spec.columns], row, strict=False))
    if spec is PACKETS:
        return False
    return bool(
        {GONE, HERS} & {named.get(n) for n in ("tenant_id", "account_id", "account", "id")}
    ) or (spec is QUARANTINE and HERS in str(named["source_file"]))


def left_of(before: dict[str, list[tuple[object, ...]]]) -> dict[str, list[tuple[object, ...]]]:
    return {
        spec.name: [row for row in before[spec.name] if not is_gone(spec, row)] for spec in SPECS
    }


def test_a_tenants_rows_go_and_every_other_row_stays_as_it_was(landing: Landing) -> None:
    before = everything(landing)
    assert erase(landing) == [
        *("connect_accounts", "charge_links", "balance_transactions", "accounts", "events"),
        *("coverage", "quarantine"),
    ]
    after = everything(landing)
    assert after == left_of(before)
    # 2 of 4 claims and links of two batches; the account that both claim is nobody's alone.
    assert [len(before[s.name]) - len(after[s.name]) for s in SPECS] == [2, 4, 3, 1, 1, 2, 2, 0]
    assert sum(r[0] == SHARED for r in landing.rows(BALANCE_TRANSACTIONS.spec, ["account_id"])) == 3


def test_an_account_that_two_tenants_claim_is_not_one_tenants(landing: Landing) -> None:
    assert Subject.of(landing, GONE) == Subject(GONE, (HERS,), (SHARED,))


def test_a_batch_keeps_its_name_verifies_and_says_what_was_taken_out(landing: Landing) -> None:
    before = {(m.source, m.table, m.batch_id): m for m in landing.committed()}
    erase(landing)
    after = {(m.source, m.table, m.batch_id): m for m in landing.committed()}
    assert after.keys() == before.keys()
    for name, manifest in after.items():
        landing.verify(manifest)
        taken = sum(record.rows for record in manifest.erased)
        assert manifest.rows + taken == before[name].rows
        for record in manifest.erased:
            assert (record.erasure_id, record.tenant_id, record.at) == ("era_1", GONE, LATER)
            assert record.ndjson_sha256 == before[name].ndjson_sha256
        if not manifest.erased:
            assert manifest == before[name]
    emptied = after["kernel", "charge_links", "b2"]
    assert (emptied.rows, emptied.erased[0].rows) == (0, 1)
    assert erased_so_far(landing, "era_1") == (9, 15)


def test_what_was_erased_is_in_no_file_any_more(landing: Landing, home: Path) -> None:
    subject = Subject(GONE, (HERS,))
    assert quarantined_lines(home, subject) == 2
    erase(landing)
    assert quarantined_lines(home, subject) == 0
    files = list(home.glob("quarantine/*/*/*.jsonl"))
    assert sorted(path.read_text().count("\n") for path in files) == [1, 1]
    # Manifests name the tenant, because they say that it was erased.
    assert list(home.glob("folds/**/*.parquet")) == []
    for path in home.rglob("*.jsonl"):
        assert HERS not in path.read_text()
        assert GONE not in path.read_text()


def test_a_run_after_it_pins_the_same_batches_and_reads_what_is_left(landing: Landing) -> None:
    erase(landing)
    landing.pin(run_id="after", known_at=LATER)
    names = ["run_id", "source", "table_name", "batch_id"]
    pinned: dict[object, set[object]] = {}
    for run_id, *batch in landing.rows(PINNED_BATCHES, names):
        pinned.setdefault(run_id, set()).add(tuple(batch))
    assert pinned["after"] == pinned["before"]
    assert len(pinned["after"]) == 10


@pytest.mark.parametrize("run_id", ["before", "another"])
def test_a_question_of_a_time_before_it_is_told_that_the_data_is_gone(
    landing: Landing, run_id: str
) -> None:
    erase(landing)
    # The run that pinned its batches before is refused as well: they hold other rows now.
    with pytest.raises(LandingError) as refused:
        landing.pin(run_id=run_id, known_at=NOW)
    assert refused.value.code == "erased_since"
    assert GONE in str(refused.value)
    assert landing.erased_at() == LATER


def test_nothing_is_taken_out_while_anybody_reads_or_writes(landing: Landing, home: Path) -> None:
    before = everything(landing)
    with Landing(home).in_use(), pytest.raises(LandingError) as refused:
        erase(landing)
    assert refused.value.code == "landing_in_use"
    assert everything(landing) == before


def test_doing_it_again_changes_nothing(landing: Landing, home: Path) -> None:
    erase(landing)
    files = {path: path.read_bytes() for path in home.glob("landing/*/*/*") if path.is_file()}
    assert erase(landing) == []
    assert {p: p.read_bytes() for p in home.glob("landing/*/*/*") if p.is_file()} == files


@pytest.mark.parametrize("tables", [1, pytest.param(len(SPECS), marks=pytest.mark.slow)])
def test_killed_at_any_step_the_home_works_and_asking_again_finishes(
    landing: Landing,
    home: Path,
    tmp_path: Path,
    tables: int,
) -> None:
    before = everything(landing)
    done = left_of(before)
    progress = []
    with forked(ERASE.format(tables=tables)) as erase_until:
        for fatal in range(1, 200):
            copy = tmp_path / "copy"
            shutil.copytree(home, copy)
            ended = erase_until(copy, fatal)
            again = Landing(copy)
            for manifest in again.committed():
                again.verify(manifest)
            found = everything(again)
            for name, rows in found.items():
                # Each row that stays is there, and of the others none comes twice.
                assert [row for row in rows if row in done[name]] == done[name]
                assert set(rows) <= set(before[name])
                assert len(rows) == len(set(rows))
            again.pin(run_id="between", known_at=LATER)
            progress.append(sum(map(len, found.values())))
            erase(again)
            assert everything(again) == done
            assert erased_so_far(again, "era_1") == (9, 15)
            assert not [p for p in copy.rglob("*") if p.suffix in {".tmp", ".rewritten"}]
            shutil.rmtree(copy)
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
        else:
            pytest.fail("the erasure never came to its end")
    assert len(progress) > 8 * tables
    # A row that has gone at one step is not back at a later one.
    assert progress == sorted(progress, reverse=True)


def test_the_spool_forgets_a_tenant_and_its_accounts(home: Path) -> None:
    with DeliverySpool(home) as spool:
        for account in (HERS, HIS):
            spool.add_event(SpooledEvent(f"evt_{account}", "charge.updated", account, NOW), at=NOW)
            spool.refuse(SpooledRefusal("drop", "late", f"e_{account}", "x", account, NOW))
        for tenant in (GONE, OTHER):
            spool.add_provider_event(tenant, "stripe", "k1", {"note": f"of {tenant}"}, at=NOW)
        assert spool.count_of(GONE, [HERS]) == 3
        spool.forget(GONE, [HERS])
        assert spool.count_of(GONE, [HERS]) == 0
        assert [event.account for event in spool.waiting(9)] == [HIS]
        assert [refusal.account for refusal in spool.refusals()] == [HIS]
        assert [tenant for tenant, *_ in spool.provider_events()] == [OTHER]
        for path in spool_path(home).parent.glob("deliveries.sqlite*"):
            assert GONE.encode() not in path.read_bytes()
            assert HERS.encode() not in path.read_bytes()
