"""A report lands what the lists land, exactly, and never over what a list has read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import SettingError, SourceIncomplete
from ingest.landing import Landing
from ingest.stripe.currencies import API_EXPONENTS
from ingest.stripe.kept import BALANCE_TRANSACTIONS, PAYOUT_MEMBERS
from ingest.stripe.reports import ReportImport, import_report
from tests.ingest.desk import START, Desk

END = datetime(2026, 4, 1, tzinfo=UTC)
NOW = datetime(2026, 4, 2, tzinfo=UTC)
ACTIVITY = "balance_change_from_activity"
# What a report carries of a movement; not: type, fee details, balance type, status, exchange rate.
CARRIED = (
    "account_id, is_platform, id, amount, fee, net, currency, reporting_category, source, created, "
    "available_on"
)
MEMBER = "account_id, payout_id, balance_transaction_id, net, currency"
HEADER = (
    "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,"
    "reporting_category,source_id,description,automatic_payout_id,connected_account"
)
AT = "2026-01-10 09:00:00"


def write(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "report.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def line(id_: str = "txn_1", **over: str) -> str:
    values = {
        "id": id_,
        "created": AT,
        "available": AT,
        "currency": "usd",
        "gross": "10.00",
        "fee": "0.59",
        "net": "9.41",
        "category": "charge",
        "source": "ch_1",
        "description": '"Jane Doe, ""x"""',
        "payout": "",
        "account": "",
    } | over
    return ",".join(values.values())


def land(path: Path, home: Path, **over: Any) -> ReportImport:
    asked: dict[str, Any] = {
        "report_type": ACTIVITY,
        "landing": Landing(home),
        "now": NOW,
        "platform": "acct_1Own",
    } | over
    return import_report(path, **asked)


def landed(home: Path, names: str = "id, amount, fee, net, currency") -> list[tuple[Any, ...]]:
    return Desk.landed(_At(home), "balance_transactions", names)  # type: ignore[arg-type]


class _At:
    def __init__(self, home: Path) -> None:
        self.home = home


def refusals(home: Path) -> list[tuple[Any, ...]]:
    from ingest.tables import QUARANTINE

    return sorted(Landing(home).rows(QUARANTINE, ("line", "code", "key")))  # type: ignore[type-var]


def imports(home: Path) -> list[tuple[Any, ...]]:
    from ingest.tables import COVERAGE

    return Landing(home).rows(COVERAGE, ("source", "status", "error_code"))


# --- the same as the lists ------------------------------------------------------------------------


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A rail with movements of many kinds and three currencies on platform and accounts."""
    rail = desk.rail
    for number, currency in enumerate(("usd", "jpy", "kwd"), start=1):
        at = START + timedelta(days=number)
        charge = rail.create_charge(12_340, at=at, currency=currency, fee=370)
        rail.refund(charge["id"], 1_230, at=at + timedelta(days=1))
    transfer = rail.create_transfer(5_000, at=START + timedelta(days=5), destination="acct_1Ada")
    rail.reverse_transfer(transfer["id"], 700, at=START + timedelta(days=6))
    rail.create_charge(9_900, at=START + timedelta(days=6), account="acct_1Bob", fee=320)
    rail.create_payout(None, at=START + timedelta(days=40), automatic=True)
    rail.create_payout(None, at=START + timedelta(days=41), automatic=True, account="acct_1Ada")
    return desk


def report_file(desk: Desk, tmp_path: Path, report_type: str) -> Path:
    path = tmp_path / f"{report_type}.csv"
    path.write_text(desk.rail.report(report_type, start=START, end=END))
    return path


def test_lists_and_reports_give_equal_tables(busy: Desk, tmp_path: Path) -> None:
    busy.pull()
    other = tmp_path / "other home"
    platform = busy.rail.platform_id
    own = report_file(busy, tmp_path, ACTIVITY)
    land(own, other, platform=platform)
    land(
        report_file(busy, tmp_path, f"connected_account_{ACTIVITY}"),
        other,
        platform=platform,
        report_type=f"connected_account_{ACTIVITY}",
    )
    from_lists = busy.landed("balance_transactions", CARRIED, "reporting_category <> 'payout'")
    from_reports = landed(other, CARRIED)
    assert from_reports == from_lists
    assert len(from_reports) >= 12
    assert {row[6] for row in from_reports} == {"usd", "jpy", "kwd"}
    assert {row[0] for row in from_reports} == {platform, "acct_1Ada", "acct_1Bob"}


def test_what_a_list_has_read_is_known_and_stays_as_it_is(busy: Desk, tmp_path: Path) -> None:
    busy.pull()
    before = busy.landed("balance_transactions")
    done = land(report_file(busy, tmp_path, ACTIVITY), busy.home, platform=None)
    assert (done.rows_landed, done.refused) == (0, 0)
    assert done.known == done.rows_read > 0
    assert busy.landed("balance_transactions") == before


def test_a_list_row_stands_over_the_reports(busy: Desk, tmp_path: Path) -> None:
    platform = busy.rail.platform_id
    done = land(report_file(busy, tmp_path, ACTIVITY), busy.home, platform=platform)
    assert done.rows_landed == done.rows_read
    busy.pull()
    newest = "id, arg_max(type, received_at) as type"
    with_types = busy.landed(
        "balance_transactions", newest, f"account_id = '{platform}' group by id"
    )
    assert len(with_types) >= done.rows_landed
    assert all(type_ is not None for _, type_ in with_types)


def test_memberships_of_payouts_equal_the_lists(busy: Desk, tmp_path: Path) -> None:
    busy.pull()
    members = busy.landed(
        "payout_members", "account_id, payout_id, balance_transaction_id, net, currency"
    )
    assert members
    # A second home that has read everything but the memberships.
    for path in (busy.home / "landing" / "stripe" / "payout_members").glob("2*"):
        path.unlink()
    done = land(
        report_file(busy, tmp_path, "payout_reconciliation"),
        busy.home,
        platform=None,
        report_type="payout_reconciliation",
    )
    connected = "connected_account_payout_reconciliation"
    more = land(
        report_file(busy, tmp_path, connected), busy.home, platform=None, report_type=connected
    )
    assert done.members_landed + more.members_landed == len(members)
    assert (done.payouts_left, more.payouts_left) == (0, 0)
    assert busy.landed("payout_members", MEMBER) == members


def test_half_a_membership_is_left_to_the_list(busy: Desk, tmp_path: Path) -> None:
    busy.pull()
    for path in (busy.home / "landing" / "stripe" / "payout_members").glob("2*"):
        path.unlink()
    path = report_file(busy, tmp_path, "payout_reconciliation")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    done = land(path, busy.home, platform=None, report_type="payout_reconciliation")
    assert (done.members_landed, done.payouts_left) == (0, 1)


def test_a_report_never_counts_as_a_list_that_was_read(busy: Desk, tmp_path: Path) -> None:
    land(report_file(busy, tmp_path, ACTIVITY), busy.home, platform=busy.rail.platform_id)
    busy.pull()
    # Activity leaves payouts out: only reading the list brings their movements.
    assert busy.landed("balance_transactions", "id", "reporting_category = 'payout'")


# --- exact amounts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "gross", "minor"),
    [
        ("usd", "90071992547409.93", 9_007_199_254_740_993),
        ("usd", "-0.01", -1),
        ("usd", "1", 100),
        ("usd", "1.5", 150),
        ("usd", "1.2300", 123),
        ("jpy", "12345", 12_345),
        ("jpy", "12345.00", 12_345),
        ("kwd", "1.234", 1_234),
        ("isk", "5", 500),
        ("USD", "0.29", 29),
    ],
)
def test_major_units_become_minor_units_exactly(
    home: Path, tmp_path: Path, currency: str, gross: str, minor: int
) -> None:
    path = write(tmp_path, line(gross=gross, fee="0", net=gross, currency=currency))
    assert land(path, home).refused == 0
    assert landed(home) == [("txn_1", minor, 0, minor, currency.lower())]


@settings(deadline=None, max_examples=20)
@given(st.integers(-(10**16), 10**16), st.sampled_from(["usd", "jpy", "kwd"]))
def test_any_amount_survives_the_way_through_major_units(minor: int, currency: str) -> None:
    import tempfile

    digits = API_EXPONENTS[currency]
    sign, text = ("-" if minor < 0 else ""), str(abs(minor)).rjust(digits + 1, "0")
    major = sign + (f"{text[:-digits]}.{text[-digits:]}" if digits else text)
    if len(text) - digits > 14:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), line(gross=major, fee="0", net=major, currency=currency))
        home = Path(folder) / "home"
        land(path, home)
        assert landed(home, "amount, net") == [(minor, minor)]


def test_bad_rows_are_refused_by_line_and_the_rest_lands(home: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        line("txn_good"),
        line("txn_net", net="9.42"),
        line("txn_float", gross="1e3", net="1e3", fee="0"),
        line("txn_parts", gross="1.001", net="1.001", fee="0"),
        line("txn_yen", gross="1.50", net="1.50", fee="0", currency="jpy"),
        line("txn_unknown", currency="xyz"),
        line("txn_time", created="2026-01-10"),
        line("txn_text", source="Jane Doe <jane@example.com>"),
        line("Jane Doe"),
        line("txn_good", gross="11.00", net="10.41"),
        "txn_short,2026",
        line("txn_after"),
    )
    done = land(path, home)
    assert (done.rows_read, done.rows_landed, done.refused) == (12, 2, 10)
    assert refusals(home) == [
        (3, "report_net", "txn_net"),
        (4, "report_amount", "txn_float"),
        (5, "report_amount", "txn_parts"),
        (6, "report_amount", "txn_yen"),
        (7, "report_currency_unknown", "txn_unknown"),
        (8, "report_time", "txn_time"),
        (9, "report_text", "txn_text"),
        (10, "report_text", None),
        (11, "report_row_repeated", "txn_good"),
        (12, "report_line_malformed", None),
    ]
    assert [row[0] for row in landed(home)] == ["txn_after", "txn_good"]


def test_nothing_personal_of_a_report_stays(home: Path, tmp_path: Path) -> None:
    land(write(tmp_path, line(), line("txn_2", source="jane@example.com")), home)
    for path in home.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert b"Jane" not in content, path
        assert b"jane@" not in content, path
    assert not list((home / "state").glob("report.*"))


def test_another_amount_than_the_lists_is_a_refusal_that_blocks(busy: Desk, tmp_path: Path) -> None:
    busy.pull()
    where = "currency = 'usd' and fee = 0 and is_platform and reporting_category = 'transfer'"
    (id_, amount), *_ = busy.landed(
        "balance_transactions",
        "id, amount",
        where,
    )
    other = f"{(amount + 1) / 100:.2f}"
    path = write(tmp_path, line(id_, gross=other, fee="0", net=other))
    done = land(path, busy.home, platform=busy.rail.platform_id)
    assert (done.refused, done.rows_landed) == (1, 0)
    assert refusals(busy.home) == [(2, "report_disagrees", id_)]
    (covered,) = (row for row in imports(busy.home) if row[0] == "stripe_report")
    assert covered == ("stripe_report", "partial", "report_rows_refused")


def test_the_digest_of_a_batch_is_made_from_its_rows(home: Path, tmp_path: Path) -> None:
    land(write(tmp_path, line(), line("txn_2", source="", gross="-3.00", net="-3.59")), home)
    landing = Landing(home)
    manifests = landing.committed("stripe")
    assert [m.table for m in manifests] == ["balance_transactions"]
    for manifest in manifests:
        landing.verify(manifest)
    rows = landing.rows(BALANCE_TRANSACTIONS.spec, ("id", "source", "type", "created"))
    assert rows == [
        ("txn_1", "ch_1", None, datetime(2026, 1, 10, 9, tzinfo=UTC)),
        ("txn_2", None, None, datetime(2026, 1, 10, 9, tzinfo=UTC)),
    ]
    assert landing.rows(PAYOUT_MEMBERS.spec, ("payout_id",)) == []


def test_importing_twice_lands_once(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path, line(), line("txn_2"))
    assert land(path, home).rows_landed == 2
    assert land(path, home, now=NOW + timedelta(minutes=1)).rows_landed == 0
    assert len(landed(home)) == 2


# --- what is no report ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"a,b,c\n1,2,3\n", HEADER.replace("net,", "").encode(), b"x" * 70_000],
)
def test_what_is_no_itemized_report_is_said(home: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(content)
    with pytest.raises(SourceIncomplete, match="report_unreadable"):
        land(path, home)
    assert Landing(home).committed() == []


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"report_type": "payouts"}, "report_type_unknown"),
        (
            {"report_type": f"connected_account_{ACTIVITY}", "account": "acct_1"},
            "report_account_given",
        ),
        ({"platform": None}, "report_platform_unknown"),
        ({"account": "acct_1'; drop"}, "report_account_unknown"),
        ({"platform": "acct_1'; drop"}, "report_platform_unknown"),
    ],
)
def test_misuse_is_named(home: Path, tmp_path: Path, over: dict[str, Any], code: str) -> None:
    with pytest.raises(SettingError, match=code):
        land(write(tmp_path, line()), home, **over)


def test_a_report_does_not_bring_back_an_erased_account(tmp_path: Path, home: Path) -> None:
    lines = [line(f"txn_{name}", account=f"acct_1{name}") for name in ("Gone", "Here")]
    done = land(
        write(tmp_path, *lines),
        home,
        report_type=f"connected_account_{ACTIVITY}",
        erased={"acct_1Gone"},
    )
    assert (done.rows_landed, done.refused) == (1, 1)
    assert landed(home, "account_id") == [("acct_1Here",)]
    assert refusals(home) == [(2, "report_account_erased", "txn_Gone")]
