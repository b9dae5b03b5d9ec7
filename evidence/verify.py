"""Verifying a run packet, offline, from its bytes and a trust file.

What belongs here: the order of the checks, in which nothing is parsed deeper than needed before
it is authenticated, and the account of what was checked and what is not proven. What does not:
each check itself, and printing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evidence import (
    canonical,
    container,
    findings,
    kernel_packet,
    plan,
    proof,
    signatures,
    statement,
    sums,
    tables,
)
from evidence.build import (
    ENVELOPE_FILE,
    FIXED_FILES,
    PROOF_FILE,
    RUN_FILE,
    SIDE_FILES,
    SSHSIG_FILE,
    STATEMENT_FILE,
    SUBJECTS,
    SUMS_FILE,
    TABLES_FILE,
    TIMESTAMP_FILE,
)
from evidence.content import Content, whole
from evidence.errors import Refusal, show
from evidence.trust import USE_PACKET, TrustedKey, TrustFile, check_life, life_gaps

_MAX_CLOCK_SKEW_SECONDS = 300
_MAX_SUMS_BYTES = 2 << 20


@dataclass(frozen=True)
class Verified:
    """An accepted packet: what it says, who vouches for it, what was and was not checked.

    `trusted_time` is in unix seconds; `checks` and `not_proven` are sentences for people.
    """

    packet_sha256: str
    statement: statement.RunStatement
    run: Mapping[str, object]
    rows: Mapping[str, int]
    signers: tuple[str, ...]
    files: int
    log: proof.LogPosition | None
    checks: tuple[str, ...]
    not_proven: tuple[str, ...]

    @property
    def trusted_time(self) -> int | None:
        """When others saw the packet, by clocks the signer does not control."""
        return None if self.log is None else self.log.trusted_time


def verify_packet(
    packet: bytes | Path,
    trust: TrustFile,
    tenant: str | None,
    period: str | None,
    revision: int | None = None,
    require_log: bool = False,
    now: datetime | None = None,
    replay: bool = False,
) -> Verified:
    """Accept a run packet or raise `Refusal` with the code of the first check that failed.

    Args:
        packet: ZIP bytes, a ZIP file, or a folder into which the ZIP was unpacked.
        trust: whose signatures count; never taken from the packet.
        tenant: whose packet is expected; None accepts any and says so in `not_proven`.
        period: which month is expected; None accepts any and says so.
        revision: which revision is expected; None accepts any and says so.
        require_log: refuse a packet without a proof of inclusion in the trusted log.
        now: the verifier's clock, for keys and witnesses that claim the future.
        replay: also compute every table again from the packet's inputs; this needs DuckDB.

    Raises:
        Refusal: always and only, whatever the bytes are.
    """
    try:
        with container.opened(packet) as files:
            check = _Verification(files, trust, require_log, now, replay)
            check.notes.append(f"container: {len(files)} files, names and bytes as the format says")
            return check.run(tenant, period, revision)
    except Refusal:
        raise
    except Exception as error:
        # A crash is our defect, yet to whoever relies on the answer it must still be a refusal.
        raise Refusal("verifier_defect", f"got {type(error).__name__} while verifying") from error


class _Verification:
    def __init__(
        self,
        files: Mapping[str, Content],
        trust: TrustFile,
        require_log: bool,
        now: datetime | None,
        replay: bool,
    ) -> None:
        self._files = files
        self._trust = trust
        self._require_log = require_log
        self._now = now
        self._replay = replay
        self.notes: list[str] = []
        self.gaps: list[str] = []

    def run(self, tenant: str | None, period: str | None, revision: int | None) -> Verified:
        """All steps, in order."""
        for name in FIXED_FILES:
            if name not in self._files:
                raise Refusal("missing_file", f"got no {name}, expected it in every packet")
        stated, payload, signers = self._authenticate(tenant)
        self._expect(stated, tenant, period, revision)
        position = self._locate(payload)
        time = None if position is None else position.trusted_time
        for key in signers:
            check_life(key, time, self._now)
        self.gaps += life_gaps(signers, time, self._now)
        self._digests(stated.subjects)
        run = self._run_document(stated)
        planned = self._plan()
        entries, found = self._scan(stated, planned)
        findings.check_evidence(
            self._document(findings.RECONCILIATION_FILE),
            self._document(findings.CHARGEBACKS_FILE),
            stated,
            found,
            entries,
        )
        self._kernel(stated, signers)
        if sorted(found.currencies) != run["currencies"]:
            raise Refusal("spec_mismatch", f"got other currencies in {RUN_FILE} than in the tables")
        self.notes.append(
            "evidence: counts, verdict, residual, totals and chain recomputed from the rows"
        )
        self._follow_inputs(stated, run, planned, entries)
        self._standing_gaps(stated)
        return Verified(
            packet_sha256=stated.sha256,
            statement=stated,
            run=run,
            rows={name: entry.rows for name, entry in entries.items()},
            signers=tuple(sorted(key.keyid for key in signers)),
            files=len(self._files),
            log=position,
            checks=tuple(self.notes),
            not_proven=tuple(self.gaps),
        )

    def _authenticate(
        self, tenant: str | None
    ) -> tuple[statement.RunStatement, bytes, list[TrustedKey]]:
        envelope = self._document(ENVELOPE_FILE)
        if tenant is None:
            tenant = statement.claimed_tenant(signatures.open_envelope(envelope)[0])
        keys = self._trust.select(tenant, USE_PACKET)
        raw = {keyid: key.public_key for keyid, key in keys.items()}
        opened = signatures.verify_envelope(envelope, raw, self._trust.threshold)
        payload = opened.payload
        stated = statement.read_run_statement(payload)
        if self._document(STATEMENT_FILE) != payload:
            raise Refusal("statement_copy_differs", f"got {STATEMENT_FILE} unlike the payload")
        signer = signatures.verify_sshsig(self._document(SSHSIG_FILE), payload, raw.values())
        keyids = {*opened.keyids, signatures.keyid_of(signer)}
        self.notes.append(
            f"signatures: DSSE by {len(opened.keyids)} trusted of {self._trust.threshold}"
            f" required, and SSHSIG ({', '.join(sorted(keyids))})"
        )
        return stated, payload, [keys[keyid] for keyid in sorted(keyids)]

    def _expect(
        self,
        stated: statement.RunStatement,
        tenant: str | None,
        period: str | None,
        revision: int | None,
    ) -> None:
        wanted: tuple[tuple[str, object, object], ...] = (
            ("tenant", stated.tenant, tenant),
            ("period", stated.period, period),
            ("revision", stated.revision, revision),
        )
        for name, got, expected in wanted:
            if expected is None:
                self.gaps.append(f"that this is the {name} you want: the packet says {got}")
            elif got != expected:
                raise Refusal(f"wrong_{name}", f"got {name} {got}, expected {show(expected)}")
            else:
                self.notes.append(f"identity: {name} is {got}, as asked for")

    def _locate(self, payload: bytes) -> proof.LogPosition | None:
        log = self._trust.log
        if PROOF_FILE not in self._files or log is None:
            lacking = (
                "proof in the packet" if PROOF_FILE not in self._files else "log in the trust file"
            )
            if self._require_log:
                raise Refusal("log_proof_required", f"got no {lacking}, expected one")
            self.gaps.append(f"that the packet is in the append-only log: no {lacking}")
            return None
        position = proof.verify_proof(
            self._document(PROOF_FILE), payload, log.key, log.witnesses, log.quorum
        )
        if (
            self._now is not None
            and position.trusted_time is not None
            and position.trusted_time > self._now.timestamp() + _MAX_CLOCK_SKEW_SECONDS
        ):
            raise Refusal("witness_future", f"got witness time {position.trusted_time}")
        self.notes.append(
            f"log: entry {position.index} of {position.size},"
            f" {len(position.witnesses)} trusted witnesses, {log.quorum} required"
        )
        if position.trusted_time is None:
            self.gaps.append("when the packet was issued: no witness quorum gives trusted time")
        return position

    def _digests(self, subjects: Mapping[str, str]) -> None:
        sums.check_digests(subjects, self._files, "the statement")
        if tuple(subjects) != SUBJECTS:
            raise Refusal("subject", f"got subjects other than {', '.join(SUBJECTS)}")
        listed = sums.read_sums(self._document(SUMS_FILE, _MAX_SUMS_BYTES))
        outside = {*FIXED_FILES, *SIDE_FILES}
        for name in self._files:
            if name not in listed and name not in outside:
                raise Refusal("extra_file", f"got {name}, which {SUMS_FILE} does not list")
        for name in outside.intersection(listed):
            raise Refusal("sums_format", f"got {name} listed, expected only body files")
        sums.check_digests(listed, self._files, SUMS_FILE)
        self.notes.append(f"digests: {len(subjects)} subjects and {len(listed)} listed files")

    def _run_document(self, stated: statement.RunStatement) -> dict[str, object]:
        run = statement.check_run(canonical.loads_strict(self._document(RUN_FILE)))
        for name in ("tenant", "period", "revision"):
            if run[name] != getattr(stated, name):
                raise Refusal("spec_mismatch", f"got {name} {show(run[name])} in {RUN_FILE}")
        return run

    def _kernel(self, stated: statement.RunStatement, signers: Sequence[TrustedKey]) -> None:
        keys = [key.public_key for key in signers]
        providers = kernel_packet.check_kernel_files(
            self._files, stated.tenant, stated.period, keys
        )
        if providers:
            self.notes.append(
                f"kernel: run packets of {providers} providers, hashes, chain and signatures by"
                " the kernel's rule"
            )
            self.gaps.append("that the kernel's own reports follow from the tables beside them")

    def _plan(self) -> plan.Plan | None:
        if plan.PLAN_FILE not in self._files:
            return None
        return plan.read_plan(self._document(plan.PLAN_FILE))

    def _document(self, name: str, limit: int = canonical.MAX_DOCUMENT_BYTES) -> bytes:
        """All of a small file; tables and inputs are read line by line instead."""
        return whole(self._files[name], limit)

    def _scan(
        self, stated: statement.RunStatement, planned: plan.Plan | None
    ) -> tuple[dict[str, tables.Entry], findings.Findings]:
        entries = tables.read_entries(self._document(TABLES_FILE))
        for name in findings.REQUIRED_TABLES:
            if name not in entries:
                raise Refusal("table_required", f"got no table {name} in {TABLES_FILE}")
        allowed = {*FIXED_FILES, *SIDE_FILES, *SUBJECTS, *(_table_file(name) for name in entries)}
        if planned is not None:
            allowed |= plan.files_of(planned)
        for name in self._files:
            if name not in allowed and not kernel_packet.is_kernel_file(name):
                raise Refusal("extra_file", f"got {name}, which the format does not know")
        found = findings.Findings(stated.tenant, stated.period)
        for name, entry in entries.items():
            data = self._files.get(_table_file(name))
            if data is None:
                raise Refusal("missing_file", f"got no {_table_file(name)}, expected it")
            got = tables.scan_table(name, data, entry.key, found.visitors(name))
            tables.check_entry(name, got, entry)
        total = sum(entry.rows for entry in entries.values())
        self.notes.append(
            f"tables: {len(entries)} tables, {total} rows, each strictly read, in order,"
            " digest and Merkle root recomputed"
        )
        return entries, found

    def _follow_inputs(
        self,
        stated: statement.RunStatement,
        run: Mapping[str, object],
        planned: plan.Plan | None,
        entries: Mapping[str, tables.Entry],
    ) -> None:
        if planned is None:
            if self._replay:
                raise Refusal("replay_plan", f"got no {plan.PLAN_FILE}, expected it to replay")
            self.gaps.append("that the tables follow from the inputs: the packet has no plan")
            return
        carried = plan.check_plan(planned, self._files, run, entries)
        self.notes.append(
            f"plan: {len(planned.steps)} statements are those of code_sha256, and"
            f" {len(planned.inputs)} inputs {'those of' if carried else 'named by digest in'}"
            f" {RUN_FILE}"
        )
        if not self._replay:
            hint = "use --replay" if carried else "the packet carries only their digests"
            self.gaps.append(f"that the tables follow from the inputs: not replayed; {hint}")
            return
        from evidence.replay import computed  # noqa: PLC0415  # the one part that needs DuckDB

        with computed(self._files, planned) as again:
            again.compare(stated.tenant, stated.period, entries, self._files)
        self.notes.append(
            f"replay: {len(entries)} tables computed again by {again.engine}, byte for byte the"
            f" same (the issuer's engine was {run['engine']})"
        )
        self.gaps.append(plan.CODE_GAP)

    def _standing_gaps(self, stated: statement.RunStatement) -> None:
        if TIMESTAMP_FILE in self._files:
            self.gaps.append(f"{TIMESTAMP_FILE}: present, not verified; see openssl ts -verify")
        if stated.previous is not None:
            self.gaps.append(
                f"the packet it builds on ({stated.previous.period},"
                f" {stated.previous.sha256}): verify the chain to include it"
            )
        self.gaps.append("that the inputs are true: only the rail and the kernel can say that")
        self.gaps.append("that no later revision supersedes it: ask for the newest")


def _table_file(name: str) -> str:
    return f"tables/{name}.ndjson"
