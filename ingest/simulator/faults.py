"""The menu of what can go wrong between a client and the rail.

Belongs here: fault rules, how often they strike and whom, settable in code and as JSON.
Does not belong here: how a struck request is answered (api.py) or cut (http.py).

| kind | what the client sees | acts? |
|---|---|---|
| `unauthorized` | 401 | no |
| `forbidden` | 403 naming the missing permission | no |
| `not_found` | 404 | no |
| `rate_limited` | 429 with `Retry-After` and `Stripe-Rate-Limited-Reason` | no |
| `lock_timeout` | 429 `lock_timeout` | no |
| `server_error` | 500 | no |
| `error_after_acting` | 500, remembered under the idempotency key | yes |
| `cut_before_acting` | connection closed without an answer | no |
| `cut_after_acting` | connection closed without an answer | yes |
| `torn_body` | connection closed in the middle of the body | yes |
| `empty_page` | a list with no data and `has_more: true` | - |
| `late_visible` | lists leave out `ids`, or what is younger than `seconds` | - |
| `slow` | the answer after `ms` milliseconds | yes |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

from ingest.simulator.errors import RailError

__all__ = ["KINDS", "Fault", "Faults"]

# How often each kind strikes unless a rule says otherwise; None is until cleared.
KINDS: Mapping[str, int | None] = {
    "unauthorized": None,
    "forbidden": None,
    "not_found": None,
    "rate_limited": 1,
    "lock_timeout": 1,
    "server_error": 1,
    "error_after_acting": 1,
    "cut_before_acting": 1,
    "cut_after_acting": 1,
    "torn_body": 1,
    "empty_page": 1,
    "late_visible": None,
    "slow": None,
}
_MAX_RULES = 100


@dataclass
class Fault:
    """One rule.

    Attributes:
        kind: a key of `KINDS`.
        path: shell pattern over the request path, e.g. `/v1/transfers*`.
        method: GET, POST or *.
        account: strike only this account (`Stripe-Account`, else the platform's id).
        times: how many requests it still strikes; None until cleared.
        after: how many matching requests pass before it begins to strike.
        retry_after_seconds, reason: of `rate_limited`.
        ms: of `slow`, at most 60,000.
        ids, seconds: of `late_visible`.
    """

    kind: str
    path: str = "/v1/*"
    method: str = "*"
    account: str | None = None
    times: int | None = -1
    after: int = 0
    retry_after_seconds: int = 1
    reason: str = "endpoint-rate"
    ms: int = 0
    ids: tuple[str, ...] = ()
    seconds: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RailError(f"got fault {self.kind!r}; expected one of {', '.join(KINDS)}")
        if self.times == -1:
            self.times = KINDS[self.kind]
        if not 0 <= self.ms <= 60_000:
            raise RailError(f"got ms {self.ms}; expected 0 to 60000")
        self.ids = tuple(self.ids)

    def matches(self, method: str, path: str, account: str) -> bool:
        return (
            self.method in ("*", method)
            and fnmatchcase(path, self.path)
            and self.account in (None, account)
        )


class Faults:
    """The rules in force; safe to change while requests are served."""

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._lock = Lock()
        self._rules = list(rules)

    def add(self, kind: str, **options: Any) -> Fault:
        """Add a rule; see `Fault` for the options."""
        fault = Fault(kind, **options)
        with self._lock:
            if len(self._rules) >= _MAX_RULES:
                raise RailError(f"got more than {_MAX_RULES} fault rules; clear them first")
            self._rules.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._rules.clear()

    def strike(self, method: str, path: str, account: str) -> list[Fault]:
        """Return the rules that strike this request, counting it against them."""
        struck = []
        with self._lock:
            for rule in self._rules:
                if not rule.matches(method, path, account) or rule.times == 0:
                    continue
                if rule.after > 0:
                    rule.after -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                struck.append(rule)
            self._rules = [rule for rule in self._rules if rule.times != 0]
        return struck

    def load(self, given: Mapping[str, Any]) -> None:
        """Replace the rules by `{"rules": [{"kind": ..., ...}]}`.

        Raises:
            RailError: an unknown kind or option; the rules in force stay.
        """
        rules = given.get("rules", [])
        if not isinstance(rules, list) or len(rules) > _MAX_RULES:
            raise RailError(f"got rules that are no list of at most {_MAX_RULES}", param="rules")
        known = {field.name for field in fields(Fault)}
        made = []
        for rule in rules:
            if not isinstance(rule, dict) or not rule.keys() <= known:
                raise RailError(
                    f"got a fault rule with options beyond {', '.join(sorted(known))}",
                    param="rules",
                )
            try:
                made.append(Fault(**rule))
            except TypeError as error:
                raise RailError(f"got a malformed fault rule: {error}", param="rules") from error
        with self._lock:
            self._rules = made

    def as_json(self) -> dict[str, Any]:
        """Return the rules in force, in the shape `load` takes."""
        with self._lock:
            return {"rules": [asdict(rule) for rule in self._rules]}
