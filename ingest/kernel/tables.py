"""What an artifact type is: its fields, its key, its children, and the landed tables they become.

Belongs here: the two shapes that `ingest.kernel.artifacts` fills in, and the columns that every
kernel table shares. Does not belong here: any artifact type, any file, any verdict.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

from ingest.kernel.fields import Artifact, Field, refused
from ingest.tables import BIGINT, BOOLEAN, VARCHAR, Column, TableSpec, columns

__all__ = ["SOURCE", "VOUCHED", "ArtifactType", "Child", "Hashed", "Place", "listed", "mapped"]

SOURCE: Final = "kernel"
MAX_LINE_BYTES: Final = 1 << 20
_PERIOD: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

# Whether the export that brought a row was signed by a key that is trusted with its tenant, and was
# what it was signed as. Part of the row: an artifact lands again once somebody vouches for it.
VOUCHED: Final = "is_vouched"

_TENANT: Final = columns(tenant_id=VARCHAR)
_JUDGED: Final = columns(is_vouched=BOOLEAN, artifact_sha256=VARCHAR, verdict=VARCHAR)
_TEXT: Final = columns(canonical_json=VARCHAR)
_PLACE: Final = columns(source_file=VARCHAR, source_line=BIGINT, occurrence=BIGINT)
_PROVENANCE: Final = (*_JUDGED, *_PLACE)


class Place(NamedTuple):
    """Where an artifact stands.

    Attributes:
        tenant_id: Its tenant's folder.
        source_file: Its file, under the root of the exports.
        line: Its line, from 1; 0 for a file as a whole.
        occurrence: How many other artifacts of the same id its tenant's export shows before it. It
            is part of every key, so that an export with two contents for one id, or with the
            history of a snapshot, is the same export when it is read again.
    """

    tenant_id: str
    source_file: str
    line: int
    occurrence: int = 0


@dataclass(frozen=True)
class Hashed:
    """How a type states its own hash: sha256 of its canonical text without some of its members.

    The evidence floor computes it; a test holds this statement and that rule together.

    Attributes:
        member: The member that states the hash; always left out.
        without: Members left out beside it.
        only: When not empty, the only members hashed; an absent one counts as null.
    """

    member: str
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Child:
    """A list inside an artifact that becomes rows of a table of its own.

    Attributes:
        table: Name of the landed table.
        items: From the artifact to the list's members, each an object.
        inherits: Columns copied from the parent's row.
        fields: The members' own columns.
        key: Columns that, with tenant_id and occurrence, identify a row.
    """

    table: str
    items: Callable[[Artifact], Iterable[Artifact]]
    inherits: tuple[str, ...]
    fields: tuple[Field, ...]
    key: tuple[str, ...]

    def spec(self, parent: Mapping[str, Column]) -> TableSpec:
        """The landed table, given the parent's columns by name."""
        inherited = tuple(parent[name] for name in self.inherits)
        own = tuple(field.column for field in self.fields)
        shape = (*_TENANT, *inherited, *own, *_PROVENANCE)
        return TableSpec(SOURCE, self.table, shape, key=("tenant_id", *self.key, "occurrence"))

    def rows(self, artifact: Artifact, parent: Mapping[str, object]) -> list[dict[str, object]]:
        """One row a member, with the parent's provenance."""
        shared = {
            name: parent[name]
            for name in ("tenant_id", *self.inherits, *(column.name for column in _PROVENANCE))
        }
        return [
            shared | {own.column.name: own.read(item) for own in self.fields}
            for item in self.items(artifact)
        ]


@dataclass(frozen=True)
class ArtifactType:
    """One kind of artifact, one line of an export file.

    Attributes:
        name: Name of the export file, of the landed table, and of the verifier's rule.
        fields: Columns, in the order of the landed table.
        key: Columns that, with tenant_id and occurrence, identify a row; a later one of a key
            replaces it.
        schemas: Values of schemaVersion that may stand in this file; empty for our own types.
        hashed: How the type states its hash; None for a type without one.
        signed_by: Member that names the agent's key which signed the hash; None for unsigned types.
        latest_by: None for an immutable type, of which one id has one content for ever. For a
            snapshot the columns whose highest values make the latest revision, most significant
            first; the later receipt decides where they tie.
        links: Columns that name other artifacts: the type and column meant.
        dated: Columns that tell the artifact's month, the first that is present.
        page_rows: Rows at which the kernel cuts off a list of this type without a word.
        children: Lists inside the artifact.
        identity: Columns that make the artifact's id; the key's when empty.
        inside: Artifacts carried in members of this one, by member name.
        keeps_text: Whether the canonical text is landed.
        tenant_optional: Whether an artifact may leave out its tenantId.
        max_line_bytes: Longest line accepted.
    """

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    schemas: tuple[str, ...] = ()
    hashed: Hashed | None = None
    signed_by: str | None = None
    latest_by: tuple[str, ...] | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    dated: tuple[str, ...] = ()
    page_rows: int | None = None
    children: tuple[Child, ...] = ()
    identity: tuple[str, ...] = ()
    inside: Mapping[str, ArtifactType] = field(default_factory=dict)
    keeps_text: bool = True
    tenant_optional: bool = False
    max_line_bytes: int = MAX_LINE_BYTES

    @property
    def judged(self) -> bool:
        """Whether each artifact gets a verdict row: it has a hash, or carries artifacts that do."""
        return self.hashed is not None or bool(self.inside)

    @cached_property
    def spec(self) -> TableSpec:
        """The landed table."""
        own = tuple(field.column for field in self.fields)
        text = _TEXT if self.keeps_text else ()
        shape = (*_TENANT, *own, *_JUDGED, *text, *_PLACE)
        return TableSpec(SOURCE, self.name, shape, key=("tenant_id", *self.key, "occurrence"))

    @cached_property
    def child_specs(self) -> tuple[TableSpec, ...]:
        """The landed tables of the lists inside."""
        by_name = {field.name: field.column for field in self.fields}
        return tuple(child.spec(by_name) for child in self.children)

    @cached_property
    def _identifying(self) -> list[Callable[[Artifact], object]]:
        names = self.identity or self.key
        return [field.read for field in self.fields if field.name in names]

    @cached_property
    def _readers(self) -> list[tuple[str, Callable[[Artifact], object]]]:
        return [(field.name, field.read) for field in self.fields]

    def identify(self, artifact: Artifact) -> str:
        """The id of an artifact within its tenant.

        Raises:
            ArtifactRefused: It has none (`field_missing`).
        """
        return "/".join([str(read(artifact)) for read in self._identifying])

    def row(self, artifact: Artifact, tenant_id: str) -> dict[str, object]:
        """The columns read from an artifact, without provenance.

        Raises:
            ArtifactRefused: It belongs to another tenant (`tenant_mismatch`), is of another kind
                (`schema_mismatch`), or a member does not fit its column (`field_*`).
        """
        owner = artifact.get("tenantId")
        if owner != tenant_id and not (owner is None and self.tenant_optional):
            got = "absent" if owner is None else "another tenant's"
            raise refused("tenantId", got, "the tenant whose folder it is in", "tenant_mismatch")
        schema = artifact.get("schemaVersion")
        if self.schemas and schema is not None and schema not in self.schemas:
            expected = " or ".join(self.schemas)
            raise refused("schemaVersion", "another kind's", expected, "schema_mismatch")
        row: dict[str, object] = {"tenant_id": tenant_id}
        for name, read in self._readers:
            row[name] = read(artifact)
        return row

    def period(self, row: Mapping[str, object]) -> str | None:
        """The UTC month of an artifact as YYYY-MM, or None where nothing says it."""
        for name in self.dated:
            value = row.get(name)
            if isinstance(value, datetime):
                return f"{value:%Y-%m}"
            if isinstance(value, str) and _PERIOD.fullmatch(value):
                return value
        return None

    def provenance(
        self, canonical: str, stated: str | None, verdict: str, place: Place
    ) -> dict[str, object]:
        """The columns that say where a row came from and what its hash is worth."""
        columns: dict[str, object] = {
            # Known only once all files of the tenant were compared with its manifest.
            VOUCHED: False,
            "artifact_sha256": stated or hashlib.sha256(canonical.encode()).hexdigest(),
            "verdict": verdict,
            "source_file": place.source_file,
            "source_line": place.line,
            "occurrence": place.occurrence,
        }
        if self.keeps_text:
            columns["canonical_json"] = canonical
        return columns


def listed(at: str, name: str | None = None) -> Callable[[Artifact], list[Artifact]]:
    """The objects of a list; bare values become objects with the one member `name`."""
    path = at.split(".")

    def items(artifact: Artifact) -> list[Artifact]:
        value = _at(artifact, path)
        if value is None:
            return []
        if not isinstance(value, list):
            raise refused(at, f"a {type(value).__name__}", "a list", "field_type")
        found = value if name is None else [{name: item} for item in value]
        if not all(isinstance(item, Mapping) for item in found):
            raise refused(
                at, "a list that does not hold objects", "a list of objects", "field_type"
            )
        return found

    return items


def mapped(at: str, name: str, value_name: str) -> Callable[[Artifact], list[Artifact]]:
    """The entries of an object as objects with two members, the entry's name and its value."""
    path = at.split(".")

    def items(artifact: Artifact) -> list[Artifact]:
        value = _at(artifact, path)
        if value is None:
            return []
        if not isinstance(value, Mapping):
            raise refused(at, f"a {type(value).__name__}", "an object", "field_type")
        return [{name: entry, value_name: amount} for entry, amount in value.items()]

    return items


def _at(artifact: Artifact, path: list[str]) -> Any:
    value: Any = artifact
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
