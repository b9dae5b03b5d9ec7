"""The one screen a demo or a run ends with.

Belongs here: laying out an overview. Does not belong here: gathering it (`views.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from dagster_project.home import Home
from dagster_project.issuing import PLATFORM_TENANT
from dagster_project.narration import money, table
from dagster_project.shelf import newest
from dagster_project.views import Overview

__all__ = ["show_overview", "show_where"]

MAX_GATES: Final = 24
MAX_RULE: Final = 96


def show_overview(console: Console, view: Overview, payments: list[dict[str, Any]]) -> None:
    """Verdicts, breaks, gates and payments."""
    head = Rule(f"run {view.run_id} as of {view.as_of:%Y-%m-%d %H:%M} UTC", align="left")
    console.print(head, width=min(console.width, MAX_RULE))
    verdicts = [
        (
            row["tenant_id"],
            row["period"],
            row["currency"],
            row["verdict"],
            _share(row["explained_bps"]),
            money(row["unexplained_cents"], row["currency"]),
            row["open_breaks"],
            row["pending_items"],
        )
        for row in view.verdicts
        if row["tenant_id"] != PLATFORM_TENANT or row["open_breaks"] or row["pending_items"]
    ]
    heads = ("tenant", "period", "cur", "verdict", "explained", "unexplained", "breaks", "pending")
    console.print(table("Verdicts", heads, verdicts), "")
    breaks = [(code, count, money(cents, currency)) for code, currency, count, cents in view.breaks]
    if breaks:
        console.print(table("Breaks by reason", ("reason", "count", "gross drift"), breaks), "")
    else:
        console.print("[bold]Breaks by reason[/]\nnone", "")
    console.print(_gates(view, payments), "")
    if view.unread:
        console.print(_unread(view), "")


def show_where(console: Console, home: Home, view: Overview) -> None:
    """Where everything lies, and what to type next."""
    tenants = [row["tenant_id"] for row in view.verdicts if row["tenant_id"] != PLATFORM_TENANT]
    first = tenants[0] if tenants else "TENANT"
    packet = next((Path(p.path).name for p in newest(home, first)), "PACKET.zip")
    tieout = ".venv/bin/tieout" if Path(".venv/bin/tieout").exists() else "tieout"
    packets = escape(str(home.packets))
    console.print("[bold]Where[/]")
    console.print(f"packets      {packets} ({view.packets} issued)", soft_wrap=True)
    console.print(f"published    {escape(str(home.current))}", soft_wrap=True)
    console.print(f"decisions    {escape(str(home.decisions))}", soft_wrap=True)
    console.print("UI           make ui, then http://127.0.0.1:3000", "", soft_wrap=True)
    console.print("[bold]Next[/]")
    for command, why in (
        (f"{tieout} drift", "every break, with what to do about it"),
        (f"{tieout} gates", "why a payout is held"),
        (f"{tieout} packet export --tenant-id {first} --out handover", "for an auditor"),
        (f"{tieout}-verify handover/{packet} --trust handover/trust.json", "as the auditor"),
        ("make ui", "lineage, checks and packets in the browser"),
    ):
        console.print(f"  {escape(command)}  [dim]# {why}[/]", soft_wrap=True)


def _gates(view: Overview, payments: list[dict[str, Any]]) -> Any:
    paid = {row["payout_key"]: row for row in payments}
    rows = []
    shown = [row for row in view.gates if row["decision"] != "hold" or _ours(row)]
    for row in shown[:MAX_GATES]:
        payment = paid.get(row["payout_key"], {})
        rows.append(
            (
                row["tenant_id"],
                _short(row["party_id"]),
                row["period"],
                money(row["release_cents"] or row["gross_cents"], row["currency"]),
                row["decision"],
                str(row["held_codes"] or "").replace(",", " "),
                _paid(payment),
            )
        )
    already = len(view.gates) - len(shown)
    title = "Payout gates" + (f" ({already} earlier payouts already paid)" if already else "")
    heads = ("tenant", "party", "period", "amount", "decision", "held by", "payment")
    return table(title, heads, rows)


def _unread(view: Overview) -> Any:
    heads = ("source", "tenant", "account", "endpoint", "status", "error")
    rows = [
        (
            row["source"],
            row["tenant_id"],
            row["account_id"],
            row["endpoint"],
            row["coverage_status"],
            row["error_code"],
        )
        for row in view.unread
    ]
    return table("Not read to the end", heads, rows)


def _ours(row: dict[str, Any]) -> bool:
    """Gates of payouts that somebody still waits for; those already paid only fill the screen."""
    return "ALREADY_PAID" not in str(row["held_codes"] or "")


def _short(party: str | None) -> str:
    """The part of a party's id that tells it from its neighbours."""
    return str(party or "").rsplit(":", 1)[-1]


def _paid(payment: dict[str, Any]) -> str:
    return " ".join(filter(None, (payment.get("state"), payment.get("transfer_id"))))


def _share(bps: int | None) -> str:
    return "" if bps is None else f"{bps // 100}.{bps % 100:02d} %"
