"""Trees as the tests need them: every node by its plain definition, nothing shared with the code
under test.
"""

import hashlib
from collections.abc import Sequence

from auditlog import NodeAt

# The example tree of the implementations of Certificate Transparency.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]


def plain_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    parts = plain_root(leaves[:half]) + plain_root(leaves[half:])
    return hashlib.sha256(b"\x01" + parts).digest()


def nodes(leaves: Sequence[bytes]) -> NodeAt:
    def node_at(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only whole subtrees are asked for"
        return plain_root(part)

    return node_at


def some_leaves(count: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(count)]
