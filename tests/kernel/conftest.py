"""A kernel that exports into a folder, and a warehouse that lands what it finds there.

The artifacts made here are hashed with plain sorted JSON, on purpose not with the code under test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evidence.artifacts import KernelArtifacts
from evidence.keys import KeySigner, public_key_pem
from ingest.kernel import KernelPull, TrustedKey, land_kernel
from ingest.kernel.rows import KERNEL_TABLES
from ingest.landing import Landing
from ingest.tables import TIEOUT_TABLES

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TENANT = "t_acme"
PAYLOAD_TYPE = b"application/vnd.tieout.kernel-export+json"

Json = dict[str, Any]


def plain_hash(value: Mapping[str, Any], *without: str) -> str:
    """sha256 of sorted compact JSON, right for integers and ASCII names."""
    kept = {name: member for name, member in value.items() if name not in without}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def make_decision(number: int = 1, **over: Any) -> Json:
    decision = {
        "schemaVersion": "SettlementDecisionRecord.v2",
        "decisionId": f"dec_{number}",
        "tenantId": TENANT,
        "runId": f"run_{number}",
        "settlementId": f"setl_run_{number}",
        "agreementId": None,
        "decisionStatus": "auto_resolved",
        "decisionMode": "automatic",
        "decisionReason": None,
        "verificationStatus": "green",
        "policyNormalizationVersion": "v1",
        "policyHashUsed": "a" * 64,
        "verificationMethodHashUsed": "b" * 64,
        "policyRef": {"policyHash": "a" * 64, "verificationMethodHash": "b" * 64},
        "verifierRef": {"verifierId": "nooterra.policy-engine", "modality": None},
        "decidedAt": "2026-10-05T08:00:00.000Z",
        **over,
    }
    return {**decision, "decisionHash": plain_hash(decision)}


def make_receipt(number: int = 1, **over: Any) -> Json:
    """A receipt of 1250 released in full, unless told otherwise; its hash is true."""
    decision = make_decision(number)
    receipt = {
        "schemaVersion": "SettlementReceipt.v1",
        "receiptId": f"rcpt_{number}",
        "tenantId": TENANT,
        "runId": f"run_{number}",
        "settlementId": f"setl_run_{number}",
        "decisionRef": {
            "decisionId": decision["decisionId"],
            "decisionHash": decision["decisionHash"],
        },
        "status": "released",
        "amountCents": 1250,
        "releasedAmountCents": 1250,
        "refundedAmountCents": 0,
        "releaseRatePct": 100,
        "currency": "USD",
        "runStatus": "completed",
        "resolutionEventId": None,
        "finalityProvider": "internal_ledger",
        "finalityState": "final",
        "settledAt": "2026-10-05T08:00:01.000Z",
        "createdAt": "2026-10-05T08:00:00.500Z",
        **over,
    }
    return {**receipt, "receiptHash": plain_hash(receipt)}


def text_of(artifact: object) -> str:
    """An artifact as JavaScript would export it: members in their order, no spaces."""
    return json.dumps(artifact, separators=(",", ":"), ensure_ascii=False)


class Kernel:
    """Writes exports; every method may be called again to write over what is there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.signer = KeySigner.from_seed(b"kernel-exporter".ljust(32, b"."))
        self.stranger = KeySigner.from_seed(b"kernel-stranger".ljust(32, b"."))

    def write(
        self, artifact_type: str, lines: Iterable[object], tenant: str = TENANT, name: str = ""
    ) -> Path:
        path = self.root / tenant / (name or f"{artifact_type}.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = [line if isinstance(line, bytes) else text_of(line).encode() for line in lines]
        path.write_bytes(b"".join(text + b"\n" for text in texts))
        return path

    def sign(
        self,
        tenant: str = TENANT,
        signers: Iterable[KeySigner] | None = None,
        **over: Any,
    ) -> Path:
        """Writes the manifest over whatever files there are."""
        folder = self.root / tenant
        files = [
            {
                "name": path.relative_to(folder).as_posix(),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "rows": len(path.read_bytes().splitlines()),
            }
            for path in sorted(folder.rglob("*.jsonl"))
        ]
        payload = text_of(
            {
                "tenantId": tenant,
                "exportedThrough": "2026-11-23T11:30:00.000Z",
                "files": files,
                **over,
            }
        ).encode()
        message = b"DSSEv1 %d %s %d %s" % (
            len(PAYLOAD_TYPE),
            PAYLOAD_TYPE,
            len(payload),
            payload,
        )
        chosen = [self.signer] if signers is None else signers
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE.decode(),
            "signatures": [
                {"keyid": s.keyid, "sig": base64.b64encode(s.sign(message)).decode()}
                for s in chosen
            ],
        }
        path = folder / "manifest.dsse.json"
        path.write_text(json.dumps(envelope, indent=2) + "\n")
        return path


class Warehouse:
    """Lands what the kernel exported, a minute later each time, and shows what is landed."""

    def __init__(self, home: Path, kernel: Kernel) -> None:
        self.landing = Landing(home)
        self.kernel = kernel
        self.trusted: dict[str, bytes | TrustedKey] = {
            kernel.signer.keyid: public_key_pem(kernel.signer.public_key).encode()
        }
        self._pulls = 0

    def land(self, **over: Any) -> KernelPull:
        self._pulls += 1
        settings: Json = {
            "root": str(self.kernel.root),
            "landing": self.landing,
            "verifier": KernelArtifacts(),
            "trusted_keys": self.trusted,
            "now": NOW + timedelta(minutes=self._pulls),
            **over,
        }
        return land_kernel(**settings)

    def rows(self, table: str, source: str = "kernel") -> list[Json]:
        """All landed rows of a table, in the order they were landed."""
        folder = self.landing.home / "landing" / source / table
        if not any(path.name != "schema.parquet" for path in folder.glob("*.parquet")):
            return []
        pattern = str(folder).replace("[", "[[]").replace("'", "''")
        with duckdb.connect() as db:
            found = db.execute(
                f"select * from read_parquet('{pattern}/*.parquet') order by received_at, row_no"
            )
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, values, strict=True)) for values in found.fetchall()]

    def quarantine(self) -> list[Json]:
        """What could not be accepted, as the landed table shows it."""
        return self.rows("quarantine", source="tieout")

    def sizes(self) -> dict[str, int]:
        """Rows by kernel table."""
        return {spec.table: len(self.rows(spec.table)) for spec in KERNEL_TABLES}


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path / "exports")


@pytest.fixture(scope="session")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose tables exist, to be copied: making them anew would take most of the time."""
    home = tmp_path_factory.mktemp("shaped") / "home"
    Landing(home).ensure_schema((*KERNEL_TABLES, *TIEOUT_TABLES))
    return home


@pytest.fixture
def warehouse(home: Path, kernel: Kernel, shaped: Path) -> Warehouse:
    shutil.copytree(shaped, home)
    return Warehouse(home, kernel)


@pytest.fixture
def receipt() -> Callable[..., Json]:
    return make_receipt


@pytest.fixture
def decision() -> Callable[..., Json]:
    return make_decision


@pytest.fixture(scope="session")
def fixtures(shared: Path) -> Path:
    """The kernel's own artifacts; not ours to publish, so absent from a clone."""
    folder = shared / "kernel_fixtures"
    if not folder.is_dir():
        pytest.skip("no kernel fixtures in the shared folder")
    return folder
