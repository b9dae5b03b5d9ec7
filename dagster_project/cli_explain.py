"""`tieout explain`: the life of one thing, as a person reads it.

Belongs here: the order of what is told and how it looks. Does not belong here: which rows belong to
an id (`explaining.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from dagster_project.cli_acts import Json, TenantId, existing_home
from dagster_project.explaining import HISTORY, Life, lives_of
from dagster_project.marts import Row
from dagster_project.narration import answer, money, out, table

__all__ = ["explain"]

Cells = Callable[[Row], tuple[object, ...]]

_SHOWN: Final = 12
# Marts whose rows a reader adds up: by what, and which amounts.
_SUMMED: Final = {
    "source_positions": (
        "party_id",
        ("entitled_cents", "instructed_cents", "paid_cents", "reversed_cents", "drift_cents"),
    ),
    "movement_references": ("movement_id", ("allocated_cents",)),
}


def explain(
    identifier: Annotated[
        str,
        typer.Argument(metavar="ID", help="A movement, break, payout key, receipt, transfer..."),
    ],
    tenant_id: TenantId = None,
    as_json: Json = False,
) -> None:
    """Tell the life of a thing: both sides, each link, what decided, what would cure it."""
    _, home = existing_home()
    lives = lives_of(home, identifier, tenant_id)
    if as_json:
        documents = [life.document() for life in lives]
        answer(documents[0] if len(documents) == 1 else {"id": identifier, "lives": documents})
        return
    if len(lives) > 1:
        owners = ", ".join(life.tenant_id for life in lives)
        out.print(f"{escape(owners)} each have one of that id; --tenant-id shows one alone\n")
    for life in lives:
        out.print(f"[bold]{escape(identifier)}[/] of {escape(life.tenant_id)}", soft_wrap=True)
        _findings(life)
        _name_currencies(life)
        for title, mart, heads, cells in _SECTIONS:
            _section(life, title, mart, heads, cells)
        if life is not lives[-1]:
            out.print()


def _name_currencies(life: Life) -> None:
    """A reference is in the currency of its movement."""
    of = {row["movement_id"]: row["currency"] for row in life.rows.get("money_movements", [])}
    for row in life.rows.get("movement_references", []):
        row["currency"] = of.get(row["movement_id"], "")


def _section(life: Life, title: str, mart: str, heads: Sequence[str], cells: Cells) -> None:
    rows = life.rows.get(mart)
    if not rows:
        return
    out.print()
    shown = sorted(rows, key=_when)[:_SHOWN]
    out.print(table(title, heads, [cells(row) for row in shown]))
    if len(rows) > _SHOWN:
        more = f"{len(rows) - _SHOWN} more" if mart not in life.cut else "many more"
        also = "" if mart == HISTORY else f", or the table {mart} in published/current.duckdb"
        out.print(f"... and {more}: --json{also}")
    if mart in _SUMMED and mart not in life.cut:
        group, names = _SUMMED[mart]
        _sums(rows, group, names)


def _sums(rows: Sequence[Row], group: str, names: Sequence[str]) -> None:
    """What several rows add up to, so that a reader can compare it with the other side."""
    # A settlement is the sum of its own parts.
    parts = [row for row in rows if row["source_type"] != "settlement"]
    for key in sorted({(row[group], row["currency"]) for row in parts}):
        of = [row for row in parts if (row[group], row["currency"]) == key]
        if len(of) > 1:
            sums = ((name, money(sum(row[name] for row in of), key[1])) for name in names)
            said = ", ".join(f"{name.removesuffix('_cents')} {amount}" for name, amount in sums)
            out.print(f"[bold]sum[/] of {len(of)}: {escape(str(key[0]))} {said}", soft_wrap=True)


def _when(row: Row) -> str:
    times = ("as_of", "occurred_at", "created_at", "at", "payable_at", "first_seen_at")
    return next((str(row[name]) for name in times if row.get(name) is not None), "")


def _movement(row: Row) -> tuple[object, ...]:
    return (
        row["occurred_at"],
        row["movement_type"],
        row["source_object_id"],
        row["leg"],
        money(row["amount_cents"], row["currency"]),
        money(row["fee_cents"], row["currency"]),
        row["period"],
        row["kernel_reference_type"],
        row["reason_code"] or row["outcome"],
    )


def _position(row: Row) -> tuple[object, ...]:
    currency = row["currency"]
    return (
        row["source_type"],
        row["source_id"],
        row["settlement_id"],
        row["party_id"],
        money(row["entitled_cents"], currency),
        money(row["held_cents"], currency),
        money(row["instructed_cents"], currency),
        money(row["paid_cents"], currency),
        money(row["reversed_cents"], currency),
        money(row["drift_cents"], currency),
    )


def _gate(row: Row) -> tuple[object, ...]:
    return (
        row["payout_key"],
        row["period"],
        money(row["gross_cents"], row["currency"]),
        money(row["release_cents"], row["currency"]),
        row["decision"],
        str(row["held_codes"] or "").replace(",", " "),
    )


def _money_of(*names: str) -> Cells:
    """Cells of a row by name; an amount is shown with its currency."""

    def cells(row: Row) -> tuple[object, ...]:
        return tuple(
            money(row[name], row["currency"])
            if name.endswith("_cents") and "currency" in row
            else row[name]
            for name in names
        )

    return cells


_SECTIONS: tuple[tuple[str, str, tuple[str, ...], Cells], ...] = (
    (
        "Kernel: receipts, adjustments, holds; drift = entitled - paid + reversed once instructed",
        "source_positions",
        (
            *("kind", "id", "settlement", "party", "entitled", "held", "instructed", "paid"),
            *("reversed", "drift"),
        ),
        _position,
    ),
    (
        "Kernel: artifacts",
        "artifact_verdicts",
        ("kind", "id", "verdict", "why", "manifest"),
        _money_of("artifact_type", "artifact_id", "verdict", "code", "manifest_status"),
    ),
    (
        "Rail: movements",
        "money_movements",
        ("when", "type", "object", "leg", "amount", "fee", "month", "maps to", "outcome"),
        _movement,
    ),
    (
        "Link: how both sides were matched",
        "match_groups",
        ("kind", "by", "kernel:rail", "key", "expected", "matched", "tolerated"),
        _money_of(
            *("group_kind", "match_rule", "cardinality", "match_key"),
            *("expected_cents", "matched_cents", "tolerated_cents"),
        ),
    ),
    (
        "Link: which instruction a transfer settles",
        "transfer_matches",
        ("transfer", "payout", "amount", "rule"),
        _money_of("transfer_id", "payout_key", "amount_cents", "rule"),
    ),
    (
        "Link: what a movement is made of",
        "movement_references",
        ("movement", "source", "id", "settlement", "allocated"),
        _money_of("movement_id", "source_type", "source_id", "settlement_id", "allocated_cents"),
    ),
    (
        "Link: what a payout uses up",
        "payout_sources",
        ("payout", "source", "id", "amount"),
        _money_of("payout_key", "source_type", "source_id", "amount_cents"),
    ),
    (
        "Publications: when its breaks became what they are",
        HISTORY,
        ("told", "break", "lifecycle", "outcome", "reason", "drift"),
        _money_of("as_of", "break_id", "lifecycle", "outcome", "reason_code", "drift_cents"),
    ),
    (
        "Gate",
        "payout_gates",
        ("payout", "month", "gross", "release", "decision", "held by"),
        _gate,
    ),
    (
        "Gate: what holds, and what would lift it",
        "payout_gate_conditions",
        ("condition", "observed", "needed", "seen in", "overridable"),
        _money_of("condition_code", "observed", "threshold", "source", "overridable"),
    ),
    (
        "Exposure of the party: all that it owes by disputes and refunds",
        "chargeback_exposure",
        ("party", "outstanding", "in dispute", "recovered", "written off", "holdback", "status"),
        _money_of(
            *("party_id", "outstanding_cents", "open_dispute_cents", "recovered_cents"),
            *("written_off_cents", "holdback_cents", "exposure_status"),
        ),
    ),
    (
        "Payments",
        "payout_submissions",
        ("when", "attempt", "state", "transfer", "amount", "to", "why"),
        _money_of(
            *("at", "attempt", "state", "transfer_id", "amount_cents"),
            *("destination_account_id", "reason_code"),
        ),
    ),
    (
        "Triage line",
        "audit_log",
        ("when", "line", "did", "by", "why", "said"),
        _money_of("at", "subject", "action", "actor", "reason", "after"),
    ),
    (
        "Overrides",
        "overrides",
        ("override", "amount", "expires", "by", "and by", "status", "why"),
        _money_of(
            *("override_id", "amount_cents", "expires_at", "proposed_by", "approved_by"),
            *("override_status", "void_code"),
        ),
    ),
    (
        "Write-offs",
        "write_offs",
        ("write-off", "kind", "amount", "by", "and by", "status", "why"),
        _money_of(
            *("write_off_id", "entry_kind", "amount_cents", "proposed_by", "approved_by"),
            *("write_off_status", "void_code"),
        ),
    ),
    (
        "Certifications",
        "period_certifications",
        ("certification", "month", "verdict", "by", "and by", "status", "why"),
        _money_of(
            *("certification_id", "period", "verdict", "prepared_by", "approved_by"),
            *("certification_status", "void_code"),
        ),
    ),
    (
        "Packets",
        "run_packets",
        ("month", "revision", "verdict", "file"),
        _money_of("period", "revision", "verdict", "path"),
    ),
)


def _state(row: Row) -> str:
    """An item that no longer differs is gone; one that does and is no break was written off."""
    if row["outcome"] != "ok":
        return str(row["outcome"])
    return "resolved" if row["lifecycle"] == "resolved" else "written off"


def _expected(row: Row) -> str:
    by = row["expected_by"]
    return "" if by is None else f", expected by {by:%Y-%m-%d}"


def _findings(life: Life) -> None:
    """What was decided and what would cure it, in sentences."""
    handled: dict[str, Any] = {row["break_id"]: row for row in life.rows.get("mismatch_triage", [])}
    rows = life.rows.get("reconciliation_drift", [])
    for row in rows:
        drift = money(row["drift_cents"], row["currency"])
        out.print(
            f"[bold]{_state(row)} {row['reason_code']}[/] {escape(row['break_id'])}  "
            f"drift {drift}, {row['lifecycle']}, {row['age_days']} days"
            f"{_expected(row)}",
            soft_wrap=True,
        )
        out.print(f"  {escape(row['explanation'])}", soft_wrap=not out.is_terminal)
        queue = handled.get(row["break_id"])
        if queue is not None:
            note = f"; {queue['note']}" if queue["note"] else ""
            out.print(
                escape(
                    f"  {queue['triage_status']}, {queue['owner']} by "
                    f"{queue['due_at']:%Y-%m-%d}{note}; see {queue['runbook']}"
                ),
                soft_wrap=True,
            )
    if not rows:
        out.print("no break and nothing pending here")
