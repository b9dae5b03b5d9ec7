"""Gate decisions: the short-lived signed word that alone authorises a payment.

What belongs here: the document per tenant with every payout considered, building and verifying
it, and the rules that keep it from contradicting itself. What does not: evaluating gates, and
paying.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence import canonical, schema, statement
from evidence.errors import Refusal, show
from evidence.signatures import Signer, sign_envelope, verify_envelope
from evidence.trust import USE_DECISION, TrustFile, check_life_now

MAX_DECISION_BYTES = 16 << 20
MAX_PAYOUTS = 10_000
MAX_SOURCES = 100_000
MAX_LIFE = timedelta(hours=24)
DECISIONS = ("release", "consumed", "nothing_due", "hold")

_MAX_CLOCK_SKEW = timedelta(seconds=60)
_FIELDS = "decision_fields"
_PAYOUT = "decision_payout"
_SUBJECT_PREFIX = "run-packet/"
_OPTIONAL_TEXTS = (
    "operation_id",
    "provider_id",
    "party_id",
    "destination_account_id",
    "counterparty_ref",
)
_NEEDED_TO_PAY = ("operation_id", "provider_id", "party_id", "destination_account_id")


@dataclass(frozen=True)
class DecidedPayout:
    """One payout instruction as decided.

    `amount_cents` is what may leave (gross minus recovery); `codes` are the conditions that hold
    it, empty for a release. A release names operation, provider, party, period and destination.
    `source_ids` are what a release or a consumed payout uses up, as `type:id`, sorted;
    `day_committed_cents` is what the tenant had committed that day before this decision.
    """

    payout_key: str
    operation_id: str | None
    provider_id: str | None
    party_id: str | None
    period: str | None
    decision: str
    amount_cents: int
    gross_cents: int
    recovery_cents: int
    currency: str
    destination_account_id: str | None
    counterparty_ref: str | None
    codes: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    day_committed_cents: int = 0


@dataclass(frozen=True)
class DecisionSpec:
    """What a gate decision states; times are time-zone aware and cut down to the second.

    Attributes:
        tenant_id: the tenant whose payouts these are.
        as_of: the moment the gates were evaluated for.
        expires_at: from then on the decision authorises nothing; at most a day later.
        livemode: whether the rail moves real money.
        platform_account_id: the rail's platform account that pays.
        packets: packet hashes it rests on; a release needs at least one.
        payouts: every payout considered, in any order.
    """

    tenant_id: str
    as_of: datetime
    expires_at: datetime
    livemode: bool
    platform_account_id: str
    packets: Sequence[str]
    payouts: Sequence[DecidedPayout]


@dataclass(frozen=True)
class DecisionDocument:
    """An authenticated, unexpired gate decision; `decision_sha256` is its statement's hash."""

    tenant_id: str
    as_of: datetime
    expires_at: datetime
    livemode: bool
    platform_account_id: str
    packets: tuple[str, ...]
    payouts: tuple[DecidedPayout, ...]
    decision_sha256: str
    signers: tuple[str, ...] = ()


def build_decision(spec: DecisionSpec, signer: Signer, cosigners: Sequence[Signer] = ()) -> bytes:
    """A signed gate decision: one DSSE envelope as canonical JSON.

    Raises:
        Refusal: `decision_fields`, `decision_payout`, `decision_ttl`, `decision_unfounded`.
    """
    predicate = {
        "as_of": schema.utc_text(spec.as_of),
        "expires_at": schema.utc_text(spec.expires_at),
        "livemode": spec.livemode,
        "payouts": [_payout_document(p) for p in sorted(spec.payouts, key=lambda p: p.payout_key)],
        "platform_account_id": spec.platform_account_id,
        "tenant": spec.tenant_id,
    }
    subjects = {_SUBJECT_PREFIX + sha256: sha256 for sha256 in spec.packets}
    payload = statement.write_statement(statement.GATE_DECISION_TYPE, predicate, subjects)
    read_decision(payload)
    return sign_envelope(payload, (signer, *cosigners))


def verify_decision(
    data: bytes, trust: TrustFile, tenant: str, now: datetime, livemode: bool
) -> DecisionDocument:
    """Accept a gate decision for `tenant` at `now`, or refuse.

    Args:
        data: the envelope.
        trust: keys with use `decision`; they must be active at `now`.
        tenant: whose decision is expected.
        now: the clock of whoever is about to act, time-zone aware.
        livemode: whether that rail moves real money.

    Raises:
        Refusal: those of `verify_envelope` and `read_decision`, `wrong_tenant`,
            `wrong_livemode`, `decision_from_future`, `decision_expired`, `key_*`.
    """
    keys = trust.select(tenant, USE_DECISION)
    raw = {keyid: key.public_key for keyid, key in keys.items()}
    opened = verify_envelope(data, raw, trust.threshold, max_bytes=2 * MAX_DECISION_BYTES)
    for keyid in opened.keyids:
        check_life_now(keys[keyid], now)
    document = read_decision(opened.payload, opened.keyids)
    if document.tenant_id != tenant:
        raise Refusal("wrong_tenant", f"got {document.tenant_id}, expected {show(tenant)}")
    if document.livemode is not livemode:
        raise Refusal("wrong_livemode", f"got livemode {document.livemode}, expected {livemode}")
    if document.as_of > now + _MAX_CLOCK_SKEW:
        raise Refusal("decision_from_future", f"got as_of {schema.utc_text(document.as_of)}")
    if now >= document.expires_at:
        raise Refusal("decision_expired", f"got expiry {schema.utc_text(document.expires_at)}")
    return document


def read_decision(payload: bytes, signers: tuple[str, ...] = ()) -> DecisionDocument:
    """Check a decision's statement against its allow-list and its own rules.

    Args:
        payload: the statement's bytes, authenticated by the caller.
        signers: key ids that authenticated it.

    Raises:
        Refusal: `statement_*`, `predicate_type`, `decision_fields`, `decision_payout`,
            `decision_ttl`, `decision_unfounded`, `subject`, `json_*`.
    """
    fields, subject = statement.read_statement(
        payload, statement.GATE_DECISION_TYPE, MAX_DECISION_BYTES
    )
    names = ("as_of", "expires_at", "livemode", "payouts", "platform_account_id", "tenant")
    schema.members(fields, names, _FIELDS)
    subjects = statement.read_subjects(subject)
    for name, sha256 in subjects.items():
        if name != _SUBJECT_PREFIX + sha256:
            raise Refusal("subject", f"got subject {show(name)}, expected a run packet's hash")
    payouts = _payouts(fields["payouts"])
    if not subjects and any(payout.decision == "release" for payout in payouts):
        raise Refusal("decision_unfounded", "got a release that rests on no run packet")
    as_of = schema.moment(fields["as_of"], _FIELDS, "as_of")
    expires_at = schema.moment(fields["expires_at"], _FIELDS, "expires_at")
    if not as_of < expires_at <= as_of + MAX_LIFE:
        raise Refusal("decision_ttl", f"got a life of {expires_at - as_of}, expected up to a day")
    account = schema.text(fields["platform_account_id"], _FIELDS, "platform_account_id")
    return DecisionDocument(
        tenant_id=schema.tenant(fields["tenant"], _FIELDS),
        as_of=as_of,
        expires_at=expires_at,
        livemode=schema.boolean(fields["livemode"], _FIELDS, "livemode"),
        platform_account_id=account,
        packets=tuple(subjects.values()),
        payouts=payouts,
        decision_sha256=canonical.sha256_hex(payload),
        signers=signers,
    )


def _payout_document(payout: DecidedPayout) -> Mapping[str, object]:
    listed = {"codes": list(payout.codes), "source_ids": list(payout.source_ids)}
    return dict(vars(payout)) | listed


def _payouts(value: object) -> tuple[DecidedPayout, ...]:
    listed = schema.array(value, _PAYOUT, "payouts", MAX_PAYOUTS)
    payouts = tuple(_payout(entry) for entry in listed)
    keys = [payout.payout_key for payout in payouts]
    if keys != sorted(set(keys)):
        raise Refusal(_PAYOUT, "got payouts that are not sorted by payout_key, or one twice")
    return payouts


def _payout(value: object) -> DecidedPayout:
    fields = schema.members(value, DecidedPayout.__dataclass_fields__, _PAYOUT)
    texts = {name: _optional_text(fields[name], name) for name in _OPTIONAL_TEXTS}
    decision = fields["decision"]
    if type(decision) is not str or decision not in DECISIONS:
        raise Refusal(_PAYOUT, f"got decision {show(decision)}, expected {', '.join(DECISIONS)}")
    codes = schema.array(fields["codes"], _PAYOUT, "codes", 64)
    sources = schema.array(fields["source_ids"], _PAYOUT, "source_ids", MAX_SOURCES)
    period = fields["period"]
    payout = DecidedPayout(
        payout_key=schema.text(fields["payout_key"], _PAYOUT, "payout_key"),
        period=None if period is None else schema.period(period, _PAYOUT),
        decision=decision,
        amount_cents=schema.integer(fields["amount_cents"], _PAYOUT, "amount_cents"),
        gross_cents=schema.integer(fields["gross_cents"], _PAYOUT, "gross_cents"),
        recovery_cents=schema.integer(fields["recovery_cents"], _PAYOUT, "recovery_cents"),
        currency=schema.currency(fields["currency"], _PAYOUT),
        codes=tuple(schema.text(code, _PAYOUT, "code", 128) for code in codes),
        source_ids=tuple(schema.text(source, _PAYOUT, "source_id", 600) for source in sources),
        day_committed_cents=schema.integer(
            fields["day_committed_cents"], _PAYOUT, "day_committed_cents"
        ),
        operation_id=texts["operation_id"],
        provider_id=texts["provider_id"],
        party_id=texts["party_id"],
        destination_account_id=texts["destination_account_id"],
        counterparty_ref=texts["counterparty_ref"],
    )
    _check_payout(payout)
    return payout


def _check_payout(payout: DecidedPayout) -> None:
    """Refuse a payout that says two things at once; what cannot be read one way is not paid."""
    name = show(payout.payout_key)
    if payout.decision == "hold" and not payout.codes:
        raise Refusal(_PAYOUT, f"got {name} held without a code")
    if payout.source_ids != tuple(sorted(set(payout.source_ids))):
        raise Refusal(_PAYOUT, f"got sources of {name} that are not sorted, or one twice")
    if payout.decision != "release":
        return
    if payout.codes:
        raise Refusal(_PAYOUT, f"got {name} released although {show(payout.codes[0])} holds it")
    if payout.amount_cents < 1:
        raise Refusal(_PAYOUT, f"got {name} released with amount {payout.amount_cents}")
    if payout.amount_cents != payout.gross_cents - payout.recovery_cents:
        raise Refusal(_PAYOUT, f"got {name} released for another amount than gross less recovery")
    missing = [field for field in (*_NEEDED_TO_PAY, "period") if getattr(payout, field) is None]
    if missing:
        raise Refusal(_PAYOUT, f"got {name} released without {missing[0]}")


def _optional_text(value: object, what: str) -> str | None:
    return None if value is None else schema.text(value, _PAYOUT, what)
