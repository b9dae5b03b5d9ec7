"""A process that dies at its n-th step, and processes that are forked to do so.

Belongs here: the dying. Does not belong here: what is done until then, or what must hold after it.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["die_at", "forked", "serve_forks"]


def die_at(fatal: int, *others: tuple[Any, str]) -> None:
    """Lets the kernel kill this process at a step: each call that changes the disk is one.

    Args:
        fatal: Number of the step, from 1.
        others: Module and name of each further function whose call is a step.
    """
    steps = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return step

    for place, name in ((os, "fsync"), (pathlib.Path, "replace"), (pathlib.Path, "unlink")):
        setattr(place, name, counted(getattr(place, name)))
    for place, name in others:
        setattr(place, name, counted(getattr(place, name)))


def serve_forks(work: Callable[[Path, int], None]) -> None:
    """Forks for each line of input, `<fatal> <home>`, and prints how the fork ended."""
    for line in sys.stdin:
        fatal, home = line.rstrip("\n").split(" ", 1)
        child = os.fork()
        if child == 0:
            work(Path(home), int(fatal))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


@contextmanager
def forked(script: str) -> Iterator[Callable[[Path, int], int]]:
    """Starts a script that ends in `serve_forks`; gives a function from home and step to exit."""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        tell, hear = process.stdin, process.stdout

        def run(home: Path, fatal: int) -> int:
            tell.write(f"{fatal} {home}\n")
            tell.flush()
            return int(hear.readline())

        yield run
        tell.close()
