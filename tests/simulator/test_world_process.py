"""The simulator as a process: it announces itself, keeps what was paid, and goes away by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_KEY = "sk_test_of_the_process"
_PATIENCE_SECONDS = 30


@contextmanager
def _simulator(home: Path, *more: str) -> Iterator[dict[str, Any]]:
    """Run the simulator over a home; yield what it announces; stop it."""
    with subprocess.Popen(_command(home, *more), stderr=subprocess.PIPE) as process:
        try:
            yield _announced(home, process)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(_PATIENCE_SECONDS) == 0


def _command(home: Path, *more: str) -> Sequence[str]:
    anchor = ("--anchor", "2026-11-20T15:30:00Z") if "--anchor" not in more else ()
    world = ("--world", "payout_release") if "--world" not in more else ()
    return (
        *(sys.executable, "-m", "ingest.simulator", "--home", str(home)),
        *(*anchor, *world, "--key", _KEY, *more),
    )


def _announced(home: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (home / "endpoint.json").exists():
            found: dict[str, Any] = json.loads((home / "endpoint.json").read_text())
            return found
        time.sleep(0.05)
    raise AssertionError("the simulator announced nothing")


def _call(
    endpoint: dict[str, Any], path: str, form: dict[str, str] | None = None, key: str = _KEY
) -> dict[str, Any]:
    data = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(endpoint["url"] + path, data=data)
    request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_it_serves_what_it_exports_and_a_transfer_survives_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with _simulator(home) as endpoint:
        assert endpoint["platform_account"] == _call(endpoint, "/v1/account")["id"]
        truth = json.loads((home / "truth.json").read_text())
        assert [row["reason_code"] for row in truth] == ["TIMING"]
        assert set(json.loads((home / "expectations.json").read_text())) == {
            "gates",
            "exposures",
            "evidence",
        }
        assert (home / "exports" / "t_payout_release" / "manifest.dsse.json").exists()
        assert (home / "keys" / "kernel_trust.json").exists()
        before = _call(endpoint, "/v1/charges?limit=1")["data"][0]["id"]
        form = {
            "amount": "1234",
            "currency": "usd",
            "destination": "acct_1tpayoutreleasealpha",
            "transfer_group": truth[0]["payout_key"],
        }
        paid = _call(endpoint, "/v1/transfers", form)
        with pytest.raises(urllib.error.HTTPError) as refused:
            _call(endpoint, "/v1/balance", key="sk_test_wrong")
        assert refused.value.code == 401
        refused.value.close()
    assert not (home / "endpoint.json").exists()
    with _simulator(home, "--anchor", "2026-11-21T08:00:00Z") as endpoint:
        again = _call(endpoint, f"/v1/transfers/{paid['id']}")
        assert (again["amount"], again["created"]) == (1234, paid["created"])
        assert _call(endpoint, "/v1/charges?limit=1")["data"][0]["id"] == before
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_home_keeps_the_world_it_was_started_with(tmp_path: Path) -> None:
    with _simulator(tmp_path):
        pass
    other = subprocess.run(
        _command(tmp_path, "--world", "kill_switch"),
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert other.returncode == 2
    assert b"another --home" in other.stderr
    assert _KEY.encode() not in other.stderr


def test_exports_are_claimed_complete_through_an_ever_later_time(tmp_path: Path) -> None:
    with _simulator(tmp_path, "--renew-seconds", "0.5"):
        manifest = tmp_path / "exports" / "t_payout_release" / "manifest.dsse.json"
        first = manifest.read_bytes()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while manifest.read_bytes() == first:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_it_stops_at_the_end_of_its_lifetime(tmp_path: Path) -> None:
    done = subprocess.run(
        _command(tmp_path, "--lifetime-seconds", "0.2"),
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0
    assert not (tmp_path / "endpoint.json").exists()


def test_it_stops_when_its_parent_dies(tmp_path: Path) -> None:
    launcher = "import subprocess, sys, time\nsubprocess.Popen(sys.argv[1:])\ntime.sleep(60)\n"
    command = (sys.executable, "-c", launcher, *_command(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as parent:
        endpoint = _announced(tmp_path, parent)
        parent.kill()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (tmp_path / "endpoint.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert endpoint["pid"] != os.getpid()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--anchor", "yesterday"), b"--anchor"),
        (("--anchor", "2026-11-20T15:30:00"), b"without a zone"),
        (("--world", "nonsense"), b"nonsense"),
    ],
)
def test_misuse_is_named(tmp_path: Path, more: tuple[str, ...], said: bytes) -> None:
    done = subprocess.run(
        _command(tmp_path, *more), capture_output=True, timeout=_PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
