"""A tenant's data goes when two people decided it, all is settled, and no run brings it back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project import erasing, pipeline
from dagster_project.acting import acts_of, write_acts
from dagster_project.home import write_state
from dagster_project.runs import Run, begin, remember_published
from dagster_project.sources import all_specs
from ingest.audit import read_audit
from ingest.controls import CONTROLS_FILE, DEPARTURE_BOOK, ERASURE_BOOK, ActBook, ActLine
from ingest.deliveries.spool import DeliverySpool, SpooledEvent
from ingest.erasing import Subject, shares_of
from ingest.errors import TieoutError
from ingest.limits import ReadLimits
from ingest.stripe.kept import BALANCE_TRANSACTIONS
from tests.kernel.conftest import Kernel
from tests.simulator.rail_world import day
from tests.wiring.office import SELLER, TENANT, Office

STAYS = "tenant_b"
STAYER = "acct_1Euro"
MOVED = "acct_platform:txn_1"
TABLES = {
    "reconciliation_drift": "outcome varchar, lifecycle varchar",
    "payout_gates": "decision varchar, held_codes varchar",
    "chargeback_exposure": "outstanding_cents bigint, contingent_cents bigint, "
    "owed_to_party_cents bigint",
    "source_positions": "source_type varchar, held_cents bigint",
    "payout_submissions": "state varchar, rail_state varchar",
    "money_movements": "leg varchar, movement_id varchar",
}


class Leaving:
    """Two tenants with a rail account each; the first wants to leave."""

    def __init__(self, office: Office) -> None:
        self.office = office
        for account in (SELLER, STAYER):
            office.rail.create_transfer(500, at=day(1), destination=account)
        for tenant, account in ((TENANT, SELLER), (STAYS, STAYER)):
            folder = office.exports / tenant
            folder.mkdir(exist_ok=True)
            (folder / "connect_accounts.jsonl").write_text(
                f'{{"accountId":"{account}","partyId":"pa","tenantId":"{tenant}"}}\n'
            )
            through = f"{office.now:%Y-%m-%dT%H:%M:%S.000Z}"
            Kernel(office.exports).sign(tenant=tenant, exportedThrough=through)
        limits = ReadLimits(per_second=10_000, overall_per_second=10_000)
        settings = replace(office.settings, stripe_limits=limits)
        self.session = replace(office.session, settings=settings)
        self.session.landing.ensure_schema(all_specs())
        with DeliverySpool(self.home.root) as spool:
            for account in (SELLER, STAYER):
                event = SpooledEvent(f"evt_{account}", "charge.updated", account, office.now)
                spool.add_event(event, at=office.now)
        office.operate("set", 5, field="max_payout_amount_cents")
        self.pull()
        with DeliverySpool(self.home.root) as spool:
            spool.settle({event.seq: "read" for event in spool.waiting(9)}, at=office.now)
        self.publish()

    @property
    def home(self) -> Any:
        return self.office.session.home

    @property
    def subject(self) -> Subject:
        return Subject(TENANT, (SELLER,))

    def pull(self, *, full: bool = False) -> Run:
        """What a run lands before it builds."""
        self.office.pass_time(minutes=1)
        run = begin(self.home, f"{self.office.now}", now=self.office.now, full=full)
        pipeline.land_rail(self.session, run)
        pipeline.land_kernel_exports(self.session, run)
        pipeline.land_own_records(self.session, run)
        return run

    def publish(self, **rows: list[tuple[object, ...]]) -> None:
        """A publication made by hand: these rows of the tenant, and what it moved."""
        run = begin(self.home, f"publish {self.office.now}", now=self.office.now)
        path = self.home.published / f"tieout-{run.run_id}.duckdb"
        path.unlink(missing_ok=True)
        moved = [("platform", MOVED), ("connected", f"{SELLER}:txn_2")]
        with duckdb.connect(str(path)) as db:
            for table, columns in TABLES.items():
                db.execute(f"create table {table} (tenant_id varchar, {columns})")
                for row in {"money_movements": moved, **rows}.get(table, []):
                    marks = ", ".join("?" * (len(row) + 1))
                    db.execute(f"insert into {table} values ({marks})", [TENANT, *row])
        self.home.current.unlink(missing_ok=True)
        self.home.current.symlink_to(path.name)
        remember_published(self.home, run)
        (self.home.warehouse / "sealed").mkdir(exist_ok=True)
        (self.home.warehouse / "work.duckdb").write_text(TENANT)

    def act(self, book: ActBook, by: str, action: str, **members: Any) -> ActLine:
        (line,) = write_acts(
            self.office.settings,
            self.home,
            book,
            [{"action": action, "tenant_id": TENANT, **members}],
            at=self.office.now,
            reason="the alpha ended",
            by=(by, self.office.operators[members.pop("key", by)]),
        )
        return line

    def propose(self, *, open_items: int = 0, days: int = 7) -> ActLine:
        end = f"{self.office.now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        return self.act(ERASURE_BOOK, "alice", "propose", open_items=open_items, expires_at=end)

    def leave(self) -> None:
        """The exporter stops, and two people say that the account left."""
        shutil.rmtree(self.office.exports / TENANT)
        gone = self.act(DEPARTURE_BOOK, "alice", "propose", account_id=SELLER)
        self.act(DEPARTURE_BOOK, "bob", "approve", act_id=gone.act_id)

    def decided(self, **how: int) -> ActLine:
        """An erasure with nothing in its way."""
        self.leave()
        proposal = self.propose(**how)
        self.act(ERASURE_BOOK, "bob", "approve", act_id=proposal.act_id)
        return proposal

    def carry_out(self, proposal: ActLine) -> ActLine:
        by = ("bob", self.office.operators["bob"])
        return erasing.carry_out(self.session, proposal, by, "carried out")

    def refused(self, proposal: ActLine) -> str:
        """The code that it is refused with, after which everything is as it was."""
        before = self.files()
        with pytest.raises(TieoutError) as refused:
            self.carry_out(proposal)
        assert self.files() == before
        return refused.value.code

    def files(self) -> dict[Path, bytes]:
        roots = ("landing", "quarantine", "published", "warehouse", "controls")
        found = (path for root in roots for path in (self.home.root / root).rglob("*"))
        return {path: path.read_bytes() for path in found if path.is_file()}

    def shares(self, subject: Subject | None = None) -> dict[str, int]:
        specs = all_specs()
        self.session.landing.ensure_schema(specs)
        found = shares_of(self.session.landing, specs, subject or self.subject)
        return {share.spec.name: share.total for share in found}


@pytest.fixture
def leaving(office: Office) -> Leaving:
    return Leaving(office)


def test_two_people_erase_a_tenant_and_the_other_tenant_keeps_every_row(leaving: Leaving) -> None:
    proposal = leaving.decided()
    leaving.pull()
    leaving.publish()
    before, other = leaving.shares(), leaving.shares(Subject(STAYS, (STAYER,)))
    assert {"kernel/connect_accounts", "stripe/balance_transactions", "tieout/controls"} <= set(
        before
    )
    packets = leaving.home.packets / TENANT / "2026-03" / "p.zip"
    packets.parent.mkdir(parents=True)
    packets.write_text("signed")
    done = leaving.carry_out(proposal)
    assert done.valid
    assert leaving.shares() == {}
    assert leaving.shares(Subject(STAYS, (STAYER,))) == other
    assert done.members["row_count"] == sum(before.values())
    for manifest in leaving.session.landing.committed():
        leaving.session.landing.verify(manifest)
    # What was built from the rows is gone as well; what was signed is not.
    assert not leaving.home.current.is_symlink()
    assert list(leaving.home.published.iterdir()) + list(leaving.home.warehouse.iterdir()) == []
    assert packets.read_text() == "signed"
    with DeliverySpool(leaving.home.root) as spool:
        assert spool.count_of(TENANT, [SELLER]) == 0
        assert spool.count_of(STAYS, [STAYER]) == 1
    trail = read_audit(leaving.home.root)
    assert trail.fault is None
    assert [row["action"] for row in trail.rows if row["tenant_id"] == TENANT][-1] == (
        "erasures.done"
    )


def test_no_run_brings_an_erased_tenant_back(leaving: Leaving) -> None:
    leaving.carry_out(leaving.decided())
    # The rail lists the account still, and somebody exports the folder again.
    leaving.office.export()
    run = leaving.pull(full=True)
    assert leaving.shares() == {}
    assert pipeline.pin(leaving.session, run) > 0
    quarantine = next(spec for spec in all_specs() if spec.name == "tieout/quarantine")
    query = "select source_file, code, tenant_id from q where code = 'tenant_erased'"
    codes = leaving.session.landing.query(query, q=quarantine)
    assert codes == [(TENANT, "tenant_erased", None)]
    # The book of controls is whole, and says that the tenant's line was written.
    assert TENANT in (leaving.home.root / CONTROLS_FILE).read_text()
    seen = leaving.session.landing.distinct(BALANCE_TRANSACTIONS.spec, ("account_id",))
    assert (SELLER,) not in seen
    assert (STAYER,) in seen


def test_what_the_platform_moved_for_the_tenant_is_on_record(leaving: Leaving) -> None:
    proposal = leaving.decided()
    leaving.carry_out(proposal)
    spec = next(spec for spec in all_specs() if spec.name == "tieout/erased_movements")
    names = ("tenant_id", "erasure_id", "movement_id", "balance_transaction_id")
    assert leaving.session.landing.rows(spec, names) == [(TENANT, proposal.act_id, MOVED, "txn_1")]


STEPS: tuple[tuple[Any, str], ...] = (
    (erasing, "land_erased_movements"),
    (erasing, "write_state"),
    (erasing, "_forget_built"),
    (erasing, "_forget_deliveries"),
    (erasing, "erase_rows"),
    (erasing, "write_acts"),
    (erasing, "record_acts"),
)


class Died(Exception):
    """Stands for a process that is killed."""


def dying(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def step(*arguments: Any, **named: Any) -> Any:
        if after:
            function(*arguments, **named)
        raise Died

    return step


def test_dead_between_any_two_steps_asking_again_finishes(
    leaving: Leaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = leaving.decided()
    total = sum(leaving.shares().values())
    for module, name in STEPS:
        for after in (False, True):
            with monkeypatch.context() as patch:
                patch.setattr(module, name, dying(getattr(module, name), after=after))
                with pytest.raises(Died):
                    leaving.carry_out(proposal)
            # A run in between lands and pins as ever, and brings nothing of the tenant.
            run = leaving.pull()
            assert pipeline.pin(leaving.session, run) > 0
    done = leaving.carry_out(proposal)
    assert done.valid
    assert leaving.shares() == {}
    assert done.members["row_count"] >= total
    lines = [line.action for line in acts_of(leaving.office.settings, leaving.home, ERASURE_BOOK)]
    assert lines == ["propose", "approve", "done"]
    assert list((leaving.home.state / "erasures").iterdir()) == []


def test_one_operator_alone_erases_nothing(leaving: Leaving) -> None:
    leaving.leave()
    proposal = leaving.propose()
    assert leaving.refused(proposal) == "not_approved"
    leaving.act(ERASURE_BOOK, "alice", "approve", act_id=proposal.act_id)
    assert leaving.refused(proposal) == "not_approved"


def test_an_approval_that_another_did_not_sign_counts_for_nothing(leaving: Leaving) -> None:
    leaving.leave()
    proposal = leaving.propose()
    forged = write_acts(
        leaving.office.settings,
        leaving.home,
        ERASURE_BOOK,
        [{"action": "approve", "tenant_id": TENANT, "act_id": proposal.act_id}],
        at=leaving.office.now,
        reason="as if bob agreed",
        by=("bob", leaving.office.operators["alice"]),
    )
    assert not forged[0].valid
    assert leaving.refused(proposal) == "not_approved"


def test_a_forged_note_that_it_was_begun_erases_nothing(leaving: Leaving) -> None:
    leaving.leave()
    proposal = leaving.propose()
    note = leaving.home.state / "erasures" / f"{proposal.act_id}.json"
    note.parent.mkdir()
    forged = {"tenant_id": TENANT, "accounts": [SELLER], "erasure_id": proposal.act_id}
    write_state(note, forged)
    assert leaving.refused(proposal) == "not_approved"
    # Nor does a note widen what two people decided to another tenant's account.
    leaving.act(ERASURE_BOOK, "bob", "approve", act_id=proposal.act_id)
    write_state(note, {**forged, "accounts": [SELLER, STAYER]})
    assert leaving.refused(proposal) == "account_read"
    # Nor to another tenant's rows.
    other = leaving.shares(Subject(STAYS, (STAYER,)))
    write_state(note, {**forged, "tenant_id": STAYS})
    assert leaving.carry_out(proposal).valid
    assert leaving.shares(Subject(STAYS, (STAYER,))) == other


def test_an_erasure_that_is_over_or_revoked_or_approved_too_late_is_refused(
    leaving: Leaving,
) -> None:
    leaving.leave()
    proposal = leaving.propose(days=1)
    leaving.office.pass_time(days=1)
    leaving.act(ERASURE_BOOK, "bob", "approve", act_id=proposal.act_id)
    assert leaving.refused(proposal) == "not_approved"
    second = leaving.propose(days=1)
    leaving.act(ERASURE_BOOK, "bob", "approve", act_id=second.act_id)
    leaving.office.pass_time(days=1)
    leaving.pull()
    leaving.publish()
    assert leaving.refused(second) == "expired"
    third = leaving.propose()
    leaving.act(ERASURE_BOOK, "bob", "approve", act_id=third.act_id)
    leaving.act(ERASURE_BOOK, "alice", "revoke", act_id=third.act_id)
    assert leaving.refused(third) == "not_approved"


def test_a_carrier_without_the_role_is_refused_before_anything_goes(leaving: Leaving) -> None:
    proposal = leaving.decided()
    before = leaving.files()
    with pytest.raises(TieoutError) as refused:
        erasing.carry_out(leaving.session, proposal, ("eve", leaving.office.operators["bob"]), "x")
    assert refused.value.code == "role_missing"
    assert leaving.files() == before


OPEN: dict[str, dict[str, list[tuple[object, ...]]]] = {
    "a break": {"reconciliation_drift": [("break", "new")]},
    "a pending item": {"reconciliation_drift": [("pending", "persisting")]},
    "a held payout": {"payout_gates": [("hold", "OPEN_BREAK")]},
    "a debt": {"chargeback_exposure": [(5, 0, 0)]},
    "a balance owed": {"chargeback_exposure": [(0, 0, 5)]},
    "a holdback": {"source_positions": [("holdback", 7)]},
}
SETTLED: dict[str, list[tuple[object, ...]]] = {
    "reconciliation_drift": [("break", "resolved"), ("ok", "persisting")],
    "payout_gates": [("consumed", ""), ("hold", "OPEN_BREAK,ALREADY_PAID")],
    "chargeback_exposure": [(0, 0, 0)],
    "source_positions": [("holdback", 0), ("receipt", 9)],
    "payout_submissions": [("submitted", "confirmed"), ("refused", None)],
}


def test_what_is_open_stops_it_unless_two_people_gave_it_up(leaving: Leaving) -> None:
    proposal = leaving.decided()
    for rows in OPEN.values():
        leaving.publish(**rows)
        assert leaving.refused(proposal) == "items_open", rows
    given_up = leaving.propose(open_items=1)
    leaving.act(ERASURE_BOOK, "bob", "approve", act_id=given_up.act_id)
    assert leaving.carry_out(given_up).valid


def test_what_is_settled_stops_nothing(leaving: Leaving) -> None:
    proposal = leaving.decided()
    leaving.publish(**SETTLED)
    assert leaving.carry_out(proposal).valid


UNDER_WAY: dict[str, dict[str, list[tuple[object, ...]]]] = {
    "payout_unclear": {"payout_submissions": [("submitted", None)]},
    "payout_payable": {"payout_gates": [("release", "")]},
}


def test_a_payout_under_way_stops_it_whatever_was_given_up(leaving: Leaving) -> None:
    proposal = leaving.decided(open_items=99)
    for code, rows in UNDER_WAY.items():
        leaving.publish(**rows)
        assert leaving.refused(proposal) == code


def test_a_tenant_that_a_run_would_land_again_is_refused(leaving: Leaving) -> None:
    proposal = leaving.propose()
    leaving.act(ERASURE_BOOK, "bob", "approve", act_id=proposal.act_id)
    found = erasing.preview(leaving.session, proposal)
    assert [obstacle.code for obstacle in found.obstacles] == ["account_read", "tenant_exported"]
    assert leaving.refused(proposal) == "account_read"


def test_an_old_publication_does_not_say_what_is_open(leaving: Leaving) -> None:
    proposal = leaving.decided()
    leaving.office.pass_time(days=2)
    assert leaving.refused(proposal) == "publication_stale"


def test_in_the_middle_of_a_run_nothing_goes(leaving: Leaving) -> None:
    proposal = leaving.decided()
    for name in ("warehouse", "packets", "publication", "enforcement"):
        with leaving.home.lock(name):
            assert leaving.refused(proposal) == "run_under_way"
    with leaving.session.landing.in_use():
        before = leaving.shares()
        with pytest.raises(TieoutError) as refused:
            leaving.carry_out(proposal)
        assert refused.value.code == "landing_in_use"
        assert leaving.shares() == before
        assert not (leaving.home.state / "erasures").exists()
    assert leaving.carry_out(proposal).valid


def test_looking_changes_nothing_and_counts_what_goes(leaving: Leaving) -> None:
    proposal = leaving.decided()
    before = leaving.files()
    found = erasing.preview(leaving.session, proposal)
    assert found.obstacles == ()
    assert found.row_count == sum(leaving.shares().values())
    assert found.deliveries == 1
    assert leaving.files() == before


def test_a_run_that_began_before_is_told_to_begin_again(leaving: Leaving) -> None:
    proposal = leaving.decided()
    run = leaving.pull()
    leaving.office.pass_time(minutes=1)
    leaving.publish()
    leaving.carry_out(proposal)
    with pytest.raises(TieoutError) as refused:
        pipeline.build_warehouse(leaving.session, run)
    assert refused.value.code == "erased_since"
