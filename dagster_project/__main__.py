"""Entry of the `tieout` command: the first words on the command line, before anything is loaded.

Belongs here: naming the missing extra, and refusing secrets given as arguments. Does not belong
here: the commands themselves (`dagster_project.cli`).
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["main"]

EXIT_MISUSE: Final = 2

_FULL_EXTRA: Final = ("typer", "rich", "duckdb", "dagster", "dagster_dbt", "orjson", "stripe")

# A process list shows arguments to everyone on the machine, and shells keep them in a history.
_SECRET_FLAGS: Final = {
    "api-key": "STRIPE_API_KEY",
    "stripe-api-key": "STRIPE_API_KEY",
    "stripe-key": "STRIPE_API_KEY",
    "payout-api-key": "TIEOUT_PAYOUT_API_KEY",
    "webhook-secret": "TIEOUT_STRIPE_WEBHOOK_SECRETS",
    "webhook-secrets": "TIEOUT_STRIPE_WEBHOOK_SECRETS",
    "notify-url": "TIEOUT_NOTIFY_URLS",
    "signing-key": "TIEOUT_SIGNING_KEY_FILE",
    "ops-token": "STRIPE_API_KEY",
    "token": "STRIPE_API_KEY",
    "secret": "STRIPE_API_KEY",
}
_SECRET_VALUES: Final = (
    (re.compile(r"\b[sr]k_(test|live)_"), "STRIPE_API_KEY or TIEOUT_PAYOUT_API_KEY"),
    (re.compile(r"\bwhsec_"), "TIEOUT_STRIPE_WEBHOOK_SECRETS"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"), "TIEOUT_SIGNING_KEY_FILE"),
)


def secret_argument(arguments: Sequence[str]) -> str | None:
    """The environment variable to use instead, if an argument is or announces a secret."""
    for argument in arguments:
        if argument.startswith("--"):
            variable = _SECRET_FLAGS.get(argument[2:].split("=", 1)[0].lower().replace("_", "-"))
            if variable:
                return variable
        for pattern, variable in _SECRET_VALUES:
            if pattern.search(argument):
                return variable
    return None


def main() -> None:
    """Runs `tieout`; exits 0 as expected, 1 on drift or refusal, 2 on misuse."""
    variable = secret_argument(sys.argv[1:])
    if variable:
        _refuse(
            "Got: a secret on the command line (not repeated here). Expected: secrets only in the "
            f"environment. What to do: set {variable} and run the command without that argument; "
            "treat the value as exposed. [secret_on_command_line]"
        )
    missing = [name for name in _FULL_EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        _refuse(
            f"Got: a base installation, without {', '.join(missing)}. Expected: the extra that "
            "runs the warehouse. What to do: pip install 'tieout[full]'; tieout-verify works "
            "without it. [extra_missing]"
        )
    # Nothing that a command loads may call home.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    from dagster_project.cli import run_app  # noqa: PLC0415  # needs the extra checked above

    run_app()


def _refuse(message: str) -> None:
    print(message, file=sys.stderr)
    raise SystemExit(EXIT_MISUSE)


if __name__ == "__main__":
    main()
