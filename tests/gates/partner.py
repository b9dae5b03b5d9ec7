"""A small tenant that may be paid: every fact a release needs, each of which a test can spoil.

Belongs here: the sound tenant and the knobs that change one fact of it. Does not belong here: what
the gates must answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.gates.book_side import PROVIDER, BookSide
from tests.gates.identities import digest, iso, payout_key, statement_hash
from tests.gates.landed import AS_OF, World

__all__ = ["PROVIDER", "Partner"]

CONTROLS: Mapping[str, Any] = {
    "realMoneyEnabled": True,
    "payoutKillSwitch": False,
    "maxPayoutAmountCents": None,
    "dailyPayoutLimitCents": None,
    "allowedProviderIds": [PROVIDER],
    "connect": {"enabled": True, "accounts": []},
    "chargebacks": {"enabled": True, "negativeBalanceMode": "net", "maxOutstandingCents": None},
    "degradedMode": None,
}


@dataclass
class Partner(BookSide):
    """One tenant with one party; `pay` adds a payable month.

    Attributes:
        controls: Members that replace those of the sound controls; a None value drops the member
            named with a leading `-`.
        profile: Members that replace those of the profile; None means no profile at all.
        account: Members that replace those of the connect account; None means no account.
        rail_account: Values that replace those of the rail's account; None means it was not read.
        manifest: Values that replace those of the export manifest.
        export_status: Status of what was read of the export.
        export_read_at: When the export was last read.
        sole: Whether the tenant's own facts are added too; False for a further party of a tenant.
    """

    world: World
    tenant: str
    party: str = "pa"
    controls: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] | None = field(default_factory=dict)
    account: Mapping[str, Any] | None = field(default_factory=dict)
    rail_account: Mapping[str, Any] | None = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    export_status: str = "complete"
    export_read_at: datetime = AS_OF - timedelta(minutes=9)
    sole: bool = True

    def __post_init__(self) -> None:
        if self.sole:
            self._add_tenant()
        if self.account is not None:
            mapped = {
                "accountId": self.account_id,
                "partyId": self.party,
                "partyRole": "operator",
                "payoutsEnabled": True,
                "transfersEnabled": True,
                "status": "active",
                "kybStatus": "verified",
                "updatedAt": iso(AS_OF - timedelta(days=60)),
            }
            self.world.artifact("connect_accounts", self.tenant, {**mapped, **self.account})
        if self.rail_account is not None:
            read: dict[str, Any] = {
                "id": self.account_id,
                "payouts_enabled": True,
                "charges_enabled": True,
                "capability_transfers": "active",
            }
            self.world.rail("accounts", **(read | dict(self.rail_account)))

    def _add_tenant(self) -> None:
        world, tenant = self.world, self.tenant
        controls = {**CONTROLS, "updatedAt": iso(AS_OF - timedelta(hours=2)), **self.controls}
        controls = {
            k: v for k, v in controls.items() if f"-{k}" not in self.controls and k[0] != "-"
        }
        world.artifact("money_rail_controls", tenant, controls)
        world.artifact(
            "money_rail_providers",
            tenant,
            {"providerId": PROVIDER, "mode": "production", "allowPayout": True},
        )
        for period in ("2026-01", "2026-02", "2026-03"):
            closed = {"period": period, "status": "CLOSED", "closedAt": "2026-04-02T00:00:00.000Z"}
            world.artifact("month_closes", tenant, closed)
        if self.profile is not None:
            payer = {
                "merchantOfRecord": "platform",
                "chargeModel": "separate",
                "payer": "tieout",
                "payFromPeriod": "2026-01",
            }
            world.artifact("tenant_profiles", tenant, {**payer, **self.profile})
        world.kernel_row(
            "export_manifests",
            **{
                "tenant_id": tenant,
                "signer_keyid": "key",
                "manifest_status": "trusted",
                "exported_through": AS_OF - timedelta(minutes=10),
                "files_declared": 1,
                "files_ok": 1,
                "manifest_sha256": "0" * 64,
                **self.manifest,
            },
        )

        self.world.own(
            "coverage",
            source="kernel",
            endpoint="payout_instructions",
            tenant_id=tenant,
            status=self.export_status,
            started_at=self.export_read_at,
            finished_at=AS_OF - timedelta(minutes=9),
            slice_to=AS_OF - timedelta(minutes=10),
            pull_id="kernel_1",
        )

    def sale(self, name: str, amount: int, *, currency: str = "USD", **receipt: Any) -> str:
        """A customer's charge and its receipt; returns the receipt id."""
        receipt_id = f"rcpt_{name}"
        created = AS_OF - timedelta(days=40)
        released = receipt.pop("released", amount)
        body = {
            "receiptId": receipt_id,
            "runId": f"run_{name}",
            "settlementId": f"setl_{name}",
            "decisionRef": {"decisionId": f"dec_{name}", "decisionHash": digest("d", name)},
            "status": "released",
            "amountCents": amount,
            "releasedAmountCents": released,
            "refundedAmountCents": amount - released,
            "releaseRatePct": 100,
            "currency": currency,
            "runStatus": "completed",
            "resolutionEventId": f"evt_{name}",
            "finalityState": "final",
            "settledAt": iso(created),
            "createdAt": iso(created),
            "receiptHash": self.receipt_hash(name),
        }
        verdict = receipt.pop("verdict", "verified")
        self.world.artifact(
            "settlement_receipts", self.tenant, {**body, **receipt}, verdict=verdict
        )
        self.charge(name, amount, currency=currency, created=created)
        link = {
            "chargeId": self.charge_id(name),
            "partyId": self.party,
            "sourceType": "receipt",
            "sourceId": receipt_id,
            "amountCents": amount,
            "currency": currency,
        }
        self.world.artifact("charge_links", self.tenant, link)
        return receipt_id

    def key(self, period: str, *, edition: str = "1") -> str:
        """The payout key of a month; another edition is a regenerated statement."""
        return payout_key(self.tenant, self.party, period, edition)

    def statement(self, period: str, edition: str = "1") -> str:
        """The hash of a month's statement."""
        return statement_hash(self.tenant, self.party, period, edition)

    def pay(
        self,
        amount: int = 8000,
        *,
        period: str = "2026-03",
        edition: str = "1",
        currency: str = "USD",
        links: tuple[Mapping[str, Any], ...] | None = None,
        instruction: Mapping[str, Any] | None = None,
        request: Mapping[str, Any] | None = None,
        requested: bool = True,
        sale: bool = True,
        verdict: str = "verified",
    ) -> str:
        """A month's statement, instruction, links, request and the sale behind it; returns the key.

        `links` replaces the sound pair of receipt and fee.
        """
        key, statement = self.key(period, edition=edition), self.statement(period, edition)
        name = f"{self.party}_{period}_{currency}"
        # The platform keeps a fifth of every sale.
        gross = amount * 5 // 4
        if sale:
            self.sale(name, gross, currency=currency)
        sound = (
            {
                "sourceType": "receipt",
                "sourceId": f"rcpt_{name}",
                "sourceHash": self.receipt_hash(name),
                "amountCents": gross,
            },
            {
                "sourceType": "fee",
                "sourceId": f"fee_rcpt_{name}",
                "sourceHash": None,
                "amountCents": amount - gross,
            },
        )
        for link in sound if links is None else links:
            self.world.artifact(
                "receipt_payout_links",
                self.tenant,
                {"payoutKey": key, "currency": currency, **link},
            )
        self.world.artifact(
            "party_statements",
            self.tenant,
            {
                "artifactId": f"pstmt_{self.tenant}_{self.party}_{period}_{edition}",
                "partyId": self.party,
                "partyRole": "operator",
                "period": period,
                "basis": "settledAt",
                "statement": {
                    "currency": currency,
                    "payoutCents": amount,
                    "feesCents": 0,
                    "creditsCents": 0,
                    "netCents": amount,
                    # The other half stands in the statements of parties that no gate asks for.
                    "balanceDeltaCents": 0,
                    "allocationCount": 1,
                    "includedEntryIds": [],
                    "totalsByAccountId": {},
                },
                "sourceEventId": "evt",
                "generatedAt": "2026-04-02T00:00:00.000Z",
                "artifactHash": statement,
            },
        )
        body = {
            "artifactId": f"payout_{key}",
            "partyId": self.party,
            "partyRole": "operator",
            "period": period,
            "payoutKey": key,
            "payout": {"currency": currency, "amountCents": amount, "destinationRef": None},
            "statementHash": statement,
            "sourceEventId": "evt",
            "generatedAt": "2026-04-03T00:00:00.000Z",
            "artifactHash": digest("instruction", key),
        }
        self.world.artifact(
            "payout_instructions", self.tenant, {**body, **(instruction or {})}, verdict=verdict
        )
        if requested:
            asked = {
                "payoutKey": key,
                "providerId": PROVIDER,
                "counterpartyRef": None,
                "requestedAt": "2026-04-03T01:00:00.000Z",
            }
            self.world.artifact("payout_requests", self.tenant, {**asked, **(request or {})})
        return key
