"""Attacks on tables: order, keys, digests, roots, columns, and whose rows they are."""

from __future__ import annotations

import json

import pytest

from evidence import build, canonical
from evidence.build import build_packet
from evidence.tables import Table, read_entries, scan_table, write_table

DRIFT = "tables/reconciliation_drift.ndjson"


def entry_edited(forge, table: str, **changes: object) -> dict[str, bytes]:
    return forge.edited(build.TABLES_FILE, lambda d: d[table].update(changes))


def test_attack_35_rows_reordered(forge) -> None:
    files = forge.files()
    lines = files[DRIFT].splitlines(keepends=True)
    files[DRIFT] = b"".join([lines[1], lines[0], *lines[2:]])
    assert forge.refusal(forge.seal(files)) == "table_order"


def test_attack_35b_row_repeated(forge) -> None:
    files = forge.files()
    lines = files[DRIFT].splitlines(keepends=True)
    files[DRIFT] = b"".join([lines[0], *lines])
    assert forge.refusal(forge.seal(files)) == "table_order"


def test_attack_36_row_dropped(forge) -> None:
    files = forge.files()
    files[DRIFT] = b"".join(files[DRIFT].splitlines(keepends=True)[:-1])
    assert forge.refusal(forge.seal(files)) == "table_rows"


def test_attack_88_wrong_digest_in_tables_json(forge) -> None:
    files = entry_edited(forge, "reconciliation_drift", sha256="0" * 64)
    assert forge.refusal(forge.seal(files)) == "table_digest"


def test_attack_89_wrong_merkle_root_in_tables_json(forge) -> None:
    files = entry_edited(forge, "reconciliation_drift", merkle="0" * 64)
    assert forge.refusal(forge.seal(files)) == "table_merkle"


def test_attack_90_table_without_final_newline(forge) -> None:
    files = forge.files()
    files[DRIFT] = files[DRIFT][:-1]
    assert forge.refusal(forge.seal(files)) == "table_newline"


def test_attack_100_emitter_two_rows_with_one_key(refused) -> None:
    table = Table(("id",), [{"id": "a", "n": 1}, {"id": "a", "n": 2}])
    assert refused(lambda: b"".join(write_table("x", table, 1 << 20))) == "duplicate_row_key"


def test_rows_are_ordered_by_number_then_by_utf8_bytes_and_null_comes_last() -> None:
    keys = [None, "b", "a!", "a", "\U0001f600", "\uffff", 10, -1, 9, "\u00e9"]
    table = Table(("k",), [{"k": key} for key in keys])
    data = b"".join(write_table("x", table, 1 << 20))
    ordered = [json.loads(line)["k"] for line in data.splitlines()]
    assert ordered == [-1, 9, 10, "a", "a!", "b", "\u00e9", "\uffff", "\U0001f600", None]
    texts = [key for key in ordered if isinstance(key, str)]
    assert texts == sorted(texts, key=lambda text: text.encode())
    assert scan_table("x", data, ("k",)).rows == len(keys)


@pytest.mark.parametrize("key", [True, False])
def test_a_boolean_is_no_key(refused, key) -> None:
    table = Table(("k",), [{"k": key}])
    assert refused(lambda: b"".join(write_table("x", table, 1 << 20))) == "table_key"
    data = canonical.dumps({"k": key}) + b"\n"
    assert refused(lambda: scan_table("x", data, ("k",))) == "table_key"


def test_every_row_has_every_column(refused) -> None:
    for second in ({"id": "b"}, {"id": "b", "n": 1, "m": 1}, {"id": "b", "m": 1}):
        rows = [{"id": "a", "n": 1}, second]
        assert refused(
            lambda rows=rows: b"".join(write_table("x", Table(("id",), rows), 1 << 20))
        ) == ("table_columns")
        data = b"".join(canonical.dumps(row) + b"\n" for row in rows)
        assert refused(lambda data=data: scan_table("x", data, ("id",))) == "table_columns"


def test_a_table_too_wide_to_be_honest(refused) -> None:
    row = {f"c{number:03d}": 1 for number in range(257)}
    table = Table(("c000",), [row])
    assert refused(lambda: b"".join(write_table("x", table, 1 << 20))) == "table_columns"


@pytest.mark.parametrize("key", [(), ("id", "id"), ("absent",), tuple("abcdefghijklmnopq")])
def test_a_key_must_name_different_columns_that_exist(refused, key) -> None:
    rows = [dict.fromkeys("abcdefghijklmnopq", 1) | {"id": 1}]
    assert refused(lambda: b"".join(write_table("x", Table(key, rows), 1 << 20))) == "table_key"


@pytest.mark.parametrize("name", ["", "Upper", "a-b", "a/b", "1a", "x" * 65])
def test_a_table_name_is_plain(refused, name) -> None:
    assert refused(lambda: b"".join(write_table(name, Table(("id",), []), 1 << 20))) == "table_name"
    entry = {"key": ["id"], "merkle": "0" * 64, "rows": 0, "sha256": "0" * 64}
    code = refused(lambda: read_entries(canonical.dumps({name: entry})))
    assert code in {"table_name", "json_key"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rows": True}, "table_entry"),
        ({"rows": -1}, "table_entry"),
        ({"rows": "1"}, "table_entry"),
        ({"sha256": "A" * 64}, "table_entry"),
        ({"merkle": None}, "table_entry"),
        ({"extra": 1}, "table_entry"),
        ({"key": []}, "table_key"),
        ({"key": [1]}, "table_key"),
        ({"key": "id"}, "table_key"),
    ],
)
def test_entries_are_an_allow_list(refused, change, code) -> None:
    entry = {"key": ["id"], "merkle": "0" * 64, "rows": 0, "sha256": "0" * 64} | change
    assert refused(lambda: read_entries(canonical.dumps({"x": entry}))) == code
    assert refused(lambda: read_entries(b"[]")) == "table_entry"


def test_a_table_that_outgrows_the_packet_names_the_split(refused) -> None:
    rows = ({"id": f"{number:09d}", "note": "x" * 100} for number in range(1000))
    table = Table(("id",), rows)
    assert (
        refused(lambda: b"".join(write_table("money_movements", table, 10_000))) == "packet_too_big"
    )


@pytest.mark.parametrize(
    ("table", "change", "code"),
    [
        ("reconciliation_drift", {"tenant_id": "t2"}, "table_tenant"),
        ("exposure_rollforward", {"tenant_id": "_platform"}, "table_tenant"),
        ("reconciliation_bridge", {"tenant_id": None}, "table_tenant"),
        ("reconciliation_runs", {"period": "2026-09"}, "table_period"),
        ("reconciliation_bridge", {"period": None}, "table_period"),
        ("exposure_rollforward", {"period": "2026-11"}, "table_period"),
    ],
)
def test_no_packet_shows_rows_of_another_tenant_or_period(
    forge, rows, packet_tables, refused, table, change, code
) -> None:
    kind = table.removeprefix("reconciliation_").removesuffix("_rollforward")
    forged = rows[kind]()
    forged[-1] |= change
    spec = forge.spec(tables=packet_tables(**{table: forged}))
    assert refused(lambda: build_packet(spec, forge.signer)) == code


def test_signed_row_of_another_tenant_in_a_further_table(forge, packet_tables, refused) -> None:
    rows = [{"id": "1", "tenant_id": "t1"}, {"id": "2", "tenant_id": "t2"}]
    spec = forge.spec(tables=packet_tables(money_movements=rows))
    assert refused(lambda: build_packet(spec, forge.signer)) == "table_tenant"
    data = b"".join(canonical.dumps(row) + b"\n" for row in rows)
    assert forge.refusal(forge.seal(forge.with_table("money_movements", data))) == "table_tenant"


@pytest.mark.parametrize("column", ["run_id", "age_days", "expires_at", "lifecycle"])
def test_no_packet_carries_what_changes_without_its_inputs(
    forge, rows, packet_tables, refused, column
) -> None:
    forged = [row | {column: 1} for row in rows["drift"]()]
    spec = forge.spec(tables=packet_tables(reconciliation_drift=forged))
    assert refused(lambda: build_packet(spec, forge.signer)) == "table_volatile"


def test_a_required_table_without_tenant_id(forge, rows, packet_tables, refused) -> None:
    forged = [{k: v for k, v in row.items() if k != "tenant_id"} for row in rows["drift"]()]
    spec = forge.spec(tables=packet_tables(reconciliation_drift=forged))
    assert refused(lambda: build_packet(spec, forge.signer)) == "table_tenant"
