"""A rotation and a shredding at once: what was shredded needs no key and gets no box again."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.opener import reseals
from inventory_vault.opener.keyring import Keyring, load_keyring
from inventory_vault.opener.resealing import open_stored
from inventory_vault.opener.rotation import Resealed, Rotation
from inventory_vault.settings import Settings
from kit.db import Database
from kit.ids import new_id
from sealing import Seal, Sealer
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.retention.ageing import DAYS, age, boxes, shred
from tests.inventory_vault.tills import refused


@pytest.fixture
async def keyring(vault: Vault, db: Database, settings: Settings) -> Keyring:
    """The opener's, once more."""
    return await load_keyring(db, settings)


async def _ask_for_rotation(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO key_rotation (id, state, reason, requested_by) "
                "VALUES (:id, 'running', 'a test', 'key:test')"
            ),
            {"id": new_id()},
        )


async def _seals(rows: Any, merchant: UUID) -> list[Any]:
    found: list[Any] = await rows(
        "SELECT * FROM lot_seal WHERE merchant_id = :m ORDER BY seal_no", m=merchant
    )
    return found


async def test_what_is_sealed_under_a_key_counts_no_shredded_units(
    vault: Vault, api: Any, db: Database, rows: Any
):
    platform = await api("keys:rotate", merchant_id=None)

    async def sealed() -> int:
        answer = await platform.get("/v1/sealing-keys")
        return sum(key["units"] for key in answer.json()["items"])

    before = await sealed()
    await vault.sold(await vault.stocked(9), 4)
    assert await sealed() == before + 9
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
    await shred(db)
    assert await sealed() == before + 5


async def test_a_unit_that_is_shredded_while_it_is_sealed_anew_stays_shredded(
    vault: Vault, db: Database, rows: Any, keyring: Keyring
):
    await vault.sold(await vault.stocked(6), 4)
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
    (row,) = await _seals(rows, vault.merchant)
    old = Seal(row.merchant_id, row.lot_id, 0, row.key_id, bytes(row.sender_public_key))
    sealer = Sealer(keyring.active_public_key)
    new = Seal(old.merchant_id, old.lot_id, 1, keyring.active_id, sealer.public_key)
    async with db.transaction() as tx:
        await reseals.add_seal(tx, new, keyring.prover.prove(new))
        await reseals.count_units(tx, old)
    async with db.read() as tx:
        units = await reseals.units_under(tx, old, 0, 100)
    assert len(units) == 6
    moved = []
    for unit in units:
        inside = open_stored(keyring, old, bytes(row.proof), unit.unit_id, unit.nonce, unit.box)
        box = sealer.seal_plaintext(inside)
        moved.append(Resealed(unit.seq, box.nonce, box.ciphertext))

    await shred(db)
    async with db.transaction() as tx:
        assert await reseals.move(tx, old, 1, moved) == 2

    assert await boxes(db, vault.merchant) == (2, 4)
    assert [row.units for row in await _seals(rows, vault.merchant)] == [0, 2]
    async with db.transaction() as tx:
        assert await reseals.drop_if_bare(tx, old)


async def test_shredded_units_do_not_keep_an_old_key_alive(
    vault: Vault, db: Database, rows: Any, keyring: Keyring
):
    whole = await vault.stocked(5, prefix="WHOLE")
    units = await vault.sold(whole, 5)
    await age(db, "unit_sale", vault.merchant, days=DAYS, seconds=1)
    await shred(db)
    partly = await vault.stocked(3, prefix="PARTLY")
    old_key = keyring.active_id
    rotation = Rotation(db, keyring, grace_seconds=0, quiet_seconds=0)
    await _ask_for_rotation(db)
    for _ in range(200):
        await rotation.step()
        (key,) = await rows("SELECT * FROM sealing_key WHERE key_id = :k", k=old_key)
        if key.state == "retired":
            break
    assert key.state == "retired"
    assert bytes(key.wrapped_private_key) == b""
    assert await boxes(db, vault.merchant) == (3, 5)
    (alarms,) = await rows(
        "SELECT count(*) AS n FROM alarm WHERE merchant_id = :m", m=vault.merchant
    )
    assert alarms.n == 0
    # Their seal is gone, and they are still told from others.
    assert refused(await vault.reveal(units[0]["unit_id"], Recipient())) == (409, "unit_shredded")
    assert await vault.conserved(whole)
    assert await vault.conserved(partly)
