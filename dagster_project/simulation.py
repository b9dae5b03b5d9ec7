"""The built-in simulator as a process beside us: started, awaited, found again, stopped.

Belongs here: the life of that process. Does not belong here: what it simulates; it is never
imported, only started, so that production code cannot come to depend on it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dagster_project.home import Home, read_state
from dagster_project.settings import DEMO_API_KEY
from ingest.errors import SourceUnavailable

__all__ = ["Simulation"]

START_SECONDS: Final = 120
STOP_SECONDS: Final = 5
LIFETIME_SECONDS: Final = 6 * 3_600
MAX_LOG_BYTES: Final = 4_096


@dataclass
class Simulation:
    """A running simulator of a home.

    Attributes:
        folder: Its own folder in the home; exports, keys and its state lie there.
        url: Address of its Stripe API.
        platform_account: Id of its platform account.
        process: The process if we started it, None if it ran already.
    """

    folder: Path
    url: str
    platform_account: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def kernel_trust(self) -> Path:
        return self.folder / "keys" / "kernel_trust.json"

    @property
    def truth(self) -> Path:
        """The faults it planted."""
        return self.folder / "truth.json"

    @classmethod
    def running(cls, home: Home) -> Simulation | None:
        """The simulator of this home, if one is alive."""
        endpoint = read_state(home.simulator / "endpoint.json")
        if not endpoint or not _alive(int(endpoint["pid"])):
            return None
        return cls(home.simulator, str(endpoint["url"]), str(endpoint["platform_account"]))

    @classmethod
    def ensure(cls, home: Home, *, now: datetime, world: str = "demo", port: int = 0) -> Simulation:
        """The running simulator of this home, or a new one over the same state.

        Args:
            home: A demo home.
            now: The time its world has reached.
            world: `demo`, or names of scenarios with commas; a home keeps its first world.
            port: TCP port on the loopback interface; 0 takes a free one.

        Raises:
            SourceUnavailable: It did not come up.
        """
        with home.lock("simulator"):
            return cls.running(home) or cls._start(home, now, world, port)

    @classmethod
    def _start(cls, home: Home, now: datetime, world: str, port: int) -> Simulation:
        home.simulator.mkdir(mode=0o700, exist_ok=True)
        # It remembers its world itself; a later start only moves the world's clock forward.
        world = str(read_state(home.simulator / "world.json").get("world", world))
        anchor = now.astimezone(UTC).replace(microsecond=0).isoformat()
        (home.simulator / "endpoint.json").unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "ingest.simulator"),
            *("--home", str(home.simulator), "--port", str(port)),
            *("--world", world, "--anchor", anchor),
            *("--key", DEMO_API_KEY, "--lifetime-seconds", str(LIFETIME_SECONDS)),
        ]
        log = home.simulator / "simulator.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        return cls._await(home, process, log)

    @classmethod
    def _await(cls, home: Home, process: subprocess.Popen[bytes], log: Path) -> Simulation:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            found = cls.running(home)
            if found is not None:
                found.process = process
                return found
            time.sleep(0.05)
        process.kill()
        process.wait()
        lines = log.read_bytes()[-MAX_LOG_BYTES:].decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        raise SourceUnavailable(
            got=f"a simulator that did not come up: {last[:300]}",
            expected=f"it to listen on the loopback interface within {START_SECONDS} s",
            remedy=f"Read {home.relative(log)} in the home; `make demo` with a fresh TIEOUT_HOME "
            "starts a new world",
        )

    def stop(self) -> None:
        """Ends the process, if this object started it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
