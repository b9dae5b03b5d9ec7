"""One design partner: its parties, its books and what its kernel exports.

Belongs here: the standing data and the growing state of one tenant, and the three ways anything is
added to it: a row of an export, a journal entry, a link that waits for its month to close.
Does not belong here: acts of business, which write to both faces at once (sales.py, holds.py,
month_end.py), when they happen (demo.py, the scenarios), or how an artifact is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ingest.simulator import kernel_finance as finance
from ingest.simulator import kernel_records as records
from ingest.simulator.kernel_artifacts import Artifact, KernelSigner
from ingest.simulator.kernel_export import EXPORT_TYPES, TenantExport
from ingest.simulator.kernel_finance import JournalEntry, Posting

if TYPE_CHECKING:
    from ingest.simulator.rail import Rail

__all__ = ["PLATFORM_PARTY", "Partner", "Party", "PendingLink", "Sale"]

PLATFORM_PARTY: Final = "pty_platform"


@dataclass(frozen=True, slots=True)
class Party:
    """A payee of a tenant with its connected account; it earns in one currency only."""

    party_id: str
    account_id: str
    currency: str = "USD"
    country: str = "US"
    role: str = "operator"

    @property
    def agent_id(self) -> str:
        """The agent that the party acts through in receipts."""
        return f"agt_{self.party_id.removeprefix('pty_').replace(':', '_')}"


@dataclass(slots=True)
class Sale:
    """One sale as both sides see it; cents are of `party.currency`."""

    number: int
    party: Party
    amount_cents: int
    fee_cents: int
    held_cents: int
    settled_at: datetime
    receipt: Artifact
    charge_id: str
    hold: Artifact | None = None

    @property
    def job_id(self) -> str:
        return f"job_{self.number:05d}"

    @property
    def receipt_id(self) -> str:
        return str(self.receipt["receiptId"])

    @property
    def released_cents(self) -> int:
        return int(self.receipt["releasedAmountCents"])

    @property
    def entitled_cents(self) -> int:
        """What the party may get of this sale at the close of its month."""
        return self.released_cents - self.fee_cents - self.held_cents


@dataclass(frozen=True, slots=True)
class PendingLink:
    """A signed part of a payout that waits for the close of the month it belongs to."""

    party_id: str
    currency: str
    at: datetime
    source_type: str
    source_id: str
    source_hash: str | None
    amount_cents: int


class Partner:
    """A tenant of the kernel whose customers pay on the shared platform account.

    Args:
        rail: the platform that all tenants share.
        opened_at: when its accounts and mappings began.
        metadata_prefix: `nooterra` or, for a partner that was not upgraded, `settld`.

    Attributes:
        rows: exported artifacts by export type, as the acts add them.
        controls: replacements in MoneyRailControls by exported name, applied at export.
        profile: `payer` and `pay_from_period` of the tenant's profile.
        account_overrides: replacements in a party's Connect account, by party id.
        torn, manifest: faults of the export itself; see `TenantExport`.
    """

    def __init__(
        self, rail: Rail, tenant_id: str, *, opened_at: datetime, metadata_prefix: str = "nooterra"
    ) -> None:
        self.rail = rail
        self.tenant_id = tenant_id
        self.opened_at = opened_at
        self.metadata_prefix = metadata_prefix
        self.signer = KernelSigner(tenant_id)
        self.rows: dict[str, list[Artifact]] = {name: [] for name in EXPORT_TYPES}
        self.parties: dict[str, Party] = {}
        self.sales: list[Sale] = []
        self.entries: list[JournalEntry] = []
        self.pending_links: list[PendingLink] = []
        self.controls: dict[str, Any] = {}
        self.profile: dict[str, Any] = {"payer": "kernel", "pay_from_period": None}
        self.account_overrides: dict[str, dict[str, Any]] = {}
        self.torn: set[str] = set()
        self.manifest = "signed"
        self._numbers: dict[str, int] = {}

    @property
    def customer_party(self) -> str:
        """The one customer that all of the tenant's sales are booked against."""
        return f"pty_customer:cust_{self.tenant_id}"

    def next_number(self, kind: str) -> int:
        """Return the next number of a kind; kernel ids repeat between tenants on purpose."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def add_party(self, name: str, *, currency: str = "USD", country: str = "US") -> Party:
        """Open a party with a connected account of its own, mapped in the kernel."""
        account_id = f"acct_1{self.tenant_id.replace('_', '')}{name}"
        party = Party(f"pty_operator:{name}", account_id, currency, country)
        self.parties[party.party_id] = party
        self.rail.create_account(
            account_id, at=self.opened_at, country=country, currency=currency.lower()
        )
        self.rows["party_agents"].append(
            records.party_agent(
                self.tenant_id,
                agent_id=party.agent_id,
                party_id=party.party_id,
                since=self.opened_at,
            )
        )
        return party

    def metadata(self, **fields: str) -> dict[str, str]:
        """Return Stripe metadata under the kernel's prefix, the tenant's id included."""
        named = {"tenant_id": self.tenant_id, **fields}
        return {f"{self.metadata_prefix}_{name}": value for name, value in named.items()}

    def book(self, sale: Sale, at: datetime, verb: str, lines: Mapping[str, int]) -> JournalEntry:
        """Append a journal entry of a sale's job; `lines` are signed cents by ledger account."""
        holders = {
            finance.CASH: (PLATFORM_PARTY, "platform"),
            finance.REVENUE: (PLATFORM_PARTY, "platform"),
            finance.ESCROW: (self.customer_party, "customer"),
            finance.OWNER_PAYABLE: (sale.party.party_id, sale.party.role),
        }
        entry = JournalEntry(
            entry_id=f"jnl_evt_{self.next_number('entry'):06d}",
            at=at,
            job_id=sale.job_id,
            memo_verb=verb,
            currency=sale.party.currency,
            postings=tuple(
                Posting(account, *holders[account], cents)
                for account, cents in lines.items()
                if cents
            ),
        )
        self.entries.append(entry)
        return entry

    def pend(
        self,
        sale: Sale,
        at: datetime,
        source_type: str,
        source_id: str,
        amount_cents: int,
        source_hash: str | None,
    ) -> None:
        """Let a signed part of the sale's money wait for the close of the month of `at`."""
        if amount_cents:
            self.pending_links.append(
                PendingLink(
                    party_id=sale.party.party_id,
                    currency=sale.party.currency,
                    at=at,
                    source_type=source_type,
                    source_id=source_id,
                    source_hash=source_hash,
                    amount_cents=amount_cents,
                )
            )

    def drop_pending(self, sale: Sale, at: datetime, source_type: str, source_id: str) -> bool:
        """Forget a link that still waits for the month of `at`; False where there is none."""
        for link in self.pending_links:
            named = (link.source_type, link.source_id, link.party_id)
            same_month = (link.at.year, link.at.month) == (at.year, at.month)
            if named == (source_type, source_id, sale.party.party_id) and same_month:
                self.pending_links.remove(link)
                return True
        return False

    def export(self, *, exported_through: datetime) -> TenantExport:
        """Return everything the tenant's kernel would export at `exported_through`."""
        accounts = [
            records.connect_account(
                account_id=party.account_id,
                party_id=party.party_id,
                party_role=party.role,
                updated_at=self.opened_at,
                **self.account_overrides.get(party.party_id, {}),
            )
            for party in self.parties.values()
        ]
        controls = records.controls(
            self.tenant_id, accounts=accounts, updated_at=exported_through, **self.controls
        )
        key = records.public_key(
            self.tenant_id,
            key_id=self.signer.key_id,
            public_key_pem=self.signer.public_key_pem,
        )
        standing = {
            "money_rail_controls": [controls],
            "money_rail_providers": [records.provider(self.tenant_id)],
            "tenant_profiles": [records.tenant_profile(self.tenant_id, **self.profile)],
            "public_keys": [key],
        }
        return TenantExport(self.tenant_id, self.rows | standing, self.torn, self.manifest)
