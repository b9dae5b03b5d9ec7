"""The data dictionary: the public tables and seeds of the dbt manifest as one Markdown page.

Belongs here: turning a manifest into text. Does not belong here: making the manifest, or any fact
about a table; those are written once, in the dbt project's YAML.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["render"]

_HEAD = """# Data dictionary

Generated from the dbt project by `make docs`; a test fails when it is out of date. These tables
are in `published/current.duckdb`, schema `main`. Money is an integer of minor units beside its
currency, times are UTC, and every table carries `tenant_id`.
"""


def render(manifest: Mapping[str, Any]) -> str:
    """One Markdown page from a dbt manifest.

    Args:
        manifest: The parsed `manifest.json`.

    Returns:
        The page: a section a public model, its key first, then its columns in order.
    """
    nodes = manifest["nodes"].values()
    models = sorted(
        (node for node in nodes if node["resource_type"] == "model" and node["access"] == "public"),
        key=lambda node: str(node["name"]),
    )
    keys = {
        test["attached_node"]: test["test_metadata"]["kwargs"].get("key", [])
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") == "row_rules"
    }
    parts = [_HEAD]
    for model in models:
        key = ", ".join(f"`{column}`" for column in keys.get(model["unique_id"], []))
        parts.append(f"## {model['name']}\n\n{model['description']}\n\nKey: {key}.\n")
        rows = [
            f"| `{column['name']}` | {column['data_type']} | {column['description']} |"
            for column in model["columns"].values()
        ]
        parts.append("\n".join(["| column | type | meaning |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(render(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
