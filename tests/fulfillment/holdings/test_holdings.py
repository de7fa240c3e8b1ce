"""What a buyer holds over all orders: for the shop, and on a page of the buyer's own."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kit.ids import new_id
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service, create_app
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    UnitOpened,
    VoucherRedeemed,
)
from tests.fulfillment.after_sales import SCOPES, Shop, Sold, open_shop
from tests.fulfillment.conftest import a_client
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.fulfillment.real_vault import RealVault

BUYER = "buyer-of-many"


@pytest.fixture
async def shop(served: Service, vault: RealVault) -> AsyncIterator[Shop]:
    async with open_shop(served, vault) as made:
        yield made


async def sell(
    shop: Shop, vault: RealVault, quantity: int = 1, *, buyer: str = BUYER, kind: str = "code"
) -> Sold:
    codes = [f"HOLD-{number:04}-{new_id().hex[-8:]}" for number in range(quantity)]
    return await shop.sell(await vault.stock(codes, kind=kind), quantity, buyer=buyer)


async def held(shop: Shop, *, buyer: str = BUYER, **query: Any) -> list[Any]:
    answer = await shop.client.get("/v1/holdings", params={"customer_id": buyer, **query})
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


async def change(shop: Shop, unit: str, **columns: Any) -> None:
    async with shop.service.db.transaction() as tx:
        for column, value in columns.items():
            kind = "CAST(:value AS timestamptz)"
            await tx.execute(
                text(f"UPDATE delivered_unit SET {column} = {kind} WHERE unit_id = :unit"),  # noqa: S608
                {"value": value, "unit": unit},
            )


async def hear(shop: Shop, message: Any) -> None:
    """An event of the vault reaches the service."""
    event = Event(
        id=new_id(),
        type=type_of(type(message)),
        topic=topic_of(type(message)),
        key=message.unit_id,
        version=1,
        time=datetime.now(UTC),
        merchant_id=None,
        traceparent=None,
        request_id=None,
        message=message,
    )
    handler = next(it for it in shop.service.handlers if it.message_class is type(message))
    async with shop.service.db.transaction() as tx:
        await handler.fn(tx, [event])


async def test_a_buyers_units_are_listed_over_all_orders_by_what_became_of_them(
    shop: Shop, vault: RealVault
) -> None:
    now = datetime.now(UTC)
    orders = [await sell(shop, vault) for _ in range(5)]
    await sell(shop, vault, buyer="somebody-else")
    fresh, opened, ending, redeemed, over = (order.units[0] for order in orders)
    await change(shop, opened, opened_at=now)
    await change(shop, ending, expires_at=now + timedelta(days=6))
    await change(shop, redeemed, redeemed_at=now, opened_at=now)
    await change(shop, over, expires_at=now - timedelta(seconds=1))

    items = await held(shop)

    assert {it["unit_id"]: it["state"] for it in items} == {
        fresh: "unopened",
        opened: "opened",
        ending: "expiring",
        redeemed: "redeemed",
        over: "expired",
    }
    assert [it["unit_id"] for it in items] == [order.units[0] for order in reversed(orders)]
    assert all("*" in it["mask"] and "code" not in it for it in items)
    for state in ("unopened", "opened", "expiring", "redeemed", "expired"):
        assert [it["state"] for it in await held(shop, state=state)] == [state]


async def test_the_list_is_paged(shop: Shop, vault: RealVault) -> None:
    await sell(shop, vault, 3)
    await sell(shop, vault, 2)
    whole = [it["unit_id"] for it in await held(shop)]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(5):
        query = {"customer_id": BUYER, "limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await shop.client.get("/v1/holdings", params=query)).json()
        seen += [it["unit_id"] for it in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole
    assert len(whole) == 5


async def test_what_was_replaced_is_not_held_and_what_replaces_it_is(
    shop: Shop, vault: RealVault
) -> None:
    await shop.policy(auto_unseen=True)
    pool = await vault.stock([f"ONE-{new_id().hex[-8:]}"])
    await vault.add_lot(pool, [f"TWO-{new_id().hex[-8:]}"])
    sold = await shop.sell(pool, buyer=BUYER)
    await shop.claimed(sold)
    [it] = await held(shop)
    assert it["unit_id"] != sold.units[0]


async def test_the_vaults_events_say_what_was_opened_and_redeemed(
    shop: Shop, vault: RealVault
) -> None:
    sold = await sell(shop, vault, kind="voucher")
    [unit] = sold.units
    about: dict[str, Any] = {"unit_id": unit, "merchant_id": str(new_id())}
    await hear(shop, UnitOpened(**about))
    assert [it["state"] for it in await held(shop)] == ["opened"]
    await hear(shop, VoucherRedeemed(**about, is_used_up=False))
    assert [it["state"] for it in await held(shop)] == ["opened"]
    await hear(shop, VoucherRedeemed(**about, is_used_up=True))
    assert [it["state"] for it in await held(shop)] == ["redeemed"]
    await hear(shop, RedemptionRolledBack(**about))
    assert [it["state"] for it in await held(shop)] == ["opened"]


async def test_others_and_nameless_buyers_hold_nothing_here(shop: Shop, vault: RealVault) -> None:
    await sell(shop, vault)
    app = create_app(shop.service)
    async with a_client(shop.service, app, *SCOPES, merchant_id=OTHER_MERCHANT) as stranger:
        answer = await stranger.get("/v1/holdings", params={"customer_id": BUYER})
        assert answer.json()["items"] == []
    assert (await shop.client.get("/v1/holdings")).status_code == 422
    assert (await shop.client.get("/v1/holdings?customer_id=")).status_code == 422


async def link(shop: Shop, **body: Any) -> str:
    answer = await shop.client.post("/v1/holding-links", json={"customer_id": BUYER, **body})
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["url"]
    return url.removeprefix("http://fulfillment")


async def test_the_buyers_page_shows_all_and_leads_to_each_order(
    shop: Shop, vault: RealVault
) -> None:
    orders = [await sell(shop, vault), await sell(shop, vault)]
    path = await link(shop)

    page = await shop.client.get(path, headers={"Accept-Language": "en"})
    chinese = await shop.client.get(f"{path}?lang=zh")

    assert page.status_code == 200
    assert re.fullmatch(r"/h/[A-Za-z0-9_\-]{48}", path)
    for order in orders:
        assert f"/d/{order.token}" in page.text
    assert page.text.count("Not opened yet") == 2
    assert 'lang="zh"' in chinese.text
    assert "尚未打开" in chinese.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"https?://(?!fulfillment)", page.text)
    assert "HOLD-" not in page.text


async def test_an_orders_page_that_has_ended_is_not_linked(shop: Shop, vault: RealVault) -> None:
    sold = await sell(shop, vault)
    path = await link(shop)
    async with shop.service.db.transaction() as tx:
        await tx.execute(text("UPDATE request SET page_ends_at = clock_timestamp()"))
    page = await shop.client.get(path)
    assert page.status_code == 200
    assert f"/d/{sold.token[:16]}" not in page.text


async def test_a_name_from_a_shop_is_shown_as_text(shop: Shop, vault: RealVault) -> None:
    await sell(shop, vault)
    path = await link(shop)
    async with shop.service.db.transaction() as tx:
        await tx.execute(text("UPDATE delivery SET name = '<script>alert(1)</script>'"))
    page = await shop.client.get(path)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_a_long_list_has_further_pages(shop: Shop, vault: RealVault) -> None:
    await sell(shop, vault, 101)
    path = await link(shop)
    first = await shop.client.get(f"{path}?lang=en")
    [further] = re.findall(r'rel="next" href="\?([^"]+)"', first.text)
    second = await shop.client.get(f"{path}?{further.replace('&amp;', '&')}")
    assert (first.text.count('class="holding'), second.text.count('class="holding')) == (100, 1)


async def test_a_link_ends_by_its_time_or_by_a_fresh_one(shop: Shop, vault: RealVault) -> None:
    await sell(shop, vault)
    first, second = await link(shop), await link(shop, days=2)
    assert (await shop.client.get(first)).status_code == 200
    assert (await shop.client.get(second)).status_code == 200
    third = await link(shop, end_others=True)
    assert (await shop.client.get(first)).status_code == 410
    assert (await shop.client.get(second)).status_code == 410
    assert (await shop.client.get(third)).status_code == 200


@pytest.mark.parametrize("token", ["A" * 48, "short", "A" * 47 + "=", "%00" * 16])
async def test_a_made_up_link_opens_nothing(shop: Shop, token: str) -> None:
    assert (await shop.client.get(f"/h/{token}")).status_code == 404


async def test_an_orders_link_is_no_link_to_all_and_the_other_way(
    shop: Shop, vault: RealVault
) -> None:
    sold = await sell(shop, vault)
    path = await link(shop)
    assert (await shop.client.get(f"/h/{sold.token}")).status_code == 404
    assert (await shop.client.get(f"/d/{path.removeprefix('/h/')}")).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"customer_id": ""}, {"customer_id": "x", "days": 0}, {"customer_id": "\x01"}]
)
async def test_senseless_links_are_refused(shop: Shop, body: dict[str, Any]) -> None:
    assert (await shop.client.post("/v1/holding-links", json=body)).status_code == 422
