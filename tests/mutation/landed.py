"""A simulated world as landed rows, so that a fault fits between source and warehouse.

Belongs here: turning rail objects and kernel artifacts into the rows a pull would land, finding and
changing them, and writing them into a home. Does not belong here: any fault, any expectation.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.sources import all_specs
from evidence.artifacts import KernelArtifacts
from ingest.kernel.artifacts import EXPORTED
from ingest.kernel.rows import rows_of
from ingest.kernel.tables import Place
from ingest.landing import Landing, new_batch_id
from ingest.simulator.world import World
from ingest.stripe.endpoints import ACCOUNTS, BALANCES, ENDPOINTS, Endpoint
from ingest.stripe.shapes import Seal, Shape
from ingest.tables import TableSpec

__all__ = ["Row", "Tables", "land", "landed_rows"]

Row = dict[str, Any]

PREFUNDING = "refund_and_dispute_prefunding"
_CHILD_KINDS = {
    "balance_transaction_fees": "fee_details",
    "transfer_reversals": "reversals",
    "dispute_balance_transactions": "balance_transactions",
    "application_fee_refunds": "refunds",
}


class Tables:
    """Landed rows by `<source>/<table>`."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)

    def where(self, table: str, **equal: object) -> list[Row]:
        """Rows of a table whose columns equal the given values, in their order."""
        return [
            row
            for row in self.rows[table]
            if all(row.get(name) == value for name, value in equal.items())
        ]

    def one(self, table: str, **equal: object) -> Row:
        """The only such row; a fault that finds none or two was written for another world."""
        found = self.where(table, **equal)
        assert len(found) == 1, (table, equal, len(found))
        return found[0]

    def drop(self, table: str, **equal: object) -> list[Row]:
        """Removes such rows, at least one, and returns them."""
        gone = self.where(table, **equal)
        assert gone, (table, equal)
        marks = {id(row) for row in gone}
        self.rows[table] = [row for row in self.rows[table] if id(row) not in marks]
        return gone

    def copy(self, table: str, row: Row, **changed: object) -> Row:
        """Adds a changed copy of a row."""
        made = {**row, **changed}
        self.rows[table].append(made)
        return made


def landed_rows(world: World, *, now: datetime) -> Tables:
    """What a complete pull of both sources at `now` would land."""
    tables = Tables()
    _rail(world, tables, now)
    _kernel(world, tables, now)
    return tables


def land(home: Path, tables: Tables, *, received_at: datetime) -> None:
    """Writes every table as one batch."""
    landing = Landing(home)
    specs: dict[str, TableSpec] = {spec.name: spec for spec in all_specs()}
    landing.ensure_schema(specs.values())
    batch_id = new_batch_id(received_at, "mutation")
    for name, rows in sorted(tables.rows.items()):
        known = {column.name for column in specs[name].columns}
        shaped = [{key: row[key] for key in row if key in known} for row in rows]
        landing.write(specs[name], shaped, batch_id=batch_id, received_at=received_at)


# --- the rail -------------------------------------------------------------------------------------


def _rail(world: World, tables: Tables, now: datetime) -> None:
    seal = Seal(b"0" * 32)
    platform = world.rail.platform_id
    accounts = [None, *(str(each["id"]) for each in world.rail.objects("account"))]
    for obj in world.rail.objects("account"):
        _keep(tables, ACCOUNTS.shape, seal, obj, platform, is_platform=True)
    for account in accounts:
        here = account or platform
        for endpoint in ENDPOINTS:
            if endpoint.name == "events" or (account and not endpoint.connected):
                continue
            for obj in world.rail.objects(endpoint.name, account):
                _object(world, tables, seal, endpoint, obj, account)
            _covered(tables, here, endpoint.name, now, is_platform=account is None)
        _balances(world, tables, seal, account, now)
        _covered(tables, here, "balances", now, is_platform=account is None)


def _object(
    world: World, tables: Tables, seal: Seal, endpoint: Endpoint, obj: Row, account: str | None
) -> None:
    here = account or world.rail.platform_id
    if obj.get("exchange_rate") is not None:
        obj = {**obj, "exchange_rate": str(obj["exchange_rate"])}
    row = _keep(tables, endpoint.shape, seal, obj, here, is_platform=account is None)
    members = world.rail.books.payout_members.get(str(obj.get("id")), [])
    for member in members if endpoint.name == "payouts" else []:
        shown = world.rail.retrieve("balance_transaction", member, here)
        shape = next(child.shape for child in endpoint.children)
        _keep(tables, shape, seal, shown, here, is_platform=account is None)["payout_id"] = row[
            "id"
        ]
    for child in endpoint.children:
        for number, part in enumerate(_parts(world, child.shape.table, obj), start=1):
            kept = _keep(tables, child.shape, seal, part, here, is_platform=account is None)
            kept[child.parent_column] = row["id"]
            if child.ordinal:
                kept[child.ordinal] = number


def _parts(world: World, table: str, obj: Row) -> Iterator[Row]:
    if table in _CHILD_KINDS:
        found = obj.get(_CHILD_KINDS[table]) or []
        parts = found["data"] if isinstance(found, dict) else found
        # The embedded list holds the newest ten, which no clean world exceeds.
        assert len(parts) <= 10
        yield from parts


def _keep(
    tables: Tables, shape: Shape, seal: Seal, obj: Row, account_id: str, *, is_platform: bool
) -> Row:
    row: Row = dict(shape.row(obj, seal))
    row |= {"account_id": account_id, "is_platform": is_platform, "api_version": "simulated"}
    tables.rows[f"stripe/{shape.table}"].append(row)
    return row


def _balances(world: World, tables: Tables, seal: Seal, account: str | None, now: datetime) -> None:
    answer = world.rail.balance(account)
    found = [
        ("payments", kind, entry) for kind in ("available", "pending") for entry in answer[kind]
    ]
    if account is None:
        # An account that may prefund refunds has this balance beside the other, in each currency.
        found += [(PREFUNDING, "available", {**e, "amount": 0}) for e in answer["available"]]
    for balance_type, bucket, entry in found:
        stated = {
            "snapshot": "after",
            "balance_type": balance_type,
            "bucket": bucket,
            "currency": entry["currency"],
            "amount": entry["amount"],
            "livemode": False,
        }
        row = _keep(
            tables,
            BALANCES,
            seal,
            stated,
            account or world.rail.platform_id,
            is_platform=account is None,
        )
        row["taken_at"] = now


def _covered(
    tables: Tables, account_id: str, endpoint: str, now: datetime, *, is_platform: bool
) -> None:
    tables.rows["tieout/coverage"].append(
        {
            "pull_id": "pull_1",
            "source": "stripe",
            "account_id": account_id,
            "is_platform": is_platform,
            "endpoint": endpoint,
            "slice_from": now - timedelta(days=365),
            "slice_to": now,
            "status": "complete",
            "started_at": now,
            "finished_at": now,
        }
    )


# --- the kernel -----------------------------------------------------------------------------------


def _kernel(world: World, tables: Tables, now: datetime) -> None:
    verifier = KernelArtifacts()

    def put(table: str, row: Row) -> None:
        tables.rows[f"kernel/{table}"].append({**row, "is_vouched": True})

    for tenant_id, partner in world.partners.items():
        for kind, rows in partner.export(exported_through=now).rows.items():
            for number, artifact in enumerate(rows, start=1):
                line = json.dumps(artifact, ensure_ascii=False).encode()
                place = Place(tenant_id, f"{tenant_id}/{kind}.jsonl", number)
                for table, row in rows_of(EXPORTED[kind], verifier.verify(kind, line), place):
                    put(table, row)
        put(
            "export_manifests",
            {
                "tenant_id": tenant_id,
                "signer_keyid": "key",
                "manifest_status": "trusted",
                "exported_through": now,
                "files_declared": 1,
                "files_ok": 1,
                "manifest_sha256": "0" * 64,
            },
        )
        tables.rows["tieout/coverage"].append(
            {
                "pull_id": "kernel_1",
                "source": "kernel",
                "tenant_id": tenant_id,
                "endpoint": "payout_instructions",
                "slice_to": now,
                "status": "complete",
                "started_at": now,
                "finished_at": now,
            }
        )
