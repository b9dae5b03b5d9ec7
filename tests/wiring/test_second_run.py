"""Running again: no new packet and no second payment; a switch holds; an old as_of stays apart."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dagster_project import building, closing, deciding, enforcing, issuing, pipeline, shelf
from dagster_project.controls import book_of, change, signing_as
from dagster_project.due import pending_decisions
from dagster_project.explaining import HISTORY, lives_of
from dagster_project.home import Home
from dagster_project.manifest import ACTS_TAG, Manifest
from dagster_project.marts import Marts
from dagster_project.runs import Run, begin, last_published, new_run_id, remember_published
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.sources import all_specs
from ingest.errors import TieoutError
from ingest.folding import fold_landing
from ingest.folds import Fold, Folds, remove_folds
from ingest.landing import new_batch_id
from ingest.tables import BIGINT, BREAKS, PINNED_BATCHES, RUN_LOG


@pytest.fixture(scope="module")
def session(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A copy of the demo's home, in the hands of one session."""
    home = tmp_path_factory.mktemp("again") / "home"
    shutil.copytree(demo_home, home, symlinks=True)
    settings = replace(Settings.from_env({"TIEOUT_HOME": str(home)}), payouts="live")
    return Session.open(settings)


def test_the_same_content_issues_no_packet(session: Session) -> None:
    run = last_published(session.home)
    assert run is not None
    before = shelf.issued(session.home)
    assert issuing.issue_packets(session, run) == []
    assert shelf.issued(session.home) == before


def test_landing_the_same_acts_again_changes_nothing(session: Session) -> None:
    run = last_published(session.home)
    assert run is not None
    assert set(closing.land_acts(session, run).values()) == {0}


def test_closing_out_after_another_build_lands_nothing_again(session: Session) -> None:
    """The next build's files hold none of the amounts that the publication had."""
    run = last_published(session.home)
    assert run is not None
    with duckdb.connect(str(session.home.warehouse / "work.duckdb")) as work:
        work.execute("update work.landing.run_parameters set run_id = 'another'")
    assert set(closing.land_acts(session, run).values()) == {0}
    with duckdb.connect(str(session.home.warehouse / "work.duckdb")) as work:
        work.execute("update work.landing.run_parameters set run_id = $1", [run.run_id])


def test_a_run_that_died_before_its_close_out_is_closed_out_by_the_next(session: Session) -> None:
    run = last_published(session.home)
    assert run is not None
    now = session.clock()
    killed = replace(run, run_id=new_run_id(now))
    following = replace(run, run_id=new_run_id(now), started_at=now)
    remember_published(session.home, killed)
    assert closing.land_left_acts(session, following)["breaks"] > 0
    assert (killed.run_id,) in session.landing.distinct(RUN_LOG, ("run_id",))
    # What begins now knows it: its history was received when it began.
    received = session.landing.distinct(BREAKS, ("run_id", "received_at"))
    assert (killed.run_id, now) in received
    assert closing.land_left_acts(session, following) == {}
    remember_published(session.home, run)


def test_a_publication_leaves_what_it_held_open_as_history(session: Session) -> None:
    run = last_published(session.home)
    assert run is not None
    files = session.home.root / "landing" / BREAKS.source / BREAKS.table / "*.parquet"
    told = duckdb.sql(
        """
        select tenant_id, currency, cast(sum(open_cents) as bigint), bool_and(opened_at is not null)
        from read_parquet($files)
        where run_id = $run_id and outcome <> 'ok'
        group by all
        """,
        params={"run_id": run.run_id, "files": str(files)},
    ).fetchall()
    with Marts.published(session.home) as marts:
        rows = sorted(marts.rows("open_item_rollforward"), key=lambda row: row["period"])
    closing_cents = {(row["tenant_id"], row["currency"]): row["closing_cents"] for row in rows}
    assert sum(closing_cents.values()) > 0
    assert {(tenant, currency): cents for tenant, currency, cents, _ in told} == {
        key: cents for key, cents in closing_cents.items() if cents
    }
    assert all(is_dated for *_, is_dated in told)


def test_a_break_that_is_over_is_explained_by_what_publications_said_of_it(
    session: Session,
) -> None:
    gone = f"brk_{7:024x}"
    told = ("new", "persisting", "persisting", "resolved")
    rows = [
        {
            "run_id": f"told_{day}",
            "as_of": datetime(2026, 9, 1 + day, tzinfo=UTC),
            "tenant_id": "tenant_aurora",
            "break_id": gone,
            "outcome": "ok" if lifecycle == "resolved" else "break",
            "lifecycle": lifecycle,
            "reason_code": "AMOUNT_UNDER",
            "drift_cents": 500,
            "currency": "USD",
        }
        for day, lifecycle in enumerate(told)
    ]
    now = session.clock()
    session.landing.write(BREAKS, rows, batch_id=new_batch_id(now, "told"), received_at=now)
    (life,) = lives_of(session.home, gone)
    found = [(row["as_of"].day, row["lifecycle"]) for row in life.rows[HISTORY]]
    assert found == [(1, "new"), (2, "persisting"), (4, "resolved")]
    with pytest.raises(TieoutError, match="no published row"):
        lives_of(session.home, gone, "tenant_birch")


def test_the_same_decision_is_signed_to_the_same_bytes(session: Session) -> None:
    run = last_published(session.home)
    assert run is not None
    before = {path: path.read_bytes() for path in session.home.decisions.rglob("*.json")}
    # Packets issued since rest under it, so the document is the same only if they are.
    deciding.issue_decisions(session, run)
    assert {p: p.read_bytes() for p in session.home.decisions.rglob("*.json")} == before


def test_a_decision_already_carried_out_is_not_pending(session: Session) -> None:
    assert pending_decisions(session.home) == []
    assert enforcing.enforce_pending(session) == []


def test_a_kill_switch_stops_the_very_next_call(session: Session) -> None:
    with session:
        (session.home.state / "enforced.json").unlink()
        change(
            session.settings,
            session.home,
            {"action": "kill", "value": True, "tenant_id": "*"},
            at=session.clock(),
            reason="test",
            first=signing_as(session.settings, "demo-operator-1", None),
            second=None,
        )
        journal = session.home.root / "journal" / "payouts.jsonl"
        before = journal.read_text().count('"intent"')
        results = enforcing.enforce_pending(session)
        assert journal.read_text().count('"intent"') == before
        assert all(result.state in ("held", "skipped", "refused") for result in results)


def test_disarming_takes_two_operators(session: Session) -> None:
    def unkill(second: str | None) -> str | None:
        book = change(
            session.settings,
            session.home,
            {"action": "unkill", "value": False, "tenant_id": "*"},
            at=session.clock(),
            reason="test",
            first=signing_as(session.settings, "demo-operator-1", None),
            second=signing_as(session.settings, second, None) if second else None,
        )
        return book.lines[-1].void_code

    assert unkill(None) == "second_missing"
    assert book_of(session.settings, session.home).is_killed("tenant_aurora", None)
    assert unkill("demo-operator-2") is None
    assert not book_of(session.settings, session.home).is_killed("tenant_aurora", None)


def test_an_expired_or_forged_decision_pays_nothing(session: Session) -> None:
    run = last_published(session.home)
    assert run is not None
    for path in session.home.decisions.rglob("*.json"):
        path.with_name("99991231T000000Z-forged.json").write_bytes(
            path.read_bytes().replace(b"a", b"b", 1)
        )
    journal = (session.home.root / "journal" / "payouts.jsonl").read_bytes()
    with pytest.raises(TieoutError, match="nothing was paid"):
        enforcing.enforce_pending(session)
    assert (session.home.root / "journal" / "payouts.jsonl").read_bytes() == journal
    for path in session.home.decisions.rglob("*-forged.json"):
        path.unlink()


def _digests(home: Home, path: Path) -> dict[str, str]:
    """Digest of every table of a publication that records no acts, run ids left out."""
    nodes = Manifest.load(home).content["nodes"].values()
    acts = {node["name"] for node in nodes if ACTS_TAG in node["tags"]}
    found = {}
    with Marts(path) as marts:
        for name in sorted(set(marts.names()) - acts):
            rows = [{**row, "run_id": None} for row in marts.rows(name)]
            lines = sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)
            found[name] = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return found


def _folds(home: Home) -> list[Fold]:
    folds = Folds(home.root)
    return [fold for table in folds.tables() for fold in folds.of(*table).folds]


def _land_other_rows(session: Session) -> None:
    """Lands a row of each table once more, with other figures."""
    for spec in set(all_specs()) - {PINNED_BATCHES}:
        names = [column.name for column in spec.columns]
        figures = [c.name for c in spec.columns if c.type == BIGINT and c.name not in spec.key]
        for values in session.landing.rows(spec, names)[:1]:
            row = dict(zip(names, values, strict=True))
            row |= {name: (row[name] or 0) + 1 for name in figures}
            session.landing.write(
                replace(spec, append_only=True),
                [row],
                batch_id="other-rows",
                received_at=session.clock(),
            )


def _holds_both(fold: Fold, run: Run) -> bool:
    """Whether a fold holds batches that a run knew and batches that came after it."""
    return len({member.manifest.received_at <= run.known_at for member in fold.members}) > 1


def test_an_earlier_as_of_gives_the_answer_of_then_and_neither_publishes_nor_signs(
    session: Session,
) -> None:
    home = session.home
    first = last_published(home)
    assert first is not None
    then = _digests(home, home.current.resolve())
    later = begin(home, "later", now=session.clock() + timedelta(seconds=1))
    pipeline.build_warehouse(session, later).require_good()
    assert pipeline.publish(session, later).current
    # The payments of the first run were landed after it: the later answer is another one.
    assert _digests(home, home.current.resolve())["payout_gates"] != then["payout_gates"]

    published, current = last_published(home), home.current.resolve()
    packets = shelf.issued(home)
    # Then was read batch by batch; now folds hold them, together with what was landed since.
    _land_other_rows(session)
    assert fold_landing(home.root, now=session.clock(), least=2, merged=2).folds > 40
    assert sum(_holds_both(fold, first) for fold in _folds(home)) > 40
    run = begin(home, "earlier", now=later.as_of + timedelta(seconds=1), as_of=first.as_of)
    assert not run.publishes
    pipeline.build_warehouse(session, run).require_good()
    publication = pipeline.publish(session, run)
    assert publication.path.parent.name == "as-of"
    assert not publication.current
    assert _digests(home, publication.path) == then
    assert len(then) > 10
    assert (last_published(home), home.current.resolve()) == (published, current)
    assert issuing.issue_packets(session, run) == []
    assert deciding.issue_decisions(session, run) == []
    assert shelf.issued(home) == packets


@pytest.mark.slow
def test_folds_change_no_row_of_any_table(session: Session) -> None:
    home = session.home
    run = begin(home, "later", now=session.clock())
    built = {}
    for folded in (True, False):
        if not folded:
            remove_folds(home.root)
        assert bool(_folds(home)) == folded
        building.build(home, run).require_good()
        built[folded] = _digests(home, home.warehouse / "warehouse.duckdb")
    assert built[True] == built[False]


def test_publication_keeps_the_newest_three(session: Session) -> None:
    home = session.home
    for number in range(4):
        run = begin(home, f"kept{number}", now=session.clock() + timedelta(seconds=number))
        sealed = pipeline.seal_path(session, run)
        sealed.parent.mkdir(exist_ok=True)
        shutil.copyfile(home.current.resolve(), sealed)
        publication = pipeline.publish(session, run)
        assert home.current.resolve() == publication.path
    assert len(list(home.published.glob("tieout-*.duckdb"))) == 3


def test_a_run_that_pinned_nothing_builds_nothing(session: Session) -> None:
    known = last_published(session.home)
    assert known is not None
    before = {path: path.stat() for path in session.home.warehouse.glob("*.duckdb")}
    with pytest.raises(TieoutError) as refused:
        building.build(session.home, replace(known, run_id="never-pinned"))
    assert refused.value.code == "run_not_pinned"
    assert {path: path.stat() for path in session.home.warehouse.glob("*.duckdb")} == before


def test_without_a_sealed_build_nothing_is_published(session: Session) -> None:
    run = begin(session.home, "unbuilt", now=session.clock() + timedelta(seconds=60))
    current = session.home.current.resolve()
    with pytest.raises(TieoutError, match="no sealed warehouse"):
        pipeline.publish(session, run)
    assert session.home.current.resolve() == current
