"""Carrying out gate decisions: verify the newest, read again what may have changed, then pay.

Belongs here: which decision is due, its verification, the terms of a tenant, and the re-check that
`ingest.payouts` calls before each request. Does not belong here: the journal, the request, or why a
repeat is safe (`ingest.payouts`).

A failed read holds the payout: the re-check raises, and enforcement treats that as a hold.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dagster_project.controls import changed_since
from dagster_project.deciding import MAX_DECISION_BYTES, newest_decision
from dagster_project.home import Home, read_state, write_state
from dagster_project.session import Session
from dagster_project.signing import trust_file
from evidence.decision import DecidedPayout as SignedPayout
from evidence.decision import DecisionDocument, verify_decision
from evidence.errors import Refusal
from ingest.errors import PayoutRefused, TieoutError
from ingest.kernel.link_types import TENANT_PROFILES
from ingest.kernel.rail_types import MONEY_RAIL_PROVIDERS
from ingest.payouts.decision import DecidedPayout, EnforcementProfile, VerifiedDecision
from ingest.payouts.home import bind_home
from ingest.payouts.journal import Journal
from ingest.payouts.judging import SubmissionResult
from ingest.payouts.stripe_rail import StripeRail
from ingest.payouts.submit import enforce
from ingest.tables import TableSpec

__all__ = ["enforce_pending", "pending_decisions"]

PAYABLE: Final = ("release", "consumed")


def pending_decisions(home: Home) -> list[tuple[str, Path]]:
    """The newest decision of each tenant, where it is newer than the last one carried out."""
    done = read_state(_cursor(home))
    tenants = sorted(folder.name for folder in home.decisions.iterdir() if folder.is_dir())
    newest = ((tenant, newest_decision(home, tenant)) for tenant in tenants)
    return [
        (tenant, path)
        for tenant, path in newest
        if path is not None and path.name > str(done.get(tenant, ""))
    ]


def enforce_pending(session: Session) -> list[SubmissionResult]:
    """Carries out every pending decision; one tenant's refusal does not stop another's payments.

    Returns:
        One result a payout considered. With TIEOUT_PAYOUTS=off, nothing at all happens.

    Raises:
        TieoutError: A decision was refused as a whole, raised after all others were carried out.
    """
    if session.settings.payouts == "off":
        return []
    results: list[SubmissionResult] = []
    refusals: list[TieoutError] = []
    with session.home.lock("enforcement"):
        for tenant, path in pending_decisions(session.home):
            session.progress("payouts", tenant)
            try:
                results += _enforce_one(session, tenant, path)
            except TieoutError as error:
                refusals.append(error)
                if not isinstance(error, PayoutRefused):
                    # The rail or the disk failed: the same decision may ask again while it lives.
                    continue
            # Carried out or refused: only a newer decision may ask again.
            done = {**read_state(_cursor(session.home)), tenant: path.name}
            write_state(_cursor(session.home), done)
    if refusals:
        raise refusals[0]
    return results


def _enforce_one(session: Session, tenant: str, path: Path) -> list[SubmissionResult]:
    settings, home = session.settings, session.home
    document = _verified(session, tenant, path)
    rail = _rail(session, document) if settings.payouts == "live" else None
    decision = VerifiedDecision(
        tenant_id=tenant,
        decision_sha256=document.decision_sha256,
        as_of=document.as_of,
        expires_at=document.expires_at,
        livemode=document.livemode,
        platform_account_id=document.platform_account_id,
        payouts=tuple(_payable(p) for p in document.payouts if p.decision in PAYABLE),
        recheck=_recheck(session, document, rail),
    )
    if rail is not None:
        bind_home(
            home.root,
            livemode=document.livemode,
            platform_account_id=document.platform_account_id,
        )
    return enforce(
        decision,
        rail=rail,
        journal=Journal(home.root),
        mode=settings.payouts,
        clock=session.clock,
        profile=_profile(session, document),
    )


def _verified(session: Session, tenant: str, path: Path) -> DecisionDocument:
    now = session.clock()
    with path.open("rb") as handle:
        data = handle.read(MAX_DECISION_BYTES + 1)
    trust = trust_file(session.settings, session.home, now=now)
    try:
        return verify_decision(data, trust, tenant, now, session.settings.livemode)
    except Refusal as refusal:
        raise PayoutRefused(
            got=f"decision {path.name} of {tenant}, refused: {refusal.detail}",
            expected="a current decision signed by this home's key",
            remedy=f"{refusal.remedy}; nothing was paid",
            code=refusal.code,
        ) from None


def _rail(session: Session, document: DecisionDocument) -> StripeRail:
    rail = session.rail()
    if rail.payout_api_key is None:
        raise PayoutRefused(
            got="live payouts without TIEOUT_PAYOUT_API_KEY",
            expected="a restricted key of its own for creating transfers",
            remedy="Set TIEOUT_PAYOUT_API_KEY; nothing was paid",
            code="payout_key_missing",
        )
    return StripeRail(
        rail.payout_api_key,
        platform_account_id=document.platform_account_id,
        livemode=document.livemode,
        api_base=rail.api_base,
    )


def _payable(payout: SignedPayout) -> DecidedPayout:
    # The decision's own reader has seen to it that a release names all of these.
    return DecidedPayout(
        payout_key=payout.payout_key,
        operation_id=payout.operation_id or "",
        provider_id=payout.provider_id or "",
        party_id=payout.party_id or "",
        period=payout.period or "",
        decision=payout.decision,
        amount_cents=payout.amount_cents,
        gross_cents=payout.gross_cents,
        recovery_cents=payout.recovery_cents,
        currency=payout.currency,
        destination_account_id=payout.destination_account_id,
        counterparty_ref=payout.counterparty_ref,
        codes=payout.codes,
    )


def _recheck(
    session: Session, document: DecisionDocument, rail: StripeRail | None
) -> Callable[[DecidedPayout, datetime], tuple[str, ...]]:
    """What is read again right before each call; any change since the decision holds."""

    def recheck(payout: DecidedPayout, now: datetime) -> tuple[str, ...]:
        codes = list(changed_since(session, document.tenant_id, payout.provider_id, document.as_of))
        if rail is None or payout.decision != "release":
            return tuple(codes)
        state = rail.account_state(payout.destination_account_id or "")
        if not state.transfers_active:
            codes.append("ACCOUNT_NOT_CAPABLE")
        if rail.available_cents(payout.currency) < payout.amount_cents:
            codes.append("UNFUNDED_PAYOUT")
        if rail.disputes_since(document.as_of):
            # Whose it is takes a whole run to tell; that run decides anew.
            codes.append("DISPUTE_SINCE_DECISION")
        return tuple(codes)

    return recheck


def _profile(session: Session, document: DecisionDocument) -> EnforcementProfile:
    profile = _latest(session, TENANT_PROFILES.spec, ("payer", "pay_from_period"), document)
    payer, pay_from = profile[-1] if profile else ("kernel", None)
    providers = _latest(
        session, MONEY_RAIL_PROVIDERS.spec, ("provider_id", "allow_payout"), document
    )
    allowed = dict(providers)
    return EnforcementProfile(
        tenant_id=document.tenant_id,
        livemode=document.livemode,
        platform_account_id=document.platform_account_id,
        payer=str(payer),
        pay_from_period=pay_from,
        provider_ids=frozenset(str(name) for name, allow in allowed.items() if allow),
    )


def _latest(
    session: Session, spec: TableSpec, names: tuple[str, str], document: DecisionDocument
) -> list[tuple[Any, Any]]:
    """Landed rows of the decision's tenant, oldest receipt first, so that a later one wins."""
    rows = session.landing.rows(spec, ("tenant_id", *names))
    return [(row[1], row[2]) for row in rows if row[0] == document.tenant_id]


def _cursor(home: Home) -> Path:
    return home.state / "enforced.json"
