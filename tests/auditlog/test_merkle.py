"""The tree against known answers, against its plain definition, and against every change."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import (
    EMPTY_ROOT,
    BadProof,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    root_at,
    root_of,
)
from tests.auditlog.trees import LEAVES, nodes, plain_root, some_leaves

ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
SIZES = st.integers(min_value=1, max_value=70)


def test_the_known_roots_of_the_eight_leaf_tree():
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    assert [root_of(hashes[:size]).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("place", "hashes"), INCLUSION.items())
def test_the_known_inclusion_proofs(place: tuple[int, int], hashes: list[str]):
    index, size = place
    proof = inclusion_proof(index, size, nodes(LEAVES))

    assert [each.hex() for each in proof] == hashes
    check_inclusion(leaf_hash(LEAVES[index]), index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("sizes", "hashes"), CONSISTENCY.items())
def test_the_known_consistency_proofs(sizes: tuple[int, int], hashes: list[str]):
    old, new = sizes
    proof = consistency_proof(old, new, nodes(LEAVES))

    assert [each.hex() for each in proof] == hashes
    check_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), proof)


@given(st.integers(min_value=0, max_value=300))
def test_the_root_is_that_of_the_definition_however_it_is_made(size: int):
    leaves = some_leaves(size)
    hashes = [leaf_hash(leaf) for leaf in leaves]

    assert root_of(hashes) == root_at(size, nodes(leaves)) == plain_root(leaves)


@given(SIZES, SIZES)
def test_a_frontier_that_was_read_goes_on_as_the_one_that_was_made(size: int, more: int):
    leaves = some_leaves(size + more)
    frontier = frontier_at(size, nodes(leaves))
    for leaf in leaves[size:]:
        frontier.append(leaf_hash(leaf))

    assert frontier.root() == plain_root(leaves)


def test_a_frontier_of_another_size_is_refused():
    with pytest.raises(ValueError, match="one hash per bit"):
        Frontier(3, [EMPTY_ROOT])


@given(st.data(), SIZES)
def test_every_inclusion_proof_verifies_and_every_changed_one_fails(data: st.DataObject, size: int):
    leaves = some_leaves(size)
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    root, leaf = plain_root(leaves), leaf_hash(leaves[index])
    proof = inclusion_proof(index, size, nodes(leaves))

    check_inclusion(leaf, index, size, proof, root)

    for changed in _changes(data, proof):
        _refused(leaf, index, size, changed, root)
    _refused(_flipped(data, leaf), index, size, proof, root)
    _refused(leaf, index, size, proof, _flipped(data, root))
    _refused(leaf, size, size, proof, root)
    _refused(leaf, -1, size, proof, root)
    if size > 1:
        _refused(leaf, (index + 1) % size, size, proof, root)


@given(st.data(), SIZES, SIZES)
def test_every_consistency_proof_verifies_and_every_changed_one_fails(
    data: st.DataObject, old: int, more: int
):
    new = old + more
    leaves = some_leaves(new)
    old_root, new_root = plain_root(leaves[:old]), plain_root(leaves)
    proof = consistency_proof(old, new, nodes(leaves))

    check_consistency(old, old_root, new, new_root, proof)

    for changed in _changes(data, proof):
        _inconsistent(old, old_root, new, new_root, changed)
    _inconsistent(old, _flipped(data, old_root), new, new_root, proof)
    _inconsistent(old, old_root, new, _flipped(data, new_root), proof)
    _inconsistent(new, new_root, old, old_root, proof)


def test_a_tree_is_consistent_with_the_empty_one_and_with_itself():
    root = plain_root(LEAVES)
    check_consistency(0, EMPTY_ROOT, 8, root, [])
    check_consistency(8, root, 8, root, [])
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    _inconsistent(0, root, 8, root, [])
    _inconsistent(8, EMPTY_ROOT, 8, root, [])
    _inconsistent(8, root, 8, root, [root])


def test_what_is_asked_outside_of_the_tree_is_refused():
    with pytest.raises(ValueError, match="outside"):
        inclusion_proof(8, 8, nodes(LEAVES))
    with pytest.raises(ValueError, match="grows"):
        consistency_proof(5, 4, nodes(LEAVES))


def _changes(data: st.DataObject, proof: Sequence[bytes]) -> list[list[bytes]]:
    """A bit flipped, one left out, one too many, two exchanged."""
    changed = [[*proof, EMPTY_ROOT], [EMPTY_ROOT, *proof], [*proof, b"short"]]
    if proof:
        at = data.draw(st.integers(min_value=0, max_value=len(proof) - 1))
        changed.append([*proof[:at], _flipped(data, proof[at]), *proof[at + 1 :]])
        changed.append([*proof[:at], *proof[at + 1 :]])
    if len(proof) > 1:
        changed.append([*proof[1:], proof[0]])
    return changed


def _flipped(data: st.DataObject, hash_: bytes) -> bytes:
    bit = data.draw(st.integers(min_value=0, max_value=255))
    changed = bytearray(hash_)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _refused(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    with pytest.raises(BadProof):
        check_inclusion(leaf, index, size, proof, root)


def _inconsistent(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    with pytest.raises(BadProof):
        check_consistency(old, old_root, new, new_root, proof)
