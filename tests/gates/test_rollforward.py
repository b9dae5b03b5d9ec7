"""Open items roll forward: nothing that was said of a month changes because of what came later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, PLATFORM, World, planted
from tests.gates.partner import Partner
from tests.gates.test_history import EARLIER, LATER
from tests.mutation.history import break_id

DAYS_AGO = 50
OPENED = datetime(2026, 2, 20, tzinfo=UTC)
# The last of them is the publication before the build.
PUBLISHED = {
    "rolled_march": datetime(2026, 3, 1, tzinfo=UTC),
    "rolled_april": datetime(2026, 4, 1, tzinfo=UTC),
    "later": LATER,
}


@dataclass(frozen=True)
class Followed:
    """A payment nobody asked for, as publications saw it, and what must be told of each month.

    Attributes:
        seen: What was open of it, by publication; 0 where that called it resolved.
        now: What is open of it now.
        given_up: What two people wrote off in March.
        months: Opening, new, cleared, written off and closing, from February on.
    """

    seen: dict[str, int]
    now: int
    months: tuple[tuple[int, ...], ...]
    given_up: int | None = None


FOLLOWED = {
    "cured_in_april": Followed(
        {"rolled_march": 700, "rolled_april": 0},
        0,
        ((0, 700, 0, 0, 700), (700, 0, 0, 0, 700), (700, 0, 700, 0, 0)),
    ),
    "cured_just_now": Followed(
        {"rolled_march": 700, "rolled_april": 700, "later": 700},
        0,
        ((0, 700, 0, 0, 700), (700, 0, 0, 0, 700), (700, 0, 700, 0, 0)),
    ),
    "cured_in_part": Followed(
        {"rolled_march": 1000, "later": 700},
        700,
        ((0, 1000, 0, 0, 1000), (1000, 0, 0, 0, 1000), (1000, 0, 300, 0, 700)),
    ),
    "grew": Followed(
        {"rolled_march": 500, "later": 500},
        700,
        ((0, 500, 0, 0, 500), (500, 0, 0, 0, 500), (500, 200, 0, 0, 700)),
    ),
    "cured_and_back": Followed(
        {"rolled_march": 700, "rolled_april": 0},
        700,
        ((0, 700, 0, 0, 700), (700, 0, 0, 0, 700), (700, 700, 700, 0, 700)),
    ),
    "given_up": Followed(
        {"rolled_march": 700, "rolled_april": 700, "later": 700},
        700,
        ((0, 700, 0, 0, 700), (700, 0, 0, 700, 0), (0, 0, 0, 0, 0)),
        given_up=700,
    ),
    "given_up_and_cured": Followed(
        {"rolled_march": 700, "rolled_april": 0},
        0,
        ((0, 700, 0, 0, 700), (700, 0, 0, 700, 0), (0, 0, 700, -700, 0)),
        given_up=700,
    ),
    "given_up_and_grew": Followed(
        {"rolled_march": 500, "rolled_april": 500, "later": 700},
        700,
        ((0, 500, 0, 0, 500), (500, 0, 0, 500, 0), (0, 200, 0, -500, 700)),
        given_up=500,
    ),
}


@planted
def publications(world: World) -> None:
    for run_id, at in PUBLISHED.items():
        if run_id != "later":
            world.own("run_log", run_id=run_id, as_of=at, known_at=at, started_at=at)


def _seen(
    world: World, run_id: str, tenant: str, id_: str, open_cents: int, **over: object
) -> None:
    world.own(
        "breaks",
        **{
            "run_id": run_id,
            "as_of": PUBLISHED[run_id],
            "tenant_id": tenant,
            "break_id": id_,
            "outcome": "break" if open_cents else "ok",
            "reason_code": "MISSING_INTERNAL",
            "lifecycle": "persisting" if open_cents else "resolved",
            "drift_cents": -open_cents,
            "expected_cents": 0,
            "actual_cents": open_cents,
            "currency": "USD",
            "period": "2026-02",
            "first_seen_at": PUBLISHED["rolled_march"],
            "source_complete": True,
            "item_kind": "movement",
            "opened_at": OPENED,
            "open_cents": open_cents,
            "matched_cents": 0,
            **over,
        },
    )


@planted
def given_up_and_taken_back(world: World) -> None:
    partner = Partner(world, "r_taken_back")
    transfer_id = partner.transfer(None, 700, days_ago=DAYS_AGO)
    id_ = break_id("r_taken_back", "movement", f"{PLATFORM}:txn_{transfer_id}", "USD")
    for run_id in PUBLISHED:
        _seen(world, run_id, partner.tenant, id_, 700)
    given = {
        "entry_kind": "write_off",
        "break_id": id_,
        "drift_cents": -700,
        "amount_cents": 700,
        "currency": "USD",
    }
    march, april = (datetime(2026, month, 10, tzinfo=UTC) for month in (3, 4))
    partner.act("write_offs", "propose", "wof_r", at=march, **given)
    partner.act("write_offs", "approve", "wof_r", by="op_b", at=march)
    partner.act("write_offs", "revoke", "wof_r", by="op_c", at=april)


@planted
def breaks_that_publications_followed(world: World) -> None:
    for name, case in FOLLOWED.items():
        partner = Partner(world, f"r_{name}")
        key = f"{PLATFORM}:txn_tr_{partner.tenant}_pa_{DAYS_AGO}_700"
        id_ = break_id(partner.tenant, "movement", key, "USD")
        if case.now:
            partner.transfer(None, case.now, days_ago=DAYS_AGO)
        for run_id, open_cents in case.seen.items():
            _seen(world, run_id, partner.tenant, id_, open_cents)
        if case.given_up is not None:
            given = {
                "entry_kind": "write_off",
                "break_id": id_,
                "drift_cents": -case.given_up,
                "amount_cents": case.given_up,
                "currency": "USD",
            }
            act_id, at = f"wof_rolled_{name}", datetime(2026, 3, 10, tzinfo=UTC)
            partner.act("write_offs", "propose", act_id, at=at, **given)
            partner.act("write_offs", "approve", act_id, by="op_b", at=at)


@planted
def a_payout_that_was_paid_net(world: World) -> None:
    """Of 5,000 that were open in March 1,000 was kept for a chargeback; the rest was paid."""
    partner = Partner(world, "r_paid_net")
    key = partner.pay(
        5000,
        period="2026-02",
        sale=False,
        links=(),
        instruction={"generatedAt": OPENED.isoformat()},
    )
    kept = {"chargebackRecoveryAppliedCents": 1000}
    partner.operation(key, 4000, "confirmed", metadata=kept)
    partner.transfer(key, 4000, days_ago=26)
    id_ = break_id(partner.tenant, "payout", key, "USD")
    of_payout = {"item_kind": "payout", "payout_key": key}
    _seen(world, "rolled_march", partner.tenant, id_, 5000, **of_payout)
    _seen(world, "rolled_april", partner.tenant, id_, 0, matched_cents=4000, **of_payout)
    world.own(
        "item_matches",
        run_id="rolled_april",
        as_of=PUBLISHED["rolled_april"],
        tenant_id=partner.tenant,
        break_id=id_,
        matched_at=AS_OF - timedelta(days=26),
        matched_cents=4000,
    )


def _told(world: World, tenant: str, opened: str, cleared: str, amount_cents: int) -> None:
    """What the first publication since the kernel closed March said of matched money."""
    world.own(
        "matched_spans",
        run_id="earlier",
        as_of=EARLIER,
        tenant_id=tenant,
        currency="USD",
        opened_period=opened,
        cleared_period=cleared,
        amount_cents=amount_cents,
        items=1,
    )


@planted
def months_that_were_told(world: World) -> None:
    _told(world, "r_found_late", "2026-01", "2026-01", 300)
    Partner(world, "r_found_late").transfer(None, 700, days_ago=DAYS_AGO)
    # December was never closed, but January after it was told.
    _told(world, "r_found_of_december", "2026-01", "2026-01", 300)
    Partner(world, "r_found_of_december").transfer(None, 700, days_ago=120)
    _told(world, "r_match_withdrawn", "2026-02", "2026-03", 1000)
    Partner(world, "r_match_withdrawn")
    for days_ago, name in ((1, "now"), (20, "before")):
        _told(world, f"r_matched_late_{name}", "2026-01", "2026-01", 300)
        partner = Partner(world, f"r_matched_late_{name}")
        at = {"generatedAt": OPENED.isoformat()}
        key = partner.pay(5000, period="2026-02", sale=False, links=(), instruction=at)
        partner.operation(key, 5000, "confirmed")
        partner.transfer(key, 5000, days_ago=days_ago)


@planted
def months_in_which_nothing_happened(world: World) -> None:
    partner = Partner(world, "r_quiet")
    for run_id in PUBLISHED:
        opened_at = datetime(2025, 11, 10, tzinfo=UTC)
        _seen(world, run_id, partner.tenant, "brk_quiet", 700, opened_at=opened_at)


@planted
def a_break_whose_source_is_unread(world: World) -> None:
    partner = Partner(world, "r_unread", export_status="failed")
    for run_id in PUBLISHED:
        _seen(world, run_id, partner.tenant, "brk_unread", 700)


def _months(warehouse: Warehouse, tenant: str) -> dict[str, tuple[int, ...]]:
    rows = warehouse.rows(
        "select * from open_item_rollforward where tenant_id = ? order by period", tenant
    )
    assert {row["residual_cents"] for row in rows} == {0}
    names = ("opening", "new", "cleared", "written_off", "closing")
    return {row["period"]: tuple(row[f"{name}_cents"] for name in names) for row in rows}


def test_a_revoked_write_off_is_reversed_in_the_month_of_its_revocation(
    warehouse: Warehouse,
) -> None:
    assert _months(warehouse, "r_taken_back") == {
        "2026-02": (0, 700, 0, 0, 700),
        "2026-03": (700, 0, 0, 700, 0),
        "2026-04": (0, 0, 0, -700, 700),
    }


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_cure_without_a_match_clears_when_it_is_seen_and_changes_no_month_before(
    warehouse: Warehouse, name: str
) -> None:
    told = _months(warehouse, f"r_{name}")
    assert told == dict(zip(("2026-02", "2026-03", "2026-04"), FOLLOWED[name].months, strict=True))


def test_what_was_kept_of_a_payout_clears_beside_what_was_paid(warehouse: Warehouse) -> None:
    assert _months(warehouse, "r_paid_net") == {
        "2026-02": (0, 5000, 0, 0, 5000),
        "2026-03": (5000, 0, 4000, 0, 1000),
        "2026-04": (1000, 0, 1000, 0, 0),
    }


def test_a_quiet_month_has_its_row_closed_or_not(warehouse: Warehouse) -> None:
    open_since = dict.fromkeys(("2025-12", "2026-01", "2026-02", "2026-03"), (700, 0, 0, 0, 700))
    assert _months(warehouse, "r_quiet") == {
        "2025-11": (0, 700, 0, 0, 700),
        **open_since,
        "2026-04": (700, 0, 700, 0, 0),
    }


def test_what_was_not_read_again_stays_open(warehouse: Warehouse) -> None:
    assert _months(warehouse, "r_unread") == {
        "2026-02": (0, 700, 0, 0, 700),
        "2026-03": (700, 0, 0, 0, 700),
        "2026-04": (700, 0, 0, 0, 700),
    }


JANUARY = (0, 300, 300, 0, 0)
NOTHING = (0, 0, 0, 0, 0)
TOLD: dict[str, dict[str, tuple[int, ...]]] = {
    "found_late": {"2026-04": (0, 700, 0, 0, 700)},
    "found_of_december": {"2026-04": (0, 700, 0, 0, 700)},
    "matched_late_now": {"2026-04": (0, 5000, 5000, 0, 0)},
    "matched_late_before": {},
    "match_withdrawn": {
        "2026-01": NOTHING,
        "2026-02": (0, 1000, 0, 0, 1000),
        "2026-03": (1000, 0, 1000, 0, 0),
    },
}


@pytest.mark.parametrize("name", TOLD)
def test_a_month_that_was_told_after_its_close_is_told_the_same(
    warehouse: Warehouse, name: str
) -> None:
    months = ("2025-12", "2026-01", "2026-02", "2026-03", "2026-04")
    expected = dict.fromkeys(months, NOTHING) | {"2026-01": JANUARY} | TOLD[name]
    found = _months(warehouse, f"r_{name}")
    assert {month: found.get(month, NOTHING) for month in expected} == expected
