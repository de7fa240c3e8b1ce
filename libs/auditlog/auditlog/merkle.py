"""The Merkle tree of RFC 6962 and RFC 9162: hashes, proofs, and the checking of proofs.

Proofs are built from a `NodeAt`: it answers the hash at (level, index), the root over the leaves
index * 2^level up to (index + 1) * 2^level. Only whole subtrees are asked for, so a log keeps each
hash once and for ever.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from auditlog.errors import BadProof

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
PROOF_HASHES_MAX = 64
"""More than a tree of 2^63 leaves needs."""

NodeAt = Callable[[int, int], bytes]
_sha256 = hashlib.sha256


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return _sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the whole subtrees of a growing tree, the largest first: all that appending
    and the root need.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self._hashes = list(hashes)
        if len(self._hashes) != size.bit_count():
            raise ValueError("a frontier has one hash per bit that is set in its size")

    def append(self, hash_of_leaf: bytes) -> None:
        """One more leaf."""
        hashes, size = self._hashes, self.size
        while size & 1:
            hash_of_leaf = _sha256(b"\x01" + hashes.pop() + hash_of_leaf).digest()
            size >>= 1
        hashes.append(hash_of_leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over these leaves."""
    frontier = Frontier()
    for each in leaf_hashes:
        frontier.append(each)
    return frontier.root()


def whole_subtrees(size: int) -> list[tuple[int, int]]:
    """(level, index) of each whole subtree of a tree, the largest first."""
    found, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((level, start >> level))
            start += 1 << level
    return found


def frontier_at(size: int, node_at: NodeAt) -> Frontier:
    """The frontier of the first `size` leaves."""
    return Frontier(size, (node_at(level, index) for level, index in whole_subtrees(size)))


def root_at(size: int, node_at: NodeAt) -> bytes:
    """The root over the first `size` leaves."""
    return frontier_at(size, node_at).root()


def inclusion_proof(index: int, size: int, node_at: NodeAt) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root over `size` leaves, from the leaf's
    sibling upwards. Raises ValueError when there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("the index lies outside of the tree")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _left_half(high - low)
        if index < middle:
            path.append(_range_hash(middle, high, node_at))
            high = middle
        else:
            path.append(_range_hash(low, middle, node_at))
            low = middle
    return path[::-1]


def consistency_proof(old: int, new: int, node_at: NodeAt) -> list[bytes]:
    """What shows that the tree of `new` leaves begins with the tree of `old` leaves.

    Raises ValueError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError("a tree only grows")
    if old in (0, new):
        return []
    path, low, high, known = [], 0, new, True
    while old != high - low:
        half = _left_half(high - low)
        if old <= half:
            path.append(_range_hash(low + half, high, node_at))
            high = low + half
        else:
            path.append(_range_hash(low, low + half, node_at))
            low, old, known = low + half, old - half, False
    if not known:
        path.append(_range_hash(low, high, node_at))
    return path[::-1]


def check_inclusion(
    hash_of_leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raises BadProof unless the leaf is at `index` in the tree of this size and root."""
    _check_form(proof)
    if not 0 <= index < size:
        raise BadProof("the index lies outside of the tree")
    place, last, found = index, size - 1, hash_of_leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            place, last = _next_left_turn(place, last)
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise BadProof("the proof is too short")
    if found != root:
        raise BadProof("the proof leads to another root")


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raises BadProof unless the new tree begins with the old one."""
    _check_form(proof)
    if not 0 <= old <= new:
        raise BadProof("a tree only grows")
    if old in (0, new):
        expected = EMPTY_ROOT if old == 0 else new_root
        if proof or old_root != expected:
            raise BadProof("two trees of one size have one root and need no proof")
        return
    hashes = list(proof)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise BadProof("the proof is too short")
    found_old, found_new = _climb(old - 1, new - 1, hashes)
    if found_old != old_root:
        raise BadProof("the proof leads to another old root")
    if found_new != new_root:
        raise BadProof("the proof leads to another new root")


def nodes_of(build: Callable[[NodeAt], Any]) -> set[tuple[int, int]]:
    """Which nodes `build` asks for: what has to be read before it can run."""
    asked: set[tuple[int, int]] = set()

    def remember(level: int, index: int) -> bytes:
        asked.add((level, index))
        return EMPTY_ROOT

    build(remember)
    return asked


def _climb(place: int, last: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The old and the new root that a consistency proof leads to."""
    while place & 1:
        place, last = place >> 1, last >> 1
    found_old = found_new = hashes[0]
    for each in hashes[1:]:
        if last == 0:
            raise BadProof("the proof is too long")
        if place & 1 or place == last:
            found_old = node_hash(each, found_old)
            found_new = node_hash(each, found_new)
            place, last = _next_left_turn(place, last)
        else:
            found_new = node_hash(found_new, each)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise BadProof("the proof is too short")
    return found_old, found_new


def _next_left_turn(place: int, last: int) -> tuple[int, int]:
    """A node without a right sibling stands for its parents too, up to where it is a right one."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _check_form(proof: Sequence[bytes]) -> None:
    if len(proof) > PROOF_HASHES_MAX or any(len(each) != HASH_BYTES for each in proof):
        raise BadProof("a proof is a short list of hashes of 32 bytes")


def _left_half(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _range_hash(low: int, high: int, node_at: NodeAt) -> bytes:
    """The root over the leaves from `low` up to `high`, where `low` begins a subtree."""
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node_at(level, low >> level)
    middle = low + _left_half(size)
    return node_hash(_range_hash(low, middle, node_at), _range_hash(middle, high, node_at))
