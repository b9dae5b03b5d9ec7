"""Apache Spark as the engine of a build: its session, and its tables as the warehouse's two files.

Belongs here: starting and stopping Spark on this machine, and reading what it wrote into DuckDB, so
that publishing, packets and gates know one kind of warehouse. Does not belong here: dbt's call
(`building.py`), SQL that computes anything, or a cluster: whoever has one sets `spark.master` in
Spark's own configuration.

Spark is the extra `spark` and needs Java 17; nothing else of Tieout loads it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import duckdb

from dagster_project.home import Home
from ingest.errors import SettingError, TieoutError

__all__ = ["lacking", "load", "session"]

# Times carry no zone, as they are landed. Texts that are no number are errors, as in DuckDB.
_CONFIGURATION: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    # A table of this machine's size is one piece; more only cost a task each.
    "spark.sql.shuffle.partitions": str(os.cpu_count() or 1),
}


def lacking() -> str:
    """What this machine has to get before it can build on Spark; empty when nothing."""
    packages = {"dbt-spark": "dbt.adapters.spark", "pyspark": "pyspark"}
    missing = [name for name, module in packages.items() if find_spec(module) is None]
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        missing.append("Java")
    return " and ".join(missing)


@contextlib.contextmanager
def session(home: Home) -> Iterator[None]:
    """A Spark session that writes its tables under the home; empty at first, stopped at the end.

    Raises:
        SettingError: Spark or Java is not installed, or Spark does not start.
    """
    if missing := lacking():
        raise SettingError(
            got=f"TIEOUT_TARGET=spark without {missing}",
            expected="dbt-spark, pyspark and Java 17 or later (JAVA_HOME or the path)",
            remedy="Run pip install 'tieout[full,spark]' and install Java, or unset TIEOUT_TARGET",
            code="spark_not_installed",
        )
    from pyspark.errors import PySparkException  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    shutil.rmtree(_tables(home), ignore_errors=True)
    builder = SparkSession.builder.appName("tieout")
    for name, value in _CONFIGURATION.items():
        builder = builder.config(name, value)
    try:
        spark = builder.config("spark.sql.warehouse.dir", str(_tables(home))).getOrCreate()
    except PySparkException as error:
        raise SettingError(
            got=f"Spark did not start: {str(error)[:200]}",
            expected="Spark to start in this process",
            remedy="Check that `java -version` says 17 or later, or unset TIEOUT_TARGET",
            code="spark_did_not_start",
        ) from None
    try:
        yield
    finally:
        spark.stop()


def load(home: Home, project: Any) -> None:
    """Reads every table that Spark wrote into the two files that DuckDB would have made.

    Args:
        home: The home; its warehouse files are new ones.
        project: dbt's parsed project for DuckDB, whose names the tables get.

    Raises:
        TieoutError: Spark left no file for a table.
    """
    with duckdb.connect(str(home.warehouse / "warehouse.duckdb")) as warehouse:
        work = str(home.warehouse / "work.duckdb").replace("'", "''")
        warehouse.execute(f"attach '{work}' as work")
        for node in project.nodes.values():
            if node.resource_type not in ("model", "seed") or node.config.materialized == "view":
                continue
            folder = _tables(home) / f"{node.schema}.db" / node.alias
            if not any(folder.glob("*.parquet")):
                raise TieoutError(
                    got=f"no file of {node.schema}.{node.alias} from Spark",
                    expected="a file for every table",
                    remedy="Run again; the last publication stands",
                    code="spark_table_missing",
                )
            warehouse.execute(f"create schema if not exists {node.database}.{node.schema}")
            warehouse.read_parquet(f"{folder}/*.parquet").create(
                f"{node.database}.{node.schema}.{node.alias}"
            )
    shutil.rmtree(_tables(home))


def _tables(home: Home) -> Path:
    return home.warehouse / "spark"
