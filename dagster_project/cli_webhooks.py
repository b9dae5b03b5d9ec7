"""`tieout webhooks`: receive what Stripe and the kernel's providers deliver, and show what came.

Belongs here: the subcommands. Does not belong here: verification or HTTP (`ingest.deliveries`,
`ingest.stripe.webhooks`), reading objects again (a run does).
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from dagster_project.home import open_home
from dagster_project.narration import answer, err, out, table
from dagster_project.settings import Settings
from ingest.deliveries.drop import drain_drop_folder, drop_folder
from ingest.deliveries.receiver import STRIPE_PATH, Receiver, serve_receiver
from ingest.deliveries.spool import DeliverySpool
from ingest.errors import SettingError, TieoutError
from ingest.kernel.deliveries import ProviderDeliveries, load_providers
from ingest.stripe.webhooks import StripeDeliveries

__all__ = ["webhooks_app"]

webhooks_app = typer.Typer(
    help="Receive webhooks: hints to read an object again.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

LOOPBACK: Final = "127.0.0.1"
DRAIN_SECONDS: Final = 5.0


@webhooks_app.command()
def serve(
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8420,
    host: Annotated[
        str, typer.Option("--host", help="Interface; a TLS proxy should stand before any other.")
    ] = LOOPBACK,
) -> None:
    """Receive deliveries until interrupted; empty the drop folder meanwhile.

    TIEOUT_STRIPE_WEBHOOK_SECRETS holds the endpoints' secrets, old and new ones while rotating;
    TIEOUT_PROVIDER_WEBHOOKS names a file with the kernel's providers and theirs.
    """
    settings = Settings.from_env(os.environ)
    if not settings.webhook_secrets and settings.provider_webhooks is None:
        raise SettingError(
            got="no secret to verify deliveries with",
            expected="TIEOUT_STRIPE_WEBHOOK_SECRETS=whsec_...[,whsec_...]",
            remedy="Set it to the signing secrets that Stripe shows for your webhook endpoints",
            code="webhook_secrets_missing",
        )
    home = open_home(settings)
    stripe = StripeDeliveries(settings.webhook_secrets, settings.livemode)
    file = settings.provider_webhooks
    providers = ProviderDeliveries(load_providers(file)) if file else None
    with DeliverySpool(home.root) as spool:
        receiver = Receiver(
            spool,
            stripe=stripe if settings.webhook_secrets else None,
            providers=providers,
            clock=_now,
        )
        server = serve_receiver(receiver, host=host, port=port)
        where = f"http://{host}:{server.effective_port}"
        out.print(f"{where}{STRIPE_PATH}", soft_wrap=True)
        if providers is not None:
            out.print(f"{where}/ops/money-rails/<providerId>/events/ingest", soft_wrap=True)
        err.print("receiving; press Ctrl-C to stop")
        stop = threading.Event()
        drain = threading.Thread(target=_drain, args=(home.root, stripe, stop), daemon=True)
        if settings.webhook_secrets:
            drain.start()
        try:
            server.run()
        finally:
            stop.set()
            server.close()
            if drain.is_alive():
                drain.join(timeout=DRAIN_SECONDS)


@webhooks_app.command()
def status(as_json: Json = False) -> None:
    """Show events by what became of them, and the newest refusals."""
    home = open_home(Settings.from_env(os.environ))
    with DeliverySpool(home.root) as spool:
        outcomes, refusals = spool.outcomes(), spool.refusals(20)
    if as_json:
        answer(
            {
                "events": outcomes,
                "refusals": [
                    {
                        "at": refusal.at,
                        "place": refusal.place,
                        "code": refusal.code,
                        "id": refusal.event_id,
                        "type": refusal.event_type,
                        "account": refusal.account,
                    }
                    for refusal in refusals
                ],
            }
        )
        return
    out.print(table("Events", ("outcome", "events"), list(outcomes.items())))
    heads = ("at", "place", "reason", "event", "type", "account")
    cells = [(r.at, r.place, r.code, r.event_id, r.event_type, r.account) for r in refusals]
    out.print(table("Newest refusals", heads, cells))


def _drain(home: Path, stripe: StripeDeliveries, stop: threading.Event) -> None:
    with DeliverySpool(home) as spool:
        while not stop.wait(DRAIN_SECONDS):
            try:
                drain_drop_folder(drop_folder(home), spool, stripe, now=_now())
            except TieoutError as error:
                err.print(str(error), soft_wrap=True, markup=False)


def _now() -> datetime:
    return datetime.now(UTC)
