"""What the kernel adapter needs to have verified, and whom a kernel export must be signed by.

Belongs here: the protocol of the verifier that is passed in, the trust file, and the status of a
tenant's manifest. Does not belong here: any cryptography
(the evidence floor has it), reading export files, or landing rows.

Keys come from the trust file alone, which lies where no exporter can write. Keys inside an export
confer nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from ingest.errors import ArtifactRefused, SettingError
from ingest.kernel.fields import text, time
from ingest.pem import pem_keyid

__all__ = [
    "ArtifactVerifier",
    "DeclaredFile",
    "Manifest",
    "ManifestCheck",
    "TrustedKey",
    "Verified",
    "agent_keys",
    "file_fault",
    "load_kernel_trust",
    "read_manifest",
    "trusted_pems",
]

EXPORTS: Final = "exports"
AGENTS: Final = "agents"
MANIFEST_NAME: Final = "manifest.dsse.json"
MAX_MANIFEST_BYTES: Final = 8 << 20
MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
MAX_DECLARED_FILES: Final = 100_000
_MAX_TRUST_BYTES: Final = 1 << 20


class Verified(Protocol):
    """One artifact, read and judged; see the verifier for the meaning of each part."""

    @property
    def value(self) -> dict[str, Any]: ...
    @property
    def canonical(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def code(self) -> str | None: ...
    @property
    def expected(self) -> str | None: ...
    @property
    def got(self) -> str | None: ...
    @property
    def inside(self) -> Mapping[str, Verified]: ...
    @property
    def signature(self) -> str | None: ...


class ManifestCheck(Protocol):
    """What the envelope of a manifest proves."""

    @property
    def status(self) -> str: ...
    @property
    def keyid(self) -> str | None: ...
    @property
    def payload(self) -> dict[str, Any] | None: ...
    @property
    def code(self) -> str | None: ...


class ArtifactVerifier(Protocol):
    """Strict reading and hashing of artifacts, implemented by the evidence floor.

    Both methods raise an exception with a `code` and a `detail` when a text cannot be accepted; the
    detail never repeats the text.
    """

    def verify(self, artifact_type: str, line: bytes, limit: int = ...) -> Verified:
        """Reads one artifact; verdict `verified`, `unhashed` or `mismatch`."""

    def verify_manifest(self, data: bytes, pems: Mapping[str, bytes]) -> ManifestCheck:
        """Checks a DSSE envelope; status `trusted`, `unsigned`, `foreign` or `mismatch`."""


@dataclass(frozen=True)
class TrustedKey:
    """A public key that counts for the tenants named (`*` is all).

    Attributes:
        signs: `exports` for a key that may sign manifests, `agents` for the key of an agent, which
            vouches for that agent's own verdicts and disputes and never for an export.
    """

    keyid: str
    pem: bytes
    tenants: tuple[str, ...] = ("*",)
    signs: str = EXPORTS

    def speaks_for(self, tenant_id: str) -> bool:
        """Whether the key may sign this tenant's exports."""
        return "*" in self.tenants or tenant_id in self.tenants


@dataclass(frozen=True)
class DeclaredFile:
    """One file as the manifest declares it."""

    sha256: str
    rows: int
    complete: bool = False


@dataclass(frozen=True)
class Manifest:
    """What is known of one tenant's manifest before its files are read.

    Attributes:
        status: `trusted`, `unsigned`, `foreign`, `missing` or `mismatch`.
        code: Why it is not trusted, else None.
        files: Declared files by their path inside the tenant's folder.
    """

    status: str
    code: str | None = None
    signer_keyid: str | None = None
    exported_through: datetime | None = None
    sha256: str | None = None
    files: Mapping[str, DeclaredFile] = field(default_factory=dict)

    def is_whole(self, name: str) -> bool:
        """Whether a trusted signer says that a file holds its list to the end."""
        declared = self.files.get(name)
        return self.status == "trusted" and declared is not None and declared.complete

    def broken(self, code: str) -> Manifest:
        """The same manifest, which the files beside it do not bear out."""
        return replace(self, status="mismatch", code=code)


def load_kernel_trust(path: Path) -> dict[str, TrustedKey]:
    """Reads the trust file named by TIEOUT_KERNEL_TRUST.

    Args:
        path: JSON `{"keys":[{"keyid","pem","tenants":["*"],"signs":"exports"}]}`; `signs` may be
            `agents` and may be left out.

    Raises:
        SettingError: The file cannot be read, or a key is not what its id says.
    """
    try:
        with path.open("rb") as file:
            entries = json.loads(file.read(_MAX_TRUST_BYTES))["keys"]
        keys = [
            TrustedKey(
                str(e["keyid"]),
                str(e["pem"]).encode(),
                tuple(map(str, e["tenants"])),
                str(e.get("signs", EXPORTS)),
            )
            for e in entries
        ]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _bad_trust(f"{type(error).__name__} while reading {path.name}") from None
    for key in keys:
        _check_key(key)
        if key.signs not in {EXPORTS, AGENTS}:
            raise _bad_trust(f"signs {key.signs[:64]!r}")
    if len({key.keyid for key in keys}) != len(keys):
        raise _bad_trust("the same key twice")
    return {key.keyid: key for key in keys}


def trusted_pems(keys: Mapping[str, bytes | TrustedKey], tenant_id: str) -> dict[str, bytes]:
    """PEM by key id of the keys that may sign a tenant's exports; bare bytes speak for all.

    Raises:
        SettingError: A key is not what its id says.
    """
    pems: dict[str, bytes] = {}
    for keyid, key in keys.items():
        trusted = key if isinstance(key, TrustedKey) else TrustedKey(keyid, key)
        _check_key(trusted)
        if trusted.signs == EXPORTS and trusted.speaks_for(tenant_id):
            pems[keyid] = trusted.pem
    return pems


def agent_keys(keys: Mapping[str, TrustedKey]) -> list[tuple[str, tuple[str, ...]]]:
    """PEM and tenants of the agents' keys, as the verifier takes them."""
    agents = (key for key in keys.values() if key.signs == AGENTS)
    return [(key.pem.decode(), key.tenants) for key in agents]


def read_manifest(
    check: ManifestCheck,
    tenant_id: str,
    sha256: str,
    *,
    now: datetime,
    reached: datetime | None = None,
) -> Manifest:
    """Reads what a checked manifest declares.

    Args:
        check: The verifier's answer about the envelope.
        tenant_id: Whose folder the manifest lies in.
        sha256: Hex digest of the manifest file.
        now: When it is received; a manifest that reaches beyond it is not believed.
        reached: How far an earlier trusted manifest reached; one that reaches less far is old.
    """
    payload = check.payload
    if payload is None:
        return Manifest(check.status, check.code, check.keyid, sha256=sha256)
    try:
        through = _EXPORTED_THROUGH.read(payload)
        files = _declared_files(payload)
        owner = _TENANT_ID.read(payload)
    except (ArtifactRefused, TypeError, KeyError, ValueError):
        return Manifest("mismatch", "manifest_malformed", check.keyid, sha256=sha256)
    status, code = check.status, check.code
    if owner != tenant_id:
        status, code = "mismatch", "manifest_tenant_mismatch"
    at = through if isinstance(through, datetime) else None
    if status == "trusted" and at is not None:
        if at > now + MAX_CLOCK_SKEW:
            status, code = "mismatch", "manifest_from_the_future"
        elif reached is not None and at < reached:
            status, code = "mismatch", "manifest_rolled_back"
    return Manifest(status, code, check.keyid, at, sha256, files)


def file_fault(manifest: Manifest, name: str, sha256: str, rows: int) -> str | None:
    """Why a file is not the one the manifest declares, or None when it is."""
    declared = manifest.files.get(name)
    if declared is None:
        return "file_undeclared"
    if declared.sha256 != sha256:
        return "file_digest_mismatch"
    return None if declared.rows == rows else "file_rows_mismatch"


_EXPORTED_THROUGH: Final = time("exported_through", needed=True)
_TENANT_ID: Final = text("tenant_id")


def _declared_files(payload: Mapping[str, Any]) -> dict[str, DeclaredFile]:
    entries = payload["files"]
    if not isinstance(entries, list) or len(entries) > MAX_DECLARED_FILES:
        raise ValueError
    files: dict[str, DeclaredFile] = {}
    for entry in entries:
        name, sha256, rows = entry["name"], entry["sha256"], entry["rows"]
        if not isinstance(name, str) or not isinstance(sha256, str) or type(rows) is not int:
            raise ValueError
        if name in files:
            raise ValueError
        files[name] = DeclaredFile(sha256, rows, entry.get("complete") is True)
    return files


def _check_key(key: TrustedKey) -> None:
    if pem_keyid(key.pem.decode("utf-8", "replace")) != key.keyid:
        raise _bad_trust(f"a PEM that is not the Ed25519 key {key.keyid[:64]!r}")


def _bad_trust(got: str) -> SettingError:
    return SettingError(
        got=f"{got} in the kernel trust file",
        expected='{"keys":[{"keyid":"<hex sha256 of the DER key>","pem":"...","tenants":["*"]}]}',
        remedy="Correct the file that TIEOUT_KERNEL_TRUST names, or unset the variable",
        code="kernel_trust_invalid",
    )
