"""A packet is a pure function of its inputs: no clock, zone, locale, order or place enters."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import canonical
from evidence.build import build_packet
from evidence.tables import Table, scan_table, write_table

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import hashlib, runpy, sys
from pathlib import Path
forge = runpy.run_path(sys.argv[1])["Forge"](Path("."))
print(hashlib.sha256(forge.honest().zip_bytes).hexdigest())
"""


def elsewhere(folder: Path, **environment: str) -> str:
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).with_name("conftest.py"))]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/Lima", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
    ],
    ids=["tokyo", "lima"],
)
def test_another_process_zone_locale_and_folder_give_the_same_bytes(forge, environment) -> None:
    expected = canonical.sha256_hex(forge.honest().zip_bytes)
    assert elsewhere(forge.folder, **environment) == expected


def test_rows_and_tables_in_any_order_give_the_same_bytes(forge) -> None:
    chance = random.Random(3)
    spec = forge.spec()
    for _ in range(5):
        shuffled = {}
        for name in chance.sample(sorted(spec.tables), len(spec.tables)):
            table = spec.tables[name]
            rows = [dict(chance.sample(list(r.items()), len(r))) for r in table.rows]
            chance.shuffle(rows)
            shuffled[name] = replace(table, rows=iter(rows))
        assert build_packet(replace(spec, tables=shuffled), forge.signer) == forge.honest()


def test_signers_in_any_order_give_the_same_bytes(forge) -> None:
    one = build_packet(forge.spec(), forge.signer, cosigners=[forge.second, forge.attacker])
    two = build_packet(forge.spec(), forge.signer, cosigners=[forge.attacker, forge.second])
    assert one == two


def test_signatures_and_proofs_do_not_move_the_packet_hash(forge) -> None:
    honest = forge.honest().packet_sha256
    assert build_packet(forge.spec(), forge.second).packet_sha256 == honest
    assert build_packet(forge.spec(), forge.signer, forge.log()).packet_sha256 == honest


def test_every_input_moves_the_packet_hash(forge, packet_tables, rows) -> None:
    changes = (
        {"revision": 2, "supersedes": "1" * 64},
        {"previous": None},
        {"run": dict(forge.spec().run) | {"engine": "duckdb 2.0.1"}},
        {"tables": packet_tables(reconciliation_drift=rows["drift"](("break",)))},
        {"tables": packet_tables(further=[])},
    )
    hashes = {build_packet(forge.spec(**c), forge.signer).packet_sha256 for c in changes}
    assert len(hashes | {forge.honest().packet_sha256}) == len(changes) + 1


CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.none() | st.integers(-99, 99) | st.text(st.characters(exclude_categories=["Cs"])),
        st.tuples(CELLS, CELLS),
        max_size=8,
    )
)
def test_every_table_that_can_be_written_reads_back_line_by_line_canonical(cells) -> None:
    rows = [{"k": key, "a": one, "z": two} for key, (one, two) in cells.items()]
    data = b"".join(write_table("x", Table(("k",), rows), 1 << 20))
    seen: list[dict[str, object]] = []
    assert scan_table("x", data, ("k",), [seen.append]).rows == len(rows)
    assert sorted(map(canonical.dumps, seen)) == sorted(map(canonical.dumps, rows))
    for line in data.split(b"\n")[:-1]:
        assert canonical.dumps(canonical.loads_strict(line)) == line
