"""What an attacker with every right in the database has before him.

Each attack is given the transaction, a source of chance and the log's rows; triggers are off. None
knows the log's key, and none can change what is kept outside.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text

from auditlog import (
    Checkpoint,
    SignerKey,
    VerifierKey,
    grow,
    leaf_hash,
    root_of,
    sign_checkpoint,
)
from kit.db import Transaction

FAR = 10**9
Attack = Callable[["Scene"], Awaitable[None]]


@dataclass
class Scene:
    """The database at the attacker's feet."""

    tx: Transaction
    chance: random.Random
    entries: Sequence[Any]
    checkpoints: Sequence[Any]

    async def run(self, sql: str, **parameters: Any) -> Sequence[Any]:
        result = await self.tx.execute(text(sql), parameters)
        return list(result)

    def entry(self) -> Any:
        return self.chance.choice(self.entries)

    def forged_leaf(self, row: Any) -> bytes:
        """Another fact in it; canonical, so that nothing is wrong with it by itself."""
        said = orjson.loads(row.leaf)
        said["facts"]["forged"] = self.chance.randrange(2**32)
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)

    async def write_leaf(self, seq: int, leaf: bytes) -> None:
        await self.run(
            "UPDATE audit_entry SET leaf = :leaf, leaf_hash = :hash WHERE seq = :seq",
            leaf=leaf,
            hash=leaf_hash(leaf),
            seq=seq,
        )

    async def move_from(self, seq: int, *, by: int) -> None:
        """By way of far numbers: the primary key is checked row by row."""
        await self.run(
            "UPDATE audit_entry SET seq = seq + :far WHERE seq >= :seq", far=FAR, seq=seq
        )
        await self.run(
            "UPDATE audit_entry SET seq = seq - :back WHERE seq >= :far", back=FAR - by, far=FAR
        )

    async def rebuild(self, *, resign: bool) -> None:
        """Tiles true to the entries as they now are; with `resign`, checkpoints of an own key."""
        rows = await self.run("SELECT leaf FROM audit_entry ORDER BY seq")
        hashes = [leaf_hash(bytes(row.leaf)) for row in rows]
        await self.run("DELETE FROM audit_tile")
        for (level, idx), content in grow({}, 0, hashes).items():
            await self.run(
                "INSERT INTO audit_tile (level, idx, hashes) VALUES (:level, :idx, :hashes)",
                level=level,
                idx=idx,
                hashes=content,
            )
        if not resign:
            return
        origin = VerifierKey.parse(self.checkpoints[0].vkey).name
        key = SignerKey(origin, self.chance.randbytes(32))
        await self.run("DELETE FROM audit_checkpoint")
        sizes = [row.size for row in self.checkpoints if row.size < len(hashes)]
        for size in {*sizes, len(hashes)} - {0}:
            root = root_of(hashes[:size])
            await self.run(
                "INSERT INTO audit_checkpoint (size, root, note, vkey) "
                "VALUES (:size, :root, :note, :vkey)",
                size=size,
                root=root,
                note=sign_checkpoint(Checkpoint(origin, size, root), key),
                vkey=str(key.verifier),
            )
