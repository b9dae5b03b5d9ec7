"""trust.json: whose signatures count, for whom, when, and how many.

What belongs here: reading and checking the trust file, selecting keys for a tenant and a use, and
the life of a key (window, retired, compromised) against a time its owner does not control. What
does not: verifying a signature. The file reaches a verifier out of band, never in a packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evidence import canonical, notes, schema
from evidence.errors import Refusal, show
from evidence.keys import allowed_signers_line, public_key_from_pem, public_key_pem
from evidence.krl import write_krl
from evidence.signatures import (
    MAX_SIGNATURES,
    SSHSIG_NAMESPACE,
    Signer,
    keyid_of,
    open_envelope,
    verify_envelope,
)

USE_PACKET = "packet"
USE_DECISION = "decision"
USES = (USE_PACKET, USE_DECISION)
TRUST_PAYLOAD_TYPE = "application/vnd.tieout.trust+json"

_STATUSES = ("active", "retired", "compromised")
_MAX_KEYS = 256
_CODE = "trust_fields"


@dataclass(frozen=True)
class TrustedKey:
    """One key of the trust file; times are unix seconds, the window is from <= t < until."""

    keyid: str
    public_key: bytes
    use: tuple[str, ...]
    tenants: tuple[str, ...]
    valid_from: int
    valid_until: int
    status: str = "active"
    status_at: int | None = None

    def serves(self, tenant: str, use: str) -> bool:
        """Whether the key is trusted to sign `use` documents of `tenant`."""
        return use in self.use and ("*" in self.tenants or tenant in self.tenants)


@dataclass(frozen=True)
class TrustedLog:
    """The packet log, the witnesses that may cosign it, and how many of them must have."""

    key: notes.VerifierKey
    witnesses: tuple[notes.VerifierKey, ...] = ()
    quorum: int = 0


@dataclass(frozen=True)
class TrustFile:
    """A checked trust file."""

    version: int
    threshold: int
    keys: tuple[TrustedKey, ...]
    log: TrustedLog | None = None
    tsa: tuple[str, ...] = field(default=(), repr=False)

    def select(self, tenant: str, use: str) -> dict[str, TrustedKey]:
        """Keys trusted for a tenant and a use, by key id; every other key is unknown."""
        return {key.keyid: key for key in self.keys if key.serves(tenant, use)}

    def allowed_signers(self, principal: str) -> str:
        """The file by which `ssh-keygen -Y verify` judges packets as this trust file does."""
        return "".join(
            allowed_signers_line(
                key.public_key,
                principal,
                datetime.fromtimestamp(key.valid_from, UTC),
                datetime.fromtimestamp(key.valid_until, UTC),
                (SSHSIG_NAMESPACE,),
            )
            for key in self.keys
            if USE_PACKET in key.use
        )

    def revoked_keys(self) -> bytes:
        """Compromised keys as a KRL, which `ssh-keygen -Q -f` and `-Y verify -r` read."""
        bad = [key.public_key for key in self.keys if key.status == "compromised"]
        return write_krl(bad, self.version)


def load_trust(
    source: bytes | Path,
    root_keys: Sequence[bytes] = (),
    minimum_version: int = 1,
) -> TrustFile:
    """Read a trust file, plain or signed by an offline root key.

    Args:
        source: the file's bytes or path.
        root_keys: raw public keys; when given, the file must be a DSSE envelope that one of
            them signed.
        minimum_version: the last version accepted; an older file is a rollback.

    Raises:
        Refusal: `trust_*`, `threshold`, `vkey`, `witness_*`, `json_*`, and those of
            `verify_envelope` for a signed file.
    """
    data = _read(source)
    if root_keys:
        roots = {keyid_of(key): key for key in root_keys}
        data = verify_envelope(
            data, roots, 1, TRUST_PAYLOAD_TYPE, canonical.MAX_DOCUMENT_BYTES
        ).payload
    document = canonical.loads_lenient(data)
    if type(document) is dict and "payloadType" in document:
        # Signed, and no root key to hold it to: read like a plain file, which claims no more.
        data, _ = open_envelope(data, TRUST_PAYLOAD_TYPE, canonical.MAX_DOCUMENT_BYTES)
        document = canonical.loads_lenient(data)
    trust = parse_trust(document)
    if trust.version < minimum_version:
        raise Refusal(
            "trust_version", f"got version {trust.version}, expected {minimum_version} or later"
        )
    return trust


def parse_trust(document: object) -> TrustFile:
    """Check a parsed trust document against its allow-list and its rules."""
    fields = schema.members(document, ("version", "threshold", "keys", "log", "tsa"), _CODE)
    threshold = fields["threshold"]
    if type(threshold) is not int or not 1 <= threshold <= MAX_SIGNATURES:
        raise Refusal("threshold", f"got threshold {show(threshold)}, expected 1 to 8")
    keys = tuple(_key(k) for k in schema.array(fields["keys"], _CODE, "keys", _MAX_KEYS))
    if len({key.public_key for key in keys}) != len(keys):
        raise Refusal("trust_keyid", "got one key twice, expected each once")
    log = None if fields["log"] is None else _log(fields["log"], keys)
    tsa = schema.array(fields["tsa"], _CODE, "tsa", _MAX_KEYS)
    return TrustFile(
        version=schema.integer(fields["version"], _CODE, "version", 1),
        threshold=threshold,
        keys=keys,
        log=log,
        tsa=tuple(schema.text(pem, _CODE, "certificate", 1 << 16) for pem in tsa),
    )


def trust_document(
    keys: Iterable[TrustedKey],
    log: TrustedLog | None = None,
    version: int = 1,
    threshold: int = 1,
    tsa: Iterable[str] = (),
) -> bytes:
    """A trust file as canonical JSON, checked by reading it back."""
    document: dict[str, object] = {
        "version": version,
        "threshold": threshold,
        "keys": [_key_document(key) for key in keys],
        "log": None
        if log is None
        else {
            "vkey": str(log.key),
            "witnesses": [str(witness) for witness in log.witnesses],
            "quorum": log.quorum,
        },
        "tsa": list(tsa),
    }
    parse_trust(document)
    return canonical.dumps(document)


def trusted_key(
    signer: Signer,
    valid_from: datetime,
    valid_until: datetime,
    use: Iterable[str] = USES,
    tenants: Iterable[str] = ("*",),
) -> TrustedKey:
    """The active entry for a signer's key."""
    return TrustedKey(
        keyid=signer.keyid,
        public_key=signer.public_key,
        use=tuple(use),
        tenants=tuple(tenants),
        valid_from=int(valid_from.timestamp()),
        valid_until=int(valid_until.timestamp()),
    )


def check_life(key: TrustedKey, trusted_time: int | None, now: datetime | None = None) -> None:
    """Refuse a signer that was not in good standing when it signed.

    Args:
        key: the key that signed.
        trusted_time: unix seconds at which others saw the signature, or None.
        now: the verifier's clock; only catches a key whose window has not opened yet.

    Raises:
        Refusal: `key_compromised`, `retired_key_needs_trusted_time`, `key_outside_validity`.
    """
    if key.status == "compromised" and (
        trusted_time is None or key.status_at is None or trusted_time >= key.status_at
    ):
        raise Refusal("key_compromised", f"got a signature of {key.keyid}, compromised since")
    if key.status == "retired" and trusted_time is None:
        raise Refusal("retired_key_needs_trusted_time", f"got a signature of retired {key.keyid}")
    if trusted_time is not None and not key.valid_from <= trusted_time < key.valid_until:
        raise Refusal("key_outside_validity", f"got trusted time {trusted_time} for {key.keyid}")
    if now is not None and now.timestamp() < key.valid_from:
        raise Refusal("key_outside_validity", f"got key {key.keyid} before its window opens")


def life_gaps(
    keys: Iterable[TrustedKey], trusted_time: int | None, now: datetime | None
) -> list[str]:
    """What an accepted signature leaves open: a packet of that time and one of today look alike."""
    if trusted_time is not None or now is None:
        return []
    return [
        f"that {key.keyid} signed before its window ended: no trusted time says so, and whoever"
        " holds the key can still sign"
        for key in keys
        if now.timestamp() >= key.valid_until
    ]


def check_life_now(key: TrustedKey, now: datetime) -> None:
    """Refuse a signer that is not active at the verifier's own clock.

    For documents that live for minutes: nothing needs to outlive its key.
    """
    if key.status == "compromised":
        raise Refusal("key_compromised", f"got a signature of compromised key {key.keyid}")
    if key.status != "active":
        raise Refusal("key_retired", f"got a signature of retired key {key.keyid}")
    if not key.valid_from <= now.timestamp() < key.valid_until:
        raise Refusal("key_outside_validity", f"got key {key.keyid} outside its window")


def _read(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        with source.open("rb") as file:
            return file.read(canonical.MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise Refusal("unreadable", f"got {error.strerror} for {show(source.name)}") from None


def _key(value: object) -> TrustedKey:
    names = ("keyid", "pem", "use", "tenants", "from", "until", "status", "status_at")
    fields = schema.members(value, names, _CODE)
    public_key = public_key_from_pem(schema.text(fields["pem"], _CODE, "pem", 1 << 14))
    if fields["keyid"] != keyid_of(public_key):
        raise Refusal("trust_keyid", f"got {show(fields['keyid'])}, expected the key's own hash")
    start = schema.integer(fields["from"], _CODE, "from")
    status, status_at = fields["status"], fields["status_at"]
    if status not in _STATUSES:
        raise Refusal(_CODE, f"got status {show(status)}, expected {', '.join(_STATUSES)}")
    if status_at is not None or status != "active":
        schema.integer(status_at, _CODE, "status_at")
    return TrustedKey(
        keyid=keyid_of(public_key),
        public_key=public_key,
        use=_texts(fields["use"], "use"),
        tenants=_texts(fields["tenants"], "tenants"),
        valid_from=start,
        valid_until=schema.integer(fields["until"], _CODE, "until", start + 1),
        status=str(status),
        status_at=status_at if type(status_at) is int else None,
    )


def _texts(value: object, what: str) -> tuple[str, ...]:
    return tuple(schema.text(item, _CODE, what) for item in schema.array(value, _CODE, what))


def _log(value: object, keys: Sequence[TrustedKey]) -> TrustedLog:
    fields = schema.members(value, ("vkey", "witnesses", "quorum"), _CODE)
    key = notes.parse_key(fields["vkey"], notes.LOG_ALGORITHM)
    listed = schema.array(fields["witnesses"], _CODE, "witnesses", notes.MAX_NOTE_SIGNATURES)
    witnesses = tuple(notes.parse_key(text, notes.WITNESS_ALGORITHM) for text in listed)
    quorum = schema.integer(fields["quorum"], _CODE, "quorum")
    material = {witness.public_key for witness in witnesses}
    if len(material) != len(witnesses):
        raise Refusal("witness_key", "got one witness key under two names")
    # A clock is only trusted time if those it testifies about do not hold its key.
    if key.public_key in material or material & {k.public_key for k in keys}:
        raise Refusal("witness_key", "got the log's or a packet signer's key as a witness")
    if quorum > len(witnesses):
        raise Refusal("witness_quorum", f"got quorum {quorum} of {len(witnesses)} witnesses")
    return TrustedLog(key, witnesses, quorum)


def _key_document(key: TrustedKey) -> Mapping[str, object]:
    return {
        "keyid": key.keyid,
        "pem": public_key_pem(key.public_key),
        "use": list(key.use),
        "tenants": list(key.tenants),
        "from": key.valid_from,
        "until": key.valid_until,
        "status": key.status,
        "status_at": key.status_at,
    }
