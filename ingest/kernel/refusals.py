"""What can be wrong with a file or a line of an export, and what to do about each.

Belongs here: the words that an operator reads. Does not belong here: finding a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.errors import ArtifactRefused

__all__ = ["FILE_FAULTS", "REMEDIES", "refusal_of", "remedy_for"]

FILE_FAULTS: Final[Mapping[str, str]] = {
    "unknown_type": "neither <type>.jsonl nor in a folder <type>, for any known type",
    "tenant_reserved": "a folder under a name that the warehouse keeps for itself",
    "tenant_erased": "a folder of a tenant whose data was erased; it was not read",
    "tenant_empty": "a folder without any file of a known type",
    "file_unreadable": "the file could not be read to its end",
    "file_too_long": "the file is longer than any may be; its rest was not read",
    "file_bomb": "the file unpacks to far more than any export does; its rest was not read",
    "file_gzip_invalid": "the file does not unpack to its end",
    "file_capped": "the file ends exactly where the kernel cuts its list off without a word",
    "file_undeclared": "the file is not in the manifest",
    "file_missing": "the file is in the manifest and not in the folder",
    "file_digest_mismatch": "the file's bytes are not those that the manifest declares",
    "file_rows_mismatch": "the file's lines are not as many as the manifest declares",
}

REMEDIES: Final[Mapping[str, str]] = {
    "json_syntax": "The line is torn or is not JSON: let the exporter finish and export again",
    "json_utf8": "Export the file again as UTF-8",
    "json_duplicate_key": "Readers disagree on a repeated member: correct the exporter",
    "json_proto_key": "The kernel's own hash skips such a member: correct the artifact",
    "json_nan": "JSON has no such number: correct the exporter",
    "json_negative_zero": "The kernel never writes -0: correct the exporter",
    "json_int_range": "Write integers of at most 2^53-1",
    "json_float_money": "Write amounts as integers of minor units",
    "json_lone_surrogate": "Export the text again as valid Unicode",
    "json_too_deep": "The artifact is nested deeper than any the kernel makes: correct it",
    "json_too_big": "Split the artifact, or correct the exporter that joined several on one line",
    "json_not_object": "Export one JSON object a line",
    "artifact_member": "Correct the artifact at its source and export it again",
    "signature_invalid": "Do not rely on it: ask the agent who signed it for the original",
    "line_too_long": "Split the artifact, or correct the exporter that joined several on one line",
    "hash_mismatch": "Do not rely on it: ask whoever wrote the artifact for the original",
    "hash_missing": "Ask the exporter for the artifact with its hash",
    "hash_malformed": "Ask the exporter for the artifact with its hash",
    "unknown_type": "Rename the file to a known artifact type, or move it out of the export",
    "file_unreadable": "Check the permissions and the connection, and pull again",
    "file_too_long": "Split the file into a folder of files of the same type",
    "file_bomb": "Do not open it: ask the exporter what this file is, and export it again",
    "file_gzip_invalid": "The file is torn or is not gzip: have it exported again",
    "file_capped": "Read the kernel's list on to its end, or declare the file complete in the "
    "manifest if this is its end",
    "file_undeclared": "Have the exporter list the file in its manifest",
    "file_missing": "Have the exporter deliver every file its manifest lists",
    "file_digest_mismatch": "The file is not the one that was signed: have it exported again",
    "file_rows_mismatch": "The file is not the one that was signed: have it exported again",
    "tenant_reserved": "Rename the folder: this name is the warehouse's own",
    "tenant_erased": "Have the exporter stop writing the folder, and remove it; a partner that "
    "comes back takes a new tenant id",
    "tenant_empty": "Have the exporter write the tenant's files",
    "list_capped": "Correct the first refusals of this file; the rest is likely the same",
}
_DEFAULT_REMEDY: Final = "Correct the artifact at its source and export it again"


def remedy_for(code: str) -> str:
    """What to do about a refusal code."""
    if code in REMEDIES:
        return REMEDIES[code]
    return REMEDIES["hash_mismatch"] if code.endswith("_mismatch") else _DEFAULT_REMEDY


def refusal_of(error: Exception) -> tuple[str, str] | None:
    """Code and detail of a refusal, or None when the exception is a fault of ours."""
    code, detail = getattr(error, "code", None), getattr(error, "detail", None)
    if not isinstance(code, str):
        return None
    if isinstance(error, ArtifactRefused):
        return code, f"{error.got}; expected {error.expected}"
    return code, detail if isinstance(detail, str) else code
