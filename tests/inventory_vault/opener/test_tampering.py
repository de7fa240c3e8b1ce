"""Ten thousand rows changed by somebody with SQL rights: none opens, every one is alarmed."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.opener.client import OpenerClient
from inventory_vault.settings import Settings
from kit.db import Database
from kit.ids import new_id
from sealing import Header, Seal, Sealer, Secret
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import OTHER_MERCHANT, Recipient, Vault

PER_SALE = 2_520
SALES = 4
UNTOUCHED = 5
PLANTED_NO, REPLAYED_NO, SECOND_NO, REKEYED_NO = 101, 102, 103, 104
SCOPES = ("stock:read", "stock:write", "reservations:write", "keys:reveal")

SEALS = """
    INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key, proof)
    SELECT * FROM unnest(CAST(:lots AS uuid[]), CAST(:numbers AS smallint[]),
      CAST(:merchants AS uuid[]), CAST(:keys AS uuid[]), CAST(:senders AS bytea[]),
      CAST(:proofs AS bytea[]))
"""
WRITE = """
    UPDATE unit u SET seal_no = n.seal_no, nonce = n.nonce, box = n.box
    FROM unnest(CAST(:units AS uuid[]), CAST(:numbers AS smallint[]), CAST(:nonces AS bytea[]),
      CAST(:boxes AS bytea[])) AS n(unit_id, seal_no, nonce, box)
    WHERE u.unit_id = n.unit_id
"""


@dataclass(frozen=True)
class Row:
    """A unit as it lies in the database, with its genuine seal."""

    unit_id: UUID
    merchant_id: UUID
    lot_id: UUID
    seal_no: int
    nonce: bytes
    box: bytes
    key_id: UUID
    sender: bytes
    proof: bytes


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class Attacker:
    """Every way of changing a row. `way(row, number)` answers the row as it is written back."""

    def __init__(self, rows: list[Row], public_key: bytes) -> None:
        self._rows = rows
        self._own = Sealer(public_key)
        self.ways: list[Callable[[Row, int], Row]] = [
            self._swap_with(1),
            self._swap_with(PER_SALE),  # another lot of the same merchant
            self._swap_with(2 * PER_SALE),  # another merchant
            # The box: 16 bytes of authenticator, then header (68), JSON, padding.
            *(self._flip_box(at) for at in (0, 15, 16, 20, 36, 52, 68, 83, 84, 100, 271)),
            lambda row, _: replace(row, nonce=_flip(row.nonce, 0)),
            lambda row, _: replace(row, nonce=_flip(row.nonce, 23)),
            lambda row, _: replace(row, box=row.box[:-1]),
            lambda row, _: replace(row, box=row.box[:16]),
            lambda row, _: replace(row, box=row.box + b"\0"),
            lambda row, _: replace(row, box=b""),
            self._forge_under(PLANTED_NO),
            self._forge_under(0),
            self._forge_under(REPLAYED_NO),
            lambda row, _: replace(row, seal_no=REPLAYED_NO),
            lambda row, _: replace(row, seal_no=SECOND_NO),
            lambda row, _: replace(row, seal_no=REKEYED_NO),
        ]

    def tampered(self, number: int) -> Row:
        return self.ways[number % len(self.ways)](self._rows[number], number)

    def seals(self, attested: dict[UUID, bytes]) -> list[tuple[Any, ...]]:
        """Rows of lot_seal: his own without proof, the lot's proof under another number, a second
        one that is genuine but of another box, and the lot's with another key's id.
        """
        lots = {row.lot_id: row for row in self._rows}.values()
        made: list[tuple[Any, ...]] = []
        for row in lots:
            whose = (row.merchant_id, row.key_id)
            made += [
                (row.lot_id, PLANTED_NO, *whose, self._own.public_key, None),
                (row.lot_id, REPLAYED_NO, *whose, row.sender, row.proof),
                (row.lot_id, SECOND_NO, *whose, self._own.public_key, attested[row.lot_id]),
                (row.lot_id, REKEYED_NO, *whose, self._own.public_key, row.proof),
            ]
        return made

    @property
    def sender(self) -> bytes:
        return self._own.public_key

    def _swap_with(self, distance: int) -> Callable[[Row, int], Row]:
        def way(row: Row, number: int) -> Row:
            other = self._rows[(number + distance) % len(self._rows)]
            return replace(row, nonce=other.nonce, box=other.box)

        return way

    def _flip_box(self, at: int) -> Callable[[Row, int], Row]:
        return lambda row, _: replace(row, box=_flip(row.box, at))

    def _forge_under(self, seal_no: int) -> Callable[[Row, int], Row]:
        def way(row: Row, _: int) -> Row:
            header = Header(row.merchant_id, row.lot_id, row.unit_id, row.key_id)
            box = self._own.seal(header, Secret({"code": "FORGED"}))
            return replace(row, seal_no=seal_no, nonce=box.nonce, box=box.ciphertext)

        return way


async def _sale(vault: Vault, number: int) -> str:
    pool_id = await vault.stocked(PER_SALE + UNTOUCHED, prefix=f"TAMPER{number}")
    reservation_id = await vault.held(pool_id, PER_SALE + UNTOUCHED)
    assert (await vault.claim(reservation_id)).status_code == 200
    return reservation_id


async def _rows_of(rows: Any, reservation_id: str) -> list[Row]:
    found = await rows(
        "SELECT u.unit_id, u.merchant_id, u.lot_id, u.seal_no, u.nonce, u.box, s.key_id, "
        "s.sender_public_key, s.proof FROM unit_sale us JOIN unit u ON u.unit_id = us.unit_id "
        "JOIN lot_seal s ON s.lot_id = u.lot_id AND s.seal_no = u.seal_no "
        "WHERE us.reservation_id = :r ORDER BY u.seq LIMIT :n",
        r=UUID(reservation_id),
        n=PER_SALE,
    )
    return [
        Row(
            row.unit_id,
            row.merchant_id,
            row.lot_id,
            row.seal_no,
            bytes(row.nonce),
            bytes(row.box),
            row.key_id,
            bytes(row.sender_public_key),
            bytes(row.proof),
        )
        for row in found
    ]


async def _write(db: Database, attacker: Attacker, rows: list[Row], client: OpenerClient) -> None:
    attested: dict[UUID, bytes] = {}
    for row in {row.lot_id: row for row in rows}.values():
        seal = Seal(row.merchant_id, row.lot_id, SECOND_NO, row.key_id, attacker.sender)
        proof = await client.attest(seal)
        assert proof is not None
        attested[row.lot_id] = proof
    names = ("lots", "numbers", "merchants", "keys", "senders", "proofs")
    changed = [attacker.tampered(number) for number in range(len(rows))]
    async with db.transaction() as tx:
        columns = zip(*attacker.seals(attested), strict=True)
        await tx.execute(text(SEALS), dict(zip(names, map(list, columns), strict=True)))
        result = await tx.execute(
            text(WRITE),
            {
                "units": [row.unit_id for row in changed],
                "numbers": [row.seal_no for row in changed],
                "nonces": [row.nonce for row in changed],
                "boxes": [row.box for row in changed],
            },
        )
    assert result.rowcount == len(rows)


@pytest.mark.timeout(180)
async def test_ten_thousand_tampered_rows_are_all_refused_and_all_alarmed(
    vault: Vault, api: OpenClient, db: Database, rows: Any, settings: Settings
):
    other = Vault(await api(*SCOPES, merchant_id=OTHER_MERCHANT), OTHER_MERCHANT)
    sales = [await _sale(shop, n) for n, shop in enumerate((vault, vault, other, other))]
    stock = [row for sale in sales for row in await _rows_of(rows, sale)]
    assert len(stock) == SALES * PER_SALE >= 10_000
    key = (await vault.client.get("/v1/sealing-key")).json()
    attacker = Attacker(stock, base64.b64decode(key["public_key"]))
    client = OpenerClient(settings.opener_socket, timeout_seconds=60)
    await _write(db, attacker, stock, client)

    began = time.monotonic()
    for shop, sale in zip((vault, vault, other, other), sales, strict=True):
        answer = await shop.claim(sale, Recipient())
        assert (answer.status_code, answer.json()["code"]) == (409, "unit_unopenable")
        assert "ciphertext" not in answer.text
    seconds = time.monotonic() - began

    # At the opener itself: one answer per unit.
    handouts = await rows(
        "SELECT id FROM handout WHERE reservation_id = ANY(CAST(:r AS uuid[]))",
        r=[UUID(sale) for sale in sales],
    )
    answers = await client.handouts([row.id for row in handouts])
    found = {unit: box for units in answers.values() for unit, box in units.items()}
    refused = {unit for unit, box in found.items() if "error" in box}
    opened = set(found) - refused
    assert refused == {str(row.unit_id) for row in stock}
    assert len(opened) == SALES * UNTOUCHED
    alarmed = await rows("SELECT object_id, details FROM alarm WHERE kind = 'box_refused'")
    assert {str(row.object_id) for row in alarmed} == refused
    reasons = {row.details["reason"] for row in alarmed}
    assert reasons == {"unopenable", "seal_unproven", "header_mismatch"}
    assert seconds < 60

    for number in range(0, len(stock), 97):
        row = stock[number]
        shop = vault if row.merchant_id == vault.merchant else other
        shown = await shop.reveal(str(row.unit_id), Recipient())
        assert shown.status_code == 409, (number, shown.text)
        assert "ciphertext" not in shown.text
    read = (await vault.client.get(f"/v1/units/{stock[0].unit_id}")).json()
    assert read["refusal"] == "header_mismatch"
    await client.close()


async def test_the_mark_of_a_refused_unit_goes_with_its_alarm(
    vault: Vault, db: Database, rows: Any
):
    [unit] = await vault.sold(await vault.stocked(1, prefix=f"MARK-{new_id().hex[-6:]}"))
    unit_id = unit["unit_id"]
    [kept] = await rows("SELECT box FROM unit WHERE unit_id = :u", u=unit_id)
    for box, status in ((b"changed", 409), (bytes(kept.box), 200)):
        async with db.transaction() as tx:
            await tx.execute(
                text("UPDATE unit SET box = :box WHERE unit_id = :u"), {"box": box, "u": unit_id}
            )
        assert (await vault.reveal(unit_id, Recipient())).status_code == status
    assert (await vault.client.get(f"/v1/units/{unit_id}")).json()["refusal"] == "unopenable"

    [alarm] = (await vault.client.get("/v1/alarms", params={"open": True})).json()["items"]
    assert (alarm["kind"], alarm["object_id"]) == ("box_refused", unit_id)
    await vault.client.post(
        f"/v1/alarms/{alarm['id']}/close", json={"resolution": "restored from the backup"}
    )
    assert (await vault.client.get(f"/v1/units/{unit_id}")).json()["refusal"] is None
