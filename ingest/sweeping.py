"""Sweeping: what a killed writer left behind in a landing goes, and what it had begun is finished.

Belongs here: telling remains from what is committed, by names alone. Does not belong here: when it
is safe, which a lock says (`ingest.landing`).
"""

from __future__ import annotations

import os
from pathlib import Path

from ingest.files import remove
from ingest.folds import FOLD, FOLDER
from ingest.manifests import MANIFEST, SCHEMA_FILE
from ingest.rewriting import REWRITTEN, finish_rewrite

__all__ = ["clear_remains"]


def clear_remains(home: Path) -> None:
    """Removes temporary files and what no manifest commits, and completes a rewritten batch.

    The caller is alone with the landing of the home.
    """
    landing, quarantine, state = home / "landing", home / "quarantine", home / "state"
    for folder in (*landing.glob("*/*"), *quarantine.glob("*/*")):
        _sweep_table(folder, landing / folder.parent.name / folder.name, MANIFEST)
    for folder in (home / FOLDER).glob("*/*"):
        _sweep_table(folder, folder, FOLD)
    for path in state.glob("duckdb.*.tmp"):
        if not _is_alive(path.name.split(".")[1]):
            remove(path)


def _sweep_table(folder: Path, table: Path, commit: str) -> None:
    """Sweeps one folder of batches; names alone, because a table may have 100,000 of them."""
    names = os.listdir(folder)
    listed = names if folder == table else os.listdir(table) if table.is_dir() else []
    committed = {name.removesuffix(commit) for name in listed if name.endswith(commit)}
    for name in names:
        batch_id, _, suffix = name.rpartition(".")
        loose = suffix in {"parquet", "jsonl"} and batch_id not in committed
        if suffix == "tmp" or (loose and name != SCHEMA_FILE):
            remove(folder / name)
        elif name.endswith(REWRITTEN):
            finish_rewrite(folder / name)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
