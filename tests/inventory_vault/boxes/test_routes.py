"""Stock that the shop sealed itself: opened, sent in parts, completed, sold."""

import asyncio
import base64
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.ids import new_id
from kit.service import Service
from sealing import Header, Sealer, Secret
from tests.inventory_vault.boxes.factories import SealingShop, a_shop, b64, open_lot
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Recipient, Vault, codes

FAR = "2031-01-01T00:00:00Z"


async def test_boxes_sealed_by_the_shop_are_sold_and_open_at_the_buyer(vault: Vault):
    pool_id = await vault.pool("card")
    shop = await a_shop(vault, pool_id=pool_id)
    cards = [{"number": f"62220000000{n}", "password": f"PASS-{n}"} for n in range(3)]

    for part, card in enumerate(cards, 1):
        await shop.stored([shop.unit(part, card)], part)
    receipt = await shop.completed()

    assert (receipt["status"], receipt["accepted"], receipt["parts_stored"]) == ("completed", 3, 3)
    assert receipt["lot_id"] == shop.ids["lot_id"]
    assert (await vault.levels(pool_id))["available"] == 3
    buyer = Recipient()
    claim = (await vault.claim(await vault.held(pool_id, 3), buyer)).json()
    assert [buyer.open(unit["box"]) for unit in claim["units"]] == cards
    assert claim["units"][0]["mask"] == "62****00"
    assert await vault.conserved(pool_id)


async def test_nothing_is_for_sale_before_it_is_completed(vault: Vault):
    pool_id = await vault.pool()
    shop = await a_shop(vault, pool_id=pool_id)
    await shop.stored(shop.units(["A-CODE-1"]))

    assert (await vault.levels(pool_id))["total"] == 0
    assert (await vault.reserve(pool_id)).status_code == 409


async def test_a_small_upload_is_one_call(vault: Vault):
    pool_id = await vault.pool()
    key = (await vault.client.get("/v1/sealing-key")).json()
    assert key["merchant_id"] == str(vault.merchant)
    lot_id, unit_id = new_id(), new_id()
    sealer = Sealer(base64.b64decode(key["public_key"]))
    header = Header(vault.merchant, lot_id, unit_id, UUID(key["key_id"]))
    box = sealer.seal(header, Secret({"code": "ONE-CALL-1"}))
    unit = SealingShop.as_sent(1, unit_id, box.nonce, box.ciphertext)

    body = {
        "lot_id": str(lot_id),
        "key_id": key["key_id"],
        "public_key": b64(sealer.public_key),
        "boxes": [unit],
    }
    answer = await open_lot(vault, pool_id, **body)

    assert answer.status_code == 202, answer.text
    receipt = await vault.receipt(answer.json()["import_id"])
    assert (receipt["status"], receipt["accepted"]) == ("completed", 1)
    assert receipt["lot_id"] == str(lot_id)
    buyer = Recipient()
    claim = (await vault.claim(await vault.held(pool_id), buyer)).json()
    assert buyer.open(claim["units"][0]["box"]) == {"code": "ONE-CALL-1"}

    again = await open_lot(vault, pool_id, **body)
    assert (again.status_code, again.json()["code"]) == (409, "lot_id_taken")


async def test_opening_again_with_the_same_key_answers_the_same_import(vault: Vault):
    pool_id = await vault.pool()
    vault.client.headers["Idempotency-Key"] = str(new_id())
    first = await open_lot(vault, pool_id)
    again = await open_lot(vault, pool_id)
    other = await open_lot(vault, pool_id, note="another")
    del vault.client.headers["Idempotency-Key"]

    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["code"] == "idempotency_key_reused"


async def test_a_part_sent_again_answers_the_same_and_changes_nothing(vault: Vault):
    shop = await a_shop(vault)
    units = shop.units(["SAME-1", "SAME-2"])

    first = await shop.stored(units)
    again = await shop.stored(units)
    other = await shop.send(shop.units(["SAME-1", "SAME-2"]))

    assert first == again
    assert first["accepted"] == 2
    assert (other.status_code, other.json()["code"]) == (422, "part_reused")
    assert (await shop.receipt())["accepted"] == 2


async def test_one_part_sent_by_ten_callers_at_once_is_stored_once(vault: Vault):
    shop = await a_shop(vault)
    units = shop.units([f"RACED-{n}" for n in range(50)])

    answers = await asyncio.gather(*(shop.send(units) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert (await shop.completed())["accepted"] == 50


async def test_parts_come_one_after_the_other(vault: Vault):
    shop = await a_shop(vault)

    early = await shop.send(shop.units(["EARLY-1"]), part=2)

    assert (early.status_code, early.json()["code"]) == (409, "part_out_of_turn")
    assert early.json()["parts_stored"] == 0


async def test_after_its_end_an_upload_takes_no_part_but_completes_again(vault: Vault):
    shop = await a_shop(vault)
    units = shop.units(["ENDED-1"])
    await shop.stored(units)
    first = await shop.completed()

    late = await shop.send(shop.units(["ENDED-2"]), part=2)
    repeated = await shop.send(units)
    again = await shop.completed()

    assert (late.status_code, late.json()["code"]) == (409, "upload_ended")
    assert repeated.status_code == 200
    assert again == first


async def test_an_upload_nobody_goes_on_with_is_taken_back_after_a_day(
    vault: Vault, service: Service, rows
):
    shops = [await a_shop(vault), await a_shop(vault)]
    for number, shop in enumerate(shops):
        await shop.stored(shop.units([f"LEFT-{number}-{n}" for n in range(3)]))
    left, resting = shops
    for shop, hours in ((left, 25), (resting, 23)):
        async with service.db.transaction() as tx:
            await tx.execute(
                text("UPDATE stock_import SET alive_at = now() - make_interval(hours => :h) "
                     "WHERE id = :i"),
                {"h": hours, "i": UUID(shop.import_id)},
            )  # fmt: skip

    [take_back] = [job for job in service.jobs if job.name == "take-back-failed-imports"]
    while await take_back._run():
        pass

    assert (await left.receipt())["status"] == "failed"
    late = await left.send(left.units(["LATE-1"]), part=2)
    assert (late.status_code, late.json()["code"]) == (409, "upload_ended")
    gone = await rows("SELECT 1 FROM unit WHERE lot_id = :l", l=UUID(left.ids["lot_id"]))
    assert gone == []
    await resting.stored(resting.units(["BACK-IN-TIME"], first_line=4), part=2)
    assert (await resting.completed())["accepted"] == 4
    again = await a_shop(vault)
    assert (await again.stored(again.units(["LEFT-0-0"])))["accepted"] == 1


async def test_an_upload_without_a_good_box_leaves_no_lot(vault: Vault):
    pool_id = await vault.pool()
    shop = await a_shop(vault, pool_id=pool_id)
    await shop.stored([shop.unit(1, {"number": "1", "password": "2"})])

    receipt = await shop.completed()

    assert (receipt["status"], receipt["lot_id"], receipt["rejected"]) == ("completed", None, 1)
    assert (await vault.client.get(f"/v1/pools/{pool_id}")).json()["lots"] == []


async def test_a_dry_run_checks_and_keeps_nothing(vault: Vault, rows):
    pool_id = await vault.pool()
    await vault.imported(pool_id, "KNOWN-1\n")
    shop = await a_shop(vault, pool_id=pool_id, dry_run=True)
    await shop.stored([*shop.units(["KNOWN-1", "NEW-1"]), shop.unit(3, {"url": "x"})])

    receipt = await shop.completed()

    assert receipt["status"] == "dry_run"
    assert (receipt["accepted"], receipt["duplicates"], receipt["rejected"]) == (1, 1, 1)
    assert await shop.codes_of_receipt() == ["duplicate_in_vault", "wrong_fields"]
    assert (await vault.levels(pool_id))["total"] == 1
    assert await rows("SELECT 1 FROM lot WHERE id = :l", l=UUID(shop.ids["lot_id"])) == []


async def test_duplicates_are_found_in_the_part_in_the_upload_and_in_the_vault(vault: Vault):
    pool_id = await vault.pool()
    await vault.imported(pool_id, "IN-VAULT-1\n")
    shop = await a_shop(vault, pool_id=pool_id)

    await shop.stored(shop.units(["INVAULT1", "FRESH-1", "FRESH 1"]))
    await shop.stored(shop.units(["ＦＲＥＳＨ1"], first_line=4), 2)
    receipt = await shop.completed()

    assert (receipt["accepted"], receipt["duplicates"], receipt["rejected"]) == (1, 3, 0)
    assert [(line["line"], line["code"]) for line in receipt["lines"]] == [
        (1, "duplicate_in_vault"),
        (3, "duplicate_in_file"),
        (4, "duplicate_in_vault"),
    ]


async def test_a_code_that_another_merchant_has_is_counted_and_stocked(
    vault: Vault, api: OpenClient
):
    other = new_id()
    theirs = Vault(await api("stock:write", "stock:read", merchant_id=other), other)
    await theirs.imported(await theirs.pool(), "ELSEWHERE-1\n")
    shop = await a_shop(vault)
    await shop.stored(shop.units(["ELSEWHERE1", "ONLY-MINE-1"]))

    receipt = await shop.completed()

    assert (receipt["accepted"], receipt["units"], receipt["duplicates"]) == (2, 2, 0)
    assert receipt["duplicates_elsewhere"] == 1


async def test_two_uploads_of_the_same_codes_stock_each_code_once(vault: Vault):
    pool_id = await vault.pool()
    same = [f"TWICE-{n}" for n in range(200)]
    shops = [await a_shop(vault, pool_id=pool_id) for _ in range(2)]

    receipts = await asyncio.gather(*(shop.stored(shop.units(same)) for shop in shops))
    await vault.imported(pool_id, "\n".join(same))
    for shop in shops:
        await shop.completed()

    assert sum(receipt["accepted"] for receipt in receipts) == 200
    assert (await vault.levels(pool_id))["available"] == 200


async def test_cost_and_expiry_of_a_unit_are_its_own(vault: Vault):
    pool_id = await vault.pool()
    shop = await a_shop(vault, pool_id=pool_id, has_unit_expiry=True, expires_at=FAR)
    await shop.stored(
        [
            shop.unit(1, "EXPIRING-1", expires_at="2029-01-01T00:00:00Z", unit_cost=700),
            shop.unit(2, "EXPIRING-2"),
        ]
    )

    await shop.completed()

    lot = (await vault.client.get(f"/v1/lots/{shop.ids['lot_id']}")).json()
    assert lot["total_cost"]["amount"] == 1200
    first, second = await vault.sold(pool_id, 2)
    shown = [
        (await vault.client.get(f"/v1/units/{it['unit_id']}")).json() for it in (first, second)
    ]
    assert [unit["expires_at"][:4] for unit in shown] == ["2029", "2031"]


@pytest.mark.parametrize("places", [((1, "2030"), (1, "2029")), ((1, "2030"), (2, "2029"))])
async def test_units_that_expire_first_must_come_first(vault: Vault, places: Any):
    shop = await a_shop(vault, has_unit_expiry=True)
    parts: dict[int, list[Any]] = {}
    for line, (part, year) in enumerate(places, 1):
        unit = shop.unit(line, f"ORDER-{line}", expires_at=f"{year}-01-01T00:00:00Z")
        parts.setdefault(part, []).append(unit)

    answers = [await shop.send(units, part) for part, units in parts.items()]

    assert (answers[-1].status_code, answers[-1].json()["code"]) == (422, "units_out_of_order")
    assert answers[-1].json()["line"] == 2


async def test_an_expiry_that_was_not_announced_is_refused(vault: Vault):
    shop = await a_shop(vault)
    answer = await shop.send([shop.unit(1, "UNANNOUNCED", expires_at=FAR)])
    assert (answer.status_code, answer.json()["code"]) == (422, "unit_expiry_not_announced")


async def test_an_import_of_a_file_takes_no_boxes(vault: Vault):
    receipt = await vault.imported(await vault.pool(), codes(1))
    shop = await a_shop(vault)
    shop.ids["import_id"] = receipt["id"]

    answer = await shop.send(shop.units(["INTO-A-FILE"]))

    assert (answer.status_code, answer.json()["code"]) == (409, "not_an_upload_of_boxes")


async def test_another_merchants_upload_is_not_there(vault: Vault, api: OpenClient):
    shop = await a_shop(vault)
    other = Vault(await api("stock:write", "stock:read", merchant_id=new_id()), new_id())
    stranger = SealingShop(other, shop.ids)

    sent = await stranger.send(shop.units(["NOT-YOURS"]))
    completed = await stranger.complete()

    assert (sent.status_code, sent.json()["code"]) == (404, "import_not_found")
    assert completed.status_code == 404


async def test_a_body_that_is_not_understood_is_refused_with_the_field(vault: Vault):
    shop = await a_shop(vault)
    unit = shop.unit(1, "FIELDS-1")
    for field, value in (
        ("nonce", "short"),
        ("nonce", "!" * 32),
        ("ciphertext", "A"),
        ("ciphertext", "AAAAA"),
        ("unit_id", "no id"),
        ("line", 0),
        ("unit_cost", -1),
        ("expires_at", "tomorrow"),
        ("code", "IN-CLEAR"),
    ):
        answer = await shop.send([{**unit, field: value}])
        pointers = [item["pointer"] for item in answer.json()["errors"]]
        assert (answer.status_code, pointers) == (422, [f"/units/0/{field}"])
        assert "IN-CLEAR" not in answer.text
    for units, part in (([], 1), ([unit] * 5_001, 1), ([unit], 0), ([unit], 10_001)):
        answer = await shop.send(units, part)
        assert answer.status_code == 422


@pytest.mark.parametrize("missing", ["lot_id", "key_id", "public_key"])
async def test_boxes_in_the_first_call_must_say_what_they_are_sealed_for(
    vault: Vault, missing: str
):
    shop = await a_shop(vault)
    body = {
        "lot_id": str(new_id()),
        "key_id": shop.ids["key_id"],
        "public_key": shop.public_key,
        "boxes": shop.units(["UNNAMED"]),
    }
    del body[missing]

    answer = await open_lot(vault, await vault.pool(), **body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_an_opening_that_cannot_be_is_refused(vault: Vault):
    pool_id = await vault.pool()
    past = await open_lot(vault, pool_id, expires_at="2020-01-01T00:00:00Z")
    nowhere = await open_lot(vault, str(new_id()))
    neither = await vault.client.post(
        f"/v1/pools/{pool_id}/lots", content=b"x", headers={"Content-Type": "text/plain"}
    )

    assert past.json()["code"] == "expires_at_in_the_past"
    assert nowhere.json()["code"] == "pool_not_found"
    assert neither.json()["code"] == "not_multipart"
