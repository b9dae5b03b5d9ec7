"""Building a run packet: tables and configuration in, one signed deterministic ZIP out.

What belongs here: the order of construction and the promise that nothing is signed which the
verifier's own reader has not read back. What does not: reading the warehouse, choosing revisions,
clocks, and where the file is put.

Memory does not grow with the rows when the caller names a folder; documents are held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import (
    canonical,
    container,
    content,
    findings,
    kernel_packet,
    plan,
    statement,
    sums,
    tables,
)
from evidence.content import Content
from evidence.errors import Refusal, show
from evidence.signatures import Signer, sign_envelope, sign_sshsig

if TYPE_CHECKING:
    from evidence.log import PacketLog

ENVELOPE_FILE = "packet.intoto.json"
STATEMENT_FILE = "statement.json"
SSHSIG_FILE = "statement.json.sig"
SUMS_FILE = "sha256sums"
RUN_FILE = "run.json"
TABLES_FILE = "tables.json"
PROOF_FILE = "proof/packet.tlog-proof"
TIMESTAMP_FILE = "proof/packet.tsr"

FIXED_FILES = (ENVELOPE_FILE, STATEMENT_FILE, SSHSIG_FILE, SUMS_FILE)
SIDE_FILES = (PROOF_FILE, TIMESTAMP_FILE)
SUBJECTS = (
    findings.CHARGEBACKS_FILE,
    findings.RECONCILIATION_FILE,
    RUN_FILE,
    SUMS_FILE,
    TABLES_FILE,
)

_HASH_IN_NAME = 12
_MAX_TABLES = 64
MAX_TABLE_BYTES = container.MAX_PACKET_BYTES - (16 << 20)
"""Of all tables and inputs of a packet; what is left is for its documents."""


@dataclass(frozen=True)
class PacketSpec:
    """What a run packet is a pure function of.

    Attributes:
        tenant_id: the tenant whose packet this is.
        period: UTC month, YYYY-MM.
        revision: 1 for the first packet of the period.
        verdict: one of `schema.VERDICTS`; must follow from `tables`.
        currencies: currencies reconciled; must be those of `reconciliation_runs`.
        tables: by name; `findings.REQUIRED_TABLES` are required, none may have a column of
            `findings.VOLATILE_COLUMNS`.
        run: the fields `statement.RUN_FIELDS`, as `statement.check_run` describes them; `as_of`
            may be a datetime.
        counts: rows of `reconciliation_drift` by outcome; compared when given.
        previous: the newest packet of the previous period, as `Link` or {period, sha256}.
        supersedes: packet hash of the revision before; null exactly at revision 1.
        replay: how the tables are computed from which inputs; it then gives `run` its `inputs`
            and `code_sha256`. Without one nobody can compute the tables again.
        kernel: the original's reports of the month, one a payout provider; the packet then holds
            its run packet too, hashed and signed by the kernel's rule.
    """

    tenant_id: str
    period: str
    revision: int
    verdict: str
    currencies: tuple[str, ...]
    tables: Mapping[str, tables.Table]
    run: Mapping[str, object]
    counts: Mapping[str, int] | None = None
    previous: statement.Link | Mapping[str, str] | None = None
    supersedes: str | None = None
    replay: plan.WrittenReplay | None = None
    kernel: Sequence[kernel_packet.KernelEvidence] = ()


@dataclass(frozen=True)
class Draft:
    """The tables of a packet, written and strictly read back; nothing is signed yet.

    `files` holds them and `tables.json`, `entries` what that says, `found` what the rows say.
    """

    files: Mapping[str, Content]
    entries: Mapping[str, tables.Entry]
    found: findings.Findings


@dataclass(frozen=True)
class BuiltPacket:
    """A finished packet: its members, its hash, the name it should be stored under."""

    files: Mapping[str, Content]
    packet_sha256: str
    name: str
    statement: bytes
    rows: Mapping[str, int]
    log_index: int | None = None

    @property
    def zip_bytes(self) -> bytes:
        """The packet's ZIP in memory; `container.store_zip` writes a large one to a file."""
        return container.write_zip(self.files)


def build_packet(
    spec: PacketSpec,
    signer: Signer,
    log: PacketLog | None = None,
    cosigners: Sequence[Signer] = (),
    folder: Path | None = None,
) -> BuiltPacket:
    """Build, sign and (with a log) record one run packet.

    The same spec and signers give the same bytes. The log is written last, when nothing can be
    refused any more; recording the same statement again finds its first entry.

    Args:
        spec: what is claimed and the rows that bear it.
        signer: signs the envelope and the SSHSIG.
        log: the packet log; without one the packet has no proof.
        cosigners: further keys over the same envelope.
        folder: an empty folder for the tables, to be kept as long as the packet is read; memory
            then does not grow with them. Without one they are held.

    Raises:
        Refusal: for every claim the rows do not bear and every value outside the format;
            `packet_too_big` beyond 1 GiB.
    """
    return finish_packet(draft_packet(spec, folder), spec, signer, log, cosigners)


def draft_packet(spec: PacketSpec, folder: Path | None = None) -> Draft:
    """Write the tables of a packet and read them back, as `build_packet` begins.

    Raises:
        Refusal: `table_*`, `json_*`, `duplicate_row_key`, `packet_too_big`, `evidence_*`,
            `spec_mismatch`.
    """
    for name in findings.REQUIRED_TABLES:
        if name not in spec.tables:
            raise Refusal("table_required", f"got no table {name}, expected it in every packet")
    if len(spec.tables) > _MAX_TABLES:
        raise Refusal("table_count", f"got {len(spec.tables)} tables, expected at most 64")
    found = findings.Findings(spec.tenant_id, spec.period)
    files: dict[str, Content] = {}
    entries: dict[str, tables.Entry] = {}
    carried = () if spec.replay is None else spec.replay.files.values()
    budget = MAX_TABLE_BYTES - sum(map(content.size_of, carried))
    for name, table in sorted(spec.tables.items()):
        written = tables.write_table(name, table, budget, folder)
        data = content.kept(f"{name}.ndjson", written, folder)
        budget -= content.size_of(data)
        entries[name] = tables.scan_table(name, data, table.key, found.visitors(name))
        files[f"tables/{name}.ndjson"] = data
    _check_claims(spec, found)
    listed = {name: entry.document() for name, entry in entries.items()}
    files[TABLES_FILE] = canonical.dumps(listed)
    return Draft(files, entries, found)


def finish_packet(
    draft: Draft,
    spec: PacketSpec,
    signer: Signer,
    log: PacketLog | None = None,
    cosigners: Sequence[Signer] = (),
) -> BuiltPacket:
    """The packet around a draft of the same tables, as `build_packet` ends.

    Raises:
        Refusal: as `build_packet`.
    """
    body = _build_body(spec, draft)
    body |= kernel_packet.kernel_files(spec.kernel, spec.tenant_id, spec.period, signer)
    payload = _build_statement(spec, draft.found, body)
    sha256 = canonical.sha256_hex(payload)
    files: dict[str, Content] = body | {
        ENVELOPE_FILE: sign_envelope(payload, (signer, *cosigners)),
        STATEMENT_FILE: payload,
        SSHSIG_FILE: sign_sshsig(payload, signer),
    }
    container.check_files(files)
    index = None
    if log is not None:
        index = log.append(payload)
        files[PROOF_FILE] = log.proof(index)
    return BuiltPacket(
        files=files,
        packet_sha256=sha256,
        name=packet_name(spec.tenant_id, spec.period, spec.revision, sha256),
        statement=payload,
        rows={name: entry.rows for name, entry in draft.entries.items()},
        log_index=index,
    )


def packet_name(tenant: str, period: str, revision: int, sha256: str) -> str:
    """The file name of a packet; nothing is ever verified from it."""
    return f"{tenant}_{period}_r{revision}_{sha256[:_HASH_IN_NAME]}.zip"


def _build_body(spec: PacketSpec, draft: Draft) -> dict[str, Content]:
    files, entries, found = dict(draft.files), draft.entries, draft.found
    run = dict(spec.run)
    if spec.replay is not None:
        run |= {"inputs": spec.replay.inputs, "code_sha256": spec.replay.code_sha256}
        plan.check_plan(spec.replay.plan, spec.replay.files, run, entries)
        files |= spec.replay.files
    files[RUN_FILE] = statement.run_document(
        run, spec.tenant_id, spec.period, spec.revision, sorted(spec.currencies)
    )
    owner = spec.tenant_id, spec.period
    document = findings.reconciliation_document(*owner, found, entries)
    reconciliation = canonical.dumps(document)
    chain = canonical.sha256_hex(reconciliation)
    chargebacks = findings.chargebacks_document(*owner, found, entries, chain)
    files[findings.RECONCILIATION_FILE] = reconciliation
    files[findings.CHARGEBACKS_FILE] = canonical.dumps(chargebacks)
    return files


def _check_claims(spec: PacketSpec, found: findings.Findings) -> None:
    found.check_verdict(spec.verdict)
    if sorted(spec.currencies) != sorted(found.currencies):
        raise Refusal(
            "spec_mismatch",
            f"got currencies {show(' '.join(spec.currencies))},"
            f" expected {show(' '.join(sorted(found.currencies)))} from {findings.RUNS}",
        )
    if spec.counts is not None:
        claimed = {outcome: number for outcome, number in spec.counts.items() if number}
        if claimed != found.counts:
            raise Refusal(
                "evidence_counts", f"got counts that differ from the rows of {findings.DRIFT}"
            )


def _build_statement(spec: PacketSpec, found: findings.Findings, body: dict[str, Content]) -> bytes:
    link = spec.previous
    if isinstance(link, Mapping):
        link = statement.read_link(dict(link))
    body[SUMS_FILE] = sums.write_sums(body)
    return statement.write_run_statement(
        tenant=spec.tenant_id,
        period=spec.period,
        revision=spec.revision,
        previous=link,
        supersedes=spec.supersedes,
        verdict=spec.verdict,
        counts=found.counts,
        subjects={name: content.sha256_of(body[name]) for name in SUBJECTS},
    )
