"""`tieout override` and `tieout write-off`: exceptions that two people answer for.

Belongs here: the subcommands. Does not belong here: whether an override has an effect; the models
say that, and the tables `overrides` and `write_offs` say why not.

An override lets payouts pass a break or a condition for a time; the break stays a break. A
write-off gives up a debt or closes a break for good.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from dagster_project.acting import acts_of
from dagster_project.cli_acts import (
    Json,
    KeyFile,
    Name,
    Reason,
    TenantId,
    decide,
    existing_home,
    signing_of,
    tell,
    utc_time,
    write,
)
from dagster_project.excepting import (
    about,
    refuse_undue,
    refuse_written_off,
    whole_drift,
    worth_of_override,
    worth_of_write_off,
)
from dagster_project.marts import Marts, Row
from dagster_project.narration import answer, money, out, table
from ingest.controls import OVERRIDE_BOOK, WRITE_OFF_BOOK, refuse_malformed
from ingest.errors import SettingError

__all__ = ["override_app", "write_off_app"]

override_app = typer.Typer(
    help="Let payouts pass a break or a condition until a date: one proposes, another approves.",
    no_args_is_help=True,
)
write_off_app = typer.Typer(
    help="Give up a debt, book a repayment, or close a break: one proposes, another approves.",
    no_args_is_help=True,
)

Amount = Annotated[int, typer.Option("--amount-cents", help="The most it covers, minor units.")]
Evidence = Annotated[
    str, typer.Option("--evidence-url", help="https://... or packet:<sha256> with the grounds.")
]
ActId = Annotated[str, typer.Argument(metavar="ID", help="As `propose` printed it.")]


@override_app.command()
def propose(
    subject: Annotated[str, typer.Argument(help="A break id, or a payout key with --condition.")],
    amount_cents: Amount,
    expires: Annotated[str, typer.Option("--expires", help="When it ends by itself (ISO 8601).")],
    evidence_url: Evidence,
    reason: Reason,
    condition: Annotated[
        str | None, typer.Option("--condition", help="Gate condition of the payout to lift.")
    ] = None,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Propose to accept a published break, or to lift one condition of one payout."""
    settings, home = existing_home()
    ends = utc_time("--expires", expires)
    if datetime.fromisoformat(ends) <= datetime.now(UTC):
        raise SettingError(
            got=f"--expires {ends}, which has passed",
            expected="a time to come",
            remedy="Correct --expires",
            code="expiry_passed",
        )
    act = {
        "action": "propose",
        **about(home, subject, condition, amount_cents),
        "amount_cents": amount_cents,
        "evidence_url": evidence_url,
        "expires_at": ends,
    }
    by = signing_of(settings, operator, key_file)
    tell(write(settings, home, OVERRIDE_BOOK, [act], reason=reason, by=by), as_json)


@override_app.command()
def approve(
    act_id: ActId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Approve somebody else's proposal, if it would still let anything pass."""
    by = (operator, key_file)
    decide(
        *(OVERRIDE_BOOK, "approve", act_id),
        reason=reason,
        by=by,
        as_json=as_json,
        worth=worth_of_override,
    )


@override_app.command()
def revoke(
    act_id: ActId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Revoke an override; one operator is enough, and it holds from the next call on."""
    by = (operator, key_file)
    decide(OVERRIDE_BOOK, "revoke", act_id, reason=reason, by=by, as_json=as_json)


@override_app.command("list")
def list_overrides(tenant_id: TenantId = None, as_json: Json = False) -> None:
    """List overrides as published, with why those that do not count do not."""
    heads = ("override", "tenant", "subject", "amount", "expires", "by", "status", "why")
    _list("overrides", tenant_id, as_json, heads, _override_cells)


@write_off_app.command("propose")
def propose_write_off(
    tenant_id: Annotated[str, typer.Option("--tenant-id", help="The tenant.")],
    amount_cents: Amount,
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217.")],
    evidence_url: Evidence,
    reason: Reason,
    party_id: Annotated[
        str | None, typer.Option("--party-id", help="Whose debt; without: unattributed.")
    ] = None,
    break_id: Annotated[
        str | None, typer.Option("--break-id", help="The break it closes, instead of a debt.")
    ] = None,
    repayment: Annotated[
        bool, typer.Option("--repayment", help="The party paid it back outside the rail.")
    ] = False,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Propose a write-off, or with --repayment a repayment."""
    settings, home = existing_home()
    if break_id is not None and party_id is not None:
        raise SettingError(
            got="--break-id together with --party-id",
            expected="a break to close or a party's debt: closing a break changes no debt",
            remedy="Leave one of them out; nothing was written",
            code="break_and_party",
        )
    currency = currency.upper()
    drift_cents = (
        None if break_id is None else whole_drift(home, break_id, tenant_id, amount_cents, currency)
    )
    act = {
        "action": "propose",
        "tenant_id": tenant_id,
        "entry_kind": "repayment" if repayment else "write_off",
        "party_id": party_id,
        "break_id": break_id,
        "drift_cents": drift_cents,
        "amount_cents": amount_cents,
        "currency": currency,
        "evidence_url": evidence_url,
    }
    refuse_malformed(WRITE_OFF_BOOK, act)
    book = acts_of(settings, home, WRITE_OFF_BOOK)
    if break_id is None:
        refuse_undue(home, book, tenant_id, act)
    else:
        refuse_written_off(book, tenant_id, act)
    by = signing_of(settings, operator, key_file)
    tell(write(settings, home, WRITE_OFF_BOOK, [act], reason=reason, by=by), as_json)


@write_off_app.command("approve")
def approve_write_off(
    act_id: ActId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Approve somebody else's proposal; it posts then."""
    by = (operator, key_file)
    book = acts_of(*existing_home(), WRITE_OFF_BOOK)
    decide(
        *(WRITE_OFF_BOOK, "approve", act_id),
        reason=reason,
        by=by,
        as_json=as_json,
        worth=partial(worth_of_write_off, book=book),
    )


@write_off_app.command("revoke")
def revoke_write_off(
    act_id: ActId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Revoke it; the reverse posts now, and what was reported before stays true."""
    by = (operator, key_file)
    decide(WRITE_OFF_BOOK, "revoke", act_id, reason=reason, by=by, as_json=as_json)


@write_off_app.command("list")
def list_write_offs(tenant_id: TenantId = None, as_json: Json = False) -> None:
    """List write-offs and repayments as published."""
    heads = ("id", "tenant", "kind", "of", "amount", "by", "status", "why")
    _list("write_offs", tenant_id, as_json, heads, _write_off_cells)


def _list(mart: str, tenant_id: str | None, as_json: bool, heads: Any, cells: Any) -> None:
    _, home = existing_home()
    with Marts.published(home) as marts:
        rows = sorted(marts.rows(mart, tenant_id=tenant_id), key=lambda row: row["proposed_at"])
    if as_json:
        answer(rows)
        return
    out.print(table(mart.replace("_", "-").capitalize(), heads, [cells(row) for row in rows]))


def _override_cells(row: Row) -> tuple[object, ...]:
    return (
        row["override_id"],
        row["tenant_id"],
        row["break_id"] or f"{row['condition_code']} of {row['payout_key']}",
        money(row["amount_cents"], row["currency"]),
        row["expires_at"],
        " + ".join(filter(None, (row["proposed_by"], row["approved_by"]))),
        row["override_status"],
        row["void_code"],
    )


def _write_off_cells(row: Row) -> tuple[object, ...]:
    return (
        row["write_off_id"],
        row["tenant_id"],
        row["entry_kind"],
        row["break_id"] or row["party_id"] or "unattributed",
        money(row["amount_cents"], row["currency"]),
        " + ".join(filter(None, (row["proposed_by"], row["approved_by"]))),
        row["write_off_status"],
        row["void_code"],
    )
