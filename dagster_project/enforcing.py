"""Carrying out gate decisions: verify the newest, then pay what it releases.

Belongs here: a decision's verification, the terms of a tenant, and looking after what has no known
outcome. Does not belong here: which decision is due (`due.py`), what is read again before a call
(`rechecking.py`), the journal, the request, or why a repeat is safe (`ingest.payouts`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from dagster_project.deciding import MAX_DECISION_BYTES, decided_at
from dagster_project.due import Due, carried_out, every_due, remember
from dagster_project.rechecking import Rechecks
from dagster_project.session import Session
from dagster_project.trusting import trust_file
from evidence.decision import DecidedPayout as SignedPayout
from evidence.decision import DecisionDocument, verify_decision
from evidence.errors import Refusal
from ingest.errors import PayoutRefused, TieoutError
from ingest.kernel.link_types import TENANT_PROFILES
from ingest.kernel.rail_types import MONEY_RAIL_PROVIDERS
from ingest.kernel.tables import VOUCHED
from ingest.payouts.decision import DecidedPayout, EnforcementProfile, VerifiedDecision
from ingest.payouts.home import binding_of
from ingest.payouts.journal import Journal
from ingest.payouts.judging import SubmissionResult
from ingest.payouts.stripe_rail import StripeRail
from ingest.payouts.submit import enforce, settle_open
from ingest.tables import TableSpec

__all__ = ["enforce_pending", "payout_rail", "verified_decision"]

PAYABLE: Final = ("release", "consumed")
BUSY: Final = "enforcer_busy"
EXPIRED: Final = "decision_expired"
FROM_FUTURE: Final = "decision_from_future"
PASSING: Final = frozenset(
    {
        "CLOCK_SKEW",
        "RAIL_LOOKUP_FAILED",
        "RAIL_RATE_LIMITED",
        "RAIL_UNCLEAR",
        "RECHECK_FAILED",
    }
)


def enforce_pending(session: Session, *, wait_seconds: float = 10.0) -> list[SubmissionResult]:
    """Carries out every pending decision; one tenant's refusal does not stop another's payments.

    Args:
        session: The session.
        wait_seconds: How long to wait for another pass over the journal to end.

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
        for due in every_due(session.home):
            session.progress("payouts", due.tenant_id)
            try:
                results += _enforce_due(session, due, refusals, wait_seconds)
            except TieoutError as error:
                # The rail, the disk or another pass: the decision may ask again while it lives.
                refusals.append(error)
    if refusals:
        raise refusals[0]
    return results


def _enforce_due(
    session: Session, due: Due, refusals: list[TieoutError], wait_seconds: float
) -> list[SubmissionResult]:
    """Carries out one decision and remembers it; a refusal is added to `refusals`."""
    home, tenant, path = session.home, due.tenant_id, due.path
    journal, done = Journal(home.root), carried_out(home, tenant)
    # Whatever dies from here on, the tenant stays due.
    remember(home, tenant, decision=done, is_open=True)
    refused = None
    try:
        if path is None or (done is not None and path.name < done):
            results = _settle(session, tenant, journal)
        else:
            results = _enforce_one(session, tenant, path, journal, wait_seconds)
            done = path.name
    except PayoutRefused as error:
        if error.code == BUSY:
            raise
        refused = error.code
        if due.is_new or error.code != EXPIRED:
            refusals.append(error)
        # A name from the future would make every decision until then an old one.
        done = path.name if path is not None and error.code != FROM_FUTURE else done
        results = _settle(session, tenant, journal)
    # Carried out or refused: only a newer decision may ask for anything new. What merely could not
    # be read or asked is asked again while the decision lives; everything else in it is done.
    is_open = any(PASSING.intersection(result.codes) for result in results) or any(
        standing.is_open for standing in journal.standings(tenant)
    )
    remember(home, tenant, decision=done, is_open=is_open, refused=refused)
    return results


def _settle(session: Session, tenant_id: str, journal: Journal) -> list[SubmissionResult]:
    """Looks up what is open, which no decision has to allow."""
    is_open = any(standing.is_open for standing in journal.standings(tenant_id))
    if session.settings.payouts != "live" or not is_open:
        return []
    livemode, account = binding_of(session.home.root)
    return settle_open(
        tenant_id,
        rail=payout_rail(session, livemode, account),
        journal=journal,
        clock=session.clock,
        livemode=livemode,
        platform_account_id=account,
    )


def _enforce_one(
    session: Session, tenant: str, path: Path, journal: Journal, wait_seconds: float
) -> list[SubmissionResult]:
    settings = session.settings
    document = verified_decision(session, tenant, path)
    rail = None
    if settings.payouts == "live":
        rail = payout_rail(session, document.livemode, document.platform_account_id)
    rechecks = Rechecks(
        session, path, document, verify=verified_decision, journal=journal, rail=rail
    )
    decision = VerifiedDecision(
        tenant_id=tenant,
        decision_sha256=document.decision_sha256,
        as_of=document.as_of,
        expires_at=document.expires_at,
        livemode=document.livemode,
        platform_account_id=document.platform_account_id,
        payouts=tuple(_payable(p) for p in document.payouts if p.decision in PAYABLE),
        recheck=rechecks.everything,
        switches=rechecks.switches,
    )
    return enforce(
        decision,
        rail=rail,
        journal=journal,
        mode=settings.payouts,
        clock=session.clock,
        profile=_profile(session, document),
        wait_seconds=wait_seconds,
    )


def verified_decision(session: Session, tenant: str, path: Path) -> DecisionDocument:
    """The decision in a file, verified now against this home's keys.

    Raises:
        PayoutRefused: It cannot be read, does not verify, is not for this tenant or livemode, not
            for now, or not what its name says: an older one under a newer name.
    """
    now = session.clock()
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_DECISION_BYTES + 1)
    except OSError as error:
        raise _refused(path, tenant, type(error).__name__, "decision_unreadable") from None
    trust = trust_file(session.settings, session.home, now=now)
    try:
        document = verify_decision(data, trust, tenant, now, session.settings.livemode)
    except Refusal as refusal:
        raise _refused(path, tenant, refusal.detail, refusal.code, refusal.remedy) from None
    if decided_at(path) != document.as_of:
        detail = f"it was decided as of {document.as_of.isoformat()}"
        raise _refused(path, tenant, detail, "decision_misnamed")
    return document


def _refused(
    path: Path,
    tenant: str,
    detail: str,
    code: str,
    remedy: str = "Remove the file; the next run decides anew",
) -> PayoutRefused:
    return PayoutRefused(
        got=f"decision {path.name} of {tenant}, refused: {detail}",
        expected="a current decision signed by this home's key",
        remedy=f"{remedy}; nothing was paid",
        code=code,
    )


def payout_rail(session: Session, livemode: bool, platform_account_id: str) -> StripeRail:
    """The rail that payments go to, under the payouts' own key.

    Raises:
        PayoutRefused: There is no such key.
    """
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
        platform_account_id=platform_account_id,
        livemode=livemode,
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
        source_ids=payout.source_ids,
        day_committed_cents=payout.day_committed_cents,
    )


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
    """Rows of the decision's tenant that a trusted key vouches for, oldest receipt first, so that a
    later one wins."""
    rows = session.landing.rows(spec, ("tenant_id", VOUCHED, *names))
    return [(row[2], row[3]) for row in rows if row[0] == document.tenant_id and row[1]]
