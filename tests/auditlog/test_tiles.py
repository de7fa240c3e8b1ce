"""Tiles hold each hash once, and grow without ever changing what they hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog import (
    TILE_BYTES,
    BadTiles,
    Place,
    edge_of,
    grow,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    reader,
    root_at,
    shape_of,
    tiles_of,
)
from tests.auditlog.trees import nodes, plain_root, some_leaves


def _tiles(parts: list[int]) -> tuple[dict[Place, bytes], list[bytes]]:
    """The tiles of a tree that grew by these numbers of leaves, and its leaves."""
    leaves = some_leaves(sum(parts))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    tiles: dict[Place, bytes] = {}
    size = 0
    for part in parts:
        edge = {place: tiles[place] for place in edge_of(size) if place in tiles}
        for place, content in grow(edge, size, hashes[size : size + part]).items():
            assert content.startswith(tiles.get(place, b"")), "a tile only grows"
            tiles[place] = content
        size += part
    return tiles, leaves


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=400), min_size=1, max_size=4))
def test_tiles_that_grew_in_any_parts_are_those_of_the_tree(parts: list[int]):
    tiles, leaves = _tiles(parts)

    assert {place: len(content) for place, content in tiles.items()} == shape_of(len(leaves))
    assert root_at(len(leaves), reader(tiles)) == plain_root(leaves)


def test_a_log_of_three_levels():
    tiles, leaves = _tiles([70_000, 1, 60_000])

    assert (2, 0) in tiles
    assert len(tiles[1, 0]) == TILE_BYTES
    assert root_at(len(leaves), reader(tiles)) == plain_root(leaves)
    assert root_at(70_001, reader(tiles)) == plain_root(leaves[:70_001])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_proof_needs_few_tiles_and_says_which(data: st.DataObject):
    size = data.draw(st.integers(min_value=1, max_value=3_000))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    tiles, leaves = _tiles([size])
    needed = tiles_of(nodes_of(lambda node_at: inclusion_proof(index, size, node_at)))

    proof = inclusion_proof(index, size, reader({place: tiles[place] for place in needed}))

    assert len(needed) <= 4
    assert proof == inclusion_proof(index, size, nodes(leaves))


def test_tiles_that_do_not_fit_the_size_are_refused():
    tiles, _ = _tiles([300])
    with pytest.raises(BadTiles):
        grow({}, 300, [leaf_hash(b"more")])
    with pytest.raises(BadTiles):
        grow({(0, 1): tiles[0, 1][:-32]}, 300, [leaf_hash(b"more")])
    with pytest.raises(BadTiles):
        root_at(301, reader(tiles))
