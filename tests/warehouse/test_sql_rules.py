"""The rules that keep the warehouse's SQL portable, layered and free of Python.

Belongs here: checks over the text of the dbt project. Does not belong here: what models compute.
"""

from __future__ import annotations

import re
from pathlib import Path

DBT = Path(__file__).resolve().parents[2] / "dbt"
MODELS = sorted(DBT.glob("models/**/*.sql"))
STAGING = DBT / "models" / "staging"

# Spelled so by DuckDB alone, or meaning another thing on Spark (design, section 11).
FORBIDDEN = {
    "cast shorthand": re.compile(r"::"),
    "qualify": re.compile(r"\bqualify\b", re.IGNORECASE),
    "exclude": re.compile(r"\*\s*exclude\b", re.IGNORECASE),
    "group by all": re.compile(r"\bgroup\s+by\s+all\b", re.IGNORECASE),
    "asof join": re.compile(r"\basof\b", re.IGNORECASE),
    "integer division operator": re.compile(r"(?<!:)//"),
    "json arrow": re.compile(r"->>?"),
    "reading files in a model": re.compile(r"\bread_\w+\s*\(", re.IGNORECASE),
    "concat()": re.compile(r"\bconcat\s*\(", re.IGNORECASE),
    "clock": re.compile(r"\b(now|today)\s*\(|\bcurrent_(timestamp|date|time)\b", re.IGNORECASE),
    "var() in a model": re.compile(r"\bvar\s*\("),
    "floating point": re.compile(r"\b(double|float|real)\b", re.IGNORECASE),
}


def _code(path: Path) -> str:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    without_comments = re.sub(r"--[^\n]*", "", text)
    return re.sub(r"'[^'\n]*'", "''", without_comments)


def test_models_use_portable_sql_only() -> None:
    broken = {
        path.stem: names
        for path in MODELS
        if (names := [name for name, pattern in FORBIDDEN.items() if pattern.search(_code(path))])
    }
    assert broken == {}


def test_every_model_states_its_grain_first() -> None:
    silent = [
        path.stem
        for path in MODELS
        if not path.read_text(encoding="utf-8").startswith("-- grain: ")
    ]
    assert silent == []


def test_every_order_by_says_where_nulls_go() -> None:
    broken = [
        path.stem
        for path in MODELS
        for order in re.findall(
            r"order by(.*?)(?:\)|$)", _code(path), flags=re.DOTALL | re.IGNORECASE
        )
        if "nulls last" not in order
    ]
    assert broken == []


def test_only_staging_reads_sources() -> None:
    reads_source = re.compile(r"\bsource\s*\(|\b(latest|first|all)_landed\s*\(")
    readers = [path for path in MODELS if reads_source.search(path.read_text(encoding="utf-8"))]
    assert [path.name for path in readers if STAGING not in path.parents] == []


def test_no_python_file_in_the_dbt_project() -> None:
    assert list(DBT.rglob("*.py")) == []


def test_every_model_is_described() -> None:
    described: set[str] = set()
    for yaml_path in DBT.glob("models/**/*.yml"):
        text = yaml_path.read_text(encoding="utf-8")
        described.update(re.findall(r"^  - name: (\w+)\n    description: \S", text, re.MULTILINE))
    assert sorted({path.stem for path in MODELS} - described) == []


def test_yaml_files_stay_short_enough_to_read() -> None:
    long = {
        path.name: n
        for path in DBT.glob("**/*.yml")
        if (n := len(path.read_text().splitlines())) > 300
    }
    assert long == {}
