"""A policy to try out: what operators or the kernel would have set, as rows over what they did.

Belongs here: reading a policy file strictly, and turning it into landed rows. Does not belong here:
which values a control takes (`ingest.controls`), or what follows from them (the models).

    {"format": "urn:tieout:policy:v1",
     "controls": [{"tenantId": "*", "providerId": null, "field": "...", "value": ...}],
     "kernelControls": [{"tenantId": "t", ... MoneyRailControls.v1 ...}]}
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.what_if import Overlay
from evidence import canonical
from evidence.artifacts import KernelArtifacts
from evidence.errors import Refusal
from evidence.kernel_reports import kernel_time
from ingest.controls.switches import CONTROL_FIELDS, is_valid_value
from ingest.errors import ArtifactRefused, SettingError
from ingest.kernel.artifacts import EXPORTED
from ingest.kernel.rail_types import MONEY_RAIL_CONTROLS
from ingest.kernel.rows import KERNEL_TABLES, rows_of
from ingest.kernel.tables import VOUCHED, Place
from ingest.tables import CONTROLS, TableSpec

__all__ = ["Policy", "read_policy"]

FORMAT: Final = "urn:tieout:policy:v1"
MAX_POLICY_BYTES: Final = 1 << 20
MAX_ENTRIES: Final = 10_000
_MEMBERS: Final = frozenset({"format", "controls", "kernelControls"})
_CONTROL_MEMBERS: Final = frozenset({"tenantId", "providerId", "field", "value"})
_KERNEL_TYPE: Final = "money_rail_controls"
_AUTHOR: Final = "what-if"
_TICK: Final = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Policy:
    """A policy as read; `sha256` is of the file's bytes."""

    controls: tuple[Mapping[str, Any], ...]
    kernel_controls: tuple[Mapping[str, Any], ...]
    sha256: str

    def over(self, session: Session, run: Run) -> Overlay:
        """The rows that put the policy in force for one run, newer than all it knew.

        Raises:
            SettingError: `policy_kernel_controls`: they are not what the kernel exports.
        """
        rows: dict[TableSpec, list[Mapping[str, Any]]] = defaultdict(list)
        landed = session.landing.rows(CONTROLS, ["seq"])
        first = max((int(str(seq)) for (seq,) in landed), default=0) + 1
        for number, control in enumerate(self.controls):
            rows[CONTROLS].append(
                {
                    "seq": first + number,
                    "tenant_id": control["tenantId"],
                    "provider_id": control.get("providerId"),
                    "field": control["field"],
                    "value": json.dumps(control["value"], separators=(",", ":")),
                    "action": "set",
                    "operator": _AUTHOR,
                    "second_operator": _AUTHOR,
                    "at": run.as_of,
                    "reason": _AUTHOR,
                    "line_status": "valid",
                }
            )
        specs = {spec.table: spec for spec in KERNEL_TABLES}
        # A kernel may renew its controls between a run's as_of and its pull: newer than those, too.
        landed = session.landing.rows(MONEY_RAIL_CONTROLS.spec, ["updated_at"])
        known = [at + _TICK for (at,) in landed if isinstance(at, datetime)]
        stamp = kernel_time(max([run.as_of, *known]))
        for number, given in enumerate(self.kernel_controls):
            for table, row in _kernel_rows({**given, "updatedAt": stamp}, number):
                rows[specs[table]].append(row)
        return rows


def read_policy(path: Path) -> Policy:
    """Reads a policy file.

    Raises:
        SettingError: `policy_unreadable`, or `policy_malformed` naming the entry and what it takes.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise SettingError(
            got=f"a policy file that cannot be read ({error.strerror})",
            expected="a readable JSON file",
            remedy="Correct --what-if",
            code="policy_unreadable",
        ) from None
    try:
        document = canonical.loads_lenient(data, MAX_POLICY_BYTES)
    except Refusal as refusal:
        raise _malformed(refusal.detail, "strict JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _malformed("no policy", f'an object with "format": "{FORMAT}"')
    _known(document, _MEMBERS, "the policy")
    controls = _entries(document, "controls")
    kernel_controls = _entries(document, "kernelControls")
    if not controls and not kernel_controls:
        raise _malformed("a policy that changes nothing", "an entry in controls or kernelControls")
    for number, control in enumerate(controls, 1):
        _check(control, f"controls entry {number}")
    for number, given in enumerate(kernel_controls):
        _kernel_rows(given, number)
    return Policy(controls, kernel_controls, canonical.sha256_hex(data))


def _entries(document: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _malformed(f"{name} that is no list of objects", "a list of objects")
    if len(entries) > MAX_ENTRIES:
        raise _malformed(f"{len(entries)} entries in {name}", f"at most {MAX_ENTRIES}")
    return tuple(entries)


def _check(control: Mapping[str, Any], where: str) -> None:
    _known(control, _CONTROL_MEMBERS, where)
    tenant, provider, field = (control.get(name) for name in ("tenantId", "providerId", "field"))
    if not isinstance(tenant, str) or not tenant:
        raise _malformed(f"{where} without tenantId", 'a tenant, or "*" for all')
    if provider is not None and (not isinstance(provider, str) or not provider):
        raise _malformed(f"{where} with a providerId that is no text", "a provider, or null")
    if field not in CONTROL_FIELDS:
        raise _malformed(
            f"{where} with field {str(field)[:60]!r}", f"one of {', '.join(sorted(CONTROL_FIELDS))}"
        )
    if "value" not in control or not is_valid_value(str(field), control["value"]):
        raise _malformed(
            f"{where} with no value that {field} takes", "what `tieout controls` takes"
        )


def _known(entry: Mapping[str, Any], members: frozenset[str], where: str) -> None:
    unknown = sorted(set(entry) - members)
    if unknown:
        raise _malformed(f"{where} with member {unknown[0][:60]!r}", ", ".join(sorted(members)))


def _kernel_rows(given: Mapping[str, Any], number: int) -> list[tuple[str, dict[str, object]]]:
    where = f"kernelControls entry {number + 1}"
    tenant = given.get("tenantId")
    if not isinstance(tenant, str) or not tenant or tenant == "*":
        raise _malformed(f"{where} without tenantId", "one tenant; the kernel knows no `*`")
    try:
        read = KernelArtifacts().verify(_KERNEL_TYPE, json.dumps(given).encode())
        place = Place(tenant, f"{_AUTHOR}/{_KERNEL_TYPE}.jsonl", number + 1)
        kind = EXPORTED[_KERNEL_TYPE]
        # A policy is tried as if the kernel had exported it.
        return [(table, row | {VOUCHED: True}) for table, row in rows_of(kind, read, place)]
    except (Refusal, ArtifactRefused) as error:
        raise _malformed(f"{where}: {error}", "MoneyRailControls.v1 with tenantId") from None


def _malformed(got: str, expected: str) -> SettingError:
    return SettingError(
        got=got,
        expected=expected,
        remedy="Correct the policy file; docs/operating.md gives the format",
        code="policy_malformed",
    )
