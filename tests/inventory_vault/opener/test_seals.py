"""A box is opened only under a seal that the vault itself began, and never under a dead key."""

import base64
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inventory_vault.custody.service import CustodyService
from inventory_vault.opener.client import OpenerClient
from inventory_vault.opener.commands import attest_lots
from inventory_vault.settings import Settings
from kit.db import Database
from kit.ids import new_id
from sealing import Header, Seal, Sealer, Secret
from tests.inventory_vault.factories import Recipient, Vault

PLANT = """
    WITH seal AS (
      INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key, proof)
      SELECT lot_id, 7, merchant_id, key_id, :sender, CAST(:proof AS bytea) FROM lot_seal
      WHERE lot_id = :lot AND seal_no = 0)
    UPDATE unit SET seal_no = 7, nonce = :nonce, box = :box WHERE unit_id = :unit
"""


async def _sold_unit(vault: Vault) -> Any:
    [unit] = await vault.sold(await vault.stocked(1, prefix=f"SEAL-{new_id().hex[-6:]}"))
    return unit["unit_id"]


async def _row_of(rows: Any, unit_id: str) -> Any:
    [row] = await rows(
        "SELECT u.merchant_id, u.lot_id, u.unit_id, s.key_id, s.sender_public_key, s.proof "
        "FROM unit u JOIN lot_seal s USING (lot_id, seal_no) WHERE unit_id = :u",
        u=unit_id,
    )
    return row


async def _run(db: Database, sql: str, **values: Any) -> None:
    async with db.transaction() as tx:
        await tx.execute(text(sql), values)


@pytest.mark.parametrize("proof", ["none", "zeros", "the lot's real one"])
async def test_a_well_formed_box_planted_by_sql_is_refused(
    vault: Vault, db: Database, rows: Any, proof: str
):
    unit_id = await _sold_unit(vault)
    row = await _row_of(rows, unit_id)
    key = (await vault.client.get("/v1/sealing-key")).json()
    sealer = Sealer(base64.b64decode(key["public_key"]))
    header = Header(row.merchant_id, row.lot_id, row.unit_id, row.key_id)
    box = sealer.seal(header, Secret({"code": "PLANTED"}))
    proofs = {"none": None, "zeros": bytes(32), "the lot's real one": row.proof}

    await _run(
        db,
        PLANT,
        lot=row.lot_id,
        unit=row.unit_id,
        sender=sealer.public_key,
        nonce=box.nonce,
        box=box.ciphertext,
        proof=proofs[proof],
    )
    answer = await vault.reveal(unit_id, Recipient())

    assert answer.status_code == 409, answer.text
    assert (answer.json()["code"], answer.json()["reason"]) == ("unit_unopenable", "seal_unproven")
    assert "box" not in answer.json()


async def test_the_proof_of_one_lot_is_no_proof_of_another(vault: Vault, db: Database, rows: Any):
    first, second = await _sold_unit(vault), await _sold_unit(vault)
    theirs = await _row_of(rows, second)
    own = await _row_of(rows, first)

    await _run(
        db,
        "UPDATE lot_seal SET sender_public_key = :sender, proof = :proof WHERE lot_id = :lot",
        sender=bytes(theirs.sender_public_key),
        proof=bytes(theirs.proof),
        lot=own.lot_id,
    )

    assert (await vault.reveal(first, Recipient())).json()["reason"] == "seal_unproven"
    assert (await vault.reveal(second, Recipient())).status_code == 200


async def test_no_seal_begins_under_a_key_that_is_not_in_use(vault: Vault, db: Database, rows: Any):
    row = await _row_of(rows, await _sold_unit(vault))
    dead = new_id()
    await _run(
        db,
        "INSERT INTO sealing_key (key_id, public_key, wrapped_private_key, state) "
        "VALUES (:key, :public, '', 'retired')",
        key=dead,
        public=bytes(32),
    )
    for key_id in (dead, new_id()):
        with pytest.raises(IntegrityError, match="not in use"):
            await _run(
                db,
                "INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key) "
                "VALUES (:lot, 9, :merchant, :key, :sender)",
                lot=row.lot_id,
                merchant=row.merchant_id,
                key=key_id,
                sender=bytes(32),
            )


async def test_the_opener_proves_seals_under_living_keys_only(
    vault: Vault, settings: Settings, rows: Any
):
    row = await _row_of(rows, await _sold_unit(vault))
    client = OpenerClient(settings.opener_socket, timeout_seconds=5)
    living = Seal(row.merchant_id, row.lot_id, 0, row.key_id, bytes(row.sender_public_key))

    assert await client.attest(living) == bytes(row.proof)
    unknown = Seal(row.merchant_id, row.lot_id, 0, new_id(), bytes(row.sender_public_key))
    assert await client.attest(unknown) is None
    begun = await CustodyService(client).begin_seal(row.merchant_id, row.lot_id)
    assert begun.key_id == row.key_id
    await client.close()


async def test_lots_from_before_are_proven_by_an_operator_who_saw_the_list(
    vault: Vault, settings: Settings, db: Database, rows: Any, capsys: pytest.CaptureFixture[str]
):
    unit_id = await _sold_unit(vault)
    row = await _row_of(rows, unit_id)
    await _run(db, "UPDATE lot_seal SET proof = NULL WHERE lot_id = :lot", lot=row.lot_id)
    assert (await vault.reveal(unit_id, Recipient())).json()["reason"] == "seal_unproven"

    await attest_lots(settings, [])
    listed = capsys.readouterr().out
    assert str(row.lot_id) in listed
    assert (await _row_of(rows, unit_id)).proof is None

    await attest_lots(settings, ["--yes"])
    assert bytes((await _row_of(rows, unit_id)).proof) == bytes(row.proof)
    assert (await vault.reveal(unit_id, Recipient())).status_code == 200
