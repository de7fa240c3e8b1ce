"""Redeeming and rolling back, one call after the other."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import OTHER_MERCHANT, Recipient, Vault
from tests.inventory_vault.tills import Till, money, refused

Rows = Callable[..., Awaitable[list[Any]]]


async def test_a_voucher_is_used_in_parts_until_nothing_is_left(till: Till):
    [unit_id] = await till.sold()
    code = await till.code_of(unit_id)

    first = await till.redeemed(code=code, amount=money(25), buyer_id="b-1", shop_id="s-1")
    before = await till.balance(unit_id)
    last = await till.redeemed(code=code)

    assert (first["unit_id"], first["amount"], first["balance"]) == (
        unit_id,
        money(25),
        money(35),
    )
    assert (first["is_used_up"], first["buyer_id"], first["shop_id"]) == (False, "b-1", "s-1")
    assert (before["state"], before["face_value"], before["balance"]) == (
        "opened",
        money(60),
        money(35),
    )
    assert (last["amount"], last["balance"], last["is_used_up"]) == (money(35), money(0), True)
    assert (await till.balance(unit_id))["state"] == "redeemed"
    assert refused(await till.redeem(code=code)) == (409, "voucher_used_up")
    assert refused(await till.redeem(unit_id, amount=money(1))) == (409, "voucher_used_up")


async def test_more_than_is_left_is_refused_and_nothing_is_taken(till: Till):
    [unit_id] = await till.sold()
    await till.redeemed(unit_id, amount=money(59))

    answer = await till.redeem(unit_id, amount=money(2))

    assert refused(answer) == (409, "balance_too_low")
    assert answer.json()["balance"] == money(1)
    assert await till.left(unit_id) == 1


async def test_the_state_of_the_stock_follows(till: Till):
    pool_id, _ = await till.stocked(3)
    one, two, _ = (unit["unit_id"] for unit in await till.vault.sold(pool_id, 3))
    await till.code_of(two)

    first, second = await till.redeemed(one), await till.redeemed(two)
    levels = await till.vault.levels(pool_id)
    assert (levels["sold"], levels["opened"], levels["redeemed"]) == (1, 0, 2)
    assert await till.vault.conserved(pool_id)

    await till.roll_back(first["id"])
    await till.roll_back(second["id"])
    levels = await till.vault.levels(pool_id)
    assert (levels["sold"], levels["opened"], levels["redeemed"]) == (2, 1, 0)
    assert await till.vault.conserved(pool_id)
    assert await till.left(one) == await till.left(two) == 60


async def test_a_unit_that_was_shown_while_it_was_redeemed_comes_back_as_opened(till: Till):
    pool_id, _ = await till.stocked(1)
    unit_id = (await till.vault.sold(pool_id))[0]["unit_id"]
    done = await till.redeemed(unit_id)
    await till.code_of(unit_id)

    await till.roll_back(done["id"])

    assert (await till.balance(unit_id))["state"] == "opened"
    assert (await till.vault.levels(pool_id))["opened"] == 1
    await till.code_of(unit_id)
    assert await till.vault.conserved(pool_id)


async def test_a_rollback_happens_once_whoever_asks_again(till: Till, rows: Rows):
    [unit_id] = await till.sold()
    kept = await till.redeemed(unit_id, amount=money(10))
    done = await till.redeemed(unit_id, amount=money(20))

    answers = [await till.roll_back(done["id"], f"reason {number}") for number in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["status"] for answer in answers} == {"rolled_back"}
    assert {answer.json()["rollback_reason"] for answer in answers} == {"reason 0"}
    assert await till.left(unit_id) == 50
    assert (await till.redeemed(unit_id))["amount"] == money(50)
    read = await till.vault.client.get(f"/v1/redemptions/{kept['id']}")
    assert read.json()["status"] == "redeemed"
    events = await rows("SELECT type FROM event_log WHERE key = :key ORDER BY id", key=unit_id)
    assert [row.type.rpartition(".")[2] for row in events] == [
        "VoucherRedeemed",
        "VoucherRedeemed",
        "RedemptionRolledBack",
        "VoucherRedeemed",
    ]


async def test_any_part_of_a_used_up_voucher_can_be_rolled_back(till: Till):
    pool_id, _ = await till.stocked(1)
    unit_id = (await till.vault.sold(pool_id))[0]["unit_id"]
    parts = [await till.redeemed(unit_id, amount=money(20)) for _ in range(3)]

    await till.roll_back(parts[0]["id"])
    assert ((await till.balance(unit_id))["state"], await till.left(unit_id)) == ("sold", 20)
    await till.redeemed(unit_id, amount=money(20))
    assert (await till.balance(unit_id))["state"] == "redeemed"
    for part in parts[1:]:
        await till.roll_back(part["id"])

    assert ((await till.balance(unit_id))["state"], await till.left(unit_id)) == ("sold", 40)
    assert await till.vault.conserved(pool_id)


async def test_the_same_reference_gives_the_same_answer(till: Till):
    one, two = await till.sold(2)
    code = await till.code_of(one)
    wish: dict[str, Any] = {"merchant_reference": "till-1/42", "amount": money(60), "buyer_id": "b"}

    first = await till.redeemed(one, **wish)
    by_id, by_code = await till.redeem(one, **wish), await till.redeem(code=code, **wish)

    assert by_id.status_code == by_code.status_code == 201
    assert first == by_id.json() == by_code.json()
    assert await till.left(one) == 0
    for other in (
        {"unit_id": two},
        {"unit_id": one, "amount": money(59)},
        {"unit_id": one, "amount": None},
        {"unit_id": one, "buyer_id": "c"},
        {"unit_id": one, "shop_id": "s"},
    ):
        answer = await till.redeem(**{**wish, **other})
        assert refused(answer) == (422, "reference_reused")
        assert answer.json()["redemption_id"] == first["id"]
    assert await till.left(two) == 60


async def test_a_repeat_after_the_rollback_says_that_it_was_rolled_back(till: Till):
    [unit_id] = await till.sold()
    done = await till.redeemed(unit_id, merchant_reference="again")
    await till.roll_back(done["id"])

    again = await till.redeemed(unit_id, merchant_reference="again")

    assert (again["id"], again["status"]) == (done["id"], "rolled_back")
    assert await till.left(unit_id) == 60


async def test_a_reference_is_the_merchants_own(till: Till, api: OpenClient):
    [mine] = await till.sold()
    other = await _other_till(api)
    [theirs] = await other.sold()

    first = await till.redeemed(mine, merchant_reference="shared")
    second = await other.redeemed(theirs, merchant_reference="shared")

    assert first["id"] != second["id"]


async def test_an_idempotency_key_repeats_and_refuses_another_code(till: Till):
    one, two = await till.sold(2)
    codes = [await till.code_of(unit_id) for unit_id in (one, two)]
    till.vault.client.headers["Idempotency-Key"] = str(new_id())
    wish: dict[str, Any] = {"merchant_reference": "once", "amount": money(5)}

    first, again = [await till.redeem(code=codes[0], **wish) for _ in range(2)]
    other = await till.redeem(code=codes[1], **wish)

    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert refused(other) == (422, "idempotency_key_reused")
    assert await till.left(one) == 55


async def test_only_what_was_sold_is_redeemed(till: Till, rows: Rows):
    _, lot_id = await till.stocked(1)
    [unit] = await rows("SELECT unit_id FROM unit WHERE lot_id = :lot", lot=lot_id)

    answer = await till.redeem(str(unit.unit_id))

    assert refused(answer) == (409, "voucher_not_sold")
    assert answer.json()["state"] == "available"


async def test_held_quarantined_and_void_units_are_not_redeemed(till: Till, rows: Rows):
    pool_id, lot_id = await till.stocked(3)
    units = [
        str(row.unit_id)
        for row in await rows(
            "SELECT unit_id FROM unit WHERE lot_id = :lot ORDER BY seq", lot=lot_id
        )
    ]
    await till.vault.held(pool_id)
    for unit_id, action in zip(units[1:], ("quarantine", "void"), strict=True):
        path = f"/v1/units/{unit_id}/{action}"
        assert (await till.vault.client.post(path, json={"reason": "r"})).status_code == 200

    answers = [refused(await till.redeem(unit_id)) for unit_id in units]

    assert answers == [
        (409, "voucher_not_sold"),
        (409, "voucher_blocked"),
        (409, "voucher_blocked"),
    ]


async def test_vouchers_that_need_activation_are_neither_sold_nor_redeemed_before(
    till: Till, rows: Rows
):
    pool_id, lot_id = await till.stocked(2, needs_activation=True)
    units = [
        str(row.unit_id)
        for row in await rows(
            "SELECT unit_id FROM unit WHERE lot_id = :lot ORDER BY seq", lot=lot_id
        )
    ]

    assert refused(await till.redeem(units[0])) == (409, "voucher_not_active")
    assert refused(await till.vault.reserve(pool_id)) == (409, "out_of_stock")
    path = f"/v1/units/{units[1]}/activate"
    active = await till.vault.client.post(path, json={"reason": "paid at the till"})

    assert active.status_code == 200, active.text
    assert [unit["unit_id"] for unit in await till.vault.sold(pool_id)] == [units[1]]
    await till.redeemed(units[1])
    assert refused(await till.redeem(units[0])) == (409, "voucher_not_active")
    assert await till.vault.conserved(pool_id)


@pytest.mark.parametrize("action", ["quarantine", "void"])
async def test_a_lot_that_is_frozen_or_void_redeems_nothing(till: Till, action: str):
    pool_id, lot_id = await till.stocked(1)
    unit_id = (await till.vault.sold(pool_id))[0]["unit_id"]
    path = f"/v1/lots/{lot_id}/{action}"
    assert (await till.vault.client.post(path, json={"reason": "leak"})).status_code == 200

    assert refused(await till.redeem(unit_id)) == (409, "voucher_blocked")
    if action == "quarantine":
        await till.vault.client.post(f"/v1/lots/{lot_id}/restore", json={"reason": "false alarm"})
        await till.redeemed(unit_id)


async def test_vouchers_are_valid_until_their_last_moment_and_from_their_first(
    till: Till, db: Database
):
    """The database's clock decides; the edge itself is too late, and just right."""
    [late] = await till.sold(expires_at="2199-01-01T00:00:00Z")
    [early] = await till.sold(valid_from="2198-12-31T00:00:00Z")
    kept = await till.redeemed(late, amount=money(1))

    answer = await till.redeem(early)
    assert refused(answer) == (409, "voucher_not_yet_valid")
    assert answer.json()["valid_from"].startswith("2198-12-31")
    async with db.transaction() as tx:
        # Time goes by faster than in life: the lots' own dates are moved instead.
        await tx.execute(
            text(
                "UPDATE lot SET expires_at = clock_timestamp() FROM unit u "
                "WHERE u.unit_id = :unit AND lot.id = u.lot_id"
            ),
            {"unit": late},
        )
        await tx.execute(
            text(
                "UPDATE voucher_terms t SET valid_from = clock_timestamp() FROM unit u "
                "WHERE u.unit_id = :unit AND t.lot_id = u.lot_id"
            ),
            {"unit": early},
        )

    assert refused(await till.redeem(late, amount=money(1))) == (409, "voucher_expired")
    await till.redeemed(early)
    # Giving back is possible for ever; using it is not.
    assert (await till.roll_back(kept["id"])).status_code == 200
    assert await till.left(late) == 60


async def test_a_foreign_voucher_is_unknown(till: Till, api: OpenClient):
    other = await _other_till(api)
    [unit_id] = await other.sold()
    code = await other.code_of(unit_id)
    done = await other.redeemed(unit_id, amount=money(1))
    client = till.vault.client

    assert refused(await till.redeem(code=code)) == (404, "code_not_found")
    assert refused(await till.redeem(unit_id)) == (404, "unit_not_found")
    assert refused(await till.roll_back(done["id"])) == (404, "redemption_not_found")
    assert refused(await client.get(f"/v1/redemptions/{done['id']}")) == (
        404,
        "redemption_not_found",
    )
    assert refused(await client.get(f"/v1/units/{unit_id}/balance")) == (404, "unit_not_found")
    assert (await client.get(f"/v1/redemptions?unit_id={unit_id}")).json()["items"] == []
    assert await other.left(unit_id) == 59


async def test_another_currency_is_refused(till: Till):
    [unit_id] = await till.sold()

    answer = await till.redeem(unit_id, amount=money(1, "USD"))

    assert refused(answer) == (422, "currency_mismatch")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/"),
        ({"code": "A", "unit_id": str(new_id())}, "/"),
        ({"code": ""}, "/code"),
        ({"code": "A" * 501}, "/code"),
        ({"code": 42}, "/code"),
        ({"unit_id": "not an id"}, "/unit_id"),
        ({"code": "A", "amount": money(0)}, "/amount/amount"),
        ({"code": "A", "amount": money(-1)}, "/amount/amount"),
        ({"code": "A", "amount": {"amount": "1", "currency": "CNY"}}, "/amount/amount"),
        ({"code": "A", "merchant_reference": "with spaces"}, "/merchant_reference"),
        ({"code": "A", "merchant_reference": ""}, "/merchant_reference"),
        ({"code": "A", "pin": "1"}, "/pin"),
    ],
)
async def test_garbage_is_refused_with_the_field_named(
    till: Till, fields: dict[str, Any], pointer: str
):
    answer = await till.redeem(**fields)

    assert refused(answer) == (422, "validation_failed")
    assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("code", ["\x00", "' OR 1=1 --", "%", "卡密一二三", "🦄", "\ud7ff" * 500])
async def test_garbage_for_a_code_is_no_code(till: Till, code: str):
    assert refused(await till.redeem(code=code)) == (404, "code_not_found")


async def test_codes_and_cards_sold_by_us_are_marked_whole(till: Till):
    vault = till.vault
    pool_id = await vault.stocked(2, prefix="KEY")
    units = await vault.sold(pool_id, 2)

    assert refused(await till.redeem(code="KEY-000001", amount=money(1))) == (
        422,
        "amount_not_allowed",
    )
    done = await till.redeemed(code="KEY-000001")
    read = await till.balance(units[0]["unit_id"])

    assert (done["amount"], done["balance"], done["is_used_up"]) == (None, None, True)
    assert (read["state"], read["face_value"], read["balance"]) == ("redeemed", None, None)
    assert refused(await till.redeem(code="KEY-000001")) == (409, "voucher_used_up")
    assert (await till.roll_back(done["id"])).json()["status"] == "rolled_back"
    await till.redeemed(units[0]["unit_id"])
    assert await vault.conserved(pool_id)

    card_pool = await vault.pool("card")
    await vault.imported(card_pool, "number,password\nCARD-77,secret\n")
    await vault.sold(card_pool)
    assert (await till.redeemed(code="CARD 77"))["is_used_up"]


async def test_reusable_units_are_not_redeemed(till: Till):
    pool_id = await till.vault.pool("reusable")
    await till.vault.add_lot(pool_id, 1, prefix="REUSE")
    unit_id = (await till.vault.sold(pool_id))[0]["unit_id"]

    assert refused(await till.redeem(unit_id)) == (422, "unit_kind_not_redeemable")


async def test_limits_are_counted_by_voucher_and_given_back(till: Till):
    one, two, three = await till.sold(3, limits={"per_buyer": 2, "per_shop": 3})
    ann, bob = {"buyer_id": "ann", "shop_id": "s"}, {"buyer_id": "bob", "shop_id": "s"}

    assert refused(await till.redeem(one)) == (422, "buyer_required")
    assert refused(await till.redeem(one, buyer_id="ann")) == (422, "shop_required")
    parts = [await till.redeemed(one, amount=money(10), **ann) for _ in range(3)]
    await till.redeemed(two, amount=money(60), **ann)
    answer = await till.redeem(three, amount=money(1), **ann)
    assert refused(answer) == (409, "voucher_limit_reached")
    assert (answer.json()["party"], answer.json()["limit"]) == ("buyer", 2)

    # Two of three parts back: the voucher is still in use. The third: it is not.
    for part in parts[:2]:
        await till.roll_back(part["id"])
    assert refused(await till.redeem(three, amount=money(1), **ann))[1] == "voucher_limit_reached"
    await till.roll_back(parts[2]["id"])
    await till.redeemed(three, amount=money(1), **ann)
    await till.redeemed(three, amount=money(1), **bob)


async def test_the_shops_limit_holds_over_its_buyers(till: Till):
    units = await till.sold(3, limits={"per_shop": 2})
    for unit_id in units[:2]:
        await till.redeemed(unit_id, shop_id="s", buyer_id=unit_id)

    answer = await till.redeem(units[2], shop_id="s", buyer_id="new")

    assert (refused(answer), answer.json()["party"]) == ((409, "voucher_limit_reached"), "shop")
    await till.redeemed(units[2], shop_id="t")


async def test_redemptions_are_listed_and_found(till: Till):
    one, two = await till.sold(2)
    done = [await till.redeemed(one, amount=money(1)) for _ in range(3)]
    other = await till.redeemed(two, merchant_reference="find-me")
    client = till.vault.client

    async def ids(query: str) -> list[str]:
        answer = await client.get(f"/v1/redemptions?{query}")
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert await ids(f"unit_id={one}") == [each["id"] for each in done]
    assert await ids("merchant_reference=find-me") == [other["id"]]
    assert await ids("merchant_reference=unknown") == []
    first = (await client.get(f"/v1/redemptions?unit_id={one}&limit=2")).json()
    rest = await client.get(f"/v1/redemptions?unit_id={one}&limit=2&cursor={first['next_cursor']}")
    assert [item["id"] for item in rest.json()["items"]] == [done[2]["id"]]
    assert rest.json()["next_cursor"] is None
    read = await client.get(f"/v1/redemptions/{other['id']}")
    assert read.json() == other


async def test_scopes_are_needed(till: Till, api: OpenClient):
    [unit_id] = await till.sold()
    done = await till.redeemed(unit_id, amount=money(1))
    client = await api("stock:write", "stock:read", "keys:reveal")
    clerk = Till(Vault(client, till.vault.merchant))

    answers = [
        await clerk.redeem(unit_id),
        await clerk.roll_back(done["id"]),
        await client.get(f"/v1/redemptions/{done['id']}"),
        await client.get("/v1/redemptions"),
        await client.get(f"/v1/units/{unit_id}/balance"),
    ]

    assert {refused(answer) for answer in answers} == {(403, "denied")}


async def test_a_redeemed_voucher_can_still_be_shown_to_its_buyer(till: Till):
    [unit_id] = await till.sold()
    await till.redeemed(unit_id)

    shown = await till.vault.reveal(unit_id, Recipient())

    assert shown.status_code == 200


async def _other_till(api: OpenClient) -> Till:
    merchant = OTHER_MERCHANT
    scopes = ("stock:read", "stock:write", "reservations:write", "keys:reveal")
    client: httpx.AsyncClient = await api(
        *scopes, "redemptions:read", "redemptions:write", merchant_id=merchant
    )
    return Till(Vault(client, merchant))
