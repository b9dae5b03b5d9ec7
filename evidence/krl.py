"""Key revocation list in OpenSSH's binary form, so that `ssh-keygen` judges as the trust file does.

What belongs here: writing the list (PROTOCOL.krl) over whole public keys. What does not: deciding
which keys are revoked (trust.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from evidence.signatures import ssh_public_key, ssh_string

_MAGIC = b"SSHKRL\n\x00"
_FORMAT = 1
_EXPLICIT_KEYS = 2


def write_krl(public_keys: Iterable[bytes], version: int) -> bytes:
    """The list as `ssh-keygen -Q -f` and `-Y verify -r` read it.

    Args:
        public_keys: raw 32-byte keys, in any order.
        version: of the trust file it follows from; its date is left at 0, so that the same keys
            give the same bytes.
    """
    header = _MAGIC + struct.pack(">IQQQ", _FORMAT, version, 0, 0) + ssh_string(b"") * 2
    blobs = b"".join(sorted(ssh_string(ssh_public_key(key)) for key in public_keys))
    if not blobs:
        return header
    return header + struct.pack(">B", _EXPLICIT_KEYS) + ssh_string(blobs)
