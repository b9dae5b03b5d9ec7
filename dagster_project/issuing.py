"""Run packets from published marts: which one is new, and which revision it is.

Belongs here: choosing rows, revisions and links. Does not belong here: the format of a packet
(`evidence`), where one lies (`shelf.py`), or any figure: verdicts and totals come from the marts.

A packet whose tables say what the newest revision said is not issued again. A new one is computed
again from the inputs it carries before it is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from dagster_project import building
from dagster_project.home import Home, read_state
from dagster_project.index_page import write_index
from dagster_project.kernel_evidence import kernel_evidence
from dagster_project.kernel_reports import ReportRefused
from dagster_project.manifest import Manifest
from dagster_project.marts import Marts
from dagster_project.pipeline import is_current
from dagster_project.replaying import TenantReplay
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.shelf import (
    UNLOGGED,
    IssuedPacket,
    finish_pending,
    issued,
    newest,
    put_down,
    workspace,
)
from dagster_project.signing import packet_log, packet_signer
from dagster_project.trusting import trust_file
from evidence import canonical, findings, plan, spelling
from evidence.build import (
    MAX_TABLE_BYTES,
    TABLES_FILE,
    Draft,
    PacketSpec,
    draft_packet,
    finish_packet,
)
from evidence.content import sha256_of, size_of
from evidence.errors import Refusal
from evidence.tables import Table
from ingest.errors import TieoutError

__all__ = [
    "PLATFORM_TENANT",
    "issue_packets",
    "packet_tables",
    "tables_of",
    "tenants_of",
]

PLATFORM_TENANT: Final = "_platform"
MAX_REVISIONS: Final = 10_000

_PACKET_TABLES: Final = (
    findings.RUNS,
    findings.DRIFT,
    findings.BRIDGE,
    findings.EXPOSURE,
    "drill_records",
    "holdback_rollforward",
    "kernel_chargebacks",
    "kernel_reconcile_mismatches",
    "kernel_reconcile_summaries",
    "money_movements",
    "open_item_rollforward",
    "source_control_totals",
    "tie_outs",
)
_LINKED_TABLE: Final = "movement_references"


def tenants_of(marts: Marts, run: Run) -> list[str]:
    """Tenants a run issues for; rail objects that belong to none are issued to none."""
    found = {str(row["tenant_id"]) for row in marts.rows(findings.RUNS)}
    return sorted(tenant for tenant in found - {PLATFORM_TENANT} if run.serves(tenant))


def issue_packets(
    session: Session,
    run: Run,
    *,
    max_bytes: int = MAX_TABLE_BYTES,
    on_refusal: Callable[[TieoutError], None] | None = None,
) -> list[IssuedPacket]:
    """Issues a packet for every tenant and period whose content is new.

    A packet that is refused, such as one whose sums no reader can hold, stops no other.

    Args:
        session: The session.
        run: The run whose tables are packeted.
        max_bytes: Of tables and inputs together; a packet beyond it carries no inputs.
        on_refusal: Called with each refusal; without it the first is raised once all is issued.

    Returns:
        The packets issued by this call, by tenant and period.

    Raises:
        TieoutError: There is no signing key, or a packet was refused; the others stay issued.
    """
    if not is_current(session, run):
        return []
    home = session.home
    trust_file(session.settings, home, now=session.clock())
    found: list[IssuedPacket] = []
    refused: list[TieoutError] = []
    # The inputs of a replay are read from the working file, which the next build writes.
    with home.lock("packets"), home.lock("warehouse"), Marts.published(home) as marts:
        if read_state(home.warehouse / "built.json").get("run_id") != run.run_id:
            session.progress("packets", "another run has built since; it issues them")
            return []
        found.extend(finish_pending(home, packet_log(session.settings, home)))
        facts = _facts_of_code(session)
        names = packet_tables(marts)
        for tenant in tenants_of(marts, run):
            periods = {str(row["period"]) for row in marts.rows(findings.RUNS, tenant_id=tenant)}
            with (
                workspace(home) as folder,
                TenantReplay(home, tenant, names, folder / "inputs", max_bytes) as replay,
            ):
                for period in sorted(periods):
                    try:
                        packet = _issue(session, run, marts, facts, replay, folder, tenant, period)
                    except _PacketRefused as refusal:
                        session.progress("packets", f"{tenant} {period} refused: {refusal}")
                        refused.append(refusal)
                        continue
                    if packet is not None:
                        session.progress("packets", f"{tenant} {period} r{packet.revision}")
                        found.append(packet)
        write_index(home)
    for one in refused:
        if on_refusal is None:
            raise one
        on_refusal(one)
    return found


class _PacketRefused(TieoutError):
    """One packet would say what no packet may; it is not issued."""


def _issue(
    session: Session,
    run: Run,
    marts: Marts,
    facts: Mapping[str, Any],
    replay: TenantReplay,
    folder: Path,
    tenant: str,
    period: str,
) -> IssuedPacket | None:
    home = session.home
    history = issued(home, tenant, period)
    last = history[-1] if history else None
    if last is not None and _already_packeted(last, period, run.as_of):
        return None
    earlier = [packet for packet in newest(home, tenant) if packet.period < period]
    previous = earlier[-1] if earlier else None
    try:
        spec = PacketSpec(
            tenant_id=tenant,
            period=period,
            revision=last.revision + 1 if last else 1,
            tables=tables_of(home, marts, tenant, period),
            run={**facts, "as_of": run.as_of},
            previous={"period": previous.period, "sha256": previous.packet_sha256}
            if previous
            else None,
            supersedes=last.packet_sha256 if last else None,
            kernel=kernel_evidence(marts, tenant, period),
            **_claims(marts, tenant, period),
        )
        with TemporaryDirectory(prefix="tables-", dir=folder) as tables:
            draft = draft_packet(spec, Path(tables))
            content = _content_of(draft)
            if last is not None and last.content_sha256 == content:
                return None
            return _sign_and_put_down(
                session, run, _replayable(session, spec, replay, draft), draft, content
            )
    except Refusal as refusal:
        raise _PacketRefused(
            got=f"a packet for {tenant} {period} that was refused: {refusal.detail}",
            expected="marts that bear what the packet claims",
            remedy=refusal.remedy,
            code=refusal.code,
        ) from None
    except ReportRefused as refusal:
        raise _PacketRefused(
            got=f"a packet for {tenant} {period} that was refused: {refusal.got}",
            expected=refusal.expected,
            remedy=refusal.remedy,
            code=refusal.code,
        ) from None


def _replayable(
    session: Session, spec: PacketSpec, replay: TenantReplay, draft: Draft
) -> PacketSpec:
    """The packet with its plan, and with its inputs where those give its tables.

    No packet is withheld because it cannot be replayed; it says so.
    """
    written = replay.written()
    objection = replay.objection(draft, spec.period)
    if objection is not None:
        session.progress(
            "packets",
            f"{spec.tenant_id} {spec.period} cannot be replayed from its own rows ({objection}):"
            " issued without inputs",
        )
    carried = objection is None and session.settings.packet_inputs == "carried"
    size = sum(map(size_of, (*draft.files.values(), *written.files.values())))
    if carried and size > replay.max_bytes:
        carried = False
        session.progress(
            "packets",
            f"{spec.tenant_id} {spec.period} would have {size:,} bytes with its inputs, more than"
            " a packet may have: issued without inputs",
        )
    rules = {**replay.rules(), "replayed_before_signing": objection is None}
    return replace(
        spec,
        replay=written if carried else plan.without_inputs(written),
        run={**spec.run, "rules": rules},
    )


def _sign_and_put_down(
    session: Session, run: Run, spec: PacketSpec, draft: Draft, content: str
) -> IssuedPacket:
    home = session.home
    built = finish_packet(draft, spec, packet_signer(session.settings, home))
    previous = spec.previous if isinstance(spec.previous, Mapping) else None
    packet = IssuedPacket(
        tenant_id=spec.tenant_id,
        period=spec.period,
        revision=spec.revision,
        packet_sha256=built.packet_sha256,
        previous_sha256=previous["sha256"] if previous else None,
        supersedes_sha256=spec.supersedes,
        verdict=spec.verdict,
        path=home.relative(home.packets / spec.tenant_id / spec.period / built.name),
        log_index=UNLOGGED,
        as_of=run.as_of.isoformat(),
        content_sha256=content,
        run_id=run.run_id,
        carries_inputs=spec.replay is not None and plan.carries_inputs(spec.replay),
    )
    return put_down(home, packet_log(session.settings, home), packet, built.files)


def _already_packeted(last: IssuedPacket, period: str, as_of: datetime) -> bool:
    """An open period gets a new revision at most once a day."""
    is_open = period >= f"{as_of:%Y-%m}"
    return is_open and datetime.fromisoformat(last.as_of).date() == as_of.date()


def _claims(marts: Marts, tenant: str, period: str) -> dict[str, Any]:
    from evidence.schema import VERDICTS  # noqa: PLC0415

    rows = list(marts.rows(findings.RUNS, tenant_id=tenant, period=period))
    verdicts = [str(row["verdict"]) for row in rows]
    return {
        "verdict": min(verdicts, key=VERDICTS.index),
        "currencies": tuple(sorted(str(row["currency"]).lower() for row in rows)),
    }


def packet_tables(marts: Marts) -> list[str]:
    """Names of the published tables that a packet holds."""
    present = marts.names()
    return [name for name in (*_PACKET_TABLES, _LINKED_TABLE) if name in present]


def tables_of(home: Home, marts: Marts, tenant: str, period: str) -> dict[str, Table]:
    """A packet's tables: rows of a tenant and period, read anew each time they are iterated."""
    keys = Manifest.load(home).keys()
    return {
        name: Table(
            tuple(column for column in keys[name] if column not in spelling.LEFT_OUT),
            (_LinkedRows if name == _LINKED_TABLE else _PacketRows)(marts, name, tenant, period),
        )
        for name in packet_tables(marts)
    }


@dataclass(frozen=True)
class _PacketRows:
    """Rows of a mart as packets spell them, read anew each time they are asked for."""

    marts: Marts
    name: str
    tenant: str
    period: str

    def __iter__(self) -> Iterator[dict[str, object]]:
        rows = self.marts.rows(self.name, tenant_id=self.tenant, period=self.period)
        return spelling.table_rows(rows)


@dataclass(frozen=True)
class _LinkedRows(_PacketRows):
    """Rows that carry no period of their own; they belong to their movement's."""

    def __iter__(self) -> Iterator[dict[str, object]]:
        owner = {"tenant_id": self.tenant, "period": self.period}
        rows = self.marts.linked_rows(self.name, "money_movements", "movement_id", **owner)
        return spelling.table_rows(row for row in rows if row["tenant_id"] == self.tenant)


def _content_of(draft: Draft) -> str:
    """Digest of what a packet says, without revision, links and the versions of the code."""
    digest = sha256_of(draft.files[TABLES_FILE])
    tables = [{"digest": {"sha256": digest}, "name": TABLES_FILE}]
    found = draft.found
    return canonical.document_hash(
        {"counts": found.counts, "tables": tables, "verdict": found.verdict}
    )


def _facts_of_code(session: Session) -> dict[str, object]:
    """What made the tables: compiled models, locked dependencies, engine."""
    lock = building.dbt_folder().parent / "requirements.lock"
    versions = {name: metadata.version(name) for name in ("dbt-core", "dbt-duckdb", "duckdb")}
    locked = lock.read_bytes() if lock.exists() else canonical.dumps(dict(versions))
    return {
        "code_sha256": Manifest.load(session.home).code_sha256(),
        "engine": f"duckdb {versions['duckdb']}",
        "inputs": {},
        "lock_sha256": canonical.sha256_hex(locked),
        "rules": {},
    }
