"""A paying home between a simulated rail over HTTP and a kernel's export, with nothing built.

Belongs here: one tenant's export, its operators, a rail with one seller, and signed decisions made
to order. Does not belong here: what enforcement makes of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project import enforcing
from dagster_project.controls import change, land_controls
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.signing import packet_signer
from evidence.artifacts import KernelArtifacts
from evidence.decision import DecidedPayout, DecisionSpec, build_decision
from evidence.keys import KeySigner, public_key_pem
from ingest.controls import ControlBook
from ingest.kernel import land_kernel
from ingest.landing import new_batch_id
from ingest.payouts.home import bind_home
from ingest.payouts.journal import Journal
from ingest.payouts.judging import SubmissionResult
from ingest.simulator.faults import Faults
from ingest.simulator.http import Server
from tests.kernel.conftest import Kernel
from tests.simulator.rail_world import START, day, new_rail

KEY = "sk_test_office"
TENANT = "tenant_a"
SELLER = "acct_1Seller"
CAP_CENTS = 1_000
DAY_CAP_CENTS = 2_000
ROLES = ["controls", "departures", "erasures"]


def payout(party: str = "pa", *, amount: int = 700, **over: Any) -> DecidedPayout:
    key = f"{TENANT}:party:{party}:period:2026-03:statement:{over.pop('statement', 's1')}"
    fields: dict[str, Any] = {
        "payout_key": key,
        "operation_id": f"mop_{key}",
        "provider_id": "stripe_prod_us",
        "party_id": party,
        "period": "2026-03",
        "decision": "release",
        "amount_cents": amount,
        "gross_cents": amount,
        "recovery_cents": 0,
        "currency": "usd",
        "destination_account_id": SELLER,
        "counterparty_ref": None,
        "source_ids": (f"receipt:rcpt_{party}",),
    }
    return DecidedPayout(**(fields | over))


class Office:
    """One home; `now` is the time of home and rail alike."""

    def __init__(self, root: Path, *, bound: bool = True) -> None:
        self.rail, self.clock = new_rail(day(40))
        self.rail.top_up(100_000, at=START)
        self.exports = root / "exports"
        self.operators = {
            name: KeySigner.from_seed(name.encode().ljust(32, b".")) for name in ("alice", "bob")
        }
        registry = root / "operators.json"
        root.mkdir(exist_ok=True)
        registry.write_text(json.dumps({"operators": [self._entry(n) for n in self.operators]}))
        self.settings = Settings(
            home=root / "home",
            mode="test",
            stripe_api_key=KEY,
            payout_api_key=KEY,
            payouts="live",
            kernel_exports=str(self.exports),
            operators=registry,
        )
        self.export()
        self.session = Session.open(self.settings, clock=lambda: self.now)
        if bound:
            account = self.rail.platform_id
            bind_home(self.session.home.root, livemode=False, platform_account_id=account)
        self.land()

    @property
    def now(self) -> datetime:
        return self.clock.at

    def pass_time(self, **by: float) -> None:
        self.clock.at += timedelta(**by)

    def serve_at(self, server: Server) -> None:
        object.__setattr__(self.settings, "stripe_api_base", server.url)

    def _entry(self, name: str) -> dict[str, Any]:
        key = self.operators[name]
        pem = public_key_pem(key.public_key)
        return {"name": name, "keyid": key.keyid, "pem": pem, "roles": ROLES}

    def export(self, controls: Mapping[str, Any] | None = None) -> None:
        """Writes what the kernel says; `controls` replaces members of its controls."""
        said: dict[str, Any] = {
            "schemaVersion": "MoneyRailControls.v1",
            "tenantId": TENANT,
            "realMoneyEnabled": True,
            "payoutKillSwitch": False,
            "maxPayoutAmountCents": CAP_CENTS,
            "dailyPayoutLimitCents": DAY_CAP_CENTS,
            "allowedProviderIds": None,
            "updatedAt": "2026-04-01T00:00:00.000Z",
        }
        artifacts = {
            "money_rail_controls": said | dict(controls or {}),
            "money_rail_providers": {
                "tenantId": TENANT,
                "providerId": "stripe_prod_us",
                "mode": "production",
                "allowPayout": True,
            },
            "tenant_profiles": {
                "tenantId": TENANT,
                "merchantOfRecord": "platform",
                "chargeModel": "separate",
                "payer": "tieout",
                "payFromPeriod": "2026-01",
            },
        }
        folder = self.exports / TENANT
        folder.mkdir(parents=True, exist_ok=True)
        for name, artifact in artifacts.items():
            line = json.dumps(artifact, sort_keys=True, separators=(",", ":"))
            (folder / f"{name}.jsonl").write_text(line + "\n")
        Kernel(self.exports).sign(
            tenant=TENANT, exportedThrough=f"{self.now:%Y-%m-%dT%H:%M:%S.000Z}"
        )

    def land(self) -> None:
        """Lands the export and the operator lines, as a run would before it decides."""
        signer = Kernel(self.exports).signer
        land_kernel(
            root=str(self.exports),
            landing=self.session.landing,
            verifier=KernelArtifacts(),
            trusted_keys={signer.keyid: public_key_pem(signer.public_key).encode()},
            now=self.now,
        )
        land_controls(self.session, self.now, new_batch_id(self.now, "office"))

    def operate(self, action: str, value: object, **act: Any) -> ControlBook:
        """One operator line signed by both operators."""
        return change(
            self.settings,
            self.session.home,
            {"action": action, "value": value, "tenant_id": TENANT, **act},
            at=self.now,
            reason="test",
            first=("alice", self.operators["alice"]),
            second=("bob", self.operators["bob"]),
        )

    def decide(self, *payouts: DecidedPayout, **over: Any) -> Path:
        """Puts down a signed decision evaluated now, or as of another time."""
        home = self.session.home
        spec: dict[str, Any] = {
            "tenant_id": TENANT,
            "as_of": self.now,
            "expires_at": self.now + timedelta(minutes=30),
            "livemode": False,
            "platform_account_id": self.rail.platform_id,
            "packets": ["ab" * 32],
            "payouts": payouts,
        }
        document = build_decision(DecisionSpec(**(spec | over)), packet_signer(self.settings, home))
        folder = home.decisions / TENANT
        folder.mkdir(exist_ok=True)
        stamp = f"{(spec | over)['as_of']:%Y%m%dT%H%M%SZ}"
        path = folder / f"{stamp}-{len(list(folder.iterdir())):02d}.json"
        path.write_bytes(document)
        return path

    def enforce(self) -> list[SubmissionResult]:
        return enforcing.enforce_pending(self.session)

    def pay(self, *payouts: DecidedPayout) -> list[SubmissionResult]:
        """Decides now and carries it out a minute later."""
        self.decide(*payouts)
        self.pass_time(minutes=1)
        return self.enforce()

    def journal(self) -> Journal:
        return Journal(self.session.home.root)

    def paid(self) -> list[tuple[str, int]]:
        """What the rail holds, oldest first."""
        found = [(t["transfer_group"], t["amount"]) for t in self.rail.objects("transfer")]
        return found[::-1]


def cut_off(office: Office, faults: Faults) -> str:
    """The rail pays and its answer is lost."""
    decided = payout()
    office.decide(decided)
    faults.add("cut_after_acting", path="/v1/transfers", method="POST")
    (result,) = office.enforce()
    assert result.state == "unknown"
    return decided.payout_key
