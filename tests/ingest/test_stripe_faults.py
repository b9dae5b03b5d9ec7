"""What Stripe refuses, breaks off or contradicts becomes a row or an error, never an empty list.

No error, file or log names the key.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ingest.errors import SettingError, SourceDenied, SourceUnavailable, TieoutError
from ingest.landing import Landing
from ingest.limits import Limiter
from ingest.stripe import transport
from ingest.stripe.reader import StripeReader
from ingest.tables import COVERAGE
from tests.ingest.desk import KEY, START, Desk, slice_of

OTHER_KEY = "sk_test_51WrongWrongWrongWrongWrong"


def others(result: Any, *endpoints: str) -> set[str]:
    return {row.status for row in result.slices if row.endpoint not in endpoints}


# --- refused --------------------------------------------------------------------------------------


def test_a_wrong_key_ends_the_pull_at_once_with_one_paragraph(desk: Desk) -> None:
    with pytest.raises(SourceDenied) as refusal:
        desk.pull(api_key=OTHER_KEY)
    message = str(refusal.value)
    assert refusal.value.code == "stripe_unauthorized"
    assert "401" in message
    assert "STRIPE_API_KEY" in message
    assert "\n" not in message
    assert OTHER_KEY not in message
    assert len(desk.server.calls) == 1
    assert desk.landing.committed() == []
    assert desk.slept == []


def test_a_key_revoked_in_the_middle_ends_the_pull_and_commits_no_coverage(desk: Desk) -> None:
    desk.server.faults.add("unauthorized", path="/v1/charges")
    with pytest.raises(SourceDenied, match="stripe_unauthorized"):
        desk.pull()
    assert desk.landing.rows(COVERAGE, ["endpoint"]) == []
    assert desk.landed("charges") == []
    assert not list(desk.home.rglob("*.tmp"))
    desk.server.faults.clear()
    assert desk.pull().complete


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        ("forbidden", "stripe_forbidden", "rak_"),
        ("not_found", "stripe_not_found", "HTTP 404"),
    ],
)
def test_a_denied_list_is_a_denied_slice_and_the_others_go_on(
    desk: Desk, fault: str, code: str, told: str
) -> None:
    desk.server.faults.add(fault, path="/v1/transfers")
    result = desk.pull()
    row = slice_of(result, "transfers")
    assert (row.status, row.rows_read, row.error_code) == ("denied", 0, code)
    assert told in str(row.error_detail)
    assert others(result, "transfers", "transfer_reversals") == {"complete"}
    # Of transfers that were not read nobody knows the reversals.
    assert slice_of(result, "transfer_reversals").status == "denied"
    assert not result.complete
    landed = desk.landing.rows(COVERAGE, ["endpoint", "status", "error_code"])
    assert ("transfers", "denied", code) in landed
    assert desk.slept == []


def test_a_denied_account_does_not_hide_another(desk: Desk) -> None:
    desk.server.faults.add("forbidden", path="/v1/*", account="acct_1Bob")
    result = desk.pull()
    by_account = {
        name: {row.status for row in result.slices if row.account_id == name}
        for name in ("acct_1Ada", "acct_1Bob")
    }
    assert by_account["acct_1Ada"] == {"complete"}
    assert "denied" in by_account["acct_1Bob"]


def test_a_denied_child_list_is_a_slice_of_its_own(desk: Desk) -> None:
    transfer = desk.rail.create_transfer(900, at=START, destination="acct_1Ada")
    # Ten reversals are embedded; the eleventh makes the list one that must be asked for.
    for _ in range(11):
        desk.rail.reverse_transfer(transfer["id"], 10, at=START)
    desk.server.faults.add("forbidden", path="/v1/transfers/*/reversals")
    result = desk.pull()
    assert slice_of(result, "transfer_reversals").status == "denied"
    assert slice_of(result, "transfers").status == "complete"
    assert desk.landed("transfer_reversals") == []
    assert not result.complete
    desk.server.faults.clear()
    assert desk.pull().complete
    assert len(desk.landed("transfer_reversals")) == 11


# --- broken ---------------------------------------------------------------------------------------


def test_an_unreachable_host_is_one_clear_paragraph(home: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    desk = Desk(home)
    desk.server.close()
    with pytest.raises(SourceUnavailable) as error:
        desk.pull(api_base=f"http://127.0.0.1:{port}")
    message = str(error.value)
    assert error.value.code == "stripe_unreachable"
    assert f"http://127.0.0.1:{port}" in message
    assert "STRIPE_API_BASE" in message
    assert "\n" not in message
    assert KEY not in message
    assert len(desk.slept) == 1, "with nobody there, one more try is enough"
    assert desk.landing.committed() == []


@pytest.mark.parametrize(
    "fault", ["server_error", "cut_before_acting", "torn_body", "rate_limited"]
)
def test_a_passing_fault_is_tried_again_and_leaves_no_trace(desk: Desk, fault: str) -> None:
    desk.rail.create_charge(5_000, at=START)
    desk.server.faults.add(fault, path="/v1/charges", times=2, account=desk.rail.platform_id)
    result = desk.pull()
    assert result.complete
    assert len(desk.slept) >= 2
    assert len(desk.landed("charges")) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("server_error", "stripe_server_error"),
        ("rate_limited", "stripe_rate_limited"),
        ("cut_before_acting", "stripe_unreachable"),
        ("torn_body", "stripe_answer_broken"),
    ],
)
def test_a_lasting_fault_fails_the_slice_after_bounded_attempts(
    desk: Desk, fault: str, code: str
) -> None:
    platform = desk.rail.platform_id
    desk.server.faults.add(fault, path="/v1/topups", times=None, account=platform)
    result = desk.pull()
    row = slice_of(result, "topups")
    assert (row.status, row.error_code) == ("failed", code)
    assert desk.reads("/v1/topups", platform) == 5
    assert others(result, "topups") == {"complete"}
    assert desk.landed("topups") == []


def test_retry_after_is_waited_for_and_told_to_the_other_processes(desk: Desk) -> None:
    desk.server.faults.add("rate_limited", path="/v1/topups", retry_after_seconds=7)
    desk.pull()
    # Whoever reads the same list meanwhile waits as well.
    assert {round(seconds) for seconds in desk.slept} == {7}
    shared = Limiter(desk.home / "state" / "limits.sqlite", sleep=lambda seconds: None)
    assert shared.acquire("/v1/topups") > 6
    assert shared.acquire("/v1/disputes") < 1
    shared.close()


def test_an_hour_of_retry_after_is_not_waited_for(desk: Desk) -> None:
    platform = desk.rail.platform_id
    desk.server.faults.add(
        "rate_limited", path="/v1/topups", retry_after_seconds=3_600, account=platform
    )
    assert slice_of(desk.pull(), "topups").status == "failed"
    assert desk.slept == []


def test_more_promised_with_an_empty_page_is_never_complete(desk: Desk) -> None:
    desk.server.faults.add("empty_page", path="/v1/disputes", times=None)
    result = desk.pull()
    row = slice_of(result, "disputes")
    assert (row.status, row.error_code) == ("failed", "stripe_page_empty")
    assert "has_more" in str(row.error_detail)


def test_a_list_that_breaks_off_keeps_what_was_read_and_says_so(desk: Desk) -> None:
    for number in range(150):
        desk.rail.create_charge(5_000 + number, at=START)
    desk.server.faults.add(
        "empty_page", path="/v1/charges", times=None, after=1, account=desk.rail.platform_id
    )
    result = desk.pull()
    row = slice_of(result, "charges", desk.rail.platform_id)
    assert (row.status, row.rows_read, row.rows_landed) == ("partial", 100, 100)
    desk.server.faults.clear()
    second = desk.pull()
    row = slice_of(second, "charges", desk.rail.platform_id)
    assert (row.status, row.rows_read, row.rows_landed) == ("complete", 150, 50)


# --- answers that are not Stripe's ----------------------------------------------------------------


@contextmanager
def answering(body: bytes, *, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A server that gives every GET the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pages(home: Path, url: str) -> list[Any]:
    limiter = Limiter(home / "state" / "limits.sqlite", per_second=1e5, overall_per_second=1e5)
    try:
        source = StripeReader(
            api_key=KEY, api_base=url, limiter=limiter, attempts=2, sleep=lambda seconds: None
        )
        return list(source.pages("/v1/things", {}, account=None))
    finally:
        limiter.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>busy</html>", "stripe_answer_broken"),
        (b'{"data": [', "stripe_answer_broken"),
        (b'"\xff"', "stripe_answer_broken"),
        (b"[]", "stripe_answer_broken"),
        (b'{"object": "thing"}', "stripe_page_malformed"),
        (b'{"data": {}, "has_more": false}', "stripe_page_malformed"),
        (b'{"data": [1], "has_more": false}', "stripe_page_malformed"),
        (b'{"data": []}', "stripe_page_malformed"),
        (b'{"data": [], "has_more": true}', "stripe_page_empty"),
        (b'{"data": [{}], "has_more": true}', "stripe_page_stuck"),
        (b'{"data": [{"id": "a"}], "has_more": true}', "stripe_page_stuck"),
    ],
)
def test_an_answer_that_is_no_list_is_never_an_empty_list(
    home: Path, body: bytes, code: str
) -> None:
    with answering(body) as url, pytest.raises(TieoutError) as error:
        pages(home, url)
    assert error.value.code == code


def test_an_answer_beyond_the_size_limit_is_not_read_to_its_end(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 100_000)
    body = b'{"data": [], "has_more": false, "pad": "' + b"x" * 2_000_000 + b'"}'
    with answering(body) as url, pytest.raises(SourceUnavailable, match="stripe_answer_broken"):
        pages(home, url)


def test_a_proxy_of_the_environment_does_not_see_loopback_traffic(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with answering(b'{"data": [], "has_more": false}') as url:
        assert len(pages(home, url)) == 1


# --- the key --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "short", "sk_test_with space", "sk_test_line\nbreak", "ключ"])
def test_a_malformed_key_is_refused_before_anything_is_sent(desk: Desk, key: str) -> None:
    with pytest.raises(SettingError) as refusal:
        desk.pull(api_key=key)
    assert refusal.value.code == "stripe_key_malformed"
    assert not key or key not in str(refusal.value)
    assert len(desk.server.calls) == 0


@pytest.mark.parametrize(
    ("base", "code"),
    [
        ("http://api.stripe.com", "stripe_base_insecure"),
        ("api.stripe.com", "stripe_base_malformed"),
        ("ftp://127.0.0.1", "stripe_base_malformed"),
        ("https://user:pass@api.stripe.com", "stripe_base_malformed"),
    ],
)
def test_the_key_is_never_sent_in_the_clear(desk: Desk, base: str, code: str) -> None:
    with pytest.raises(SettingError) as refusal:
        desk.pull(api_base=base)
    assert refusal.value.code == code
    assert "pass" not in str(refusal.value)


def test_no_error_log_or_file_names_the_key(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    faults = ("forbidden", "not_found", "server_error", "torn_body", "cut_before_acting")
    for fault in faults:
        desk.server.faults.add(fault, path="/v1/topups", times=5)
        said += [str(row.error_detail) for row in desk.pull().slices]
        desk.server.faults.clear()
    with pytest.raises(SourceDenied) as refusal:
        desk.pull(api_key=OTHER_KEY)
    said.append("".join(map(str, (refusal.value, refusal.value.__cause__))))
    said.append(caplog.text)
    for path in desk.home.rglob("*"):
        if path.is_file():
            said.append(path.read_bytes().decode("latin-1"))
    assert not re.search("TieoutTieout|WrongWrong", "\n".join(said))


def test_a_killed_pull_is_read_again_from_where_coverage_ends(desk: Desk) -> None:
    desk.rail.create_charge(5_000, at=START)
    write = desk.landing.write

    def dying(spec: Any, *arguments: Any, **named: Any) -> Any:
        if spec.table == "refunds":
            raise KeyboardInterrupt
        return write(spec, *arguments, **named)

    desk.landing.write = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        desk.pull()
    desk.landing = Landing(desk.home)
    assert desk.landing.rows(COVERAGE, ["endpoint"]) == []
    once = len(desk.landed("balance_transactions"))
    assert once > 0
    result = desk.pull()
    assert result.complete
    assert len(desk.landed("balance_transactions")) == once, "what was committed is not doubled"
    assert len(desk.landed("charges")) == 1


def test_a_list_that_the_months_budget_does_not_reach_is_not_complete(desk: Desk) -> None:
    desk.pull()
    used = Limiter(desk.home / "state" / "limits.sqlite")
    budget = used.used_this_month() + 12
    used.close()
    # The desk's clock is not the limiter's: a budget is a month of real time.
    result = desk.pull(limits={"per_month": budget, "slices": 1})
    codes = {row.error_code for row in result.slices if row.status != "complete"}
    assert codes == {"read_budget_used"}
    assert {row.status for row in result.slices} == {"complete", "partial", "failed"}
    assert desk.pull().complete
