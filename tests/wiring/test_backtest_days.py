"""The back-test over days on which payouts really went out, with the figures done by hand.

One tenant, three days, no limit on any payout. Tried: at most 8,000 a payout and 10,000 a day.

| day | paid | under the limits |
|---|---|---|
| 1 | pa 8,000 | is as much as a payout may be, and the first of the day |
| 1 | pb 7,000 | makes 15,000 that day: waits, and is free on day 2 |
| 2 | pc 9,500 | is above 8,000 on every day |
| 2 | pd 12,000 | likewise, and on day 3 its party owes 2,500: a lost dispute of 1,000 and its fee |
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dagster_project.backtesting import backtest
from dagster_project.marts import Marts
from dagster_project.policy import read_policy
from dagster_project.settings import Settings
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World
from tests.gates.partner import PROVIDER, Partner
from tests.gates.rail_side import add_platform
from tests.wiring.runs import READ_DAILY, Runs, read_again

pytestmark = pytest.mark.slow

TENANT = "t_days"
DAYS = tuple(AS_OF + timedelta(days=day) for day in range(3))
AMOUNTS = {"pa": 8_000, "pb": 7_000, "pc": 9_500, "pd": 12_000}


class Office:
    """The tenant's history as it came to be known: one batch, one run and its payments a day."""

    def __init__(self, settings: Settings) -> None:
        self.runs = Runs(settings, AS_OF)
        self.session = self.runs.session
        self.world = World()
        add_platform(self.world, available={"USD": 900_000})
        self.parties = {
            party: Partner(self.world, TENANT, party, sole=party == "pa") for party in AMOUNTS
        }
        self.keys: dict[str, str] = {}
        for place, (party, partner) in enumerate(self.parties.items()):
            at = {"generatedAt": f"2026-04-03T00:00:0{place}.000Z"}
            asked = party in ("pa", "pb")
            self.keys[party] = partner.pay(AMOUNTS[party], instruction=at, requested=asked)
        self._daily = {name: copy.deepcopy(self.world.rows[name]) for name in READ_DAILY}

    def next_day(self, days: int) -> None:
        """What is new in a world of its own, beside what is read every day."""
        self.world = read_again(self._daily, timedelta(days=days), f"_{days}")
        for partner in self.parties.values():
            partner.world = self.world

    def ask_for(self, party: str) -> None:
        asked = {"payoutKey": self.keys[party], "providerId": PROVIDER, "counterpartyRef": None}
        at = {"requestedAt": iso(DAYS[1] - timedelta(hours=1))}
        self.world.artifact("payout_requests", TENANT, {**asked, **at})

    def paid(self, party: str, *, day: int) -> None:
        """A payout as it stands in journal and rail once it went out on a day."""
        partner, key, amount = self.parties[party], self.keys[party], AMOUNTS[party]
        transfer = partner.transfer(key, amount, days_ago=-day)
        seq = 1 + list(AMOUNTS).index(party)
        partner.journal(key, amount, "submitted", at=DAYS[day], transfer_id=transfer, seq=seq)

    def run(self, day: int) -> None:
        """A run on a day of what the world has by then."""
        self.runs.run(self.world, DAYS[day])


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("days")
    office = Office(
        Settings(
            home=folder / "home", mode="test", stripe_api_key="sk_test_days", kernel_exports="none"
        )
    )
    office.run(0)
    office.next_day(1)
    office.paid("pa", day=0)
    office.paid("pb", day=0)
    office.ask_for("pc")
    office.ask_for("pd")
    office.run(1)
    office.next_day(2)
    office.paid("pc", day=1)
    office.paid("pd", day=1)
    office.parties["pd"].dispute(
        "pd_2026-03_USD", 1_000, fee=1_500, at=DAYS[2] - timedelta(hours=2), status="lost"
    )
    office.run(2)
    with office.session:
        yield office


def test_over_days_a_policy_delays_one_payout_blocks_two_and_saves_what_one_party_owes(
    history: Office, tmp_path: Path
) -> None:
    limits = {"max_payout_amount_cents": 8_000, "daily_payout_limit_cents": 10_000}
    path = tmp_path / "policy.json"
    path.write_text(
        json.dumps(
            {
                "format": "urn:tieout:policy:v1",
                "controls": [
                    {"tenantId": TENANT, "field": field, "value": value}
                    for field, value in limits.items()
                ],
            }
        )
    )
    with Marts.published(history.session.home) as published:
        recorded = {
            (row["as_of"].day - AS_OF.day, row["payout_key"]): row["decision"]
            for row in published.rows("payout_gate_history")
        }
    released = {place for place, decision in recorded.items() if decision == "release"}
    keys = history.keys
    assert released == {(0, keys["pa"]), (0, keys["pb"]), (1, keys["pc"]), (1, keys["pd"])}

    tried = backtest(history.session, read_policy(path), tenant_id=TENANT, max_runs=7)

    assert (tried.runs, tried.evaluations, tried.unlike_record) == (DAYS, 12, 0)
    single, daily = "PAYOUT_AMOUNT_LIMIT_EXCEEDED", "PAYOUT_DAILY_LIMIT_EXCEEDED"
    told = {
        e.party_id: (e.effect, e.amount_cents, e.decided_at, e.free_at, e.codes, e.saved_cents)
        for e in tried.effects
    }
    assert told == {
        "pb": ("delayed", 7_000, DAYS[0], DAYS[1], (daily,), 0),
        "pc": ("blocked", 9_500, DAYS[1], None, (single,), 0),
        "pd": ("blocked", 12_000, DAYS[1], None, (single, daily), 2_500),
    }
    assert tried.document()["totals"] == {
        "USD": {
            "delayed_count": 1,
            "delayed_cents": 7_000,
            "blocked_count": 2,
            "blocked_cents": 21_500,
            "saved_cents": 2_500,
        }
    }
