"""How many signed deliveries a second the receiver takes over loopback, each synced to disk.

Belongs here: the timing. Does not belong here: whether the receiver is right (tests/deliveries).
Run it as `python -m tests.bench.webhooks`.
"""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from pathlib import Path

from ingest.deliveries.receiver import STRIPE_PATH, Receiver, serve_receiver
from ingest.deliveries.spool import DeliverySpool
from ingest.stripe.webhooks import StripeDeliveries
from tests.deliveries.desk import NOW, SECRET, body_of, event, signed

SENDERS = 4
DELIVERIES = 4_000


def receive(home: Path) -> tuple[int, float]:
    """Deliveries taken and the seconds it took."""
    work = [body_of(event(f"evt_{number}")) for number in range(DELIVERIES)]
    sent = [(body, signed(body)) for body in work]
    with DeliverySpool(home) as spool:
        stripe = StripeDeliveries([SECRET], livemode=False)
        server = serve_receiver(
            Receiver(spool, stripe=stripe, clock=lambda: NOW), host="127.0.0.1", port=0
        )
        serving = threading.Thread(target=server.run, daemon=True)
        serving.start()

        def send(part: list[tuple[bytes, str]]) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.effective_port, timeout=30)
            for body, signature in part:
                headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
                connection.request("POST", STRIPE_PATH, body, headers)
                connection.getresponse().read()
            connection.close()

        senders = [threading.Thread(target=send, args=(sent[n::SENDERS],)) for n in range(SENDERS)]
        started = time.perf_counter()
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        seconds = time.perf_counter() - started
        server.close()
        return sum(spool.outcomes().values()), seconds


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        amount, seconds = receive(Path(folder) / "home")
        print(f"{amount} deliveries in {seconds:.2f} s: {amount / seconds:,.0f}/s")
