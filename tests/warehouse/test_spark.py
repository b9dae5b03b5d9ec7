"""Apache Spark builds the same project over the same landed files, and gives the same rows.

Belongs here: that both engines agree, table by table, and what a machine without Spark is told.
Does not belong here: what the rows must be; the scenarios say that of DuckDB's.
"""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from dagster_project import building, spark_target
from dagster_project.home import Home, prepare_home
from dagster_project.runs import Run
from ingest.errors import SettingError
from tests.mutation import harness
from tests.warehouse.comparing import different_tables
from tests.warehouse.conftest import ANCHOR, Built

HAS_SPARK = find_spec("pyspark") is not None
MACROS = Path(__file__).resolve().parents[2] / "dbt" / "macros"
RUN = Run(run_id="test", as_of=ANCHOR, known_at=ANCHOR, started_at=ANCHOR)


needs_spark = pytest.mark.skipif(not HAS_SPARK, reason="pyspark is absent; `make spark` runs this")


@pytest.mark.slow
@needs_spark
def test_spark_and_duckdb_give_the_same_rows_of_every_scenario(
    scenarios: Built, tmp_path: Path
) -> None:
    _require_same(scenarios.home, RUN, tmp_path)


@pytest.mark.slow
@needs_spark
def test_spark_and_duckdb_give_the_same_rows_of_every_mutation(tmp_path: Path) -> None:
    assert harness.run(tmp_path / "mutations", random_worlds=20).failures == []
    run = Run("mutation", harness.ANCHOR, harness.ANCHOR, harness.ANCHOR)
    _require_same(prepare_home(tmp_path / "mutations"), run, tmp_path)


@pytest.mark.skipif(HAS_SPARK, reason="pyspark is installed here")
def test_without_spark_the_target_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as refused, spark_target.session(prepare_home(tmp_path)):
        pass
    assert refused.value.code == "spark_not_installed"
    assert "tieout[full,spark]" in refused.value.remedy


def test_what_one_engine_spells_its_own_way_has_a_spelling_for_the_other() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in MACROS.glob("*.sql"))
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)'", text))
    for engine in ("duckdb", "spark"):
        assert dispatched <= set(re.findall(rf"macro {engine}__(\w+)\(", text)), engine
    assert "key_hash" in dispatched


def _require_same(home: Home, run: Run, folder: Path) -> None:
    """Builds what a home landed once more on Spark, and compares every table."""
    twin = prepare_home(folder / "twin")
    shutil.copytree(home.root / "landing", twin.root / "landing", dirs_exist_ok=True)
    building.build(twin, run, target="spark").require_good()
    # Spark carries nothing to the next build, so it leaves no hashes of rows for one.
    different = different_tables(home, twin)
    assert {name for name in different if not name.startswith("prints.")} == set()
