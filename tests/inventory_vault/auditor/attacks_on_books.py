"""What may be tried on the books, and on what waits to be told of them."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from auditlog import leaf_hash
from inventory_vault.audit.domain import units_digest
from kit.ids import new_id
from tests.inventory_vault.auditor.scene import Attack, Scene


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


ON_BOOKS: Sequence[Attack] = (
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
