"""The simulator as a process: plant a world, write its exports, serve its rail, stop by itself.

Belongs here: arguments, the files of the process's home, and its life. Does not belong here: worlds
(world.py), the HTTP face (http.py).

A home keeps the world it was first started with: its anchor and seed are remembered, transfers made
over HTTP are replayed from `rail.jsonl`, and a later start only moves the clock forward. While it
runs, the exports are claimed complete through an ever later time, because nothing new happens
there. A tenant whose export folder was removed has left: it is written no more.

Files under --home: exports/<tenant>/, keys/kernel_demo.pem, keys/kernel_trust.json, truth.json,
expectations.json, world.json, rail.jsonl, and endpoint.json {url, pid, platform_account} while it
listens.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, Final

from ingest.simulator.errors import RailError
from ingest.simulator.http import Server, serve
from ingest.simulator.kernel_export import make_demo_key
from ingest.simulator.scenarios import SCENARIOS
from ingest.simulator.world import World, build_demo, build_scenarios

__all__ = ["main"]

_MISUSE: Final = 2
_TICK_SECONDS: Final = 0.5


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ingest.simulator",
        description="Serve a simulated rail and write the kernel exports that go with it.",
    )
    parser.add_argument("--home", type=Path, required=True, help="folder for everything it writes")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--world", default="demo", help="demo, scenarios (all of them), or names with commas"
    )
    parser.add_argument("--anchor", required=True, help="the world's now, ISO 8601 with a zone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--key",
        default=os.environ.get("TIEOUT_SIMULATOR_KEY"),
        help="the one sk_test_ key taken; without it any of that shape",
    )
    parser.add_argument("--lifetime-seconds", type=float, default=3600)
    parser.add_argument(
        "--renew-seconds", type=float, default=600, help="how often exports are claimed complete"
    )
    arguments = parser.parse_args(given)
    try:
        arguments.anchor = datetime.fromisoformat(arguments.anchor)
    except ValueError:
        parser.error(f"--anchor: got {arguments.anchor!r}; expected 2026-11-20T12:00:00Z")
    if arguments.anchor.tzinfo is None:
        parser.error("--anchor: got a time without a zone; append Z for UTC")
    if arguments.world == "scenarios":
        arguments.world = ",".join(SCENARIOS)
    unknown = {name for name in arguments.world.split(",") if name not in SCENARIOS}
    if unknown and arguments.world != "demo":
        known = ", ".join(SCENARIOS)
        parser.error(f"--world: got {', '.join(sorted(unknown))}; expected demo or {known}")
    return arguments


def _remembered(home: Path, arguments: argparse.Namespace) -> datetime:
    """Return the anchor this home began with, remembering today's where it is new.

    Raises:
        RailError: the home holds another world.
    """
    path = home / "world.json"
    wanted: dict[str, Any] = {"seed": arguments.seed, "world": arguments.world}
    if path.exists():
        held = json.loads(path.read_text())
        anchor: datetime = datetime.fromisoformat(held.pop("anchor"))
        if held != wanted:
            raise RailError(
                f"{path}: got seed and world other than those it was started with; start it as"
                " before, or give another --home"
            )
        return anchor
    wanted["anchor"] = arguments.anchor.astimezone(UTC).isoformat()
    _write(path, wanted)
    began: datetime = arguments.anchor.astimezone(UTC)
    return began


def _left(home: Path, world: World) -> set[str]:
    """Return the tenants whose folder somebody removed since the exports were first complete."""
    if not (home / "truth.json").exists():
        return set()
    return {name for name in world.partners if not (home / "exports" / name).exists()}


def _write(path: Path, value: dict[str, Any]) -> None:
    """Write JSON in one step, so that a reader never sees half of it."""
    fresh = path.with_name(f".{path.name}.writing")
    fresh.write_text(json.dumps(value, indent=1) + "\n")
    fresh.replace(path)


def _ticking(start: datetime) -> Callable[[], datetime]:
    """Return a clock that shows `start` now and goes on from there."""
    began = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def _build(
    name: str, anchor: datetime, seed: int, clock: Callable[[], datetime], home: Path
) -> World:
    journal = home / "rail.jsonl"
    if name == "demo":
        return build_demo(anchor, seed, clock=clock, journal_path=journal)
    return build_scenarios(anchor, name.split(","), seed, clock=clock, journal_path=journal)


def _wait(
    stopping: Event,
    parent: int,
    lifetime_seconds: float,
    every_seconds: float,
    act: Callable[[], None],
) -> None:
    """Wait for a signal, the end of the lifetime or the parent's death; act every so often."""
    began = time.monotonic()
    due_seconds = every_seconds
    while not stopping.wait(_TICK_SECONDS):
        elapsed_seconds = time.monotonic() - began
        # An orphan gets another parent: whoever started this process is gone.
        if elapsed_seconds >= lifetime_seconds or os.getppid() != parent:
            return
        if elapsed_seconds >= due_seconds:
            due_seconds += every_seconds
            act()


def _run(arguments: argparse.Namespace, stopping: Event) -> None:
    # Asked before anything slow, so that a parent that dies meanwhile is missed as well.
    parent = os.getppid()
    home: Path = arguments.home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    endpoint = home / "endpoint.json"
    # One that was killed could not take its announcement back.
    endpoint.unlink(missing_ok=True)
    anchor = _remembered(home, arguments)
    # The clock never stands before the planted world.
    began_at = max(anchor, arguments.anchor.astimezone(UTC))
    clock = _ticking(began_at)
    world = _build(arguments.world, anchor, arguments.seed, clock, home)
    key_pem = make_demo_key(home / "keys")
    exports = home / "exports"
    world.write_exports(exports, key_pem, exported_through=began_at, without=_left(home, world))
    world.write_truth(home / "truth.json")

    def renew() -> None:
        world.renew_manifests(exports, key_pem, written_through=began_at, exported_through=clock())

    server: Server = serve(world.rail, port=arguments.port, api_key=arguments.key)
    try:
        _write(
            endpoint,
            {"url": server.url, "pid": os.getpid(), "platform_account": world.rail.platform_id},
        )
        print(f"simulated rail at {server.url}, exports in {exports}", flush=True)
        _wait(stopping, parent, arguments.lifetime_seconds, arguments.renew_seconds, renew)
    finally:
        endpoint.unlink(missing_ok=True)
        server.close()


def main(given: Sequence[str] | None = None) -> int:
    """Run until a signal, the end of the lifetime or the parent's death; return the exit code."""
    arguments = _arguments(given)
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        _run(arguments, stopping)
    except (RailError, OSError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return _MISUSE
    return 0


if __name__ == "__main__":
    sys.exit(main())
