"""Operators with keys, their registry outside the home, and a book they write in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evidence.artifacts import is_signed_by
from evidence.keys import KeySigner, public_key_pem
from ingest.controls import (
    CONTROLS_FILE,
    ControlBook,
    ControlLine,
    Operator,
    append_control,
    compose_control,
    land_controls,
    load_operators,
    read_book,
    sign_line,
)
from ingest.landing import Landing, new_batch_id
from ingest.tables import BatchManifest

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMES = ("alice", "bob", "carol")


class Desk:
    """Alice and Bob may loosen, Carol may only arm, Mallory is on no registry."""

    def __init__(self, home: Path, registry: Path) -> None:
        self.home = home
        self.registry = registry
        self.keys = {
            name: KeySigner.from_seed(name.encode().ljust(32, b".")) for name in (*NAMES, "mallory")
        }
        self.register(*({"name": name} for name in NAMES))
        self._minutes = 0
        self._landings = 0

    def register(self, *entries: dict[str, Any]) -> None:
        operators = []
        for entry in entries:
            key = self.keys[entry["name"]]
            operators.append(
                {
                    "keyid": key.keyid,
                    "pem": public_key_pem(key.public_key),
                    "roles": [] if entry["name"] == "carol" else ["controls"],
                    **entry,
                }
            )
        self.registry.parent.mkdir(parents=True, exist_ok=True)
        self.registry.write_text(json.dumps({"operators": operators}))

    @property
    def operators(self) -> dict[str, Operator]:
        return load_operators(self.registry)

    @property
    def path(self) -> Path:
        return self.home / CONTROLS_FILE

    def body(self, action: str = "kill", value: object = True, **over: Any) -> dict[str, Any]:
        self._minutes += 1
        settings: dict[str, Any] = {
            "action": action,
            "value": value,
            "book": "home-1",
            "at": NOW + timedelta(minutes=self._minutes),
            "reason": "a drill",
            "operator": "alice",
            **over,
        }
        return compose_control(self.home, **settings)

    def say(self, action: str = "kill", value: object = True, **over: Any) -> None:
        """Appends a line signed by everyone it names."""
        body = self.body(action, value, **over)
        names = [name for name in (body["operator"], body["second_operator"]) if name]
        self.append(body, *names)

    def append(self, body: dict[str, Any], *signers: str) -> None:
        append_control(self.home, body, [sign_line(body, self.keys[name]) for name in signers])

    def read(self) -> ControlBook:
        return read_book(self.home, self.operators, is_signed_by)

    def last(self) -> ControlLine:
        return self.read().lines[-1]

    def edit(self, change: Any) -> None:
        """Changes the file as somebody with a text editor would."""
        lines = self.path.read_text().splitlines()
        self.path.write_text("".join(f"{line}\n" for line in change(lines)))

    def land(self, **over: Any) -> tuple[ControlBook, BatchManifest | None]:
        self._landings += 1
        now = NOW + timedelta(hours=self._landings)
        settings: dict[str, Any] = {
            "home": self.home,
            "operators": self.operators,
            "check": is_signed_by,
            "landing": Landing(self.home),
            "batch_id": new_batch_id(now, f"controls-{self._landings}"),
            "now": now,
            **over,
        }
        return land_controls(**settings)

    def landed(self) -> list[dict[str, Any]]:
        """The latest landed row of each line, in order."""
        folder = self.home / "landing" / "tieout" / "controls"
        pattern = str(folder).replace("[", "[[]").replace("'", "''")
        with duckdb.connect() as db:
            found = db.execute(
                f"select * from read_parquet('{pattern}/*.parquet') order by received_at, row_no"
            )
            names = [column[0] for column in found.description or []]
            rows = [dict(zip(names, values, strict=True)) for values in found.fetchall()]
        latest = {row["seq"]: row for row in rows}
        return [latest[seq] for seq in sorted(latest)]


@pytest.fixture
def desk(home: Path, tmp_path: Path) -> Desk:
    return Desk(home, tmp_path / "elsewhere" / "operators.json")
