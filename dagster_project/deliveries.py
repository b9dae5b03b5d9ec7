"""What was delivered, brought to bear in a run: objects read again, operations moved by events.

Belongs here: draining the drop folder, following hints, judging provider events against the newest
export, landing what came of it. Does not belong here: receiving (`cli_webhooks.py`), any rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dagster_project.acting import erased_accounts, erased_of
from dagster_project.runs import Run
from dagster_project.session import Session
from ingest.deliveries.drop import drain_drop_folder, drop_folder
from ingest.deliveries.spool import DeliverySpool, spool_path
from ingest.kernel.ledger_types import PAYOUT_INSTRUCTIONS
from ingest.kernel.operation_steps import Delivered, Judge
from ingest.kernel.provider_events import Operation
from ingest.kernel.rail_types import MONEY_RAIL_OPERATIONS, MONEY_RAIL_PROVIDERS
from ingest.landing import new_batch_id
from ingest.stripe.webhooks import StripeDeliveries
from ingest.tables import PROVIDER_EVENTS

if TYPE_CHECKING:
    from ingest.stripe.hints import HintsRead

__all__ = ["land_provider_events", "read_hints"]

_OPERATION: Final = (
    "tenant_id",
    "provider_id",
    "operation_id",
    "state",
    "payout_key",
    "provider_ref",
    "amount_cents",
    "currency",
    "stripe_connect_account_id",
    "payout_artifact_hash",
    "counterparty_ref",
    "direction",
)
_CONNECT: Final = "stripe_connect:"


def read_hints(session: Session, run: Run) -> HintsRead | None:
    """Reads again what webhook events hint at; after the pull, so that the newest reading counts.

    Returns:
        None when no delivery ever arrived.

    Raises:
        TieoutError: The key was refused, or the spool cannot be read.
    """
    from ingest.stripe.hints import read_hinted  # noqa: PLC0415  # loads the SDK

    settings, home = session.settings, session.home.root
    dropped = any(drop_folder(home).glob("*")) and bool(settings.webhook_secrets)
    if not dropped and not spool_path(home).exists():
        return None
    rail = session.rail()
    session.progress("webhooks", "reading objects again")
    with DeliverySpool(home) as spool:
        if dropped:
            stripe = StripeDeliveries(settings.webhook_secrets, settings.livemode)
            drain_drop_folder(drop_folder(home), spool, stripe, now=session.clock())
        with session.landing.in_use():
            return read_hinted(
                home=home,
                api_key=rail.api_key,
                api_base=rail.api_base,
                accounts=settings.stripe_accounts,
                now=run.started_at,
                landing=session.landing,
                spool=spool,
                erased=erased_accounts(settings, session.home),
                limits=rail.limits,
            )


def land_provider_events(session: Session, run: Run) -> int:
    """Judges what providers delivered against the newest export and lands what changed.

    Returns:
        Rows that are new or stand differently than before.
    """
    home, landing = session.home.root, session.landing
    if not spool_path(home).exists():
        return 0
    with DeliverySpool(home) as spool:
        erased = erased_of(session.settings, session.home)
        delivered = (Delivered(*delivered) for delivered in spool.provider_events())
        deliveries = [one for one in delivered if one.tenant_id not in erased]
    if not deliveries:
        return 0
    session.progress("provider events", f"{len(deliveries)} deliveries")
    instructions = landing.rows(
        PAYOUT_INSTRUCTIONS.spec, ("tenant_id", "payout_key", "artifact_hash")
    )
    providers = landing.rows(MONEY_RAIL_PROVIDERS.spec, ("tenant_id", "provider_id", "mode"))
    modes = {(str(tenant), str(provider)): mode for tenant, provider, mode in providers}
    # Rows come oldest first, so the newest of an operation stands.
    operations = landing.rows(MONEY_RAIL_OPERATIONS.spec, _OPERATION)
    newest = {values[:3]: _operation(*values) for values in operations}
    judge = Judge(
        operations=newest.values(),
        instructions={(str(t), str(key)): _text(found) for t, key, found in instructions},
        # A provider whose mode is unknown is treated as one that moves real money.
        production=frozenset(
            (d.tenant_id, d.provider_id)
            for d in deliveries
            if modes.get((d.tenant_id, d.provider_id)) != "sandbox"
        ),
    )
    manifest = landing.write(
        PROVIDER_EVENTS,
        judge.rows(deliveries),
        batch_id=new_batch_id(run.started_at, run.run_id),
        received_at=run.started_at,
    )
    return manifest.rows if manifest else 0


def _operation(*values: Any) -> Operation:
    named = dict(zip(_OPERATION, values, strict=True))
    destination = named.pop("stripe_connect_account_id")
    counterparty = named.pop("counterparty_ref")
    artifact_hash = named.pop("payout_artifact_hash")
    is_payout = named.pop("direction") != "collection"
    if destination is None and isinstance(counterparty, str) and counterparty.startswith(_CONNECT):
        destination = counterparty.removeprefix(_CONNECT)
    return Operation(
        **named, destination=destination, artifact_hash=artifact_hash, is_payout=is_payout
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
