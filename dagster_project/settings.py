"""Every setting of the system, read once from environment variables.

Belongs here: names, defaults and the checks that need nothing but the values themselves. Does not
belong here: files of a home (`home.py`), or anything that reads `os.environ` later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeVar

from ingest.errors import SettingError
from ingest.limits import ReadLimits
from ingest.notices import listed_addresses

__all__ = ["DEMO_API_KEY", "HomeMode", "PayoutMode", "Settings", "home_of", "read_budget"]

HomeMode = Literal["demo", "test", "live"]
PayoutMode = Literal["off", "dry-run", "live"]
ScheduleMode = Literal["off", "hold", "return"]

# Stripe allows an account four times what it allows one endpoint.
OVERALL_FACTOR: Final = 4
DEMO_API_KEY: Final = "sk_test_tieout_demo"

_TARGETS: Final = ("duckdb", "spark")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Settings:
    """What the environment asked for.

    Attributes:
        home: Absolute `TIEOUT_HOME`.
        mode: `demo` when no Stripe key is set (the built-in simulator serves), else what the key is
            for. A home is bound to the first mode it is used with.
        stripe_api_key: Key for reading; None in demo mode.
        stripe_api_base: Address of the API when it is not Stripe's own.
        stripe_accounts: Connected accounts to pull; empty means all of them.
        stripe_limits: How hard Stripe may be read.
        kernel_exports: Folder or URL of the kernel's exports; None in demo mode.
        kernel_trust: JSON file with the keys that may sign exports.
        operators: Registry of operators' public keys, outside the home.
        signing_key_file: Private key for packets and decisions.
        signing_key_passphrase: Opens that file when it is encrypted.
        payouts: `off`, `dry-run` or `live`.
        payout_api_key: Restricted key for creating transfers; required by `live`.
        payout_schedules: `off`; `hold`: accounts under a hold get a manual payout schedule, and
            their own back afterwards; `return`: all get their own back.
        log_origin: First line of the packet log's checkpoints, fixed at the first packet.
        decision_lifetime: How long a gate decision may authorise a payment.
        target: dbt target, `duckdb` or `spark`.
        notify_urls: Where notifications go (apprise URLs).
        webhook_secrets: Endpoint secrets of the webhook receiver.
        provider_webhooks: JSON file of the kernel's providers that may deliver, with their secrets.
    """

    home: Path
    mode: HomeMode = "demo"
    stripe_api_key: str | None = field(default=None, repr=False)
    stripe_api_base: str | None = None
    stripe_accounts: tuple[str, ...] = ()
    stripe_limits: ReadLimits = field(default_factory=ReadLimits)
    kernel_exports: str | None = None
    kernel_trust: Path | None = None
    operators: Path | None = None
    signing_key_file: Path | None = None
    signing_key: str | None = field(default=None, repr=False)
    signing_key_passphrase: str | None = field(default=None, repr=False)
    signer: str | None = None
    payouts: PayoutMode = "off"
    payout_api_key: str | None = field(default=None, repr=False)
    payout_schedules: ScheduleMode = "off"
    log_origin: str | None = None
    packet_inputs: str = "carried"
    decision_lifetime: timedelta = timedelta(minutes=30)
    target: str = "duckdb"
    notify_urls: tuple[str, ...] = field(default=(), repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    provider_webhooks: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from variables; an empty variable counts as not set.

        Raises:
            SettingError: A value is not one of those allowed, or two contradict each other.
        """
        env = {name: value.strip() for name, value in environ.items() if value.strip()}
        key = env.get("STRIPE_API_KEY")
        exports = env.get("TIEOUT_KERNEL_EXPORTS")
        _require_pair(key, exports)
        settings = cls(
            home=home_of(env),
            mode=_mode_of(key),
            stripe_api_key=key,
            stripe_api_base=env.get("STRIPE_API_BASE"),
            stripe_accounts=_listed(env.get("TIEOUT_STRIPE_ACCOUNTS")),
            stripe_limits=_limits(env),
            kernel_exports=exports,
            kernel_trust=_given(env, "TIEOUT_KERNEL_TRUST", _path),
            operators=_given(env, "TIEOUT_OPERATORS", _path),
            signing_key_file=_given(env, "TIEOUT_SIGNING_KEY_FILE", _path),
            signing_key=env.get("TIEOUT_SIGNING_KEY"),
            signing_key_passphrase=env.get("TIEOUT_SIGNING_KEY_PASSPHRASE"),
            signer=env.get("TIEOUT_SIGNER"),
            payouts=_payouts(env.get("TIEOUT_PAYOUTS", "off")),
            payout_api_key=env.get("TIEOUT_PAYOUT_API_KEY"),
            payout_schedules=_schedules(env.get("TIEOUT_PAYOUT_SCHEDULES", "off")),
            log_origin=env.get("TIEOUT_LOG_ORIGIN"),
            packet_inputs=_one_of(
                "TIEOUT_PACKET_INPUTS",
                env.get("TIEOUT_PACKET_INPUTS", "carried"),
                ("carried", "digests"),
            ),
            decision_lifetime=timedelta(
                minutes=_given(env, "TIEOUT_DECISION_MINUTES", _positive) or 30
            ),
            target=_one_of("TIEOUT_TARGET", env.get("TIEOUT_TARGET", "duckdb"), _TARGETS),
            notify_urls=_given(env, "TIEOUT_NOTIFY_URLS", _addresses) or (),
            webhook_secrets=_listed(env.get("TIEOUT_STRIPE_WEBHOOK_SECRETS")),
            provider_webhooks=_given(env, "TIEOUT_PROVIDER_WEBHOOKS", _path),
        )
        settings._check_payouts()
        return settings

    @property
    def livemode(self) -> bool:
        """Whether money that moves under these settings is real."""
        return self.mode == "live"

    def _check_payouts(self) -> None:
        if self.payout_schedules != "off" and self.payouts != "live":
            raise SettingError(
                got=f"TIEOUT_PAYOUT_SCHEDULES={self.payout_schedules} while payouts are not live",
                expected="TIEOUT_PAYOUTS=live with its own key, which also changes schedules",
                remedy="Set TIEOUT_PAYOUTS=live, or unset TIEOUT_PAYOUT_SCHEDULES",
            )
        if self.payouts != "live" or self.mode == "demo":
            return
        if self.payout_api_key is None:
            raise SettingError(
                got="TIEOUT_PAYOUTS=live without TIEOUT_PAYOUT_API_KEY",
                expected="a restricted key of its own for creating transfers",
                remedy="Set TIEOUT_PAYOUT_API_KEY, or TIEOUT_PAYOUTS=dry-run to only see payouts",
            )
        if _mode_of(self.payout_api_key) != self.mode:
            raise SettingError(
                got="TIEOUT_PAYOUT_API_KEY and STRIPE_API_KEY of different modes",
                expected="both for test mode or both for live mode",
                remedy="Use two keys of the same mode",
            )


def home_of(environ: Mapping[str, str]) -> Path:
    """Absolute path of `TIEOUT_HOME`, which needs no other setting to be right."""
    return Path(environ.get("TIEOUT_HOME") or ".tieout").expanduser().absolute()


def read_budget(environ: Mapping[str, str]) -> int | None:
    """Requests to the rail that a month may have, or None where no budget is set."""
    env = {name: value.strip() for name, value in environ.items() if value.strip()}
    return _limits(env).per_month


def _mode_of(key: str | None) -> HomeMode:
    if key is None:
        return "demo"
    return "live" if "_live_" in key else "test"


def _require_pair(key: str | None, exports: str | None) -> None:
    # Mixing a real rail with invented receipts, or the reverse, would reconcile nothing.
    if (key is None) != (exports is None):
        given, missing = (
            ("STRIPE_API_KEY", "TIEOUT_KERNEL_EXPORTS")
            if exports is None
            else ("TIEOUT_KERNEL_EXPORTS", "STRIPE_API_KEY")
        )
        raise SettingError(
            got=f"{given} without {missing}",
            expected="both for your own data, or neither for the built-in simulator",
            remedy=f"Set {missing} as well, or unset {given}",
        )


def _given(env: Mapping[str, str], name: str, parse: Callable[[str, str], _T]) -> _T | None:
    return parse(name, env[name]) if name in env else None


def _path(_name: str, text: str) -> Path:
    return Path(text).expanduser().absolute()


def _limits(env: Mapping[str, str]) -> ReadLimits:
    names = {
        "per_second": "TIEOUT_STRIPE_READS_PER_SECOND",
        "overall_per_second": "TIEOUT_STRIPE_READS_PER_SECOND_OVERALL",
        "per_month": "TIEOUT_STRIPE_READS_PER_MONTH",
        "slices": "TIEOUT_STRIPE_SLICES",
        "attempts": "TIEOUT_STRIPE_ATTEMPTS",
        "timeout_seconds": "TIEOUT_STRIPE_TIMEOUT_SECONDS",
    }
    given = {field: _positive(name, env[name]) for field, name in names.items() if name in env}
    if "per_second" in given:
        given.setdefault("overall_per_second", given["per_second"] * OVERALL_FACTOR)
    return ReadLimits(**given)


def _positive(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1_000_000_000:
        raise SettingError(
            got=f"{name} that is not a whole number above 0",
            expected="a number such as 25",
            remedy=f"Correct or unset {name}",
        )
    return int(text)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _addresses(name: str, text: str) -> tuple[str, ...]:
    found = listed_addresses(text)
    if found is None:
        raise SettingError(
            got=f"{name} with something that is no address, or with more than 20 of them",
            expected="apprise addresses such as mailto://... or slack://..., commas between them",
            remedy=f"Correct or unset {name}; its value is not shown, because it holds secrets",
        )
    return found


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise SettingError(
            got=f"{name} set to an unknown value",
            expected=f"one of {', '.join(allowed)}",
            remedy=f"Correct or unset {name}",
        )
    return text


def _payouts(text: str) -> PayoutMode:
    chosen = _one_of("TIEOUT_PAYOUTS", text, ("off", "dry-run", "live"))
    modes: dict[str, PayoutMode] = {"off": "off", "dry-run": "dry-run", "live": "live"}
    return modes[chosen]


def _schedules(text: str) -> ScheduleMode:
    chosen = _one_of("TIEOUT_PAYOUT_SCHEDULES", text, ("off", "hold", "return"))
    modes: dict[str, ScheduleMode] = {"off": "off", "hold": "hold", "return": "return"}
    return modes[chosen]
