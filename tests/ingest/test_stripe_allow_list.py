"""Nothing personal and nothing secret of Stripe's objects reaches the disk or a log.

Names, addresses, card digits and tokens are planted in every text the simulated rail has, and then
in every text of every object; each file under the home is read back, raw and as values.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.stripe import kept
from ingest.stripe.endpoints import ACCOUNTS, ENDPOINTS, STRIPE_TABLES
from ingest.stripe.shapes import Seal
from tests.ingest.desk import START, Desk

PERSONAL = {
    "name": "Wilhelmina Quackenbush",
    "email": "wilhelmina.quackenbush@example.org",
    "phone": "+1 555 010 4477",
    "line1": "4711 Zanzibar Parkway",
    "city": "Xyloville",
    "postal_code": "98765-4321",
    "ip": "203.0.113.77",
    "card": "4242 4242 4242 4242",
    "token": "tok_visa_9f8e7d6c5b4a",
    "secret": "sk_live_abcdefghijklmnop",
}
TRACES = (
    "wilhelmina",
    "quackenbush",
    "example.org",
    "010 4477",
    "zanzibar",
    "xyloville",
    "98765-4321",
    "203.0.113.77",
    "4242 4242",
    "4242424242424242",
    "9f8e7d6c5b4a",
    "abcdefghijklmnop",
)


def texts_under(home: Path) -> Iterator[tuple[str, str]]:
    """Every file's raw bytes, and the values of every Parquet file, whatever its pages' packing."""
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        yield path.name, path.read_bytes().decode("latin-1").lower()
        if path.suffix == ".parquet":
            with duckdb.connect() as db:
                rows = db.from_parquet(str(path).replace("[", "[[]")).fetchall()
            yield path.name, repr(rows).lower()


def found_in(home: Path) -> list[tuple[str, str]]:
    return [(name, trace) for name, text in texts_under(home) for trace in TRACES if trace in text]


def test_what_is_planted_in_every_free_text_is_found_nowhere(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rail = desk.rail
    rail.create_account("acct_1Cid", at=START, personal=PERSONAL)
    rail.top_up(5_000, at=START, personal=PERSONAL)
    charge = rail.create_charge(5_000, at=START, personal=PERSONAL)
    rail.create_charge(5_000, at=START, personal=PERSONAL, status="failed")
    rail.create_charge(5_000, at=START, personal=PERSONAL, account="acct_1Ada")
    rail.refund(charge["id"], 100, at=START, metadata=PERSONAL)
    rail.open_dispute(charge["id"], at=START)
    for group in (PERSONAL["email"], PERSONAL["name"], PERSONAL["card"], PERSONAL["token"]):
        transfer = rail.create_transfer(
            100,
            at=START,
            destination="acct_1Cid",
            personal=PERSONAL,
            transfer_group=group,
            metadata={"nooterra_payout_key": group, "note": group, "settld_tenant_id": group},
        )
        rail.reverse_transfer(transfer["id"], 10, at=START, metadata=PERSONAL)
    rail.create_payout(100, at=START, personal=PERSONAL)
    answers = json.dumps([rail.objects(kind) for kind in ("charge", "dispute", "account")]).lower()
    assert {trace for trace in TRACES if trace in answers} >= set(TRACES) - {"4242424242424242"}

    result = desk.pull()
    assert result.complete
    assert result.rows_landed > 20
    assert found_in(desk.home) == []
    assert not any(trace in caplog.text.lower() for trace in TRACES)
    # What was masked still compares, so that equal groups stay one group.
    groups = {row[0] for row in desk.landed("transfers", "transfer_group")}
    assert len(groups) == 4
    assert all(group.startswith("masked:") for group in groups)


def plant_everywhere(value: Any, text: str) -> Any:
    """The value with every text in it replaced, and fields that no one has declared."""
    if isinstance(value, dict):
        planted = {name: plant_everywhere(part, text) for name, part in value.items()}
        return planted | {"nickname": text, text: text}
    if isinstance(value, list):
        return [plant_everywhere(part, text) for part in value] + [text]
    return text if isinstance(value, str) else value


# A single word, such as a town's name, looks like an enum value; Stripe puts none there.
RECOGNISED = ("name", "email", "phone", "line1", "ip", "card", "token", "secret")


@pytest.mark.parametrize("label", RECOGNISED)
def test_a_hostile_rail_that_puts_a_person_into_an_enum_or_an_id_lands_only_masks(
    desk: Desk, label: str
) -> None:
    rail, at = desk.rail, desk.now - timedelta(days=1)
    charge = rail.create_charge(5_000, at=at)
    rail.create_charge(5_000, at=at, application_fee=10, account="acct_1Ada")
    rail.refund(charge["id"], 100, at=at)
    rail.open_dispute(charge["id"], at=at)
    rail.create_transfer(100, at=at, destination="acct_1Ada")
    rail.create_payout(100, at=at)
    for endpoint in (ACCOUNTS, *ENDPOINTS):
        planted = plant_everywhere(rail.objects(endpoint.name)[0], PERSONAL[label])
        planted["metadata"] = dict.fromkeys(("nooterra_payout_key", "note"), PERSONAL[label])
        # What has a number's or a list's place is not text in the first place.
        planted |= {"created": 1, "arrival_date": 1}
        row = endpoint.shape.row(planted, Seal(b"key"))
        texts = [text for text in row.values() if isinstance(text, str)]
        assert not any(trace in text.lower() for trace in TRACES for text in texts), endpoint.name
        assert any(text.startswith("masked:") for text in texts), endpoint.name


def test_every_declared_value_is_a_field_of_stripes_with_that_type(shared: Path) -> None:
    """The allow-list against the schema of the SDK's own API version."""
    schemas = json.loads((shared / "stripe" / "schemas.json").read_text())["$defs"]
    types = {"BIGINT": "integer", "VARCHAR": "string", "BOOLEAN": "boolean", "TIMESTAMP": "integer"}
    kinds = {
        kept.TRANSFERS: "transfer",
        kept.TRANSFER_REVERSALS: "transfer_reversal",
        kept.CHARGES: "charge",
        kept.REFUNDS: "refund",
        kept.DISPUTES: "dispute",
        kept.PAYOUTS: "payout",
        kept.BALANCE_TRANSACTIONS: "balance_transaction",
        kept.APPLICATION_FEES: "application_fee",
        kept.APPLICATION_FEE_REFUNDS: "fee_refund",
        kept.TOPUPS: "topup",
        kept.ACCOUNTS: "account",
    }
    for shape, kind in kinds.items():
        for field in shape.fields:
            schema = schemas[kind]
            for name in field.path:
                schema = schema["properties"][name]
            expected = types[field.column.type]
            if field.column.name.endswith("_count"):
                expected = "array"
            if field.column.name == "exchange_rate_text":
                expected = "number"
            stated = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            assert expected in stated, (kind, field.path)


def test_the_tables_are_exactly_the_declared_ones() -> None:
    """Adding a column to what is kept is a decision, made here too."""
    forbidden = {
        "description",
        "email",
        "name",
        "phone",
        "address",
        "metadata",
        "last4",
        "fingerprint",
        "statement_descriptor",
        "receipt_email",
        "receipt_url",
        "failure_message",
        "evidence",
        "payment_method",
        "customer",
        "payload",
        "raw",
    }
    names = {spec.table for spec in STRIPE_TABLES}
    assert len(names) == len(STRIPE_TABLES) == 16
    for spec in STRIPE_TABLES:
        columns = [column.name for column in spec.columns]
        assert columns[:2] == ["account_id", "is_platform"]
        assert columns[-2:] == ["api_version", "row_digest"]
        assert not forbidden & set(columns)
