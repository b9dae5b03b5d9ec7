"""A line that cannot be accepted is named by file, line, code and remedy; the rest still lands."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.kernel import KernelPull
from tests.kernel.conftest import Kernel, Warehouse

Make = Callable[..., dict[str, Any]]


def text(artifact: object) -> bytes:
    return json.dumps(artifact, separators=(",", ":"), ensure_ascii=False).encode()


def spoilt(receipt: Make) -> dict[str, tuple[bytes, str]]:
    """Bad lines by name, with the code each must get."""
    good = text(receipt(7))
    wrong_tenant = receipt(7, tenantId="t_other")
    return {
        "torn": (good[: len(good) // 2], "json_syntax"),
        "duplicate key": (b'{"amountCents":1,' + good[1:], "json_duplicate_key"),
        "float money": (good.replace(b":1250,", b":1250.0,", 1), "json_float_money"),
        "fraction money": (good.replace(b":1250,", b":1250.5,", 1), "json_float_money"),
        "NaN": (good.replace(b":1250,", b":NaN,", 1), "json_nan"),
        "lone surrogate": (good.replace(b"rcpt_7", b"rcpt_\\ud800", 1), "json_lone_surrogate"),
        "2^53": (good.replace(b":1250,", b":9007199254740992,", 1), "json_int_range"),
        "bad UTF-8": (good.replace(b"rcpt_7", b"rcpt_\xff", 1), "json_utf8"),
        "over-long": (b'{"a":"' + b"x" * (1 << 20) + b'"}', "line_too_long"),
        "endless": (b"x" * (3 << 20), "line_too_long"),
        "wrong tenant": (text(wrong_tenant), "tenant_mismatch"),
        "no tenant": (text(receipt(7, tenantId=None)), "tenant_mismatch"),
        "another kind": (text(receipt(7, schemaVersion="ActionReceipt.v1")), "schema_mismatch"),
        "amount as text": (text(receipt(7, amountCents="1250")), "field_type"),
        "amount as truth": (text(receipt(7, amountCents=True)), "field_type"),
        "amount missing": (text(receipt(7, amountCents=None)), "field_missing"),
        "negative amount": (text(receipt(7, refundedAmountCents=-1)), "field_range"),
        "no id": (text(receipt(7, receiptId=None)), "field_missing"),
        "empty id": (text(receipt(7, receiptId="")), "field_missing"),
        "id with NUL": (text(receipt(7, receiptId="rcpt\0")), "field_text"),
        "gzip": (gzip.compress(good), "json_utf8"),
        "too deep": (b'{"a":' * 300 + b"1" + b"}" * 300, "json_too_deep"),
        "not an object": (b'["a receipt"]', "json_not_object"),
    }


NAMES = [
    *("torn", "duplicate key", "float money", "fraction money", "NaN", "lone surrogate", "2^53"),
    *("bad UTF-8", "over-long", "endless", "wrong tenant", "no tenant", "another kind"),
    *("amount as text", "amount as truth", "amount missing", "negative amount", "no id"),
    *("empty id", "id with NUL", "gzip", "too deep", "not an object"),
]


def test_every_bad_line_is_listed_and_every_good_line_lands(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    bad = spoilt(receipt)
    assert list(bad) == NAMES
    lines: list[object] = []
    for number, (line, _) in enumerate(bad.values(), start=100):
        lines += [line, receipt(number)]
    kernel.write("settlement_receipts", lines)
    pull: KernelPull = warehouse.land()

    landed = {row["receipt_id"] for row in warehouse.rows("settlement_receipts")}
    assert landed == {f"rcpt_{number}" for number in range(100, 100 + len(bad))}
    listed = {entry["line"]: entry for entry in warehouse.quarantine()}
    expected = {2 * i + 1: code for i, (_, code) in enumerate(bad.values())}
    assert {line: entry["code"] for line, entry in listed.items()} == expected
    for entry in listed.values():
        assert entry["source_file"] == "t_acme/settlement_receipts.jsonl"
        assert entry["tenant_id"] == "t_acme"
        assert entry["table_name"] == "settlement_receipts"
        assert entry["remedy"].strip()
        assert entry["detail"].strip()
    (tenant,) = pull.tenants
    count = tenant.counts["settlement_receipts"]
    assert (count.rows_read, count.accepted, count.refused) == (2 * len(bad), len(bad), len(bad))
    assert not pull.complete
    (coverage,) = warehouse.rows("coverage", source="tieout")
    assert (coverage["status"], coverage["rows_landed"]) == ("partial", len(bad))
    assert coverage["amount_sum_cents"] == 1250 * len(bad)


@pytest.mark.parametrize(
    "written", ["2026-10-05T08:00:01.000", "2026-02-30T08:00:01.000Z", "yesterday"]
)
def test_a_time_without_zone_or_meaning_is_refused(
    kernel: Kernel, warehouse: Warehouse, written: str
) -> None:
    month = {"tenantId": "t_acme", "period": "2026-10", "status": "CLOSED", "closedAt": written}
    kernel.write("month_closes", [month])
    warehouse.land()
    assert [entry["code"] for entry in warehouse.quarantine()] == ["field_time"]
    assert warehouse.rows("month_closes") == []


@pytest.mark.parametrize("member", ["chargeId", "partyId", "sourceType", "sourceId"])
def test_a_charge_link_that_leads_nowhere_is_refused_before_it_can_stop_a_build(
    kernel: Kernel, warehouse: Warehouse, member: str
) -> None:
    link = {"tenantId": "t_acme", "chargeId": "ch_1", "partyId": "p", "sourceType": "receipt"}
    link |= {"sourceId": "rcpt_1", "amountCents": 5, "currency": "USD"}
    kernel.write("charge_links", [link, {**link, "chargeId": "ch_2", member: None}])
    warehouse.land()
    assert [entry["code"] for entry in warehouse.quarantine()] == ["field_missing"]
    assert [row["charge_id"] for row in warehouse.rows("charge_links")] == ["ch_1"]


def test_times_that_the_kernels_own_rules_judge_land_as_null(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, decision: Make
) -> None:
    """The kernel has its own codes for them, which are rows: its hash holds all the same."""
    kernel.write(
        "settlement_receipts",
        [receipt(1, settledAt="yesterday"), receipt(2, settledAt=None), receipt(3, createdAt="")],
    )
    kernel.write("settlement_decisions", [decision(1, decidedAt="soon")])
    warehouse.land()
    assert [
        (row["settled_at"], row["settled_at_malformed"], row["created_at"] is None)
        for row in warehouse.rows("settlement_receipts")
        if row["receipt_id"] != "rcpt_3"
    ] == [(None, True, False), (None, False, False)]
    assert warehouse.rows("settlement_receipts")[2]["created_at"] is None
    assert warehouse.rows("settlement_decisions")[0]["decided_at"] is None
    assert {row["verdict"] for row in warehouse.rows("artifact_verdicts")} == {"verified"}


def test_quarantine_holds_nothing_of_the_line(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, home: Path
) -> None:
    secret = "Jane Doe 4242424242424242"
    kernel.write(
        "settlement_receipts",
        [
            text(receipt(1, status=[secret])),
            text(receipt(2, currency={secret: 1})),
            f'{{"{secret}":1,"{secret}":2}}'.encode(),
            f'"{secret}"'.encode(),
            f'{{"{secret}Cents":1.5}}'.encode(),
            f'{{"a":"{secret}'.encode(),
        ],
    )
    warehouse.land()
    assert len(warehouse.quarantine()) == 6
    for path in home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert secret not in json.dumps(warehouse.quarantine(), default=str)


def test_a_hash_that_lies_lands_as_a_mismatch_and_is_listed(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    lying = {**receipt(1), "releasedAmountCents": 1249}
    kernel.write("settlement_receipts", [receipt(2), lying, receipt(3)])
    warehouse.land()
    verdicts = {row["receipt_id"]: row["verdict"] for row in warehouse.rows("settlement_receipts")}
    assert verdicts == {"rcpt_1": "mismatch", "rcpt_2": "verified", "rcpt_3": "verified"}
    (entry,) = warehouse.quarantine()
    assert (entry["code"], entry["line"], entry["key"]) == ("hash_mismatch", 2, "rcpt_1")
    (verdict,) = (v for v in warehouse.rows("artifact_verdicts") if v["verdict"] == "mismatch")
    assert verdict["artifact_id"] == "rcpt_1"
    assert verdict["code"] == "hash_mismatch"
    assert verdict["expected"] == lying["receiptHash"] != verdict["got"]


@pytest.mark.parametrize(
    ("stated", "code"),
    [(None, "hash_missing"), ("A" * 64, "hash_malformed"), (7, "hash_malformed")],
)
def test_a_hash_that_is_missing_or_malformed_is_a_mismatch(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, stated: object, code: str
) -> None:
    bad = {**receipt(1), "receiptHash": stated}
    kernel.write("settlement_receipts", [bad])
    warehouse.land()
    if isinstance(stated, int):
        (entry,) = warehouse.quarantine()
        assert entry["code"] == "field_type"
        return
    (row,) = warehouse.rows("settlement_receipts")
    assert (row["verdict"], len(row["artifact_sha256"])) == ("mismatch", 64)
    (verdict,) = warehouse.rows("artifact_verdicts")
    assert (verdict["verdict"], verdict["code"]) == ("mismatch", code)


def test_one_tenant_never_stops_another(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [b"{", b"\xff"], tenant="t_broken")
    kernel.write("settlement_receipts", [receipt(1)])
    pull = warehouse.land()
    assert [row["tenant_id"] for row in warehouse.rows("settlement_receipts")] == ["t_acme"]
    assert {tenant.tenant_id for tenant in pull.tenants} == {"t_acme", "t_broken"}


def test_a_child_that_does_not_fit_refuses_the_whole_artifact(
    kernel: Kernel, warehouse: Warehouse
) -> None:
    """Otherwise a statement would land with some of its totals."""
    statement = {
        "schemaVersion": "PartyStatement.v1",
        "artifactId": "pstmt_1",
        "tenantId": "t_acme",
        "partyId": "pty_1",
        "period": "2026-10",
        "statement": {
            "currency": "USD",
            "payoutCents": 5,
            "includedEntryIds": ["jnl_1", 2],
            "totalsByAccountId": {"acct_owner_payable": -5},
        },
    }
    kernel.write("party_statements", [statement])
    warehouse.land()
    assert [entry["code"] for entry in warehouse.quarantine()] == ["field_type"]
    sizes = warehouse.sizes()
    assert sizes["party_statements"] == sizes["party_statement_totals"] == 0
    assert sizes["party_statement_entries"] == 0


def test_a_flood_of_bad_lines_is_counted_and_listed_up_to_a_bound(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [*([b"{"] * 1200), receipt(1)])
    pull = warehouse.land()
    codes = [entry["code"] for entry in warehouse.quarantine()]
    assert codes.count("json_syntax") == 1000
    assert codes.count("list_capped") == 1
    assert pull.tenants[0].counts["settlement_receipts"].refused == 1200
    assert len(warehouse.rows("settlement_receipts")) == 1


def test_a_last_line_without_line_end_is_read(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    path = kernel.write("settlement_receipts", [receipt(1), receipt(2)])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    warehouse.land()
    assert len(warehouse.rows("settlement_receipts")) == 2


def test_blank_lines_and_carriage_returns_are_no_lines(
    kernel: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    kernel.write("settlement_receipts", [b"", text(receipt(1)) + b"\r", b"  "])
    warehouse.land()
    (row,) = warehouse.rows("settlement_receipts")
    assert (row["source_line"], row["verdict"]) == (2, "verified")
    assert warehouse.quarantine() == []
