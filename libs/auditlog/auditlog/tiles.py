"""The tree's hashes in tiles of 256, as C2SP tlog-tiles lays them out.

Tile (level, index) holds the hashes of the nodes at height 8 * level, from 256 * index on. A full
tile never changes; the last one of each level grows. What lies between is computed from a tile.
"""

from collections.abc import Iterable, Mapping, Sequence

from auditlog.errors import BadTiles
from auditlog.merkle import HASH_BYTES, NodeAt, node_hash, whole_subtrees

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES

Place = tuple[int, int]
"""(level, index) of a tile."""


def tile_of(level: int, index: int) -> Place:
    """The tile from which the node at (level, index) of the tree is read or computed."""
    return level // HEIGHT, index << level % HEIGHT >> HEIGHT


def tiles_of(nodes: Iterable[tuple[int, int]]) -> set[Place]:
    """The tiles these nodes need."""
    return {tile_of(level, index) for level, index in nodes}


def edge_of(size: int) -> set[Place]:
    """The tiles that the root of a tree of this size, and growing it, need."""
    return tiles_of(whole_subtrees(size)) | {
        (level, (size >> HEIGHT * level) // WIDTH)
        for level in range(64 // HEIGHT)
        if (size >> HEIGHT * level) % WIDTH
    }


def reader(tiles: Mapping[Place, bytes]) -> NodeAt:
    """Answers nodes from tiles; it raises BadTiles for one that is not there."""

    def node_at(level: int, index: int) -> bytes:
        rows = 1 << level % HEIGHT
        first = index * rows % WIDTH
        tile = tiles.get(tile_of(level, index), b"")
        part = tile[first * HASH_BYTES : (first + rows) * HASH_BYTES]
        if len(part) != rows * HASH_BYTES:
            raise BadTiles(f"tile {tile_of(level, index)} lacks the node at {(level, index)}")
        return _fold(part)

    return node_at


def grow(tiles: Mapping[Place, bytes], size: int, hashes: Sequence[bytes]) -> dict[Place, bytes]:
    """The tiles that change when leaves with these hashes follow the first `size`.

    `tiles` are at least those at the edge. Raises BadTiles when one of them does not fit the size.
    """
    changed: dict[Place, bytes] = {}
    level, new = 0, list(hashes)
    while new:
        new = _grow_level(tiles, changed, level, size >> HEIGHT * level, new)
        level += 1
    return changed


def shape_of(size: int) -> dict[Place, int]:
    """Every tile of a tree of this size, with its length in bytes."""
    found: dict[Place, int] = {}
    level, count = 0, size
    while count:
        for index in range(count // WIDTH):
            found[level, index] = TILE_BYTES
        if count % WIDTH:
            found[level, count // WIDTH] = count % WIDTH * HASH_BYTES
        level, count = level + 1, count >> HEIGHT
    return found


def _grow_level(
    tiles: Mapping[Place, bytes],
    changed: dict[Place, bytes],
    level: int,
    count: int,
    new: Sequence[bytes],
) -> list[bytes]:
    """Puts `new` behind the `count` hashes of a level; answers the roots of tiles now full."""
    done: list[bytes] = []
    taken = 0
    while taken < len(new):
        place, used = (level, (count + taken) // WIDTH), (count + taken) % WIDTH
        before = tiles.get(place, b"") if used else b""
        if len(before) != used * HASH_BYTES:
            raise BadTiles(f"tile {place} does not fit a tree of this size")
        part = new[taken : taken + WIDTH - used]
        changed[place] = before + b"".join(part)
        taken += len(part)
        if used + len(part) == WIDTH:
            done.append(_fold(changed[place]))
    return done


def _fold(hashes: bytes) -> bytes:
    """The root over a power of two of hashes."""
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
