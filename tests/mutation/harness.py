"""Plants, corrupts, builds once and compares: what was said against what had to be said.

Belongs here: the one build over all tenants of one fault or of two, the comparison and the
confusion table. Does not belong here: any kind, any assertion (test_mutation.py, test_pairs.py),
printing (__main__.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from dagster_project import building
from dagster_project.home import prepare_home
from dagster_project.runs import Run
from ingest.landing import Landing
from ingest.simulator.world_state import World, period_start, previous_month
from tests.mutation import (
    kinds_bookings,
    kinds_crossing,
    kinds_customers,
    kinds_edges,
    kinds_kernel,
    kinds_matching,
    kinds_mixed,
    kinds_objects,
    kinds_odd,
    kinds_pairs,
    kinds_payouts,
    kinds_rail,
    kinds_refunds,
    kinds_undone,
)
from tests.mutation.clean import Clean, plant_clean
from tests.mutation.drawn import CURRENCIES, plant_random
from tests.mutation.history import CARRIED, RESOLVED, land_history
from tests.mutation.kinds import ANCHOR, KINDS, Expected, Money
from tests.mutation.landed import Tables, land, landed_rows

__all__ = ["ANCHOR", "Case", "Found", "Outcome", "confuse", "run", "run_pairs"]

# Importing a module registers its kinds; naming the modules keeps the imports honest.
_MODULES = (
    kinds_payouts,
    kinds_bookings,
    kinds_customers,
    kinds_refunds,
    kinds_rail,
    kinds_kernel,
    kinds_matching,
    kinds_undone,
    kinds_pairs,
    kinds_edges,
    kinds_mixed,
    kinds_objects,
    kinds_odd,
    kinds_crossing,
)

Found = dict[str, Any]


@dataclass
class Case:
    """One corrupted tenant: what had to be said of it, and what of that was not."""

    kind: str
    tenant_id: str
    expected: list[Expected]
    missed: list[Expected] = field(default_factory=list)


@dataclass
class Outcome:
    """What one build came to.

    Attributes:
        confusion: (expected code, said code) to count; "nothing" where one side is empty.
        unexpected: Rows of reconciliation_drift that no case asked for.
        failures: dbt nodes that did not pass.
    """

    home: Path
    cases: list[Case]
    unexpected: list[Found]
    confusion: Counter[tuple[str, str]]
    failures: list[str]
    random_tenants: list[str]

    def rows(self, query: str) -> list[Found]:
        """Rows of a query over the public tables."""
        path = str(self.home / "warehouse" / "warehouse.duckdb")
        with duckdb.connect(path, read_only=True) as connection:
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def run(
    root: Path, *, kinds: Sequence[str] = (), seeds: int = 1, random_worlds: int = 0
) -> Outcome:
    """Builds one warehouse in which every kind is a tenant, and compares.

    Args:
        root: An empty folder for the home.
        kinds: Names of kinds; none means all.
        seeds: Tenants a kind.
        random_worlds: Fault-free tenants drawn from seeds beside them.
    """
    cases, tables, drawn = _planted(kinds or list(KINDS), seeds, random_worlds)
    outcome = _built(root, cases, tables, drawn)
    if not outcome.failures:
        said = outcome.rows(
            "select * from reconciliation_drift "
            f"where break_id not in ('{RESOLVED}', '{CARRIED}') "
            "and break_id not like 'brk_aged_%' order by tenant_id, break_id"
        )
        outcome.confusion, outcome.unexpected = confuse(cases, said)
    return outcome


def run_pairs(root: Path, *, pairs: int, seed: int) -> Outcome:
    """Builds one warehouse in which every tenant has two faults of kinds drawn from a seed.

    A case expects what its two kinds expect alone; what of that one fault hides of the other is in
    `missed`. Kinds that cannot both be done to one tenant leave no case.
    """
    random, world = Random(seed), _world()
    tenants = [
        (*random.sample(sorted(KINDS), 2), plant_clean(world, f"p{number}"))
        for number in range(pairs)
    ]
    neighbour = plant_clean(world, "neighbour")
    tables = landed_rows(world, now=ANCHOR)
    cases = []
    for first, second, clean in tenants:
        money = Money(tables, clean, neighbour)
        try:
            expected = KINDS[first].corrupt(money) + KINDS[second].corrupt(money)
        except (AssertionError, LookupError, ValueError):
            continue  # The second finds two rows or none where it needs one.
        cases.append(Case(f"{first} + {second}", clean.tenant_id, expected))
    outcome = _built(root, cases, tables, [])
    if not outcome.failures:
        said = outcome.rows("select * from reconciliation_drift order by tenant_id, break_id")
        outcome.confusion, outcome.unexpected = confuse(cases, said)
    return outcome


def _world() -> World:
    world = World(ANCHOR)
    opened_at = period_start(previous_month(world.months[0]))
    for currency in CURRENCIES:
        world.rail.top_up(10**13, at=opened_at, currency=currency.lower())
    return world


def _built(root: Path, cases: list[Case], tables: Tables, drawn: list[str]) -> Outcome:
    home = prepare_home(root)
    land(root, tables, received_at=ANCHOR)
    Landing(root).pin(run_id="mutation", known_at=ANCHOR)
    one = Run(run_id="mutation", as_of=ANCHOR, known_at=ANCHOR, started_at=ANCHOR)
    result = building.build(home, one)
    failures = [f"{node.name}: {node.message}" for node in result.failed]
    return Outcome(root, cases, [], Counter(), failures, drawn)


def _planted(
    names: Sequence[str], seeds: int, random_worlds: int
) -> tuple[list[Case], Tables, list[str]]:
    world = _world()
    tenants: list[tuple[str, int, Clean]] = []
    for name in names:
        for number in range(seeds):
            tenants.append((name, number, plant_clean(world, f"m{number}_{name}")))
    # A kind changes its neighbour too, so each seed has one of its own.
    neighbours = [plant_clean(world, f"neighbour{number}") for number in range(seeds)]
    drawn = [f"random_{number}" for number in range(random_worlds)]
    for number, tenant_id in enumerate(drawn):
        plant_random(world, tenant_id, Random(number))
    assert world.rail.check_invariants() == []
    tables = landed_rows(world, now=ANCHOR)
    cases = []
    for name, number, clean in tenants:
        expected = KINDS[name].corrupt(Money(tables, clean, neighbours[number]))
        cases.append(Case(name, clean.tenant_id, expected))
    if len(names) == len(KINDS):
        first = {name: clean for name, _, clean in reversed(tenants)}
        keys = {name: clean.paid.key for name, clean in first.items()}
        keys["split_part_short"] = first["split_part_short"].split.key
        land_history(tables, keys, ANCHOR)
    return cases, tables, drawn


def confuse(
    cases: Sequence[Case], rows: Sequence[Found]
) -> tuple[Counter[tuple[str, str]], list[Found]]:
    """Counts (planted, said) codes and fills in what each case missed.

    Returns:
        The counts, and the rows that nothing asked for.
    """
    left, confusion = list(rows), Counter[tuple[str, str]]()
    for case in cases:
        for wanted in case.expected:
            row = next((found for found in left if _fits(case, wanted, found)), None)
            if row is None:
                case.missed.append(wanted)
            else:
                left.remove(row)
                confusion[wanted.code, wanted.code] += 1
    others = list(left)
    for case in cases:
        for wanted in case.missed:
            said = next((row for row in others if row["tenant_id"] == case.tenant_id), None)
            if said is not None:
                others.remove(said)
            label = str(said["reason_code"]) if said else "nothing"
            # The right code for another amount or object is not right.
            confusion[wanted.code, f"{label} elsewhere" if label == wanted.code else label] += 1
        if not case.expected and all(row["tenant_id"] != case.tenant_id for row in left):
            confusion["nothing", "nothing"] += 1
    confusion.update(("nothing", str(row["reason_code"])) for row in others)
    return confusion, left


def _fits(case: Case, wanted: Expected, found: Found) -> bool:
    said = (
        (wanted.code, found["reason_code"]),
        (wanted.tenant or case.tenant_id, found["tenant_id"]),
        (wanted.drift, found["drift_cents"]),
        (wanted.currency, found["currency"]),
        (wanted.rail, found["rail_object_id"]),
        (wanted.kernel, found["kernel_object_id"]),
        (wanted.payout, found["payout_key"]),
        (wanted.party, found["party_id"]),
    )
    outcome = "pending" if wanted.code == "TIMING" else "break"
    return found["outcome"] == outcome and all(wish is None or wish == fact for wish, fact in said)
