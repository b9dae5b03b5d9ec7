"""The Merkle tree of RFC 9162: roots, inclusion and consistency, made and checked.

What belongs here: hashes and proofs over lists of leaf hashes. What does not: what a leaf means,
signatures, files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from evidence.errors import Refusal

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry; the prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class RootBuilder:
    """The root of a stream of leaf hashes, in memory that grows with the tree's height."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, bytes]] = []

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        size, stack = 1, self._stack
        while stack and stack[-1][0] == size:
            leaf = hashlib.sha256(b"\x01" + stack.pop()[1] + leaf).digest()
            size += size
        stack.append((size, leaf))

    def root(self) -> bytes:
        """The root over everything pushed so far."""
        if not self._stack:
            return EMPTY_ROOT
        result = self._stack[-1][1]
        for _, lower in reversed(self._stack[:-1]):
            result = node_hash(lower, result)
        return result


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over `leaves` (leaf hashes, in order)."""
    builder = RootBuilder()
    for leaf in leaves:
        builder.push(leaf)
    return builder.root()


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Hashes that lead from leaf `index` to the root, the leaf's sibling first."""
    if not 0 <= index < len(leaves):
        raise Refusal("proof_index", f"got index {index}, expected less than {len(leaves)}")
    low, high, path = 0, len(leaves), []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low = middle
    path.reverse()
    return path


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Hashes that show the tree over the first `size` leaves to be a prefix of this one."""
    if not 0 < size <= len(leaves):
        raise Refusal("consistency_size", f"got size {size}, expected 1 to {len(leaves)}")
    low, high, whole, proof = 0, len(leaves), True, []
    while size != high - low:
        split = _split(high - low)
        if size <= split:
            proof.append(root(leaves[low + split : high]))
            high = low + split
        else:
            proof.append(root(leaves[low : low + split]))
            low, size, whole = low + split, size - split, False
    if not whole:
        proof.append(root(leaves[low:high]))
    proof.reverse()
    return proof


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes
) -> None:
    """Refuse unless `leaf` stands at `index` in the tree of `size` leaves.

    Raises:
        Refusal: `proof_index`, `proof_length`, `proof_root`.
    """
    if not 0 <= index < size:
        raise Refusal("proof_index", f"got index {index}, expected less than the size {size}")
    position, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Refusal("proof_length", f"got {len(path)} hashes, expected fewer")
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or result != expected_root:
        raise Refusal("proof_root", "got a path that does not lead to the checkpoint's root")


def verify_consistency(
    first_size: int, first_root: bytes, size: int, expected_root: bytes, proof: Sequence[bytes]
) -> None:
    """Refuse unless the tree of `first_size` leaves is a prefix of the tree of `size`.

    Raises:
        Refusal: `consistency_size`, `consistency`.
    """
    if not 0 < first_size <= size:
        raise Refusal("consistency_size", f"got sizes {first_size} and {size}, expected growth")
    if first_size == size:
        _consistent(not proof and first_root == expected_root)
        return
    hashes = list(proof)
    if first_size & (first_size - 1) == 0:
        hashes.insert(0, first_root)
    _consistent(bool(hashes) and bool(proof))
    position, last = first_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        _consistent(last != 0)
        if position & 1 or position == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        position, last = position >> 1, last >> 1
    _consistent(last == 0 and first == first_root and second == expected_root)


def _consistent(holds: bool) -> None:
    if not holds:
        raise Refusal("consistency", "got two checkpoints of which one is no prefix of the other")


def _split(size: int) -> int:
    """The largest power of two smaller than `size`, for `size` of at least 2."""
    return 1 << ((size - 1).bit_length() - 1)
