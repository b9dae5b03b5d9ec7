"""The `sha256sums` file: every body file's digest, in the form that `sha256sum -c` reads.

What belongs here: its text form and the comparison with the files. What does not: which files a
packet may hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from evidence import container
from evidence.content import Content, sha256_of
from evidence.errors import Refusal, show

_LINE = re.compile(r"([0-9a-f]{64})  ([!-~]+)")


def write_sums(files: Mapping[str, Content]) -> bytes:
    """One line for each file, in byte order of name."""
    return "".join(
        f"{sha256_of(files[name])}  {container.check_name(name)}\n" for name in sorted(files)
    ).encode("ascii")


def read_sums(data: bytes) -> dict[str, str]:
    """Hex digests by name; `sums_format` for any other spelling or order."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Refusal("sums_format", f"got a non-ASCII byte at {error.start}") from None
    if text and not text.endswith("\n"):
        raise Refusal("sums_format", "got no final newline")
    digests: dict[str, str] = {}
    last = ""
    for line in text.split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise Refusal("sums_format", f"got line {show(line)}")
        digest, name = match.groups()
        try:
            container.check_name(name)
        except Refusal:
            raise Refusal("sums_format", f"got name {show(name)}") from None
        if name <= last:
            raise Refusal("sums_format", f"got {show(name)} out of order or twice")
        digests[name], last = digest, name
    return digests


def check_digests(digests: Mapping[str, str], files: Mapping[str, Content], source: str) -> None:
    """Refuse unless every named file is present and has its digest."""
    for name, digest in digests.items():
        if name not in files:
            raise Refusal("missing_file", f"got no {show(name)}, which {source} names")
        found = sha256_of(files[name])
        if found != digest:
            raise Refusal("digest_mismatch", f"got {found} for {show(name)}, expected {digest}")
