"""What dbt's manifest says about models: keys, code, and which nodes there are.

Belongs here: reading `manifest.json`. Does not belong here: making it (`building.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from dagster_project.building import manifest_file
from dagster_project.home import Home
from evidence import canonical

__all__ = ["ACTS_TAG", "Manifest", "Node"]

ACTS_TAG: Final = "acts"
_CODE: Final = ("model", "seed")


@dataclass(frozen=True)
class Node:
    """A model or seed: where it stands, what it reads, what its rows are unique by.

    `relation` is `database.schema.name`; `file` is relative to the project.
    """

    unique_id: str
    name: str
    relation: str
    file: str
    parents: tuple[str, ...]
    key: tuple[str, ...]
    replay: str | None

    @property
    def is_shared(self) -> bool:
        """Whether its rows are the same for every tenant: seeds, and the run's own parameters."""
        return self.replay == "shared"

    @property
    def is_input(self) -> bool:
        """Whether packets carry its rows instead of computing them again."""
        return self.replay is not None


@dataclass(frozen=True)
class Manifest:
    """A parsed manifest; `content` is dbt's document."""

    content: Mapping[str, Any]

    @classmethod
    def load(cls, home: Home) -> Manifest:
        """The manifest of the current project, parsed anew when a file changed."""
        path = manifest_file(home)
        return _read(path, path.stat().st_mtime_ns)

    def sources(self, source: str) -> Iterator[tuple[str, str]]:
        """Table names and descriptions of one source, in order of name."""
        nodes = self.content["sources"].values()
        found = [(n["name"], n["description"]) for n in nodes if n["source_name"] == source]
        yield from sorted(found)

    def keys(self) -> dict[str, tuple[str, ...]]:
        """Declared key columns by model: what its composite row test holds unique."""
        found: dict[str, tuple[str, ...]] = {}
        for node in self.content["nodes"].values():
            test = node.get("test_metadata") or {}
            model = (node.get("attached_node") or "").rsplit(".", 1)[-1]
            if test.get("name") == "row_rules" and model:
                arguments = test["kwargs"].get("arguments") or test["kwargs"]
                found[model] = tuple(arguments["key"])
        return found

    def nodes(self) -> dict[str, Node]:
        """Models and seeds by unique id."""
        keys = self.keys()
        return {
            unique_id: Node(
                unique_id=unique_id,
                name=node["name"],
                relation=f"{node['database']}.{node['schema']}.{node['name']}",
                file=node["original_file_path"],
                parents=tuple(node["depends_on"].get("nodes", ())),
                key=keys.get(node["name"], ()),
                replay=_replay_of(node),
            )
            for unique_id, node in self.content["nodes"].items()
            if node["resource_type"] in _CODE
        }

    def code_sha256(self) -> str:
        """One digest over the code of every model, seed and macro."""
        nodes = [n for n in self.content["nodes"].values() if n["resource_type"] in _CODE]
        code = [[n["unique_id"], n["checksum"]["checksum"]] for n in nodes]
        macros = [
            [name, canonical.sha256_hex(macro["macro_sql"].encode())]
            for name, macro in self.content["macros"].items()
            if macro["package_name"] == "tieout"
        ]
        return canonical.document_hash({"macros": sorted(macros), "nodes": sorted(code)})

    def count(self, *, acts: bool) -> int:
        """How many nodes a build touches, for progress."""
        kinds = ("model", "seed", "test")
        return sum(
            node["resource_type"] in kinds and (ACTS_TAG in node["tags"]) is acts
            for node in self.content["nodes"].values()
        )


def _replay_of(node: Mapping[str, Any]) -> str | None:
    """`shared`, `rows` (a staging model's) or `given` for inputs of a packet; None for a step."""
    if node["resource_type"] == "seed":
        return "shared"
    told = node["config"]["meta"].get("replay")
    if told is not None:
        return str(told)
    return "rows" if node["schema"] == "staging" else None


@lru_cache(maxsize=2)
def _read(path: Path, _changed_at: int) -> Manifest:
    return Manifest(orjson.loads(path.read_bytes()))
