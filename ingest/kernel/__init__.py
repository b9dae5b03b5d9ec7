"""Kernel exports: what the kernel says it settled, verified line by line and landed.

Belongs here: reading export folders, declaring artifact types, and landing them. Does not belong
here: hashing and signatures (the evidence floor, passed in as a verifier), or any judgement about
money.
"""

from __future__ import annotations

from ingest.kernel.exports import KernelPull, land_kernel
from ingest.kernel.rows import KERNEL_TABLES
from ingest.kernel.verify import ArtifactVerifier, TrustedKey, agent_keys, load_kernel_trust

__all__ = [
    "KERNEL_TABLES",
    "ArtifactVerifier",
    "KernelPull",
    "TrustedKey",
    "agent_keys",
    "land_kernel",
    "load_kernel_trust",
]
