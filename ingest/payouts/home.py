"""Which livemode and platform account a home serves; it can serve only one, for ever.

Belongs here: the binding file `state/livemode` and its check. Does not belong here: keys or
settings. A home that paid in test mode must never pay in live mode with the same journal, and a
home copied to another platform must not pay from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from ingest.errors import PayoutRefused
from ingest.payouts import durable

__all__ = ["bind_home", "binding_of", "require_bound_home"]

_MAX_BYTES: Final = 4096


def bind_home(home: Path, *, livemode: bool, platform_account_id: str) -> None:
    """Bind the home, once; binding it again to the same is a no-op.

    Raises:
        PayoutRefused: When it is bound to another livemode or platform account.
    """
    path = durable.private_folder(home / "state") / "livemode"
    try:
        durable.create_file(path, _content(livemode, platform_account_id))
    except FileExistsError:
        require_bound_home(home, livemode=livemode, platform_account_id=platform_account_id)


def require_bound_home(home: Path, *, livemode: bool, platform_account_id: str) -> None:
    """Return only if the home is bound to exactly this livemode and platform account.

    Raises:
        PayoutRefused: When it is not bound, bound to something else, or the file is unreadable.
    """
    try:
        content = durable.read_bounded(home / "state" / "livemode", _MAX_BYTES)
    except OSError as error:
        raise _refused(
            f"an unreadable binding ({type(error).__name__})", "home_not_bound"
        ) from None
    if content is None:
        raise _refused("a home that is bound to no livemode", "home_not_bound")
    if content != _content(livemode, platform_account_id):
        raise _refused("a home bound to another livemode or account", "home_bound_elsewhere")


def binding_of(home: Path) -> tuple[bool, str]:
    """Return the livemode and the platform account that the home is bound to.

    Raises:
        PayoutRefused: When it is not bound, or the file is unreadable.
    """
    try:
        content = durable.read_bounded(home / "state" / "livemode", _MAX_BYTES)
        binding = json.loads(content or b"{}")
        livemode, account = binding["livemode"], binding["platform_account_id"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(f"no readable binding ({type(error).__name__})", "home_not_bound") from None
    require_bound_home(home, livemode=livemode, platform_account_id=account)
    return livemode, account


def _content(livemode: bool, platform_account_id: str) -> bytes:
    binding = {"livemode": livemode, "platform_account_id": platform_account_id}
    return json.dumps(binding, sort_keys=True).encode("utf-8") + b"\n"


def _refused(got: str, code: str) -> PayoutRefused:
    return PayoutRefused(
        got=got,
        expected="a home bound to the livemode and platform account of the decision",
        remedy="Use the home that belongs to this account, or bind a new one; nothing was paid",
        code=code,
    )
