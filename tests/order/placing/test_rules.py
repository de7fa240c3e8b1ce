"""What a sale is checked for before anything is held, and what a line keeps of its product."""

from typing import Any

import httpx
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.order.factories import SHOP
from tests.order.vaults import ScriptedVault

CNY = {"amount": 100, "currency": "CNY"}


async def make(api: httpx.AsyncClient, **given: Any) -> None:
    body = {
        "sku": "A",
        "name": "A",
        "fulfillment": {"kind": "manual", "queue": "desk"},
        "price": CNY,
        **given,
    }
    answer = await api.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text


async def place(api: httpx.AsyncClient, customer: Any = None, **line: Any) -> httpx.Response:
    body = {
        "channel_id": str(SHOP),
        "reference": f"ref-{new_id()}",
        "customer": {"id": "buyer-7", **(customer or {})},
        "lines": [{"sku": "A", "quantity": 1, **line}],
    }
    return await api.post("/v1/orders", json=body)


async def test_the_sale_window_is_by_the_database_clock(
    api: httpx.AsyncClient, db: Database
) -> None:
    await make(api, sale_from="2026-01-01T00:00:00Z")
    now = "clock_timestamp()"
    move = f"UPDATE product SET sale_from = {now} + {{0}}, sale_until = {now} + {{1}}"  # noqa: S608

    answers = []
    for begins, ends in (("'-1 s'", "'1 h'"), ("'1 s'", "'1 h'"), ("'-1 h'", "'0 s'")):
        async with db.transaction() as tx:
            change = move.format(f"interval {begins}", f"interval {ends}")
            await tx.execute(text(change))
        answers.append(await place(api))

    codes = [answer.json().get("code") for answer in answers]
    assert codes == [None, "not_on_sale", "not_on_sale"]
    assert answers[1].json()["errors"][0]["pointer"] == "/lines/0/sku"
    assert answers[1].json()["sale_from"] > "2026"


async def test_rules_are_checked_before_stock_is_held(
    api: httpx.AsyncClient, vault: ScriptedVault
) -> None:
    pool = {"kind": "pool", "pool_id": str(new_id())}
    await make(api, fulfillment=pool, regions={"allowed": ["CN"]}, quantity_max=2)

    answers = [
        await place(api),
        await place(api, {"region": "US"}),
        await place(api, {"region": "CN"}, quantity=3),
        await place(api, {"region": "CN"}, inputs={"hat": "red"}),
    ]

    assert [answer.json()["code"] for answer in answers] == [
        "region_required",
        "region_refused",
        "quantity_out_of_bounds",
        "bad_inputs",
    ]
    assert vault.calls == []
    assert (await place(api, {"region": "CN"}, quantity=2)).status_code == 201


async def test_a_channels_region_is_its_buyers_unless_they_are_said_to_be_elsewhere(
    api: httpx.AsyncClient,
) -> None:
    await make(api, regions={"allowed": ["CN"]})
    edited = await api.patch(f"/v1/channels/{SHOP}", json={"region": "CN"})
    assert edited.status_code == 200, edited.text

    assert (await place(api)).status_code == 201
    assert (await place(api, {"region": "US"})).json()["code"] == "region_refused"


async def test_what_is_entered_is_kept_in_one_way_and_shown_masked(
    api: httpx.AsyncClient, db: Database
) -> None:
    form = [{"name": "phone", "type": "phone"}, {"name": "server", "type": "text"}]
    await make(api, form=form)

    answer = await place(api, inputs={"phone": "+86 138 0013 8000", "server": " Asia "})

    assert answer.status_code == 201, answer.text
    assert answer.json()["lines"][0]["inputs"] == {"phone": "+86****000", "server": "Asia"}
    async with db.read() as tx:
        line = (await tx.execute(text("SELECT inputs, form FROM order_line"))).one()
    assert line.inputs == {"phone": "+8613800138000", "server": "Asia"}
    assert [field["name"] for field in line.form] == ["phone", "server"]


async def test_a_line_keeps_what_the_product_says_in_the_buyer_language(
    api: httpx.AsyncClient,
) -> None:
    await make(
        api,
        instructions="Enter it.",
        redemption={"text": "At the game", "url": "https://example.com/r", "valid_days": 30},
        translations={"zh": {"instructions": "输入"}, "de-AT": {"redemption": "Im Spiel"}},
        image_url="https://example.com/a.png",
        family="GAME",
        options={"points": "100"},
    )
    told = {}
    for locale in ("zh-CN", "de-AT", "fr"):
        line = (await place(api, {"locale": locale})).json()["lines"][0]
        told[locale] = (line["instructions"], line["redemption"]["text"])
        assert line["redemption"]["url"] == "https://example.com/r"
        assert (line["image_url"], line["options"]) == (
            "https://example.com/a.png",
            {"points": "100"},
        )

    assert told == {
        "zh-CN": ("输入", "At the game"),
        "de-AT": ("Enter it.", "Im Spiel"),
        "fr": ("Enter it.", "At the game"),
    }
