"""What a merchant decides about the buyers' pages."""

import asyncio
from typing import Any

import pytest

from kit.service import Service
from tests.fulfillment.conftest import Accept, ApiClient
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT, a_request
from tests.fulfillment.pages.conftest import page_url

PATH = "/v1/page-settings"
SET = {
    "step_up": "code",
    "step_up_products": {"GIFT-500": "code", "STEAM-50": "none"},
    "shop_name": "星辰 & Star <Shop>",
    "shop_url": "https://shop.example/?a=1&b=2",
    "product_url": "https://shop.example/p/{sku}",
}


async def test_until_they_are_set_the_defaults_hold(api: ApiClient) -> None:
    reader = await api("deliveries:read")
    assert (await reader.get(PATH)).json() == {
        "step_up": "none",
        "step_up_products": {},
        "shop_name": "",
        "shop_url": "",
        "product_url": "",
    }


async def test_what_is_set_is_read_back_and_shown_to_buyers_as_text(
    api: ApiClient, service: Service, accept: Accept
) -> None:
    writer = await api("deliveries:write", "deliveries:read")
    assert (await writer.put(PATH, json=SET)).json() == SET
    assert (await writer.get(PATH)).json() == SET
    event = a_request()
    await accept(event)
    path = "/d/" + (await page_url(service, event)).rpartition("/")[2]
    html = (await (await api()).get(path, headers={"Accept-Language": "en"})).text
    assert "星辰 &amp; Star &lt;Shop&gt;" in html
    assert 'href="https://shop.example/?a=1&amp;b=2"' in html


async def test_setting_again_replaces_all_of_them(api: ApiClient) -> None:
    writer = await api("deliveries:write")
    await writer.put(PATH, json=SET)
    again = await writer.put(PATH, json={"shop_name": "Star"})
    assert again.json() == {
        "step_up": "none",
        "step_up_products": {},
        "shop_name": "Star",
        "shop_url": "",
        "product_url": "",
    }


async def test_products_left_out_go_by_the_others_again(api: ApiClient) -> None:
    writer = await api("deliveries:write", "deliveries:read")
    await writer.put(PATH, json=SET)

    await writer.put(PATH, json={"step_up_products": {"GIFT-500": "none"}})

    assert (await writer.get(PATH)).json()["step_up_products"] == {"GIFT-500": "none"}


async def test_of_many_who_set_them_at_once_one_is_heard_as_a_whole(api: ApiClient) -> None:
    writer = await api("deliveries:write", "deliveries:read")
    bodies = [
        {"shop_name": f"shop {n}", "step_up_products": {f"A-{n}": "code", "B": "none"}}
        for n in range(8)
    ]

    answers = await asyncio.gather(*(writer.put(PATH, json=body) for body in bodies))

    assert {it.status_code for it in answers} == {200}
    found = (await writer.get(PATH)).json()
    assert {name: found[name] for name in bodies[0]} in bodies


async def test_they_are_each_merchants_own(api: ApiClient) -> None:
    await (await api("deliveries:write", merchant_id=MERCHANT)).put(PATH, json=SET)
    other = await api("deliveries:read", merchant_id=OTHER_MERCHANT)
    assert (await other.get(PATH)).json()["shop_name"] == ""


async def test_a_reader_may_not_set_them(api: ApiClient) -> None:
    assert (await (await api("deliveries:read")).put(PATH, json=SET)).status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shop_url", "javascript:alert(1)"),
        ("shop_url", "https://shop.example/ x"),
        ("product_url", "data:text/html,x"),
        ("product_url", 'https://shop.example/"onclick=x'),
        ("shop_name", "a\nb"),
        ("shop_name", "x" * 81),
        ("step_up", "sms"),
        ("step_up_products", {"GIFT-500": "sms"}),
        ("step_up_products", {"a b": "code"}),
        ("step_up_products", {f"GIFT-{n}": "code" for n in range(1_001)}),
        ("further", "x"),
    ],
)
async def test_what_a_page_could_be_turned_with_is_refused(
    api: ApiClient, field: str, value: Any
) -> None:
    answer = await (await api("deliveries:write")).put(PATH, json=SET | {field: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}")
