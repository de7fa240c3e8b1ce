"""What may be tried on the log itself, so that it looks whole afterwards."""

from collections.abc import Sequence

import orjson

from auditlog import leaf_hash
from kit.ids import new_id
from tests.inventory_vault.auditor.scene import FAR, Attack, Scene


async def change_leaf(scene: Scene) -> None:
    row = scene.entry()
    leaf = bytearray(row.leaf)
    leaf[scene.chance.randrange(len(leaf))] ^= 1 << scene.chance.randrange(8)
    await scene.run(
        "UPDATE audit_entry SET leaf = :leaf WHERE seq = :seq", leaf=bytes(leaf), seq=row.seq
    )


async def change_hash(scene: Scene) -> None:
    await scene.run(
        "UPDATE audit_entry SET leaf_hash = :hash WHERE seq = :seq",
        hash=scene.chance.randbytes(32),
        seq=scene.entry().seq,
    )


async def change_leaf_and_hash(scene: Scene) -> None:
    row = scene.entry()
    await scene.write_leaf(row.seq, scene.forged_leaf(row))


async def change_leaf_hash_and_tiles(scene: Scene) -> None:
    await change_leaf_and_hash(scene)
    await scene.rebuild(resign=False)


async def rebuild_with_an_own_key(scene: Scene) -> None:
    await change_leaf_and_hash(scene)
    await scene.rebuild(resign=True)


async def change_column(scene: Scene) -> None:
    column = scene.chance.choice(
        ["merchant_id = gen_random_uuid()", "object_id = gen_random_uuid()", "action = 'x.y'"]
    )
    await scene.run(
        f"UPDATE audit_entry SET {column} WHERE seq = :seq",  # noqa: S608 - of the list above
        seq=scene.entry().seq,
    )


async def delete_entry(scene: Scene) -> None:
    await scene.run("DELETE FROM audit_entry WHERE seq = :seq", seq=scene.entry().seq)


async def delete_entry_and_close_the_gap(scene: Scene) -> None:
    seq = scene.entry().seq
    await scene.run("DELETE FROM audit_entry WHERE seq = :seq", seq=seq)
    await scene.move_from(seq + 1, by=-1)
    await scene.rebuild(resign=scene.chance.random() < 0.5)


async def insert_entry(scene: Scene) -> None:
    """At the end or between; its own hash is right, the tiles are too."""
    row = scene.entry()
    said = orjson.loads(row.leaf)
    entry_id = new_id()
    said["entry_id"] = str(entry_id)
    leaf = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    seq = scene.chance.randrange(len(scene.entries) + 1)
    await scene.move_from(seq, by=1)
    await scene.run(
        "INSERT INTO audit_entry VALUES (:seq, :id, :merchant, :object, :action, :leaf, :hash)",
        seq=seq,
        id=entry_id,
        merchant=row.merchant_id,
        object=row.object_id,
        action=row.action,
        leaf=leaf,
        hash=leaf_hash(leaf),
    )
    if scene.chance.random() < 0.5:
        await scene.rebuild(resign=scene.chance.random() < 0.5)


async def swap_entries(scene: Scene) -> None:
    one, other = scene.chance.sample(list(scene.entries), 2)
    for seq, target in ((one.seq, FAR), (other.seq, one.seq), (FAR, other.seq)):
        await scene.run(
            "UPDATE audit_entry SET seq = :target WHERE seq = :seq", seq=seq, target=target
        )
    if scene.chance.random() < 0.5:
        await scene.rebuild(resign=scene.chance.random() < 0.5)


async def reorder_a_run(scene: Scene) -> None:
    first = scene.chance.randrange(len(scene.entries) - 3)
    seqs = list(range(first, first + 3))
    await scene.run(f"UPDATE audit_entry SET seq = seq + {FAR} WHERE seq = ANY(:seqs)", seqs=seqs)  # noqa: S608 - a number
    for seq, target in zip(seqs, [*seqs[1:], seqs[0]], strict=True):
        await scene.run(
            "UPDATE audit_entry SET seq = :target WHERE seq = :seq", seq=seq + FAR, target=target
        )
    await scene.rebuild(resign=False)


async def truncate_the_tail(scene: Scene) -> None:
    """To the last entry of an earlier checkpoint, as if the rest had never been."""
    sizes = [row.size for row in scene.checkpoints[:-1]]
    size = scene.chance.choice([0, *sizes])
    await scene.run("DELETE FROM audit_entry WHERE seq >= :size", size=size)
    await scene.run("DELETE FROM audit_checkpoint WHERE size > :size", size=size)
    await scene.rebuild(resign=False)


async def truncate_anywhere(scene: Scene) -> None:
    size = scene.chance.randrange(len(scene.entries))
    await scene.run("DELETE FROM audit_entry WHERE seq >= :size", size=size)
    await scene.rebuild(resign=scene.chance.random() < 0.5)


async def change_tile(scene: Scene) -> None:
    tile = scene.chance.choice(await scene.run("SELECT * FROM audit_tile ORDER BY level, idx"))
    hashes = bytearray(tile.hashes)
    hashes[scene.chance.randrange(len(hashes))] ^= 1 << scene.chance.randrange(8)
    await scene.run(
        "UPDATE audit_tile SET hashes = :hashes WHERE level = :level AND idx = :idx",
        hashes=bytes(hashes),
        level=tile.level,
        idx=tile.idx,
    )


async def remove_or_add_a_tile(scene: Scene) -> None:
    tile = scene.chance.choice(await scene.run("SELECT * FROM audit_tile ORDER BY level, idx"))
    sql = scene.chance.choice(
        [
            "DELETE FROM audit_tile WHERE level = :level AND idx = :idx",
            "UPDATE audit_tile SET idx = idx + 1000 WHERE level = :level AND idx = :idx",
            "INSERT INTO audit_tile SELECT level, idx + 1000, hashes FROM audit_tile "
            "WHERE level = :level AND idx = :idx",
        ]
    )
    await scene.run(sql, level=tile.level, idx=tile.idx)


async def change_checkpoint(scene: Scene) -> None:
    head = scene.chance.choice(scene.checkpoints)
    other = scene.chance.choice([row for row in scene.checkpoints if row.size != head.size])
    sql = scene.chance.choice(
        [
            "UPDATE audit_checkpoint SET root = sha256(root) WHERE size = :size",
            "UPDATE audit_checkpoint SET note = :note WHERE size = :size",
            "UPDATE audit_checkpoint SET note = note || 'x' WHERE size = :size",
            "UPDATE audit_checkpoint SET vkey = vkey || 'x' WHERE size = :size",
            "UPDATE audit_checkpoint SET size = size + 100000 WHERE size = :size",
            "INSERT INTO audit_checkpoint SELECT size + 100000, root, note, vkey "
            "FROM audit_checkpoint WHERE size = :size",
        ]
    )
    parameters = {"size": head.size} | ({"note": other.note} if ":note" in sql else {})
    await scene.run(sql, **parameters)


async def delete_the_newest_checkpoint(scene: Scene) -> None:
    await scene.run(
        "DELETE FROM audit_checkpoint WHERE size = :size", size=scene.checkpoints[-1].size
    )


async def empty_the_log(scene: Scene) -> None:
    for table in ("audit_entry", "audit_tile", "audit_checkpoint"):
        await scene.run(f"DELETE FROM {table}")  # noqa: S608 - our own names


ON_LOG: Sequence[Attack] = (
    change_leaf,
    change_hash,
    change_leaf_and_hash,
    change_leaf_hash_and_tiles,
    rebuild_with_an_own_key,
    change_column,
    delete_entry,
    delete_entry_and_close_the_gap,
    insert_entry,
    swap_entries,
    reorder_a_run,
    truncate_the_tail,
    truncate_anywhere,
    change_tile,
    remove_or_add_a_tile,
    change_checkpoint,
    delete_the_newest_checkpoint,
    empty_the_log,
)
