"""What operators are told without asking: a breach, a hold, a kill switch, a failed run.

Belongs here: which published rows are news, and that the same news is told once for as long as it
lasts. Does not belong here: sending (`ingest.notices`), or whether something breaches or holds (the
models).

A notice holds tenants, codes, counts and amounts: no party, no payout key, no text of an error. One
that nobody takes fails nothing; it is told as progress, and tried again by the next run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dagster_project.home import Home, prepare_home, read_state, write_state
from dagster_project.marts import Marts, Row
from dagster_project.narration import money
from dagster_project.runs import Run
from dagster_project.session import Progress
from dagster_project.settings import Settings
from ingest.errors import TieoutError
from ingest.notices import send_notice

__all__ = ["tell_failure", "tell_run", "tell_switch"]

MAX_LINES: Final = 20
_STATE: Final = "notified.json"
# Conditions that stop a tenant as a whole; somebody armed them.
_SWITCHES: Final = ("PAYOUT_KILL_SWITCH_ACTIVE", "EMERGENCY_")
# What was paid, or is not ours to pay, waits for nobody.
_SETTLED: Final = frozenset({"ALREADY_PAID", "PAYER_NOT_TIEOUT"})


def tell_run(settings: Settings, home: Home, run: Run, progress: Progress) -> dict[str, int]:
    """Tells what the publication shows and was not told yet.

    Returns:
        Counts for a person to read: `news` found, `not_taken` addresses.
    """
    if not settings.notify_urls:
        return {}
    try:
        with Marts.published(home) as marts:
            current = dict(_news(marts, f"{run.as_of:%Y-%m-%d}"))
    except TieoutError as fault:
        progress("notify", f"nobody was told: {fault}")
        return {}
    told = _told(home, progress)
    fresh = {key: text for key, text in current.items() if key not in told}
    missed = 0
    if fresh:
        title = f"Tieout: {len(fresh)} to look at (run {run.run_id})"
        missed = _send(settings, title, list(fresh.values()), progress)
    # What no longer holds may be news again; what nobody took is still untold.
    keep = current.keys() if missed < len(settings.notify_urls) else current.keys() & told
    _remember(home, keep, progress)
    return {"news": len(fresh), "not_taken": missed}


def tell_failure(settings: Settings, error: BaseException, progress: Progress) -> None:
    """Tells that a run failed, once for each cause until a run succeeds; never fails itself.

    An error is told by its code: its text may name what a chat room should not hold.
    """
    if not settings.notify_urls:
        return
    try:
        home = prepare_home(settings.home)
    except (TieoutError, OSError):
        home = None
    cause = error.code if isinstance(error, TieoutError) else type(error).__name__
    told = _told(home, progress) if home else set()
    if f"failed|{cause}" in told:
        return
    text = f"a run failed: {cause}. Payouts wait until one succeeds; `tieout run` tells more."
    missed = _send(settings, "Tieout: a run failed", [text], progress)
    if home and missed < len(settings.notify_urls):
        _remember(home, {*told, f"failed|{cause}"}, progress)


def tell_switch(settings: Settings, tenant_id: str, provider_id: str | None, by: str) -> int:
    """Tells at once that a kill switch was armed.

    Returns:
        How many addresses did not take it.
    """
    if not settings.notify_urls:
        return 0
    scope = "every tenant" if tenant_id == "*" else tenant_id
    at = "" if provider_id is None else f" at {provider_id}"
    text = f"{scope}{at}: the payout kill switch was armed by {by}; no further payout is made."
    return len(send_notice(settings.notify_urls, "Tieout: payout kill switch armed", text))


def _news(marts: Marts, today: str) -> Iterable[tuple[str, str]]:
    """What there is to tell, each under a key that stays while it lasts."""
    for row in marts.rows("daily_mismatches", day=today):
        if row["breached"]:
            yield f"breach|{row['tenant_id']}|{today}|{row['currency']}", _breach(row)
    # Most conditions hold nothing, and there are forty a payout.
    switches = {
        (row["tenant_id"], row["condition_code"])
        for row in marts.rows("payout_gate_conditions", holds=True)
        if row["condition_code"].startswith(_SWITCHES)
    }
    for tenant, code in sorted(switches):
        yield f"switch|{tenant}|{code}", f"{tenant}: {code} holds every payout"
    held: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in marts.rows("payout_gates", decision="hold"):
        listed = str(row["held_codes"] or row["first_code"] or "").split(",")
        if not _SETTLED & set(listed):
            held[row["tenant_id"], " ".join(listed), row["currency"]].append(row)
    for (tenant, codes, currency), rows in sorted(held.items()):
        keys = ",".join(sorted(str(row["payout_key"]) for row in rows))
        amount = money(sum(row["gross_cents"] for row in rows), currency)
        noun = "payout" if len(rows) == 1 else "payouts"
        yield (
            f"hold|{tenant}|{codes}|{keys}",
            f"{tenant}: {len(rows)} {noun} held, {amount}, {codes}",
        )


def _breach(row: Mapping[str, Any]) -> str:
    currency = row["currency"]
    by = [name for name in ("count", "money") if row[f"breached_by_{name}"]]
    drift = money(row["gross_drift_cents"], currency)
    return (
        f"{row['tenant_id']}: daily threshold of {row['day']} reached by {' and by '.join(by)}: "
        f"{row['mismatch_count']} new, {drift}"
    )


def _send(settings: Settings, title: str, lines: list[str], progress: Progress) -> int:
    shown = lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        shown.append(f"and {len(lines) - MAX_LINES} more: `tieout status`, `tieout gates`")
    missed = send_notice(settings.notify_urls, title, "\n".join(shown))
    if missed:
        places = ", ".join(map(str, missed))
        progress("notify", f"address {places} of TIEOUT_NOTIFY_URLS did not take the notice")
    return len(missed)


def _told(home: Home, progress: Progress) -> set[str]:
    try:
        return set(read_state(home.state / _STATE).get("told", []))
    except (TieoutError, OSError, TypeError):
        progress("notify", f"state/{_STATE} cannot be read; what it held is told again")
        return set()


def _remember(home: Home, keys: Iterable[str], progress: Progress) -> None:
    try:
        write_state(home.state / _STATE, {"told": sorted(keys)})
    except OSError:
        progress("notify", f"state/{_STATE} cannot be written; the same may be told again")
