"""`python -m tests.mutation`: corrupts clean worlds in every known way, prints what was said.

Belongs here: the command and its tables. Does not belong here: planting or comparing (harness.py).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mutation.harness import Outcome, run
from tests.mutation.kinds import KINDS


def show(outcome: Outcome, out: Console) -> None:
    """Prints the confusion table, then every case that was not said as it is."""
    table = Table(title="planted code against the code that was said", title_justify="left")
    for heading in ("planted", "said"):
        table.add_column(heading)
    table.add_column("times", justify="right")
    for (planted, said), times in sorted(outcome.confusion.items()):
        table.add_row(planted, said, str(times), style=None if planted == said else "bold red")
    out.print(table)
    for case in outcome.cases:
        for wanted in case.missed:
            out.print(f"missed: {case.kind} in {case.tenant_id}: {wanted}")
    for row in outcome.unexpected:
        named = row["rail_object_id"] or row["kernel_object_id"]
        out.print(f"unexpected: {row['tenant_id']} {row['reason_code']} {named}")
    for failure in outcome.failures:
        out.print(f"dbt: {failure}")
    right = sum(times for (planted, said), times in outcome.confusion.items() if planted == said)
    said = sum(outcome.confusion.values())
    kinds = len({case.kind for case in outcome.cases})
    out.print(
        f"{kinds} kinds, {len(outcome.cases)} corrupted tenants and {len(outcome.random_tenants)} "
        f"random ones without a fault: {right} of {said} said as planted, "
        f"{len(outcome.unexpected)} said without cause, dbt failures: {len(outcome.failures)}"
    )


def main() -> int:
    """Returns 0 when everything was said as planted and nothing else was."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], help="kinds; none means all")
    parser.add_argument("--seeds", type=int, default=3, help="tenants a kind")
    parser.add_argument("--random", type=int, default=100, help="tenants without a fault")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tieout-mutation-") as folder:
        outcome = run(
            Path(folder) / "home", kinds=given.kinds, seeds=given.seeds, random_worlds=given.random
        )
        show(outcome, Console())
    good = not outcome.unexpected and not outcome.failures
    return 0 if good and not any(case.missed for case in outcome.cases) else 1


if __name__ == "__main__":
    sys.exit(main())
