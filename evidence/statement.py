"""The statement: the few hundred signed bytes that name everything else in a packet.

What belongs here: the in-toto Statement v1 as this project restricts it, the run packet's
predicate, and `run.json`, which repeats who and when beside the rules. What does not: signing it,
and comparing its digests with files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from evidence import canonical, schema
from evidence.errors import Refusal, show
from evidence.signatures import pae

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
RUN_PACKET_TYPE = "urn:tieout:run-packet:v1"
GATE_DECISION_TYPE = "urn:tieout:gate-decision:v1"
MAX_STATEMENT_BYTES = 16 << 10
MAX_PAE_BYTES = 4096
"""What a key in AWS KMS can sign in one call; the emitter keeps to it."""

RUN_FIELDS = ("as_of", "code_sha256", "engine", "inputs", "lock_sha256", "rules")
"""What a caller states about a run; `build_packet` adds tenant, period, revision, currencies."""

_RUN_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+@,;=<>()|%-]{0,255}")
_SECRET = re.compile(r"\b(?:sk|rk|pk|whsec)_", re.IGNORECASE)
_RUN = "run_fields"
_PREDICATE = "predicate_fields"


@dataclass(frozen=True)
class Link:
    """The packet of an earlier period that this one builds on."""

    period: str
    sha256: str


@dataclass(frozen=True)
class RunStatement:
    """A run packet's statement, its form checked; `sha256` is the packet hash."""

    tenant: str
    period: str
    revision: int
    previous: Link | None
    supersedes: str | None
    verdict: str
    counts: Mapping[str, int]
    subjects: Mapping[str, str]
    sha256: str


def write_statement(
    predicate_type: str, predicate: Mapping[str, object], subjects: Mapping[str, str]
) -> bytes:
    """An in-toto Statement as canonical JSON.

    Args:
        predicate_type: the URI of the predicate.
        predicate: what is claimed.
        subjects: hex sha256 by name of what it is claimed about.
    """
    named = [{"digest": {"sha256": subjects[name]}, "name": name} for name in sorted(subjects)]
    return canonical.dumps(
        {
            "_type": STATEMENT_TYPE,
            "predicate": dict(predicate),
            "predicateType": predicate_type,
            "subject": named,
        }
    )


def read_statement(
    payload: bytes, predicate_type: str, max_bytes: int = MAX_STATEMENT_BYTES
) -> tuple[dict[str, object], object]:
    """Predicate and unread subject of an authenticated payload.

    Raises:
        Refusal: `statement_type`, `predicate_type`, `statement_fields`, `predicate_fields`,
            `json_*`.
    """
    document = canonical.loads_strict(payload, max_bytes)
    fields = schema.mapping(document, "statement_fields", "statement")
    if fields.get("_type") != STATEMENT_TYPE:
        raise Refusal("statement_type", f"got {show(fields.get('_type'))}")
    if fields.get("predicateType") != predicate_type:
        raise Refusal(
            "predicate_type", f"got {show(fields.get('predicateType'))}, expected {predicate_type}"
        )
    names = ("_type", "predicate", "predicateType", "subject")
    schema.members(fields, names, "statement_fields")
    return schema.mapping(fields["predicate"], _PREDICATE, "predicate"), fields["subject"]


def read_subjects(value: object, limit: int = 4096) -> dict[str, str]:
    """Digests by name, each name once, in order, with sha256 and nothing weaker beside it."""
    subjects: dict[str, str] = {}
    for entry in schema.array(value, "subject", "subject", limit):
        fields = schema.members(entry, ("digest", "name"), "subject")
        name = schema.text(fields["name"], "subject", "subject name")
        digest = schema.members(fields["digest"], ("sha256",), "subject")
        if name in subjects:
            raise Refusal("subject", f"got subject {show(name)} twice")
        subjects[name] = schema.digest(digest["sha256"], "subject", "digest")
    if list(subjects) != sorted(subjects):
        raise Refusal("subject", "got subjects that are not sorted by name")
    return subjects


def write_run_statement(
    *,
    tenant: str,
    period: str,
    revision: int,
    previous: Link | None,
    supersedes: str | None,
    verdict: str,
    counts: Mapping[str, int],
    subjects: Mapping[str, str],
) -> bytes:
    """A run packet's statement, read back by the verifier's own rules before it is returned.

    Raises:
        Refusal: `statement_too_big` and those of `read_run_statement`.
    """
    predicate = {
        "counts": dict(counts),
        "period": period,
        "previous": None
        if previous is None
        else {"period": previous.period, "sha256": previous.sha256},
        "revision": revision,
        "supersedes": supersedes,
        "tenant": tenant,
        "verdict": verdict,
    }
    payload = write_statement(RUN_PACKET_TYPE, predicate, subjects)
    if len(pae(payload)) > MAX_PAE_BYTES:
        raise Refusal("statement_too_big", f"got {len(payload)} bytes, expected about 1,000")
    read_run_statement(payload)
    return payload


def read_run_statement(payload: bytes) -> RunStatement:
    """Check a run packet's statement.

    Raises:
        Refusal: those of `read_statement`, `supersedes`, `chain_order`, `subject`.
    """
    fields, subject = read_statement(payload, RUN_PACKET_TYPE)
    names = ("counts", "period", "previous", "revision", "supersedes", "tenant", "verdict")
    schema.members(fields, names, _PREDICATE)
    period = schema.period(fields["period"], _PREDICATE)
    revision = schema.integer(fields["revision"], _PREDICATE, "revision", 1)
    supersedes = fields["supersedes"]
    if supersedes is not None:
        supersedes = schema.digest(supersedes, "supersedes", "supersedes")
    if (revision == 1) != (supersedes is None):
        raise Refusal(
            "supersedes", f"got {show(supersedes)} for revision {revision}, expected null just at 1"
        )
    previous = None if fields["previous"] is None else read_link(fields["previous"])
    if previous is not None and previous.period >= period:
        raise Refusal("chain_order", f"got previous period {previous.period}, not before {period}")
    return RunStatement(
        tenant=schema.tenant(fields["tenant"], _PREDICATE),
        period=period,
        revision=revision,
        previous=previous,
        supersedes=supersedes,
        verdict=schema.verdict(fields["verdict"], _PREDICATE),
        counts=schema.counts(fields["counts"], _PREDICATE, "counts"),
        subjects=read_subjects(subject),
        sha256=canonical.sha256_hex(payload),
    )


def read_link(value: object) -> Link:
    """`{period, sha256}` as a link."""
    fields = schema.members(value, ("period", "sha256"), _PREDICATE)
    return Link(
        period=schema.period(fields["period"], _PREDICATE),
        sha256=schema.digest(fields["sha256"], _PREDICATE, "previous"),
    )


def claimed_tenant(payload: bytes) -> str:
    """The tenant an unauthenticated payload claims; only good for choosing which keys to try."""
    fields, _ = read_statement(payload, RUN_PACKET_TYPE)
    return schema.tenant(fields.get("tenant"), _PREDICATE)


def check_run(document: object) -> dict[str, object]:
    """Check `run.json` against its allow-list.

    Fields: `tenant`, `period`, `revision`, `currencies` (sorted), `as_of` (the cut-off),
    `code_sha256` (compiled SQL), `engine` (name and version), `lock_sha256` (lock file),
    `rules` (flat: name to text, integer, boolean or null), `inputs` (name to rows and sha256).
    Text may hold no slash, so that neither a path nor an address of a host can enter.

    Raises:
        Refusal: `run_fields`.
    """
    names = ("currencies", "period", "revision", "tenant", *RUN_FIELDS)
    fields = schema.members(document, names, _RUN)
    schema.tenant(fields["tenant"], _RUN)
    schema.period(fields["period"], _RUN)
    schema.integer(fields["revision"], _RUN, "revision", 1)
    currencies = schema.array(fields["currencies"], _RUN, "currencies")
    listed = [schema.currency(currency, _RUN) for currency in currencies]
    if listed != sorted(set(listed)):
        raise Refusal(_RUN, "got currencies that are not sorted or not unique")
    schema.moment(fields["as_of"], _RUN, "as_of")
    schema.digest(fields["code_sha256"], _RUN, "code_sha256")
    schema.digest(fields["lock_sha256"], _RUN, "lock_sha256")
    _plain_text(fields["engine"], "engine")
    for name, value in schema.mapping(fields["rules"], _RUN, "rules").items():
        if type(value) is str:
            _plain_text(value, f"rule {name}")
        elif value is not None and type(value) not in (int, bool):
            raise Refusal(_RUN, f"got rule {name} {show(value)}, expected one flat value")
    for name, value in schema.mapping(fields["inputs"], _RUN, "inputs").items():
        entry = schema.members(value, ("rows", "sha256"), _RUN)
        schema.integer(entry["rows"], _RUN, f"rows of {name}")
        schema.digest(entry["sha256"], _RUN, f"sha256 of {name}")
    return fields


def run_document(
    run: Mapping[str, object], tenant: str, period: str, revision: int, currencies: list[str]
) -> bytes:
    """`run.json` for what the caller states in `run` (fields `RUN_FIELDS`, all of them)."""
    schema.members(dict(run), RUN_FIELDS, _RUN)
    as_of = run["as_of"]
    document = dict(run) | {
        "as_of": schema.utc_text(as_of) if isinstance(as_of, datetime) else as_of,
        "currencies": currencies,
        "period": period,
        "revision": revision,
        "tenant": tenant,
    }
    return canonical.dumps(check_run(document))


def _plain_text(value: object, what: str) -> None:
    if type(value) is not str or not _RUN_TEXT.fullmatch(value) or _SECRET.search(value):
        raise Refusal(_RUN, f"got {what} that is no plain text without slashes or key material")
