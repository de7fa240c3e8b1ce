"""Nothing the sender of a box says is believed: forged, swapped and foreign boxes are refused."""

import asyncio
import base64
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.opener.client import OpenerClient
from inventory_vault.settings import Settings
from kit.ids import new_id
from kit.service import Service
from sealing import Sealer, Secret, new_key_pair
from tests.inventory_vault.boxes.factories import SealingShop, a_shop, b64
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Recipient, Vault

SMALL_ORDER_POINTS = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
]


def _sealed_for(shop: SealingShop, **others: UUID) -> Any:
    """A box whose header names something else than its row will."""
    unit_id = new_id()
    header = shop.header(**{"unit_id": unit_id, **others})
    box = shop.sealer.seal(header, Secret({"code": f"FOREIGN-{unit_id}"}))
    return shop.as_sent(1, unit_id, box.nonce, box.ciphertext)


def _changed(shop: SealingShop, change: Callable[[bytes], bytes], field: str = "ciphertext") -> Any:
    unit = shop.unit(1, f"CHANGED-{new_id()}")
    return {**unit, field: b64(change(base64.b64decode(unit[field])))}


def _flip(at: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return change


def _sealed_to_another_key(shop: SealingShop) -> Any:
    unit_id = new_id()
    # The sender's key stays the shop's, as it would when one vault's stock is sent to another.
    sealer = Sealer(new_key_pair().public_key)
    box = sealer.seal(shop.header(unit_id), Secret({"code": "FOR-ANOTHER-VAULT"}))
    return shop.as_sent(1, unit_id, box.nonce, box.ciphertext)


def _sealed_raw(shop: SealingShop, inside: bytes) -> Any:
    """A box that opens, with anything in it."""

    class Inside:
        def disclose(self) -> bytes:
            return inside

    box = shop.sealer.seal_plaintext(Inside())  # type: ignore[arg-type]  # what no Sealer would
    return shop.as_sent(1, new_id(), box.nonce, box.ciphertext)


def _damaged_inside(shop: SealingShop, change: Callable[[bytes], bytes]) -> Any:
    unit_id = new_id()
    header = shop.header(unit_id).to_bytes()
    box = _sealed_raw(shop, header + change(b'{"code":"DAMAGED"}\x80' + bytes(169)))
    return {**box, "unit_id": str(unit_id)}


FORGED: dict[str, tuple[str, Callable[[SealingShop], Any]]] = {
    "another merchant": (
        "box_of_another_merchant", lambda shop: _sealed_for(shop, merchant_id=new_id())),
    "another lot": ("box_of_another_lot", lambda shop: _sealed_for(shop, lot_id=new_id())),
    "another unit": ("box_of_another_unit", lambda shop: _sealed_for(shop, unit_id=new_id())),
    "another key's name": ("box_of_another_key", lambda shop: _sealed_for(shop, key_id=new_id())),
    "another key": ("box_unopenable", _sealed_to_another_key),
    "first byte flipped": ("box_unopenable", lambda shop: _changed(shop, _flip(0))),
    "middle byte flipped": ("box_unopenable", lambda shop: _changed(shop, _flip(100))),
    "last byte flipped": ("box_unopenable", lambda shop: _changed(shop, _flip(-1))),
    "nonce flipped": ("box_unopenable", lambda shop: _changed(shop, _flip(3), "nonce")),
    "truncated": ("box_unopenable", lambda shop: _changed(shop, lambda box: box[:-1])),
    "cut to the tag": ("box_unopenable", lambda shop: _changed(shop, lambda box: box[:16])),
    "a few bytes": ("box_unopenable", lambda shop: _changed(shop, lambda box: box[:3])),
    "prolonged": ("box_unopenable", lambda shop: _changed(shop, lambda box: box + b"\0")),
    "not LS1": ("box_malformed", lambda shop: _sealed_raw(shop, b"XX1\x01" + bytes(252))),
    "empty inside": ("box_malformed", lambda shop: _sealed_raw(shop, b"")),
    "header only": ("box_malformed", lambda shop: _damaged_inside(shop, lambda _: b"")),
    "no padding": ("box_malformed", lambda shop: _damaged_inside(shop, lambda it: it[:18])),
    "no JSON": ("box_malformed", lambda shop: _damaged_inside(shop, lambda it: b"{" + it)),
    "not texts": (
        "box_malformed", lambda shop: _damaged_inside(shop, lambda _: b'{"code":1}\x80')),
    "fields of another kind": (
        "wrong_fields", lambda shop: shop.unit(1, {"number": "1", "password": "2"})),
    "a field too many": ("wrong_fields", lambda shop: shop.unit(1, {"code": "A", "more": "B"})),
    "nothing inside": ("wrong_fields", lambda shop: shop.unit(1, {})),
    "an empty code": ("missing_code", lambda shop: shop.unit(1, "")),
    "a long code": ("too_long", lambda shop: shop.unit(1, "x" * 501)),
    "a damaged number": ("scientific_notation", lambda shop: shop.unit(1, "2.33E+18")),
    "a control character": ("control_character", lambda shop: shop.unit(1, "A\x01B")),
    "a damaged character": ("bad_encoding", lambda shop: shop.unit(1, "A\ufffdB")),
    "white space": ("surrounding_space", lambda shop: shop.unit(1, " SPACED")),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGED)
async def test_a_box_that_is_not_what_it_should_be_is_refused_with_its_own_code(
    vault: Vault, case: str
):
    code, forge = FORGED[case]
    shop = await a_shop(vault)
    good = shop.unit(2, f"GOOD-{case}")

    receipt = await shop.stored([forge(shop), good])

    assert (receipt["accepted"], receipt["rejected"]) == (1, 1)
    [line] = (await shop.completed())["lines"]
    assert (line["line"], line["code"]) == (1, code)
    assert line["detail"]


@pytest.mark.parametrize("number", range(len(SMALL_ORDER_POINTS)))
async def test_a_point_of_small_order_is_no_senders_key(vault: Vault, number: int):
    shop = await a_shop(vault)
    public_key = b64(SMALL_ORDER_POINTS[number])

    answer = await shop.send(shop.units(["SMALL-ORDER"]), public_key=public_key)

    assert (answer.status_code, answer.json()["code"]) == (422, "bad_sender_public_key")


async def test_with_another_senders_key_no_box_opens(vault: Vault):
    shop = await a_shop(vault)
    public_key = b64(new_key_pair().public_key)

    answer = await shop.send(shop.units(["A-1", "A-2"]), public_key=public_key)

    assert answer.json()["rejected"] == 2
    assert await shop.codes_of_receipt() == ["box_unopenable", "box_unopenable"]


async def test_a_box_from_a_dump_of_the_database_cannot_be_brought_in_again(
    vault: Vault, api: OpenClient, rows
):
    shop = await a_shop(vault)
    await shop.stored(shop.units(["DUMPED-1"]))
    await shop.completed()
    [row] = await rows(
        "SELECT u.unit_id, u.nonce, u.box, s.sender_public_key FROM unit u "
        "JOIN lot_seal s ON s.lot_id = u.lot_id AND s.seal_no = u.seal_no WHERE u.lot_id = :l",
        l=UUID(shop.ids["lot_id"]),
    )
    sender = b64(row.sender_public_key)
    stolen = [
        shop.as_sent(1, row.unit_id, row.nonce, row.box),
        shop.as_sent(2, new_id(), row.nonce, row.box),
    ]
    thief = await a_shop(vault)
    stranger = new_id()
    other_merchant = await a_shop(Vault(await api("*", merchant_id=stranger), stranger))

    receipt = await thief.send(stolen, public_key=sender)
    foreign = await other_merchant.send(stolen, public_key=sender)

    assert (receipt.json()["accepted"], foreign.json()["accepted"]) == (0, 0)
    assert await thief.codes_of_receipt() == ["box_of_another_lot"] * 2
    assert await other_merchant.codes_of_receipt() == ["box_of_another_merchant"] * 2


async def test_a_units_id_is_used_once(vault: Vault):
    shop = await a_shop(vault)
    unit, twin = shop.unit(1, "ID-1"), shop.unit(2, "ID-2")
    box = shop.sealer.seal(shop.header(UUID(unit["unit_id"])), Secret({"code": "ID-3"}))
    same_id = shop.as_sent(3, UUID(unit["unit_id"]), box.nonce, box.ciphertext)

    first = await shop.stored([unit, twin, same_id])
    second = await shop.stored([same_id], 2)

    assert (first["accepted"], second["accepted"]) == (2, 0)
    assert await shop.codes_of_receipt() == ["unit_id_taken"]


async def test_ten_thousand_tampered_boxes_are_all_refused_and_none_is_stored(vault: Vault, rows):
    """Every kind of forgery, at random places, in parts as large as they may be."""
    shop, other = await a_shop(vault), await a_shop(vault)
    chance = random.Random(7)
    kinds = [name for name, (code, _) in FORGED.items() if code.startswith("box_")]

    def forged(line: int) -> Any:
        match line % 4:
            case 0:
                unit = _changed(shop, _flip(chance.randrange(272)))
            case 1:
                unit = _changed(shop, lambda box: box[: chance.randrange(3, 272)])
            case 2:
                unit = other.unit(line, f"SWAPPED-{line}")
            case _:
                unit = FORGED[kinds[line % len(kinds)]][1](shop)
        return {**unit, "line": line}

    for part in (1, 2):
        first = (part - 1) * 5_000 + 1
        receipt = await shop.stored([forged(line) for line in range(first, first + 5_000)], part)
        assert (receipt["accepted"], receipt["rejected"]) == (0, 5_000)

    receipt = await shop.completed()
    assert (receipt["rejected"], receipt["duplicates"], receipt["lot_id"]) == (10_000, 0, None)
    lines = await rows(
        "SELECT code FROM stock_import_line WHERE import_id = :i", i=UUID(shop.import_id)
    )
    found = Counter(line.code for line in lines)
    assert found.total() == 10_000
    assert all(code.startswith("box_") for code in found), found
    stored = await rows("SELECT 1 FROM unit WHERE lot_id = :l", l=UUID(shop.ids["lot_id"]))
    assert stored == []
    [alarm] = await rows(
        "SELECT kind, count, merchant_id FROM alarm WHERE object_id = :i", i=UUID(shop.import_id)
    )
    assert (alarm.kind, alarm.count, alarm.merchant_id) == ("boxes_refused", 2, vault.merchant)


async def test_a_bad_code_in_a_good_box_raises_no_alarm(vault: Vault, rows):
    shop = await a_shop(vault)
    await shop.stored([shop.unit(1, "2.33E+18")])

    assert await rows("SELECT 1 FROM alarm WHERE object_id = :i", i=UUID(shop.import_id)) == []


async def test_a_key_that_no_longer_seals_still_opens_what_is_on_its_way(
    vault: Vault, service: Service, settings: Settings
):
    """The opener keeps keys that may still open; one it never had, or has no more, is refused."""
    shop = await a_shop(vault)
    unknown = {**shop.ids, "key_id": str(new_id())}
    async with service.db.transaction() as tx:
        await tx.execute(
            text("UPDATE box_upload SET key_id = :k WHERE import_id = :i"),
            {"k": UUID(unknown["key_id"]), "i": UUID(shop.import_id)},
        )

    answer = await shop.send(shop.units(["RETIRED"]))

    assert (answer.status_code, answer.json()["code"]) == (409, "sealing_key_retired")
    opened = await vault.client.post(
        f"/v1/pools/{await vault.pool()}/lots",
        json={"supplier": "S", "unit_cost": 1, "currency": "CNY", "key_id": unknown["key_id"]},
    )
    assert (opened.status_code, opened.json()["code"]) == (409, "sealing_key_retired")


async def test_the_opener_tells_fingerprint_mark_and_mask_and_nothing_else(
    vault: Vault, settings: Settings
):
    shop = await a_shop(vault)
    unit = shop.unit(1, "TELL-NOTHING-OF-ME")
    about = {name: shop.ids[name] for name in ("merchant_id", "lot_id", "key_id")}
    request = {
        **about,
        "kind": "code",
        "public_key": shop.public_key,
        "units": [[unit["unit_id"], unit["nonce"], unit["ciphertext"]]],
    }
    client = OpenerClient(settings.opener_socket, timeout_seconds=5)

    [answer] = (await client.check(request))["units"]

    assert set(answer) == {"fingerprint", "mark", "mask"}
    assert [len(bytes.fromhex(answer[name])) for name in ("fingerprint", "mark")] == [16, 8]
    assert answer["mask"] == "TE****ME"
    await client.close()


async def test_hand_outs_do_not_wait_for_a_large_upload(vault: Vault):
    """Boxes are checked in turns; a sale's boxes come between two of them."""
    pool_id = await vault.stocked(20, prefix="BETWEEN")
    shop = await a_shop(vault)
    units = shop.units([f"LARGE-{n:05}" for n in range(5_000)])
    upload = asyncio.create_task(shop.send(units))
    slowest, sales = 0.0, 0
    while not upload.done() and sales < 20:
        buyer = Recipient()
        held = await vault.held(pool_id)
        started = time.perf_counter()
        claim = await vault.claim(held, buyer)
        slowest = max(slowest, time.perf_counter() - started)
        assert buyer.open(claim.json()["units"][0]["box"])["code"].startswith("BETWEEN")
        sales += 1

    assert (await upload).json()["accepted"] == 5_000
    assert sales > 0
    assert slowest < 2.0
