import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from inventory_vault.opener.client import OpenerSilent
from kit.ids import new_id
from kit.service import Service
from tests.inventory_vault.factories import OTHER_MERCHANT, Recipient, Vault


async def test_a_sold_unit_is_shown_and_the_view_is_logged(vault: Vault):
    pool_id = await vault.stocked(2)
    [unit] = await vault.sold(pool_id)
    buyer = Recipient()

    shown = await vault.reveal(unit["unit_id"], buyer)

    assert shown.status_code == 200, shown.text
    assert buyer.open(shown.json()["box"]) == {"code": "CODE-000001"}
    read = (await vault.client.get(f"/v1/units/{unit['unit_id']}")).json()
    assert (read["state"], read["mask"]) == ("opened", "CO****01")
    views = (await vault.client.get(f"/v1/units/{unit['unit_id']}/views")).json()["items"]
    assert [(v["kind"], v["viewer_id"], v["ip"]) for v in views] == [
        ("reveal", "customer-7", "203.0.113.9")
    ]
    levels = await vault.levels(pool_id)
    assert (levels["sold"], levels["opened"]) == (0, 1)
    assert await vault.conserved(pool_id)


async def test_each_look_is_a_view_of_its_own(vault: Vault):
    [unit] = await vault.sold(await vault.stocked(1))
    for _ in range(3):
        assert (await vault.reveal(unit["unit_id"], Recipient())).status_code == 200
    url = f"/v1/units/{unit['unit_id']}/views"
    first = (await vault.client.get(url, params={"limit": 2})).json()
    second = (await vault.client.get(url, params={"cursor": first["next_cursor"]})).json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, None)


async def test_a_handout_of_the_whole_sale_stands_in_the_log(vault: Vault):
    pool_id = await vault.stocked(1)
    claimed = await vault.claim(await vault.held(pool_id), Recipient())
    [unit] = claimed.json()["units"]
    views = (await vault.client.get(f"/v1/units/{unit['unit_id']}/views")).json()["items"]
    assert [view["kind"] for view in views] == ["handout"]


async def test_a_unit_that_is_not_sold_is_not_shown(vault: Vault, rows):
    pool_id = await vault.stocked(2)
    await vault.held(pool_id)
    units = await rows("SELECT unit_id FROM unit WHERE merchant_id = :m", m=vault.merchant)
    for unit in units:
        answer = await vault.reveal(str(unit.unit_id), Recipient())
        assert (answer.status_code, answer.json()["code"]) == (409, "unit_not_sold")
    [log] = await rows(
        "SELECT count(*) AS n FROM unit_view WHERE merchant_id = :m", m=vault.merchant
    )
    assert log.n == 0


async def test_units_are_their_owners_only(vault: Vault, api):
    [unit] = await vault.sold(await vault.stocked(1))
    stranger = Vault(
        await api("stock:read", "keys:reveal", merchant_id=OTHER_MERCHANT), OTHER_MERCHANT
    )
    assert (await stranger.reveal(unit["unit_id"], Recipient())).status_code == 404
    assert (await stranger.client.get(f"/v1/units/{unit['unit_id']}")).status_code == 404
    assert (await stranger.client.get(f"/v1/units/{unit['unit_id']}/views")).status_code == 404
    assert (await vault.reveal(str(new_id()), Recipient())).status_code == 404


async def test_revealing_needs_its_own_scope(vault: Vault, api):
    [unit] = await vault.sold(await vault.stocked(1))
    seller = Vault(await api("stock:read", "stock:write", "reservations:write"), vault.merchant)
    answer = await seller.reveal(unit["unit_id"], Recipient())
    assert (answer.status_code, answer.json()["scope"]) == (403, "keys:reveal")


@pytest.mark.parametrize("key", ["A" * 43 + "=", "AQ" + "A" * 41 + "="])
async def test_keys_of_small_order_are_refused(vault: Vault, key: str):
    [unit] = await vault.sold(await vault.stocked(1))
    answer = await vault.reveal(unit["unit_id"], Recipient(), recipient_public_key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_recipient_public_key")


async def test_the_view_is_in_the_log_even_when_the_opener_is_gone(
    service: Service, vault: Vault, monkeypatch: pytest.MonkeyPatch, rows
):
    [unit] = await vault.sold(await vault.stocked(1))

    async def silent(*_: object) -> None:
        raise OpenerSilent

    monkeypatch.setattr("inventory_vault.opener.client.OpenerClient.view", silent)
    answer = await vault.reveal(unit["unit_id"], Recipient())

    assert (answer.status_code, answer.json()["code"]) == (503, "opener_unavailable")
    [log] = await rows("SELECT count(*) AS n FROM unit_view WHERE unit_id = :u", u=unit["unit_id"])
    assert log.n == 1


async def test_boxes_swapped_between_rows_are_refused(vault: Vault, service: Service):
    pool_id = await vault.stocked(2)
    units = await vault.sold(pool_id, 2)
    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE unit u SET nonce = o.nonce, box = o.box FROM unit o "
                "WHERE u.lot_id = o.lot_id AND u.seq = 3 - o.seq AND u.merchant_id = :m"
            ),
            {"m": vault.merchant},
        )

    for unit in units:
        answer = await vault.reveal(unit["unit_id"], Recipient())
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "unit_unopenable")
        assert problem["reason"] == "header_mismatch"
        assert "CODE" not in answer.text


async def test_a_changed_box_is_refused(vault: Vault, service: Service):
    [unit] = await vault.sold(await vault.stocked(1))
    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE unit SET box = set_byte(box, 40, get_byte(box, 40) # 1) WHERE unit_id = :u"
            ),
            {"u": unit["unit_id"]},
        )
    answer = await vault.reveal(unit["unit_id"], Recipient())
    assert answer.json()["reason"] == "unopenable"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE allocation SET state = 'reserved' WHERE merchant_id = :m",
        "UPDATE allocation SET reservation_id = gen_random_uuid() WHERE merchant_id = :m",
        "DELETE FROM allocation WHERE merchant_id = :m",
        "TRUNCATE allocation",
        "UPDATE unit_sale SET sold_at = now() WHERE merchant_id = :m",
        "DELETE FROM unit_sale WHERE merchant_id = :m",
        "TRUNCATE unit_sale",
        "DELETE FROM unit_view WHERE merchant_id = :m",
        "DELETE FROM handout WHERE merchant_id = :m",
        "DELETE FROM stock_action WHERE merchant_id = :m",
        "UPDATE reservation SET status = 'released' WHERE merchant_id = :m",
        "UPDATE lot SET next_seq = 1 WHERE merchant_id = :m",
        "INSERT INTO allocation SELECT lot_id, 3, reservation_id, 1, merchant_id, 'sold' "
        "FROM allocation WHERE merchant_id = :m LIMIT 1",
        "INSERT INTO allocation SELECT lot_id, seq, reservation_id, 1, merchant_id, 'reserved' "
        "FROM allocation WHERE merchant_id = :m LIMIT 1",
        "INSERT INTO unit_sale SELECT gen_random_uuid(), merchant_id, lot_id, seq, "
        "gen_random_uuid(), 1 FROM unit_sale WHERE merchant_id = :m",
        "INSERT INTO unit_sale SELECT unit_id, merchant_id, lot_id, seq, reservation_id, 1 "
        "FROM unit_sale WHERE merchant_id = :m",
    ],
)
async def test_the_database_itself_refuses_to_unsell(
    vault: Vault, service: Service, statement: str
):
    await vault.sold(await vault.stocked(3))
    with pytest.raises(IntegrityError):
        async with service.db.transaction() as tx:
            await tx.execute(text(statement), {"m": vault.merchant} if ":m" in statement else {})
