"""Deliveries of the kernel's rail providers: signed the kernel's way, mapped, kept as facts.

Belongs here: who may deliver (the providers file), the kernel's seven signature messages, and what
of a delivery is kept. Does not belong here: which operation an event moves and whether it may
(`ingest.kernel.provider_events`), HTTP (`ingest.deliveries.receiver`).

Of a payload only ids, types, amounts and times are kept. Every refusal has a code of its own beside
the kernel's SCHEMA_INVALID.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from ingest.deliveries.signature import TOLERANCE_SECONDS, DeliveryRefused, verify_signature
from ingest.deliveries.spool import DeliverySpool, SpooledRefusal
from ingest.errors import SettingError
from ingest.kernel.provider_events import EVENT_TYPES, EventRefused, facts_of
from ingest.payouts.durable import read_bounded

__all__ = ["Provider", "ProviderDeliveries", "load_providers"]

_MAX_FILE_BYTES: Final = 1024 * 1024
_TENANT: Final = re.compile(r"[A-Za-z0-9:_-]{1,200}")
_MESSAGES: Final = {
    "signature_header_missing": "x-proxy-provider-signature header is required",
    "signature_timestamp_invalid": "provider signature timestamp is invalid",
    "signature_timestamp_missing": "provider signature missing timestamp",
    "signature_digest_missing": "provider signature missing v1 digest",
    "signature_digest_mismatch": "provider signature digest mismatch",
    "signature_outside_tolerance": "provider signature timestamp outside tolerance window",
    "signature_secret_missing": "provider webhook secret is required",
}


@dataclass(frozen=True)
class Provider:
    """A provider that may deliver.

    Attributes:
        provider_id: As the kernel spells it.
        secrets: Webhook secrets, several while one is rotated.
        status_map: The provider's own status words to event types, in lower case.
        tolerance_seconds: How far a signature's time may lie from ours.
    """

    provider_id: str
    secrets: tuple[str, ...]
    status_map: Mapping[str, str]
    tolerance_seconds: int = TOLERANCE_SECONDS


class ProviderDeliveries:
    """Accepts what configured providers deliver; the receiver's `ProviderRoute`."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    def receive(
        self,
        provider_id: str,
        environ: Mapping[str, Any],
        body: bytes,
        spool: DeliverySpool,
        now: datetime,
    ) -> tuple[int, dict[str, Any]]:
        """The HTTP status and answer; 200 only once the facts are on disk."""
        provider = self._providers.get(provider_id)
        if provider is None:
            return 404, {"error": "money rail provider not found", "code": "NOT_FOUND"}
        try:
            verify_signature(
                environ.get("HTTP_X_PROXY_PROVIDER_SIGNATURE"),
                body,
                secrets=provider.secrets,
                now=now,
                tolerance_seconds=provider.tolerance_seconds,
            )
        except DeliveryRefused as refusal:
            return self._refused(
                spool, now, "invalid provider signature", refusal.code, _MESSAGES[refusal.code]
            )
        tenant_id = str(environ.get("HTTP_X_PROXY_TENANT_ID") or "")
        if not _TENANT.fullmatch(tenant_id) or tenant_id.startswith("_"):
            return self._refused(
                spool, now, "invalid tenant", "tenant_missing", "x-proxy-tenant-id is required"
            )
        try:
            facts = facts_of(provider_id, provider.status_map, _parsed(body), received_at=now)
        except EventRefused as refusal:
            return self._refused(
                spool, now, "invalid provider event", refusal.code, refusal.message
            )
        added = spool.add_provider_event(tenant_id, provider_id, facts["dedupe_key"], facts, at=now)
        return 200, {"received": True, "duplicate": not added, "eventTypes": facts["event_types"]}

    def _refused(
        self, spool: DeliverySpool, now: datetime, error: str, code: str, message: str
    ) -> tuple[int, dict[str, Any]]:
        spool.refuse(SpooledRefusal("provider", code, None, None, None, now))
        details = {"message": message, "reason": code}
        return 400, {"error": error, "code": "SCHEMA_INVALID", "details": details}


def load_providers(path: Path) -> dict[str, Provider]:
    """Providers by id, from `{"providers": [{"providerId", "secrets", "statusMap"?,
    "toleranceSeconds"?}]}`.

    Raises:
        SettingError: The file is absent, readable by others, or not of this form.
    """
    try:
        text = read_bounded(path, _MAX_FILE_BYTES)
        if text is None or path.stat().st_mode & 0o077:
            raise ValueError
        listed = json.loads(text)["providers"]
        found = [_provider(entry) for entry in listed]
        if len({provider.provider_id for provider in found}) != len(found):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SettingError(
            got=f"{path.name}, which is no list of providers, or is readable by others",
            expected='a file of mode 0600: {"providers": [{"providerId": "stripe_prod", '
            '"secrets": ["whsec_..."], "statusMap": {"paid_out": "confirmed"}}]}',
            remedy="Correct the file that TIEOUT_PROVIDER_WEBHOOKS names",
            code="providers_malformed",
        ) from None
    return {provider.provider_id: provider for provider in found}


def _provider(entry: Mapping[str, Any]) -> Provider:
    secrets, words = entry["secrets"], entry.get("statusMap", {})
    status_map = {str(word).lower(): event_type for word, event_type in words.items()}
    tolerance = entry.get("toleranceSeconds", TOLERANCE_SECONDS)
    sound = (
        isinstance(entry["providerId"], str)
        and isinstance(secrets, list)
        and all(isinstance(secret, str) and secret.strip() for secret in secrets)
        and set(status_map.values()) <= set(EVENT_TYPES)
        and type(tolerance) is int
        and tolerance > 0
    )
    if not sound:
        raise ValueError
    return Provider(entry["providerId"], tuple(secrets), status_map, tolerance)


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise EventRefused("event_malformed", "body must be a JSON object")
    return parsed
