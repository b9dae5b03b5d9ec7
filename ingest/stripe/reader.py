"""Reading Stripe through its own SDK: an object or a list to its end, or an error that says why.

Belongs here: the SDK client, rate limits and retries, paging, and the translation of every SDK
error into ours. Does not belong here: the bytes of an answer (`transport`), which lists are read,
what is kept of them, files.

The SDK's retries are switched off: it never retries a 429 and ignores Retry-After. No message
repeats the body of an answer or the key; of a 403 only the name of the missing permission is taken.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import stripe

from ingest.errors import (
    SettingError,
    SourceDenied,
    SourceIncomplete,
    SourceUnavailable,
    TieoutError,
)
from ingest.limits import Limiter
from ingest.stripe.shapes import JsonObject
from ingest.stripe.transport import BoundedClient, BrokenAnswer

__all__ = ["Page", "StripeReader"]

MAX_PAGES: Final = 1_000_000
PAGE_LIMIT: Final = 100
MAX_WAIT_SECONDS: Final = 60.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_RATE_DIGITS: Final = 18
_UNREACHABLE: Final = "stripe_unreachable"
_PERMISSION: Final = re.compile(r"rak_[a-z_]{1,60}")


@dataclass(frozen=True)
class Page:
    """One page of a list: its objects, the API version that rendered them, whether more follow."""

    data: list[JsonObject]
    api_version: str
    has_more: bool = False


class StripeReader:
    """Reads one Stripe platform.

    Args:
        api_key: Secret or restricted key; only ever sent to `api_base`.
        api_base: Such as `https://api.stripe.com`.
        limiter: Shared by all processes of the home.
        attempts: How often one request is tried before its list counts as failed.
        timeout_seconds: For one answer.
        sleep: Called with seconds between attempts; waits of the limiter are its own.

    Raises:
        SettingError: The key or the base address cannot be what it should be.
    """

    def __init__(
        self,
        *,
        api_key: str,
        api_base: str,
        limiter: Limiter,
        attempts: int = 5,
        timeout_seconds: float = 80.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = urlsplit(api_base)
        if not re.fullmatch(r"[!-~]{8,255}", api_key):
            raise SettingError(
                got="a Stripe key with spaces or unusual characters, or none",
                expected="one word such as rk_live_... or sk_test_...",
                remedy="Set STRIPE_API_KEY to the key as Stripe's dashboard shows it",
                code="stripe_key_malformed",
            )
        if address.scheme not in {"http", "https"} or not address.hostname or address.username:
            raise SettingError(
                got="an address that is not a plain http(s) URL",
                expected="an address such as https://api.stripe.com",
                remedy="Correct STRIPE_API_BASE",
                code="stripe_base_malformed",
            )
        if address.scheme == "http" and address.hostname not in _LOOPBACK:
            raise SettingError(
                got=f"unencrypted http to {address.hostname}",
                expected="https, except to this machine",
                remedy="Correct STRIPE_API_BASE, so that the key never travels in the clear",
                code="stripe_base_insecure",
            )
        self.place = f"{address.scheme}://{address.netloc}"
        self.version = stripe.api_version
        self._limiter = limiter
        self._attempts = attempts
        self._sleep = sleep
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": self.place},
            stripe_version=self.version,
            max_network_retries=0,
            http_client=BoundedClient(
                timeout=timeout_seconds,
                # A proxy of the environment must not stand between us and this machine.
                proxy={"http": "", "https": ""} if address.hostname in _LOOPBACK else None,
            ),
        )

    def get(
        self,
        path: str,
        parameters: Mapping[str, object] = MappingProxyType({}),
        *,
        account: str | None = None,
        unreachable_attempts: int | None = None,
    ) -> tuple[JsonObject, str]:
        """One object and the API version that rendered it.

        Args:
            path: Such as `/v1/balance`.
            parameters: Of the query.
            account: Connected account to act for, or None for the platform.
            unreachable_attempts: Fewer attempts while nothing answers at all.

        Raises:
            SourceDenied: HTTP 401 (code `stripe_unauthorized`), 403 or 404.
            SourceUnavailable: Still no good answer after all attempts, or a refused request.
        """
        options = {"stripe_account": account} if account else {}
        for attempt in range(1, self._attempts + 1):
            self._limiter.acquire(_scope(path))
            try:
                response = self._client.raw_request("get", path, **parameters, **options)
            except stripe.StripeError as error:
                # The SDK's own text may quote the answer or a header, so it is not chained.
                failure, wait_seconds = self._judge(error, path, attempt)
            else:
                answer = _parsed(response.body)
                if answer is not None:
                    return answer, response.headers.get("Stripe-Version") or self.version
                failure, wait_seconds = self._unavailable("an answer that is no object", path), 0.0
            given_up = failure.code == _UNREACHABLE and attempt == unreachable_attempts
            if wait_seconds is None or given_up or attempt == self._attempts:
                raise failure from None
            if wait_seconds:
                self._sleep(wait_seconds)
        raise AssertionError("the loop above returns or raises")

    def pages(
        self, path: str, parameters: Mapping[str, object], *, account: str | None
    ) -> Iterator[Page]:
        """Every page of a list, newest first, until Stripe says that there is no more.

        Raises:
            SourceIncomplete: The list contradicts itself: more is promised with an empty page, an
                object has no id, the cursor does not move, or the answer is not a list.
            SourceDenied: As for `get`.
            SourceUnavailable: As for `get`.
        """
        cursor: dict[str, object] = {}
        for _ in range(MAX_PAGES):
            answer, version = self.get(
                path, {"limit": PAGE_LIMIT, **parameters, **cursor}, account=account
            )
            data, has_more = answer.get("data"), answer.get("has_more")
            if (
                not isinstance(data, list)
                or not isinstance(has_more, bool)
                or not all(isinstance(item, dict) for item in data)
            ):
                raise _incomplete(path, "an answer that is not a list", "stripe_page_malformed")
            yield Page(data, version, has_more)
            if not has_more:
                return
            if not data:
                raise _incomplete(path, "an empty page that promises more", "stripe_page_empty")
            last = data[-1].get("id")
            if not isinstance(last, str) or last == cursor.get("starting_after"):
                raise _incomplete(path, "a page that does not advance", "stripe_page_stuck")
            cursor = {"starting_after": last}
        raise _incomplete(path, f"more than {MAX_PAGES} pages", "stripe_page_limit")

    # --- errors -----------------------------------------------------------------------------------

    def _judge(
        self, error: stripe.StripeError, path: str, attempt: int
    ) -> tuple[TieoutError, float | None]:
        """Our error for the SDK's, and how long to wait before trying again (None: do not)."""
        status = error.http_status
        backoff = min(0.5 * 2 ** (attempt - 1), MAX_WAIT_SECONDS) * random.uniform(0.75, 1.25)
        if status == 401:
            return self._unauthorized(), None
        if status in {403, 404}:
            return self._forbidden(status, str(error), path), None
        if status == 429:
            headers = error.headers or {}
            asked = _seconds(headers.get("Retry-After", ""))
            failure = self._unavailable("HTTP 429", path, "stripe_rate_limited")
            if asked is not None and asked > MAX_WAIT_SECONDS:
                return failure, None
            # The limiter makes the wait, so that every process of this home keeps it.
            everywhere = headers.get("Stripe-Rate-Limited-Reason", "").startswith("global")
            self._limiter.pause(
                backoff if asked is None else asked + random.uniform(0.0, 0.1),
                None if everywhere else _scope(path),
            )
            return failure, 0.0
        if isinstance(error, BrokenAnswer):
            return self._unavailable("an answer cut short", path), backoff
        if status is None:
            return self._unavailable("no answer", path, _UNREACHABLE), backoff
        if status >= 500 or status == 409:
            return self._unavailable(f"HTTP {status}", path, "stripe_server_error"), backoff
        if status < 300:
            return self._unavailable("an answer that is not JSON", path), backoff
        return self._unavailable(f"HTTP {status}", path, "stripe_request_refused"), None

    def _unavailable(
        self, got: str, path: str, code: str = "stripe_answer_broken"
    ) -> SourceUnavailable:
        return SourceUnavailable(
            got=f"{got} from {self.place} for GET {path}",
            expected="an answer from Stripe's API",
            remedy="Check the network and STRIPE_API_BASE, look at Stripe's status page, and pull "
            "again: what was landed stays, and the rest is read then",
            code=code,
        )

    def _unauthorized(self) -> SourceDenied:
        return SourceDenied(
            got=f"HTTP 401 from {self.place}: the key is wrong, revoked or expired",
            expected="a key that Stripe accepts",
            remedy="Set STRIPE_API_KEY to a current key of the platform and pull again; nothing "
            "was landed",
            code="stripe_unauthorized",
        )

    def _forbidden(self, status: int, message: str, path: str) -> SourceDenied:
        permission = _PERMISSION.search(message)
        what = f" (missing permission {permission.group()})" if permission else ""
        return SourceDenied(
            got=f"HTTP {status} from {self.place} for GET {path}{what}",
            expected="permission to read it",
            remedy="Give the restricted key read access to this resource in Stripe's dashboard; "
            "until then everything that rests on it is incomplete",
            code="stripe_forbidden" if status == 403 else "stripe_not_found",
        )


def _incomplete(path: str, got: str, code: str) -> SourceIncomplete:
    return SourceIncomplete(
        got=f"{got} for GET {path}",
        expected="pages up to one that says has_more = false",
        remedy="Pull again; if it stays, report it to Stripe: until then the list is not whole",
        code=code,
    )


def _scope(path: str) -> str:
    """The rate-limit bucket of a path: its shape, without ids."""
    parts = path.split("/")
    return "/".join((*parts[:3], *parts[4:]))


def _seconds(value: str) -> float | None:
    return float(value) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", value) else None


class _NumberText(str):
    """The text of a JSON number with a fraction."""

    __slots__ = ()


def _parsed(body: str) -> JsonObject | None:
    """The object of a good answer; None when it is none."""
    sent = getattr(body, "sent", None)
    try:
        answer = orjson.loads(sent if isinstance(sent, bytes) else body)
    except orjson.JSONDecodeError:
        return None
    return _with_number_text(answer, sent or b"") if isinstance(answer, dict) else None


def _with_number_text(answer: dict[str, Any], body: bytes) -> JsonObject:
    """The answer with each exchange rate as plain decimal text, never as a binary fraction."""
    data = answer.get("data")
    if not isinstance(data, list) or b'"exchange_rate"' not in body:
        return answer
    rated: list[dict[str, Any]] = [
        item for item in data if isinstance(item, dict) and item.get("exchange_rate") is not None
    ]
    if rated:
        exact = json.loads(body, parse_float=_NumberText)["data"]
        for item, same in zip(data, exact, strict=True):
            if isinstance(item, dict) and item.get("exchange_rate") is not None:
                item["exchange_rate"] = _plain_decimals(same["exchange_rate"])
    return answer


def _plain_decimals(number: object) -> str:
    """A rate without an exponent, as SQL reads it; what can be no rate stays as it is."""
    if not isinstance(number, _NumberText):
        return str(number)
    rate = Decimal(number)
    return format(rate, "f") if abs(rate.adjusted()) <= _RATE_DIGITS else str(number)
