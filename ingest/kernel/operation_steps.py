"""The order in which provider events move an operation, with those that came too early parked.

Belongs here: finding an event's operation, the kernel's state machine, parking and taking up again,
and the rows that come of it. Does not belong here: what an event says or is bound to
(`ingest.kernel.provider_events`), the spool, the export.

The kernel drops an event that comes before its predecessor. Here it waits and is taken up once the
predecessor came. An event that comes after its successor changes nothing and is `late`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ingest.kernel.provider_events import Operation, binding_faults

__all__ = ["Delivered", "Judge", "next_state"]

_MAIN: Final = ("initiated", "submitted", "confirmed", "reversed")
_ENDS: Final = {"initiated": 1, "submitted": 2}
_FAILED: Final = ("failed", "cancelled")

Row = dict[str, Any]


@dataclass(frozen=True)
class Delivered:
    """One delivery as the spool has it: in order of arrival."""

    tenant_id: str
    provider_id: str
    facts: Mapping[str, Any]
    at: datetime


def next_state(state: str, event_type: str) -> tuple[str, str]:
    """What an event does to an operation: (status, state afterwards).

    Status is `applied`; `repeated` (already there); `late` (it is further already); `parked` (its
    predecessor is missing); or `refused` (the kernel's state machine has no such step).
    """
    if event_type == state:
        return "repeated", state
    if event_type in _FAILED:
        return ("applied", event_type) if state in _ENDS else ("refused", state)
    step = _MAIN.index(event_type)
    if state in _FAILED:
        # It was submitted before it failed; anything beyond contradicts the failure.
        return ("late", state) if event_type == "submitted" else ("refused", state)
    reached = _MAIN.index(state)
    if step == reached + 1:
        return "applied", event_type
    return ("late", state) if step < reached else ("parked", state)


@dataclass
class Judge:
    """Judges deliveries against the operations of the newest export.

    Attributes:
        operations: Of all tenants.
        instructions: Artifact hash by (tenant, payout key).
        production: (tenant, provider) pairs that move real money.
    """

    operations: Iterable[Operation]
    instructions: Mapping[tuple[str, str], str | None]
    production: frozenset[tuple[str, str]]
    _by_id: dict[tuple[str, str, str], Operation] = field(default_factory=dict)
    _by_name: dict[tuple[str, str, str], list[Operation]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for operation in self.operations:
            scope = (operation.tenant_id, operation.provider_id)
            self._by_id[(*scope, operation.operation_id)] = operation
            for name in {operation.provider_ref, operation.payout_key} - {None}:
                self._by_name.setdefault((*scope, str(name)), []).append(operation)

    def rows(self, deliveries: Iterable[Delivered]) -> list[Row]:
        """One row a delivery and event type, in order of arrival, as they stand now.

        The steps of an operation start at `initiated`, whatever the export says: the export may
        hold the same events already, and then the answer would change with every run. Where the
        export is ahead, what it reached counts as told.
        """
        rows: list[Row] = []
        steps: dict[tuple[str, str, str], list[Row]] = {}
        for delivery in deliveries:
            operation = self._operation(delivery)
            for event_type in delivery.facts["event_types"]:
                row = self._row(delivery, event_type, operation)
                rows.append(row)
                if row["status"] == "":
                    key = (delivery.tenant_id, delivery.provider_id, row["operation_id"])
                    steps.setdefault(key, []).append(row)
        for key, waiting in steps.items():
            _walk(waiting, self._by_id[key].state)
        return rows

    def _operation(self, delivery: Delivered) -> Operation | str | None:
        """The operation, None where the event names none, or the name that is unknown."""
        facts, scope = delivery.facts, (delivery.tenant_id, delivery.provider_id)
        named = facts["operation_id"]
        if named is None and facts["meta_payout_key"]:
            named = f"mop_{facts['meta_payout_key']}"
        if named is not None:
            return self._by_id.get((*scope, named), str(named))
        for name in (facts["provider_ref"], facts["meta_payout_key"]):
            found = self._by_name.get((*scope, str(name)), [])
            if len(found) == 1:
                return found[0]
        return None

    def _row(self, delivery: Delivered, event_type: str, operation: Operation | str | None) -> Row:
        facts = delivery.facts
        known = operation.operation_id if isinstance(operation, Operation) else operation
        row: Row = {
            "tenant_id": delivery.tenant_id,
            "provider_id": delivery.provider_id,
            "dedupe_key": facts["dedupe_key"],
            "operation_id": known,
            "event_type": event_type,
            "event_id": facts["event_id"],
            "occurred_at": datetime.fromisoformat(facts["at"]),
            "provider_ref": facts["provider_ref"],
            "reason_code": facts["reason_code"],
            "delivered_at": delivery.at,
            "status": "",
            "state_before": None,
            "state_after": None,
            "code": None,
            "detail": None,
        }
        if operation is None:
            return row | {"status": "refused", "code": "MONEY_RAIL_OPERATION_ID_REQUIRED"}
        if isinstance(operation, str):
            # The export may be older than the event: it is asked again with the next one.
            return row | {"status": "parked", "code": "MONEY_RAIL_OPERATION_NOT_FOUND"}
        production = (delivery.tenant_id, delivery.provider_id) in self.production
        fault = binding_faults(facts, operation, self.instructions, production=production)
        if fault is not None:
            return row | {"status": "refused", "code": fault[0], "detail": fault[1]}
        if facts["partial"]:
            return row | {"status": "noted", "code": "PARTIAL_REVERSAL"}
        return row


def _walk(waiting: list[Row], exported: str) -> None:
    """Takes the steps of one operation in order of arrival; each step takes up what was parked."""
    state = "initiated"
    parked: list[Row] = []
    for arrived in waiting:
        todo = [arrived]
        while todo:
            row = todo.pop(0)
            status, after = next_state(state, row["event_type"])
            if status == "parked" and _told(exported, row["event_type"]):
                # The kernel has the predecessor from elsewhere.
                state = _MAIN[_MAIN.index(row["event_type"]) - 1]
                status, after = next_state(state, row["event_type"])
            row |= {"status": status, "state_before": state, "state_after": after}
            row["code"] = "MONEY_RAIL_INVALID_TRANSITION" if status == "refused" else None
            if status == "parked":
                row["code"] = "MONEY_RAIL_PREDECESSOR_MISSING"
                parked.append(row)
            elif status == "applied":
                state, todo, parked = after, todo + parked, []


def _told(exported: str, event_type: str) -> bool:
    """Whether the export has reached the state before this event."""
    if exported not in _MAIN:
        return False
    return _MAIN.index(exported) >= _MAIN.index(event_type) - 1
