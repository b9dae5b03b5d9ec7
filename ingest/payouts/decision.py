"""What may be paid: a gate decision whose signature was verified, and the terms we pay under.

Belongs here: the shapes that cross from the evidence floor into enforcement, and the rules a single
decided payout must meet by itself. Does not belong here: signatures (the caller verified them), the
journal, the rail, or any gate that needs data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ingest.errors import PayoutRefused

__all__ = [
    "MAX_VALIDITY",
    "DecidedPayout",
    "EnforcementProfile",
    "Recheck",
    "VerifiedDecision",
]

MAX_VALIDITY: Final = timedelta(hours=24)
_MAX_CENTS: Final = 2**53 - 1
_MAX_PAYOUTS: Final = 100_000
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9]{1,64}")
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
_PERIOD: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
# Printable ASCII without spaces: these strings become request fields, metadata and file lines.
_NAME: Final = re.compile(r"[!-~]{1,500}")
# Also a folder name, so neither a path nor a hidden file.
_TENANT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}")


@dataclass(frozen=True)
class DecidedPayout:
    """One payout as the signed decision states it.

    Attributes:
        decision: release, consumed, nothing_due or hold; only release moves money.
        amount_cents: What is paid: gross_cents less recovery_cents, in minor units of `currency`.
        codes: The codes that hold it; empty for a release.
        source_ids: What the payout consumes, as `type:id`; each may be consumed by one payout only.
        day_committed_cents: What the tenant had committed on the decision's day before it.
    """

    payout_key: str
    operation_id: str
    provider_id: str
    party_id: str
    period: str
    decision: str
    amount_cents: int
    gross_cents: int
    recovery_cents: int
    currency: str
    destination_account_id: str | None
    counterparty_ref: str | None
    codes: tuple[str, ...]
    source_ids: tuple[str, ...] = ()
    day_committed_cents: int = 0

    def defect(self) -> str | None:
        """Return the code of the first rule this payout breaks by itself, or None.

        A payout that contradicts itself was not decided, whoever signed it.
        """
        names = (self.payout_key, self.operation_id, self.provider_id, self.party_id)
        if not all(_NAME.fullmatch(name) for name in (*names, *self.source_ids)):
            return "DECISION_INCONSISTENT"
        if not _PERIOD.fullmatch(self.period) or not _CURRENCY.fullmatch(self.currency):
            return "DECISION_INCONSISTENT"
        if self.codes or not self._amounts_add_up():
            return "DECISION_INCONSISTENT"
        return self._destination_defect() if self.decision == "release" else None

    def _amounts_add_up(self) -> bool:
        amounts = (
            self.amount_cents,
            self.gross_cents,
            self.recovery_cents,
            self.day_committed_cents,
        )
        # bool is an int in Python, and a True would be one cent.
        if any(type(cents) is not int or not 0 <= cents <= _MAX_CENTS for cents in amounts):
            return False
        if self.gross_cents - self.recovery_cents != self.amount_cents:
            return False
        if self.decision == "consumed":
            return self.amount_cents == 0 and self.recovery_cents > 0
        return self.amount_cents > 0

    def _destination_defect(self) -> str | None:
        account = self.destination_account_id
        if account is None or not _ACCOUNT.fullmatch(account):
            return "DESTINATION_MISMATCH"
        # The two spellings a kernel uses: the account, or the party when it names no account.
        agreeing = (None, f"stripe_connect:{account}", f"party:{self.party_id}")
        return None if self.counterparty_ref in agreeing else "DESTINATION_MISMATCH"


Recheck = Callable[[DecidedPayout, datetime], tuple[str, ...]]
"""Reads again, right before a call, whatever may have changed; returns the codes that now hold."""


@dataclass(frozen=True)
class VerifiedDecision:
    """A gate decision whose signature, key and digest the caller has verified.

    Attributes:
        decision_sha256: Digest of the signed file, kept with every journal row.
        expires_at: From this instant on it authorises nothing.
        recheck: Called right before each intent: everything that may have changed since `as_of`.
        switches: Called between an intent and its call: what an operator may have thrown since.
            An exception in either holds the payout.
    """

    tenant_id: str
    decision_sha256: str
    as_of: datetime
    expires_at: datetime
    livemode: bool
    platform_account_id: str
    payouts: tuple[DecidedPayout, ...]
    recheck: Recheck = field(repr=False, compare=False)
    switches: Recheck = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.as_of.utcoffset() != timedelta(0) or self.expires_at.utcoffset() != timedelta(0):
            raise _refused("decision times without a UTC zone", "UTC times", "decision_malformed")
        if not timedelta(0) < self.expires_at - self.as_of <= MAX_VALIDITY:
            raise _refused(
                "a decision that expires before it starts, or lives longer than a day",
                f"an expiry within {MAX_VALIDITY} of its as_of",
                "decision_malformed",
            )
        if not _SHA256.fullmatch(self.decision_sha256) or not _TENANT.fullmatch(self.tenant_id):
            raise _refused("no digest or no tenant", "both", "decision_malformed")
        if not _ACCOUNT.fullmatch(self.platform_account_id) or type(self.livemode) is not bool:
            raise _refused("no platform account or livemode", "both", "decision_malformed")
        if len(self.payouts) > _MAX_PAYOUTS:
            raise _refused(
                f"{len(self.payouts)} payouts", f"at most {_MAX_PAYOUTS}", "decision_malformed"
            )
        if len({payout.payout_key for payout in self.payouts}) != len(self.payouts):
            raise _refused(
                "a payout key that appears twice", "each key once", "decision_duplicate_payout"
            )

    def is_current(self, now: datetime) -> bool:
        """Tell whether `now` lies inside the decision's validity."""
        return self.as_of <= now < self.expires_at


@dataclass(frozen=True)
class EnforcementProfile:
    """The terms under which this home pays for one tenant, from its profile and the settings.

    Attributes:
        payer: `tieout` or `kernel`; anything but `tieout` pays nothing.
        pay_from_period: First period we pay (YYYY-MM); None pays nothing.
        provider_ids: The providers this rail serves; payouts of others are refused.
        max_clock_skew_seconds: How far our clock and the rail's may differ.
    """

    tenant_id: str
    livemode: bool
    platform_account_id: str
    payer: str
    pay_from_period: str | None
    provider_ids: frozenset[str]
    max_clock_skew_seconds: int = 300

    def objection(self, payout: DecidedPayout) -> str | None:
        """Return the code that keeps this payout from us, or None."""
        if self.payer != "tieout":
            return "PAYER_NOT_TIEOUT"
        # Periods are YYYY-MM, so text order is time order.
        if self.pay_from_period is None or payout.period < self.pay_from_period:
            return "PERIOD_BEFORE_PAY_FROM"
        if payout.provider_id not in self.provider_ids:
            return "PROVIDER_NOT_SERVED"
        if payout.destination_account_id == self.platform_account_id:
            return "DESTINATION_MISMATCH"
        return None


def _refused(got: str, expected: str, code: str) -> PayoutRefused:
    return PayoutRefused(
        got=got,
        expected=expected,
        remedy="Issue a new gate decision; nothing was paid",
        code=code,
    )
