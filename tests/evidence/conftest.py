"""An honest issuer and a forger who holds its keys, for every test of the evidence package."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence import build, canonical, container, findings, notes, signatures, sums
from evidence.build import BuiltPacket, PacketSpec, build_packet
from evidence.errors import Refusal
from evidence.keys import KeySigner, public_key_pem
from evidence.log import PacketLog
from evidence.statement import Link
from evidence.tables import Table, scan_table
from evidence.trust import TrustFile, load_trust
from evidence.verify import Verified, verify_packet

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WITNESS_TIME = int(NOW.timestamp()) - 3600
WINDOW = (int(NOW.timestamp()) - 86400 * 300, int(NOW.timestamp()) + 86400 * 300)
ORIGIN = "packets.example.test/log"
WITNESS = "witness.example.test/partner-a"

Files = dict[str, bytes]


def seeded(name: str) -> KeySigner:
    return KeySigner.from_seed(name.encode().ljust(32, b"."))


def runs(verdict: str = "breaks", period: str = "2026-10") -> list[dict[str, object]]:
    return [
        {
            "tenant_id": "t1",
            "period": period,
            "currency": currency,
            "verdict": verdict,
            "gross_cents": 120_000,
            "unexplained_cents": 250,
        }
        for currency in ("eur", "usd")
    ]


def drift(outcomes: Iterable[str] = ("break", "break", "pending")) -> list[dict[str, object]]:
    return [
        {
            "tenant_id": "t1",
            "break_id": f"brk_{number}",
            "period": "2026-10",
            "currency": "usd",
            "outcome": outcome,
            "reason_code": "FEE_MISMATCH" if outcome == "break" else "IN_TRANSIT",
            "drift_cents": 125 * number,
            "explanation": "the caf\u00e9's fee differs from the one agreed",
            "payout_key": None,
        }
        for number, outcome in enumerate(outcomes)
    ]


def bridge(residual: int = 0, period: str = "2026-10") -> list[dict[str, object]]:
    return [
        {
            "tenant_id": "t1",
            "period": period,
            "currency": currency,
            "line_no": number,
            "line_code": code,
            "amount_cents": residual if code == "residual" else 500,
        }
        for currency in ("eur", "usd")
        for number, code in ((9, "opening"), (10, "closing"), (11, "residual"))
    ]


def exposure(period: str = "2026-10") -> list[dict[str, object]]:
    return [
        {
            "tenant_id": "t1",
            "period": period,
            "currency": "usd",
            "party_id": party,
            "opening_cents": 100,
            "withdrawn_cents": 40,
            "closing_cents": 140,
            "residual_cents": 0,
        }
        for party in ("pty_a", "pty_b", None)
    ]


def tables(**rows: list[dict[str, object]]) -> dict[str, Table]:
    """The four required tables, each replaceable by name."""
    defaults = {
        "reconciliation_runs": runs(),
        "reconciliation_drift": drift(),
        "reconciliation_bridge": bridge(),
        "exposure_rollforward": exposure(),
    } | rows
    keys = {
        "reconciliation_runs": ("currency",),
        "reconciliation_drift": ("break_id",),
        "reconciliation_bridge": ("currency", "line_no"),
        "exposure_rollforward": ("currency", "party_id"),
    }
    return {name: Table(keys.get(name, ("id",)), each) for name, each in defaults.items()}


class Forge:
    """The honest issuer `signer` and everything a forger could do, its key included."""

    now = NOW
    witness_time = WITNESS_TIME
    origin = ORIGIN

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signer = seeded("packet signer")
        self.second = seeded("second packet signer")
        self.attacker = seeded("attacker")
        self.log_signer = seeded("packet log")
        self.witness_signer = seeded("witness")
        self.log_key = notes.make_key(ORIGIN, notes.LOG_ALGORITHM, self.log_signer.public_key)
        self.witness_key = notes.make_key(
            WITNESS, notes.WITNESS_ALGORITHM, self.witness_signer.public_key
        )
        self._honest: BuiltPacket | None = None

    # What the honest issuer does.

    def spec(self, **changes: object) -> PacketSpec:
        spec = PacketSpec(
            tenant_id="t1",
            period="2026-10",
            revision=1,
            verdict="breaks",
            currencies=("eur", "usd"),
            tables=tables(),
            run={
                "as_of": datetime(2026, 11, 1, tzinfo=UTC),
                "code_sha256": "c0" * 32,
                "engine": "duckdb 2.0.0",
                "inputs": {"stg_stripe__charges": {"rows": 12, "sha256": "1f" * 32}},
                "lock_sha256": "10" * 32,
                "rules": {"materiality_cents": 100, "strict": True, "note": None},
            },
            previous=Link("2026-09", "09" * 32),
        )
        return replace(spec, **changes)

    def month(self, period: str, previous: BuiltPacket | None, **changes: object) -> BuiltPacket:
        """The honest packet of a month; `link_period` overrides the previous packet's period."""
        before = str(changes.pop("link_period", None) or _month_before(period))
        spec = self.spec(
            period=period,
            tables=tables(
                reconciliation_runs=runs(period=period),
                reconciliation_bridge=bridge(period=period),
                exposure_rollforward=exposure(period=period),
            ),
            previous=None if previous is None else Link(before, previous.packet_sha256),
        )
        return build_packet(replace(spec, **changes), self.signer)

    def honest(self) -> BuiltPacket:
        if self._honest is None:
            self._honest = build_packet(self.spec(), self.signer)
        return self._honest

    def files(self) -> Files:
        return container.read_zip(self.honest().zip_bytes)

    def log(self, name: str = "log", signer: KeySigner | None = None) -> PacketLog:
        return PacketLog(self.folder / name, ORIGIN, signer or self.log_signer)

    def cosign(self, log: PacketLog, time: int = WITNESS_TIME) -> None:
        line = notes.cosign_checkpoint(log.checkpoint(), WITNESS, self.witness_signer, time)
        log.add_cosignature(line, self.witness_key)

    def logged(self, time: int = WITNESS_TIME) -> Files:
        """The honest packet, recorded as entry 3 of 7 and cosigned by the witness."""
        log = self.log("logged")
        for number in range(3):
            log.append(b'{"other":%d}' % number)
        index = log.append(self.honest().statement)
        for number in range(3, 6):
            log.append(b'{"other":%d}' % number)
        if not any(b"witness" in line for line in log.checkpoint().split(b"\n")):
            self.cosign(log, time)
        return self.files() | {build.PROOF_FILE: log.proof(index)}

    def trust_document(self, **changes: object) -> dict[str, object]:
        document: dict[str, object] = {
            "version": 1,
            "threshold": 1,
            "keys": [self.trusted(self.signer)],
            "log": {"vkey": str(self.log_key), "witnesses": [str(self.witness_key)], "quorum": 1},
            "tsa": [],
        }
        return document | changes

    def trusted(self, signer: KeySigner, **changes: object) -> dict[str, object]:
        return {
            "keyid": signer.keyid,
            "pem": public_key_pem(signer.public_key),
            "use": ["packet", "decision"],
            "tenants": ["t1"],
            "from": WINDOW[0],
            "until": WINDOW[1],
            "status": "active",
            "status_at": None,
        } | changes

    def trust(self, **changes: object) -> TrustFile:
        return load_trust(json.dumps(self.trust_document(**changes)).encode())

    # What a forger does.

    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return container.write_zip(files)

    def seal(
        self,
        files: Mapping[str, bytes],
        edit: Callable[[dict[str, object]], None] = lambda _: None,
        sums_file: bytes | None = None,
        signer: KeySigner | None = None,
    ) -> Files:
        """Digest and sign whatever the files say, with the real key.

        `edit` changes the statement before it is signed, subject included.
        """
        signer = signer or self.signer
        outside = {*build.FIXED_FILES, *build.SIDE_FILES}
        body = {name: data for name, data in files.items() if name not in outside}
        body[build.SUMS_FILE] = sums.write_sums(body) if sums_file is None else sums_file
        document = json.loads(self.honest().statement)
        subjects = [name for name in build.SUBJECTS if name in body]
        document["subject"] = [
            {"digest": {"sha256": canonical.sha256_hex(body[name])}, "name": name}
            for name in subjects
        ]
        edit(document)
        payload = canonical.dumps(document)
        return body | {
            build.ENVELOPE_FILE: signatures.sign_envelope(payload, [signer]),
            build.STATEMENT_FILE: payload,
            build.SSHSIG_FILE: signatures.sign_sshsig(payload, signer),
        }

    def enveloped(self, document: object, payload_type: str = signatures.PAYLOAD_TYPE) -> Files:
        """The honest packet whose statement is `document`, signed with the real key."""
        payload = canonical.dumps(document)
        return self.files() | {
            build.ENVELOPE_FILE: signatures.sign_envelope(payload, [self.signer], payload_type),
            build.STATEMENT_FILE: payload,
            build.SSHSIG_FILE: signatures.sign_sshsig(payload, self.signer),
        }

    def envelope(self, change: Callable[[dict[str, object]], None]) -> Files:
        """The honest packet with its envelope edited and written canonically."""
        files = self.files()
        document = json.loads(files[build.ENVELOPE_FILE])
        change(document)
        return files | {build.ENVELOPE_FILE: canonical.dumps(document)}

    def edited(self, name: str, change: Callable[[dict[str, object]], None]) -> Files:
        """Body files with one JSON document edited, for `seal`."""
        files = self.files()
        document = json.loads(files[name])
        change(document)
        return files | {name: canonical.dumps(document)}

    def with_table(self, name: str, data: bytes, rederive: bool = True) -> Files:
        """Body files with one table replaced and, if wanted, its entry computed honestly."""
        files = self.files() | {f"tables/{name}.ndjson": data}
        if rederive:
            entries = json.loads(files[build.TABLES_FILE])
            key = tuple(entries.get(name, {"key": ["id"]})["key"])
            entries[name] = scan_table(name, data, key).document()
            files[build.TABLES_FILE] = canonical.dumps(entries)
        return files

    def rederive(self, files: Mapping[str, bytes], **statement_changes: object) -> Files:
        """An insider's work: entries and evidence recomputed from falsified tables, and signed."""
        listed = json.loads(files[build.TABLES_FILE])
        found = findings.Findings("t1", "2026-10")
        entries = {
            name: scan_table(
                name,
                files[f"tables/{name}.ndjson"],
                tuple(entry["key"]),
                found.visitors(name),
            )
            for name, entry in listed.items()
        }
        reconciliation = canonical.dumps(
            findings.reconciliation_document("t1", "2026-10", found, entries)
        )
        chain = canonical.sha256_hex(reconciliation)
        body = dict(files) | {
            build.TABLES_FILE: canonical.dumps({n: e.document() for n, e in entries.items()}),
            findings.RECONCILIATION_FILE: reconciliation,
            findings.CHARGEBACKS_FILE: canonical.dumps(
                findings.chargebacks_document("t1", "2026-10", found, entries, chain)
            ),
        }
        claims = {"counts": found.counts, "verdict": found.verdict} | statement_changes
        return self.seal(body, lambda document: document["predicate"].update(claims))

    def restamp(self, files: Files, name: str) -> Files:
        """One evidence document with its own hash computed again."""
        document = json.loads(files[name])
        document["artifactHash"] = canonical.document_hash(document)
        files = files | {name: canonical.dumps(document)}
        if name == findings.RECONCILIATION_FILE:
            chained = json.loads(files[findings.CHARGEBACKS_FILE])
            chained["reconciliation_sha256"] = canonical.sha256_hex(files[name])
            chained["artifactHash"] = canonical.document_hash(chained)
            files[findings.CHARGEBACKS_FILE] = canonical.dumps(chained)
        return files

    # What the verifier answers.

    def verify(self, packet: Files | bytes | Path, **changes: object) -> Verified:
        options = {"trust": self.trust(), "tenant": "t1", "period": "2026-10", "now": NOW}
        options |= changes
        data = self.pack(packet) if isinstance(packet, dict) else packet
        return verify_packet(data, **options)

    def refusal(self, packet: Files | bytes | Path, **changes: object) -> str:
        """The code with which the packet is refused."""
        with pytest.raises(Refusal) as caught:
            self.verify(packet, **changes)
        return caught.value.code

    def statement(self) -> dict[str, object]:
        return copy.deepcopy(json.loads(self.honest().statement))


def _month_before(period: str) -> str:
    first = datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)
    return f"{first - timedelta(days=1):%Y-%m}"


def code_of(action: Callable[[], object]) -> str:
    """The refusal code an action ends in."""
    with pytest.raises(Refusal) as caught:
        action()
    return caught.value.code


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """One issuer for the whole session, for tests that draw many examples."""
    return Forge(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def refused() -> Callable[[Callable[[], object]], str]:
    return code_of


@pytest.fixture
def packet_tables() -> Callable[..., dict[str, Table]]:
    return tables


@pytest.fixture
def rows() -> Mapping[str, Callable[..., list[dict[str, object]]]]:
    return {"runs": runs, "drift": drift, "bridge": bridge, "exposure": exposure}
