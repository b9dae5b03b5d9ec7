"""An account may be paid only by today's fields, and never because a sync set it active again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

VERIFIED = {
    "details_submitted": True,
    "currently_due_count": 0,
    "past_due_count": 0,
    "pending_verification_count": 0,
}
# What the rail says, the standing that follows, and whether money may be sent there.
STANDINGS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "clear": ({}, "verified", True),
    "due_later": ({"currently_due_count": 1}, "pending", True),
    "being_checked": ({"pending_verification_count": 2}, "pending", True),
    "overdue": ({"past_due_count": 1}, "restricted", False),
    "no_transfers": ({"capability_transfers": "inactive"}, "pending", False),
    "absent_transfers": ({"capability_transfers": None}, "pending", False),
    "no_payouts": ({"payouts_enabled": False}, "pending", False),
    "never_submitted": (
        {"details_submitted": False, "capability_transfers": "inactive"},
        "restricted",
        False,
    ),
    "rejected": ({"disabled_reason": "rejected.fraud"}, "rejected", False),
    "listed": ({"disabled_reason": "listed"}, "restricted", False),
    "paused": ({"disabled_reason": "platform_paused"}, "restricted", False),
    "unknown_reason": ({"disabled_reason": "something.new"}, "restricted", False),
    "verifying": ({"disabled_reason": "requirements.pending_verification"}, "pending", False),
}


def at(days: int) -> str:
    return iso(AS_OF - timedelta(days=days))


def ago(hours: int, **over: Any) -> dict[str, Any]:
    when = iso(AS_OF - timedelta(hours=hours))
    return {"kybLastSyncAt": when, "updatedAt": when, **over}


def export(partner: Partner, versions: list[dict[str, Any]]) -> None:
    """Exports each version of the party's sound account."""
    for version in versions:
        mapped = {
            "accountId": partner.account_id,
            "partyId": partner.party,
            "payoutsEnabled": True,
            "transfersEnabled": True,
            "status": "active",
            "kybStatus": "verified",
        }
        partner.world.artifact("connect_accounts", partner.tenant, {**mapped, **version})


# Versions of the mapping, oldest first; the last says active.
PEOPLE_DISABLED = {"status": "disabled", "updatedAt": at(30)}
SYNC_DISABLED = {
    "status": "disabled",
    "kybDisabledReason": "listed",
    "kybLastSyncAt": at(30),
    "updatedAt": at(30),
}
SYNC_ENABLED = {"kybLastSyncAt": at(20), "updatedAt": at(20)}
PEOPLE_ENABLED = {"kybLastSyncAt": at(20), "updatedAt": at(10)}
HISTORIES: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "sync_after_people": ([PEOPLE_DISABLED, SYNC_ENABLED], False),
    "people_after_people": ([PEOPLE_DISABLED, PEOPLE_ENABLED], True),
    "people_after_sync_after_people": ([PEOPLE_DISABLED, SYNC_ENABLED, PEOPLE_ENABLED], True),
    "sync_after_sync": ([SYNC_DISABLED, SYNC_ENABLED], True),
    "enabled_before": (
        [PEOPLE_ENABLED | {"updatedAt": at(40)}, PEOPLE_DISABLED, SYNC_ENABLED],
        False,
    ),
}

# Versions of a mapping never paid before, oldest first, by their age in hours; is it new?
CHANGES: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "synced_hourly": ([ago(40), ago(30), ago(1), ago(0)], False),
    "synced_since_this_morning": ([ago(10), ago(1)], True),
    "moved_here_today": ([ago(90, partyId="px"), ago(5), ago(1)], True),
    "moved_away_and_back_today": ([ago(90), ago(20, partyId="px"), ago(2)], True),
    "moved_here_yesterday": ([ago(90, partyId="px"), ago(25), ago(1)], False),
    "enabled_today": (
        [ago(90, status="disabled", kybDisabledReason="listed"), ago(5), ago(1)],
        True,
    ),
    "payouts_on_since_today": ([ago(90, payoutsEnabled=False), ago(5)], True),
    "without_a_date": ([{"updatedAt": None}], True),
}


@planted
def moved_accounts(world: World) -> None:
    for name, (versions, _) in CHANGES.items():
        partner = Partner(world, f"t_map_{name}", account=None)
        export(partner, versions)
        partner.pay()


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_destination_is_new_for_a_day_however_often_a_sync_dates_it(
    warehouse: Warehouse, name: str
) -> None:
    _, is_new = CHANGES[name]
    held = warehouse.held(f"t_map_{name}")
    assert held == ({"DESTINATION_CHANGED"} if is_new else set())


@planted
def connected_accounts(world: World) -> None:
    for name, (fields, _, _) in STANDINGS.items():
        Partner(world, f"t_kyb_{name}", rail_account=VERIFIED | fields).pay()
    for name, (versions, _) in HISTORIES.items():
        partner = Partner(world, f"t_ops_{name}", account=None)
        export(partner, versions)
        partner.pay()


@pytest.mark.parametrize("name", sorted(STANDINGS))
def test_standing_follows_capabilities_requirements_and_payouts(
    warehouse: Warehouse, name: str
) -> None:
    _, state, capable = STANDINGS[name]
    query = "select * from work.intermediate.int_account_standing where account_id = ?"
    (row,) = warehouse.rows(query, f"acct_t_kyb_{name}_pa")
    assert (row["kyb_state"], row["is_capable"]) == (state, capable)
    held = warehouse.held(f"t_kyb_{name}")
    assert held == (set() if capable else {"ACCOUNT_NOT_CAPABLE"})


@pytest.mark.parametrize("name", sorted(HISTORIES))
def test_an_account_that_people_disabled_is_enabled_by_people_alone(
    warehouse: Warehouse, name: str
) -> None:
    _, payable = HISTORIES[name]
    held = warehouse.held(f"t_ops_{name}")
    assert held == (set() if payable else {"ACCOUNT_NOT_CAPABLE"})
