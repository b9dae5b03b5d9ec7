"""`tieout webhooks`: receives until stopped, shows what came, and needs a secret."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.deliveries.desk import SECRET, body_of, event, signed
from tests.wiring.conftest import ROOT, one_paragraph, type_command

STARTS_WITHIN_SECONDS = 60


def test_without_a_secret_nothing_listens(tmp_path: Path) -> None:
    answer = type_command(tmp_path / "home", "webhooks", "serve", "--port", "0")
    assert answer.code == 2
    one_paragraph(answer, "TIEOUT_STRIPE_WEBHOOK_SECRETS", "webhook_secrets_missing")


def test_a_delivery_is_taken_and_shown_and_survives_the_receiver(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("TIEOUT_", "STRIPE_"))},
        "TIEOUT_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "TIEOUT_STRIPE_WEBHOOK_SECRETS": f"whsec_new,{SECRET}",
    }
    receiver = subprocess.Popen(
        [sys.executable, "-m", "dagster_project", "webhooks", "serve", "--port", "0"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert receiver.stdout is not None
        address = urlsplit(receiver.stdout.readline().strip())
        assert address.hostname == "127.0.0.1"
        body = body_of(event(created=int(time.time())))
        connection = http.client.HTTPConnection(
            "127.0.0.1", address.port, timeout=STARTS_WITHIN_SECONDS
        )
        headers = {
            "Stripe-Signature": signed(body, t=int(time.time())),
            "Content-Type": "application/json",
        }
        connection.request("POST", address.path, body, headers)
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        receiver.send_signal(signal.SIGKILL)
        receiver.wait(timeout=10)
        receiver.stdout.close()
    answer = type_command(home, "webhooks", "status", "--json")
    assert answer.code == 0, answer
    assert answer.json == {"events": {"waiting": 1}, "refusals": []}
