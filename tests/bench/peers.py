"""pandas and datacompy (Polars) on the data of `big_world`, with their quality beside the seconds.

Belongs here: what a careful user of either library would write in an afternoon. Does not belong
here: anything of Tieout; it runs in an interpreter that has duckdb, pandas and datacompy alone:

    make bench-peers        # builds build/peers and runs this on a world that `make bench` left

Both get the same two frames, already summed to one row a payout key and one a charge, because
neither library matches one to many. Reading and summing is not in their seconds.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

import duckdb

_EXPECTED: Final = """
select payout_key as object_id, amount_cents, currency, destination from instructed
union all
select charge_id, amount_cents, currency, '' from receipted
"""
_ACTUAL: Final = """
select payout_key as object_id, amount_cents, currency, destination from paid
union all
select charge_id, amount_cents, currency, '' from collected
"""
_KEY: Final = "object_id"


def _frames(root: Path) -> tuple[Any, Any, Any]:
    query = (Path(__file__).parent / "hand_written.sql").read_text()
    sides = query.rpartition("\n)\n")[0].replace("{landing}", str(root / "landing")) + "\n)\n"
    with duckdb.connect() as database:
        database.execute("set memory_limit = '3GB'")
        expected = database.execute(sides + _EXPECTED).df()
        actual = database.execute(sides + _ACTUAL).df()
        truth = database.execute(
            f"select object_id, reason_code from '{root}/truth/*.parquet'"
        ).df()
    return expected, actual, truth


def _coded(both: Any) -> Any:
    """Codes from a merged frame with `amount_cents_x`, `_y` and the indicator `_merge`."""
    import numpy as np

    return np.select(
        [
            both["_merge"] == "left_only",
            both["_merge"] == "right_only",
            both["currency_x"] != both["currency_y"],
            both["destination_x"] != both["destination_y"],
            both["amount_cents_y"] > both["amount_cents_x"],
            both["amount_cents_y"] < both["amount_cents_x"],
        ],
        [
            "MISSING_EXTERNAL",
            "MISSING_INTERNAL",
            "CURRENCY_MISMATCH",
            "DESTINATION_MISMATCH",
            "AMOUNT_OVER",
            "AMOUNT_UNDER",
        ],
        default="",
    )


def _pandas(expected: Any, actual: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    both = expected.merge(actual, on=_KEY, how="outer", indicator=True)
    both["reason_code"] = _coded(both)
    found = both.loc[both["reason_code"] != "", [_KEY, "reason_code"]]
    return time.perf_counter() - started, found


def _datacompy(expected: Any, actual: Any) -> tuple[float, Any]:
    import datacompy
    import pandas as pd
    import polars as pl

    left, right = pl.from_pandas(expected), pl.from_pandas(actual)
    started = time.perf_counter()
    compared = datacompy.PolarsCompare(left, right, join_columns=[_KEY])
    found = [
        (compared.df1_unq_rows, "MISSING_EXTERNAL"),
        (compared.df2_unq_rows, "MISSING_INTERNAL"),
    ]
    rows = compared.intersect_rows
    currency = ~rows["currency_match"]
    destination = rows["currency_match"] & ~rows["destination_match"]
    amount = rows["currency_match"] & rows["destination_match"]
    over = amount & (rows["amount_cents_df2"] > rows["amount_cents_df1"])
    under = amount & (rows["amount_cents_df2"] < rows["amount_cents_df1"])
    found += [
        (rows.filter(currency), "CURRENCY_MISMATCH"),
        (rows.filter(destination), "DESTINATION_MISMATCH"),
        (rows.filter(over), "AMOUNT_OVER"),
        (rows.filter(under), "AMOUNT_UNDER"),
    ]
    seconds = time.perf_counter() - started
    coded = [
        pd.DataFrame({_KEY: part[_KEY].to_list(), "reason_code": code}) for part, code in found
    ]
    return seconds, pd.concat(coded, ignore_index=True)


def _quality(found: Any, truth: Any) -> str:
    both = truth.merge(found, on=[_KEY, "reason_code"], how="outer", indicator=True)
    counted = both["_merge"].value_counts()
    return f"{counted['both']} right, {counted['left_only']} missed, {counted['right_only']} false"


def main(arguments: list[str]) -> None:
    """Measures one home that `tests.bench.reconciliation` built."""
    expected, actual, truth = _frames(Path(arguments[0]))
    print("| library | rows a side | seconds | quality |\n|---|---|---|---|")
    for name, measured in (("pandas merge", _pandas), ("datacompy (Polars)", _datacompy)):
        seconds, found = measured(expected, actual)
        print(f"| {name} | {len(expected):,} | {seconds:.2f} | {_quality(found, truth)} |")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"| peak memory of both | | | {peak_mb} MB |")


if __name__ == "__main__":
    main(sys.argv[1:])
