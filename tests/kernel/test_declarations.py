"""Each type declares its hash, mutability, links and month, and the declaration is true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.artifacts import HASH_RULES, SIGNED, UNHASHED
from ingest.kernel.artifacts import EXPORTED, LANDED_TYPES
from ingest.kernel.tables import ArtifactType
from tests.kernel.conftest import Kernel, Warehouse

STAGING = Path(__file__).resolve().parents[2] / "dbt/models/staging/kernel"
Make = Callable[..., dict[str, Any]]

every_type = pytest.mark.parametrize("kind", LANDED_TYPES, ids=lambda kind: kind.name)


@every_type
def test_the_declared_hash_is_the_rule_that_is_computed(kind: ArtifactType) -> None:
    rule = HASH_RULES.get(kind.name)
    if kind.hashed is None:
        assert rule is None
        assert kind.name in UNHASHED or kind.inside
        return
    assert rule is not None
    assert (rule.field, rule.core) == (kind.hashed.member, kind.hashed.only)
    if not rule.core:
        assert rule.dropped == {kind.hashed.member, *kind.hashed.without}
    assert (kind.signed_by is not None) == (kind.name in SIGNED)


@every_type
def test_every_link_and_ordering_names_columns_that_exist(kind: ArtifactType) -> None:
    own = {field.name for field in kind.fields}
    assert {*kind.links, *kind.dated, *(kind.latest_by or ()), *kind.identity} <= own
    for target in kind.links.values():
        name, _, column = target.partition(".")
        assert column in {field.name for field in EXPORTED[name].fields}, target


@every_type
def test_staging_picks_the_row_that_the_declared_mutability_picks(kind: ArtifactType) -> None:
    """An immutable artifact is what it was first; a snapshot is its latest revision."""
    sql = (STAGING / f"stg_kernel__{kind.name}.sql").read_text(encoding="utf-8")
    called = re.search(r"\{\{ (\w+)_landed\('kernel', '(\w+)', key=(\[[^]]*\])(.*?)\) \}\}", sql)
    assert called is not None
    picks, table, key, order = called.groups()
    newest = re.search(r"newest_first=(\[[^]]*\])", order)
    assert (picks, table) == ("first" if kind.latest_by is None else "latest", kind.name)
    names = kind.identity or kind.key
    assert json.loads(key.replace("'", '"')) == ["tenant_id", *names]
    found = json.loads(newest[1].replace("'", '"')) if newest else []
    assert tuple(found) == (kind.latest_by or ())


def test_every_hashed_type_that_has_a_month_says_where_it_stands(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, decision: Make
) -> None:
    undated = [kind.name for kind in LANDED_TYPES if kind.judged and not kind.dated]
    assert undated == []
    kernel.write("settlement_receipts", [receipt(1), receipt(2, settledAt=None)])
    kernel.write("settlement_decisions", [decision(1, decidedAt="2026-09-30T23:59:59.999Z")])
    warehouse.land()
    months = {row["artifact_id"]: row["period"] for row in warehouse.rows("artifact_verdicts")}
    assert months == {"rcpt_1": "2026-10", "rcpt_2": "2026-10", "dec_1": "2026-09"}
