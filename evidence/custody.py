"""Changes of a trust file: a key follows another, leaves, or is found out; witnesses; the root.

What belongs here: making the next version of a trust file from the one before. What does not:
reading and judging by one (trust.py), private keys (keys.py), where files lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from evidence.errors import Refusal, show
from evidence.notes import VerifierKey
from evidence.signatures import Signer, sign_envelope
from evidence.trust import TRUST_PAYLOAD_TYPE, TrustedLog, TrustFile, trust_document, trusted_key


def write_trust(trust: TrustFile, root: Signer | None = None) -> bytes:
    """The trust file's bytes; with a root key as a signed envelope.

    Raises:
        Refusal: `trust_root`: the root key is one of those it vouches for.
    """
    document = trust_document(trust.keys, trust.log, trust.version, trust.threshold, trust.tsa)
    if root is None:
        return document
    if root.keyid in {key.keyid for key in trust.keys}:
        raise Refusal("trust_root", "got a packet key as root key, expected a key of its own")
    return sign_envelope(document, [root], TRUST_PAYLOAD_TYPE)


def rotated(
    trust: TrustFile, signer: Signer, now: datetime, life: timedelta, overlap: timedelta
) -> TrustFile:
    """The next version: `signer` signs from now on, active keys until the overlap ends.

    Args:
        trust: the version before.
        signer: the new key.
        now: start of its window, UTC.
        life: length of its window.
        overlap: how long the keys before it stay valid.

    Raises:
        Refusal: `trust_keyid`: the key is in the file already.
    """
    if signer.keyid in {key.keyid for key in trust.keys}:
        raise Refusal("trust_keyid", "got a key that the trust file names already")
    end = int((now + overlap).timestamp())
    older = tuple(
        replace(key, valid_until=max(key.valid_from + 1, min(key.valid_until, end)))
        if key.status == "active"
        else key
        for key in trust.keys
    )
    newer = trusted_key(signer, now, now + life)
    return replace(trust, version=trust.version + 1, keys=(*older, newer))


def retired(trust: TrustFile, keyid: str, at: datetime, *, compromised: bool) -> TrustFile:
    """The next version, in which a key is retired, or was compromised, at a time.

    What a retired key signed before stays good where trusted time shows it; what a compromised key
    signed is good only where trusted time lies before `at`.

    Raises:
        Refusal: `trust_keyid`: no such key, or one that was compromised before.
    """
    found = [key for key in trust.keys if key.keyid.startswith(keyid)] if keyid else []
    if len(found) != 1:
        raise Refusal("trust_keyid", f"got {show(keyid)}, which names {len(found)} keys")
    key, moment = found[0], int(at.timestamp())
    if key.status == "compromised":
        raise Refusal("trust_keyid", f"got {key.keyid}, which is compromised already")
    changed = (
        replace(key, status="compromised", status_at=moment)
        if compromised
        else replace(
            key,
            status="retired",
            status_at=moment,
            valid_until=max(key.valid_from + 1, min(key.valid_until, moment)),
        )
    )
    keys = tuple(changed if each is key else each for each in trust.keys)
    return replace(trust, version=trust.version + 1, keys=keys)


def witnessed(trust: TrustFile, witnesses: Sequence[VerifierKey], quorum: int) -> TrustFile:
    """The next version, with these witnesses of the log, and how many of them it takes.

    Raises:
        Refusal: `trust_fields` without a log; the rest is refused when the file is written.
    """
    if trust.log is None:
        raise Refusal("trust_fields", "got witnesses for a trust file without a log")
    log = TrustedLog(trust.log.key, tuple(witnesses), quorum)
    return replace(trust, version=trust.version + 1, log=log)
