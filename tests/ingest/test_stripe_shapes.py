"""How single values of Stripe's become columns: kept, converted, masked or refused."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.stripe import kept
from ingest.stripe.shapes import FieldRefused, Seal, Shape, count, identifier, read_seal, time_of
from ingest.tables import QUARANTINE
from tests.ingest.desk import START, Desk, slice_of

SEAL = Seal(b"one key")
MONTH = timedelta(days=30)
# What no object may be without.
NEEDED = {"amount": 1, "currency": "usd", "created": 1_767_225_600}
TRANSFER = {"id": "tr_1", **NEEDED}
HASH = "0" * 14 + "4242424242424242" + "ab" * 17


def group(text: str) -> Any:
    return kept.TRANSFERS.row({**TRANSFER, "transfer_group": text}, SEAL)["transfer_group"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a_status_nobody_has_heard_of",
        "ch_3Abc",
        f"t_acme:party:pty_customer:cust_demo:period:2026-01:statement:{HASH}",
        "op-2026-10-01-000123",
        "10.4",
        "1767225600000",
        "_leading",
    ],
)
def test_enums_ids_and_keys_are_kept_as_they_are(text: str) -> None:
    assert group(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace",
        "ada@example.com",
        "12 Main Street",
        "4242424242424242",
        "4242-4242-4242-4242",
        "3782.822463.10005",
        "key:5555555555554444",
        "tok_visa",
        "x/sk_live_abc",
        "rk_test_abc",
        "whsec_abc",
        "eyJhbGciOi",
        "Zoë",
        "two\nlines",
        "a" * 501,
    ],
)
def test_what_could_be_a_person_a_card_or_a_secret_is_masked(text: str) -> None:
    masked = group(text)
    assert masked == group(text)
    assert masked.startswith("masked:")
    assert text not in masked
    other_home = Seal(b"another key")
    again = kept.TRANSFERS.row({**TRANSFER, "transfer_group": text}, other_home)
    assert again["transfer_group"] != masked


def test_an_expanded_object_is_reduced_to_its_id() -> None:
    expanded = {**TRANSFER, "destination": {"id": "acct_1", "email": "ada@example.com"}}
    assert kept.TRANSFERS.row(expanded, SEAL)["destination"] == "acct_1"


@pytest.mark.parametrize(
    ("metadata", "column", "expected"),
    [
        ({"nooterra_tenant_id": "t1"}, "meta_tenant_id", "t1"),
        ({"settld_tenant_id": "t2"}, "meta_tenant_id", "t2"),
        ({"nooterra_tenant_id": "t1", "settld_tenant_id": "t2"}, "meta_tenant_id", "t1"),
        ({"nooterra_payout_key": "k:1"}, "meta_payout_key", "k:1"),
        ({"settld_operation_id": "mop_k"}, "meta_operation_id", "mop_k"),
        ({"nooterra_provider_id": "stripe_prod_us"}, "meta_provider_id", "stripe_prod_us"),
        ({"receipt_id": "r1"}, "meta_receipt_id", "r1"),
        ({"tenant_id": "t1", "note": "x"}, "meta_tenant_id", None),
        ({"nooterra_tenant_id": 7}, "meta_tenant_id", None),
        (None, "meta_tenant_id", None),
    ],
)
def test_only_listed_metadata_is_kept(
    metadata: Mapping[str, Any] | None, column: str, expected: str | None
) -> None:
    row = kept.TRANSFERS.row({**TRANSFER, "metadata": metadata}, SEAL)
    assert row[column] == expected
    assert "metadata" not in row


def test_times_are_utc_and_zero_is_none() -> None:
    shape = Shape("things", (time_of("at"), count("due"), identifier("id")), key=("id",))
    row = shape.row({"at": 1_767_225_600, "due": ["a", "b"], "id": "x"}, SEAL)
    assert row["at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert row["due"] == 2
    assert shape.row({"at": 0, "id": "x"}, SEAL)["at"] is None


def test_the_largest_amount_is_kept() -> None:
    row = kept.TRANSFERS.row(TRANSFER | {"amount": 2**53 - 1}, SEAL)
    assert row["amount"] == 2**53 - 1


@pytest.mark.parametrize(
    "over",
    [
        {"amount": 10.0},
        {"amount": "10"},
        {"amount": True},
        {"amount": 2**53},
        {"amount": -(2**53)},
        {"amount": None},
        {"currency": None},
        {"created": None},
        {"created": 0},
        {"created": -1},
        {"created": 10**12},
        {"created": 1.5},
        {"reversed": "true"},
        {"currency": ["usd"]},
        {"destination": 7},
    ],
)
def test_a_value_of_another_type_is_refused_and_not_repeated(over: dict[str, Any]) -> None:
    with pytest.raises(FieldRefused) as refusal:
        kept.TRANSFERS.row({**TRANSFER, **over}, SEAL)
    (name, value), *_ = over.items()
    assert name in refusal.value.got
    assert repr(value) not in str(refusal.value)


def test_an_object_that_does_not_fit_is_quarantined_and_the_rest_lands(desk: Desk) -> None:
    good = desk.rail.create_transfer(900, at=START, destination="acct_1Ada")
    foreign = dict(good) | {"id": "tr_1Foreign", "amount": 12.5, "description": "Ada Lovelace"}
    desk.rail.put_object("transfer", foreign)
    result = desk.pull()
    row = slice_of(result, "transfers")
    assert (row.status, row.error_code) == ("partial", "stripe_object_refused")
    assert not result.complete
    assert [row[0] for row in desk.landed("transfers", "id")] == [good["id"]]
    names = ["table_name", "source_file", "line", "code", "detail", "key"]
    [(table, place, line, code, detail, key)] = desk.landing.rows(QUARANTINE, names)
    assert (table, line, code, key) == ("transfers", 0, "stripe_field_type", "tr_1Foreign")
    assert place == f"stripe/{desk.rail.platform_id}/transfers"
    assert "amount as a float" in str(detail)
    assert "12.5" not in str(detail)


def test_an_object_refused_on_every_pull_is_listed_once_and_holds_until_it_fits(desk: Desk) -> None:
    good = desk.rail.create_transfer(900, at=START, destination="acct_1Ada")
    desk.rail.put_object("transfer", dict(good) | {"id": "tr_1Foreign", "amount": 12.5})
    for created in range(3):
        desk.rail.create_transfer(100 + created, at=desk.now, destination="acct_1Ada")
        assert slice_of(desk.pull(), "transfers").status == "partial"
    assert len(desk.landing.rows(QUARANTINE, ["key"])) == 1
    assert len(list((desk.home / "quarantine" / "stripe" / "transfers").iterdir())) == 1
    desk.rail.put_object("transfer", dict(good) | {"id": "tr_1Foreign", "amount": 12})
    assert desk.pull().complete
    assert desk.landed("transfers", "amount", "id = 'tr_1Foreign'") == [(12,)]


def test_a_refused_member_of_a_payout_leaves_the_payout_to_be_asked_again(desk: Desk) -> None:
    desk.rail.create_charge(9_000, at=START, account="acct_1Ada")
    payout = desk.rail.create_payout(None, at=START + MONTH, account="acct_1Ada", automatic=True)
    member = desk.rail.objects("balance_transaction", "acct_1Ada")[-1]
    desk.rail.put_object("balance_transaction", dict(member) | {"net": "12"}, "acct_1Ada")
    result = desk.pull()
    assert slice_of(result, "payout_members", "acct_1Ada").status == "partial"
    assert desk.landed("payout_members") == []
    desk.rail.put_object("balance_transaction", member, "acct_1Ada")
    assert desk.pull().complete
    members = desk.landed("payout_members", "payout_id, sum(net)", "true group by 1")
    assert members == [(payout["id"], 0)]


def test_an_unknown_enum_lands_as_text(desk: Desk) -> None:
    good = desk.rail.create_transfer(900, at=START, destination="acct_1Ada")
    desk.rail.put_object("transfer", dict(good) | {"id": "tr_2", "source_type": "moon_dust"})
    desk.pull()
    assert desk.landed("transfers", "source_type", "id = 'tr_2'") == [("moon_dust",)]


def test_an_exchange_rate_lands_as_the_text_stripe_wrote(desk: Desk) -> None:
    desk.rail.exchange_rates[("eur", "usd")] = "1.10"
    desk.rail.create_charge(5_000, at=START, currency="eur", settlement_currency="usd")
    desk.pull()
    where = "exchange_rate_text is not null"
    [(rate,)] = desk.landed("balance_transactions", "exchange_rate_text", where)
    assert rate in {"1.1", "1.10"}


def test_a_rate_that_stripe_writes_with_an_exponent_lands_as_plain_decimals(desk: Desk) -> None:
    desk.rail.create_charge(5_000, at=START)
    shown = desk.rail.objects("balance_transaction")[0]
    desk.rail.put_object("balance_transaction", dict(shown) | {"exchange_rate": 4e-08})
    desk.pull()
    where = "exchange_rate_text is not null"
    assert desk.landed("balance_transactions", "exchange_rate_text", where) == [("0.00000004",)]


def test_the_digest_follows_the_whole_object_but_not_what_changes_by_itself() -> None:
    charge = {"id": "ch_1", "description": "a", "receipt_url": "https://pay.example/1", **NEEDED}
    digest = kept.CHARGES.row(charge, SEAL)["row_digest"]
    assert kept.CHARGES.row(charge | {"receipt_url": "other"}, SEAL)["row_digest"] == digest
    assert kept.CHARGES.row(charge | {"description": "b"}, SEAL)["row_digest"] != digest
    assert kept.CHARGES.row(charge, Seal(b"other"))["row_digest"] != digest


def test_the_key_of_the_digests_is_made_once_and_private(home: Path) -> None:
    first = read_seal(home).digest({"a": 1})
    assert read_seal(home).digest({"a": 1}) == first
    path = home / "state" / "landing.hmac"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert [found.name for found in path.parent.iterdir()] == ["landing.hmac"]


def test_stripes_own_sample_objects_fit_the_tables(shared: Path) -> None:
    samples = json.loads((shared / "stripe" / "fixtures.json").read_text())["resources"]
    tables = {shape.table: shape for shape in vars(kept).values() if isinstance(shape, Shape)}
    read = 0
    for kind, sample in samples.items():
        shape = tables.get({"fee_refund": "application_fee_refunds"}.get(kind, f"{kind}s"))
        if shape is None or kind == "balance":
            continue
        row = shape.row(sample, SEAL)
        assert row["id"] == sample["id"]
        assert row.keys() | {"account_id", "is_platform", "api_version"} == {
            column.name for column in shape.spec.columns
        }
        read += 1
    assert read >= 10
