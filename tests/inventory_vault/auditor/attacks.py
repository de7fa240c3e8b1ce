"""What somebody with every right in the database may try, so that the log looks whole afterwards.

Each attack is given the transaction, a source of chance and the log's rows; triggers are off. None
knows the log's key, and none can change what is kept outside.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

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
from inventory_vault.audit.domain import units_digest
from kit.db import Transaction
from kit.ids import new_id

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


async def edit_a_sale(scene: Scene) -> None:
    sale = scene.chance.choice(await scene.run("SELECT * FROM unit_sale ORDER BY unit_id"))
    sql = scene.chance.choice(
        [
            "UPDATE unit_sale SET unit_id = gen_random_uuid() WHERE unit_id = :id",
            "UPDATE unit_sale SET reservation_id = gen_random_uuid() WHERE unit_id = :id",
            "UPDATE unit_sale SET merchant_id = gen_random_uuid() WHERE unit_id = :id",
            "DELETE FROM unit_sale WHERE unit_id = :id",
            "INSERT INTO unit_sale SELECT gen_random_uuid(), merchant_id, lot_id, seq + 1000, "
            "reservation_id, line_no FROM unit_sale WHERE unit_id = :id",
            "INSERT INTO unit_sale SELECT gen_random_uuid(), merchant_id, lot_id, seq + 1000, "
            "gen_random_uuid(), line_no FROM unit_sale WHERE unit_id = :id",
        ]
    )
    await scene.run(sql, id=sale.unit_id)


async def exchange_sold_units(scene: Scene) -> None:
    """Two buyers' units trade places."""
    rows = list(await scene.run("SELECT * FROM unit_sale ORDER BY unit_id"))
    one = scene.chance.choice(rows)
    other = scene.chance.choice([row for row in rows if row.reservation_id != one.reservation_id])
    for unit, reservation in ((one, other), (other, one)):
        await scene.run(
            "UPDATE unit_sale SET reservation_id = :reservation WHERE unit_id = :id",
            id=unit.unit_id,
            reservation=reservation.reservation_id,
        )


async def edit_a_sale_and_its_entry(scene: Scene) -> None:
    """The unit is gone from the sale, and the entry's digest is that of the rest."""
    sold = [row for row in scene.entries if row.action == "reservation.sold"]
    row = scene.chance.choice([row for row in sold if orjson.loads(row.leaf)["facts"]["units"] > 1])
    units = await scene.run(
        "SELECT unit_id FROM unit_sale WHERE reservation_id = :id", id=row.object_id
    )
    gone = scene.chance.choice(units).unit_id
    await scene.run("DELETE FROM unit_sale WHERE unit_id = :id", id=gone)
    left: list[UUID] = [unit.unit_id for unit in units if unit.unit_id != gone]
    said = orjson.loads(row.leaf)
    said["facts"] |= {"units": len(left), "units_digest": units_digest(left)}
    await scene.write_leaf(row.seq, orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
    await scene.rebuild(resign=scene.chance.random() < 0.5)


async def edit_a_view(scene: Scene) -> None:
    view = scene.chance.choice(await scene.run("SELECT id FROM unit_view ORDER BY id"))
    sql = scene.chance.choice(
        [
            "DELETE FROM unit_view WHERE id = :id",
            "UPDATE unit_view SET viewer_id = 'somebody else' WHERE id = :id",
            "UPDATE unit_view SET ip = '198.51.100.1' WHERE id = :id",
            "UPDATE unit_view SET reason = 'another' WHERE id = :id",
            "UPDATE unit_view SET requested_by = 'key:other' WHERE id = :id",
            "UPDATE unit_view SET recipient_public_key = sha256('x') WHERE id = :id",
            "UPDATE unit_view SET id = gen_random_uuid() WHERE id = :id",
        ]
    )
    await scene.run(sql, id=view.id)


async def edit_a_handout(scene: Scene) -> None:
    handout = scene.chance.choice(await scene.run("SELECT id FROM handout ORDER BY id"))
    sql = scene.chance.choice(
        [
            "DELETE FROM handout WHERE id = :id",
            "UPDATE handout SET recipient_public_key = sha256('x') WHERE id = :id",
            "UPDATE handout SET requested_by = 'key:other' WHERE id = :id",
            "INSERT INTO handout (id, merchant_id, reservation_id, recipient_public_key, "
            "requested_by) SELECT gen_random_uuid(), merchant_id, reservation_id, "
            "recipient_public_key, requested_by FROM handout WHERE id = :id",
        ]
    )
    await scene.run(sql, id=handout.id)


async def edit_a_redemption(scene: Scene) -> None:
    done = scene.chance.choice(await scene.run("SELECT id FROM redemption ORDER BY id"))
    sql = scene.chance.choice(
        [
            "DELETE FROM redemption WHERE id = :id",
            "UPDATE redemption SET amount = amount + 1 WHERE id = :id",
            "UPDATE redemption SET unit_id = gen_random_uuid() WHERE id = :id",
            "UPDATE redemption SET merchant_reference = 'another' WHERE id = :id",
            "UPDATE redemption SET merchant_id = gen_random_uuid() WHERE id = :id",
            "UPDATE redemption SET redeemed_by = 'key:other' WHERE id = :id",
            "UPDATE redemption SET redeemed_at = '2020-01-01', amount = 1 WHERE id = :id",
            "INSERT INTO redemption SELECT gen_random_uuid(), merchant_id, 'one more', unit_id, "
            "lot_id, seq, amount, currency, balance_after, is_whole, state_before, buyer_id, "
            "shop_id, redeemed_by, redeemed_at FROM redemption WHERE id = :id",
        ]
    )
    if sql.startswith("DELETE"):
        await scene.run("DELETE FROM redemption_rollback WHERE redemption_id = :id", id=done.id)
    await scene.run(sql, id=done.id)


async def edit_a_rollback(scene: Scene) -> None:
    (back,) = await scene.run("SELECT redemption_id AS id FROM redemption_rollback")
    sql = scene.chance.choice(
        [
            "DELETE FROM redemption_rollback WHERE redemption_id = :id",
            "UPDATE redemption_rollback SET reason = 'another' WHERE redemption_id = :id",
            "UPDATE redemption_rollback SET rolled_back_by = 'x' WHERE redemption_id = :id",
            "INSERT INTO redemption_rollback SELECT r.id, merchant_id, 'r', 'key:other', "
            "redeemed_at FROM redemption r WHERE r.id <> :id LIMIT 1",
        ]
    )
    await scene.run(sql, id=back.id)


async def edit_an_act_on_stock(scene: Scene) -> None:
    """Of one unit, a lot whole, or what a filter named."""
    acts = await scene.run("SELECT * FROM stock_action ORDER BY id")
    act = scene.chance.choice(acts)
    copied = "merchant_id, lot_id, unit_id, pool_id, filter, units"
    sql = scene.chance.choice(
        [
            "DELETE FROM stock_action WHERE id = :id",
            "UPDATE stock_action SET reason = 'another' WHERE id = :id",
            "UPDATE stock_action SET requested_by = 'key:other' WHERE id = :id",
            "UPDATE stock_action SET action = 'activate' WHERE id = :id",
            "UPDATE stock_action SET acted_at = '2020-01-01', reason = 'x' WHERE id = :id",
            "UPDATE stock_action SET unit_id = gen_random_uuid(), lot_id = gen_random_uuid(), "
            "pool_id = NULL, filter = NULL, units = NULL WHERE id = :id",
            f"INSERT INTO stock_action ({copied}, id, action, reason, requested_by) "  # noqa: S608
            f"SELECT {copied}, gen_random_uuid(), action, reason, requested_by "
            "FROM stock_action WHERE id = :id",
        ]
    )
    if act.filter is not None and scene.chance.random() < 0.5:
        sql = scene.chance.choice(
            [
                "UPDATE stock_action SET units = units + 1 WHERE id = :id",
                "UPDATE stock_action SET pool_id = gen_random_uuid() WHERE id = :id",
                'UPDATE stock_action SET filter = filter || \'{"mask": "x"}\' WHERE id = :id',
            ]
        )
    await scene.run(sql, id=act.id)


async def edit_an_import(scene: Scene) -> None:
    imports = await scene.run("SELECT * FROM stock_import ORDER BY id")
    one = scene.chance.choice([row for row in imports if row.lot_id is not None])
    sql = scene.chance.choice(
        [
            "DELETE FROM stock_import WHERE id = :id",
            "UPDATE stock_import SET accepted = accepted + 1 WHERE id = :id",
            "UPDATE stock_import SET duplicates = 7 WHERE id = :id",
            "UPDATE stock_import SET status = 'failed' WHERE id = :id",
            "UPDATE stock_import SET status = 'running' WHERE id = :id",
            "UPDATE stock_import SET lot_id = gen_random_uuid() WHERE id = :id",
            "UPDATE stock_import SET lot_id = NULL WHERE id = :id",
            "UPDATE stock_import SET pool_id = (SELECT min(id::text)::uuid FROM pool "
            "WHERE id <> pool_id) WHERE id = :id",
            "INSERT INTO stock_import (id, merchant_id, pool_id, lot_id, status, file_name, "
            "size_bytes, finished_at) SELECT gen_random_uuid(), merchant_id, pool_id, lot_id, "
            "status, 'x', 0, finished_at FROM stock_import WHERE id = :id",
        ]
    )
    if scene.chance.random() < 0.2:
        one = next(row for row in imports if row.status == "failed")
        sql = "UPDATE stock_import SET failure = 'another' WHERE id = :id"
    if sql.startswith("DELETE"):
        for table in ("box_part", "box_upload"):
            await scene.run(f"DELETE FROM {table} WHERE import_id = :id", id=one.id)  # noqa: S608
    await scene.run(sql, id=one.id)


async def edit_a_lot(scene: Scene) -> None:
    lot = scene.chance.choice(await scene.run("SELECT id FROM lot WHERE state <> 'undone'"))
    sql = scene.chance.choice(
        [
            "DELETE FROM lot WHERE id = :id",
            "UPDATE lot SET size = size + 1 WHERE id = :id",
            "UPDATE lot SET state = 'undone' WHERE id = :id",
            "INSERT INTO lot (id, merchant_id, pool_id, state, unit_cost, currency, supplier, size)"
            " SELECT gen_random_uuid(), merchant_id, pool_id, 'on_shelf', unit_cost, currency, "
            "supplier, size FROM lot WHERE id = :id",
        ]
    )
    await scene.run(sql, id=lot.id)


async def edit_a_rotation(scene: Scene) -> None:
    sql = scene.chance.choice(
        [
            "DELETE FROM key_rotation",
            "UPDATE key_rotation SET reason = 'another'",
            "UPDATE key_rotation SET requested_by = 'key:other'",
            "UPDATE key_rotation SET key_id = gen_random_uuid()",
            "UPDATE key_rotation SET old_key_id = NULL",
            "UPDATE key_rotation SET key_id = NULL",
            "INSERT INTO key_rotation (id, state, reason, requested_by, old_key_id, key_id) "
            "SELECT gen_random_uuid(), 'finished', 'r', 'key:other', key_id, gen_random_uuid() "
            "FROM key_rotation",
            "UPDATE sealing_key SET state = 'retired', wrapped_private_key = '', "
            "retired_at = clock_timestamp() WHERE state = 'open_only'",
            "UPDATE sealing_key SET state = 'compromised' WHERE state = 'open_only'",
        ]
    )
    await scene.run(sql)


async def meddle_with_the_queue(scene: Scene) -> None:
    """A sale's entry waits there."""
    sql = scene.chance.choice(
        [
            "DELETE FROM audit_pending WHERE action = 'reservation.sold'",
            "UPDATE audit_pending SET leaf = leaf || ' ' WHERE action = 'reservation.sold'",
            "UPDATE audit_pending SET object_id = gen_random_uuid()",
            "UPDATE audit_pending SET leaf_hash = sha256('x')",
        ]
    )
    await scene.run(sql)


async def tell_of_a_sale_that_never_was(scene: Scene) -> None:
    row = scene.chance.choice([row for row in scene.entries if row.action == "reservation.sold"])
    said = orjson.loads(row.leaf)
    entry_id, object_id = new_id(), new_id()
    said |= {"entry_id": str(entry_id), "object_id": str(object_id)}
    leaf = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    await scene.run(
        "INSERT INTO audit_pending VALUES (:id, :merchant, :object, :action, :leaf, :hash)",
        id=entry_id,
        merchant=row.merchant_id,
        object=object_id,
        action=row.action,
        leaf=leaf,
        hash=leaf_hash(leaf),
    )


ATTACKS: Sequence[Attack] = (
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
    edit_a_sale,
    exchange_sold_units,
    edit_a_sale_and_its_entry,
    edit_a_view,
    edit_a_handout,
    edit_a_redemption,
    edit_a_rollback,
    edit_an_act_on_stock,
    edit_an_import,
    edit_a_lot,
    edit_a_rotation,
    meddle_with_the_queue,
    tell_of_a_sale_that_never_was,
)
