"""Whether an operator signed a line, and why he did not.

Belongs here: one line's signatures against the registry. Does not belong here: what the line may
change (judge.py, act_book.py), or cryptography (the evidence floor, passed in).
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.controls.lines import Line, SignatureCheck, signed_bytes
from ingest.controls.registry import Operator

__all__ = ["is_signed", "why_unsigned"]


def is_signed(
    line: Line, member: str, operators: Mapping[str, Operator], check: SignatureCheck
) -> bool:
    """Whether the operator that `member` of the line names made one of its signatures."""
    person = operators.get(str((line.body or {}).get(member)))
    if person is None or line.body is None:
        return False
    message = signed_bytes(line.body)
    return any(
        keyid == person.keyid and check(person.pem, message, signature)
        for keyid, signature in line.signatures
    )


def why_unsigned(line: Line, member: str, operators: Mapping[str, Operator]) -> str:
    """`unsigned`, `unregistered` or `bad_signature` of a line that `is_signed` refused."""
    if not line.signatures:
        return "unsigned"
    person = operators.get(str((line.body or {}).get(member)))
    if person is None:
        return "unregistered"
    made = any(keyid == person.keyid for keyid, _ in line.signatures)
    return "bad_signature" if made else "unsigned"
