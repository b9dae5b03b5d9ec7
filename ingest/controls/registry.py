"""Who may sign operator lines: a registry file that lies outside the home.

Belongs here: reading the registry and finding an operator by name. Does not belong here: lines, or
what a line may change.

The registry is `{"operators":[{"name","keyid","pem","roles":[...],"retired_at"?}]}`. Operators are
retired, never removed: a switch that somebody armed must not disarm itself when he leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ingest.errors import SettingError
from ingest.pem import pem_keyid

__all__ = ["ROLE_CONTROLS", "Operator", "load_operators"]

ROLE_CONTROLS: Final = "controls"
_MAX_REGISTRY_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Operator:
    """One person who may sign.

    Attributes:
        keyid: Hex SHA-256 of the DER public key.
        roles: What he may loosen; arming needs no role.
        retired_at: From when on he may loosen nothing, or None.
    """

    name: str
    keyid: str
    pem: bytes
    roles: frozenset[str]
    retired_at: datetime | None = None

    def may_loosen(self, at: datetime, role: str = ROLE_CONTROLS) -> bool:
        """Whether he may sign a loosening dated `at`."""
        return role in self.roles and (self.retired_at is None or at < self.retired_at)


def load_operators(path: Path) -> dict[str, Operator]:
    """Reads the registry named by TIEOUT_OPERATORS.

    Returns:
        Operators by name.

    Raises:
        SettingError: It cannot be read, a key is not what its id says, or two entries share a name
            or a key: two names with one key would be one person approving himself.
    """
    try:
        with path.open("rb") as file:
            entries = json.loads(file.read(_MAX_REGISTRY_BYTES))["operators"]
        operators = [_operator(entry) for entry in entries]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _bad_registry(f"{type(error).__name__} while reading {path.name}") from None
    for operator in operators:
        if pem_keyid(operator.pem.decode("utf-8", "replace")) != operator.keyid:
            raise _bad_registry("a PEM that is not the Ed25519 key its keyid names")
    by_name = {operator.name: operator for operator in operators}
    if len(by_name) != len(operators) or len({o.keyid for o in operators}) != len(operators):
        raise _bad_registry("the same name or the same key twice")
    return by_name


def _operator(entry: Mapping[str, Any]) -> Operator:
    retired = entry.get("retired_at")
    retired_at = None if retired is None else datetime.fromisoformat(retired)
    if retired_at is not None and retired_at.tzinfo is None:
        raise ValueError
    return Operator(
        name=str(entry["name"]),
        keyid=str(entry["keyid"]),
        pem=str(entry["pem"]).encode(),
        roles=frozenset(map(str, entry["roles"])),
        retired_at=retired_at,
    )


def _bad_registry(got: str) -> SettingError:
    return SettingError(
        got=f"{got} in the registry of operators",
        expected='{"operators":[{"name":"...","keyid":"<hex sha256 of the DER key>","pem":"...",'
        '"roles":["controls"]}]}',
        remedy="Correct the file that TIEOUT_OPERATORS names",
        code="operators_invalid",
    )
