"""A shop renews and ends the links to its buyers' pages."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service, create_app
from lockstock.fulfillment.v1.page_events_pb2 import PageLinkChanged
from sealing import new_key_pair
from tests.fulfillment.conftest import Accept, ApiClient, published
from tests.fulfillment.factories import OTHER_MERCHANT, a_request
from tests.fulfillment.pages.conftest import page_url

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
async def browser(api: ApiClient) -> httpx.AsyncClient:
    return await api()


@pytest.fixture
async def shop(api: ApiClient) -> httpx.AsyncClient:
    return await api("deliveries:read", "deliveries:write")


async def _accepted(service: Service, accept: Accept, db: Database) -> tuple[str, UUID]:
    """(the path of an order's page, its delivery)"""
    event = a_request()
    await accept(event)
    async with db.read() as tx:
        statement = text("SELECT id FROM delivery WHERE order_id = :id")
        delivery_id = (await tx.execute(statement, {"id": UUID(event.key)})).scalar_one()
    return _path(await page_url(service, event)), delivery_id


def _path(url: str) -> str:
    return url.removeprefix("http://fulfillment")


async def test_a_new_link_works_and_the_old_one_has_ended(
    service: Service, accept: Accept, db: Database, shop: Any, browser: Any
) -> None:
    old, delivery_id = await _accepted(service, accept, db)
    answer = await shop.post(f"/v1/deliveries/{delivery_id}/link", json={"days": 30})
    assert answer.status_code == 201
    new = answer.json()
    left = datetime.fromisoformat(new["ends_at"]) - datetime.now(UTC)
    assert timedelta(days=29.9) < left < timedelta(days=30.1)
    assert (await browser.get(_path(new["url"]), headers=ENGLISH)).status_code == 200
    page = await browser.get(old, headers=ENGLISH)
    assert page.status_code == 410
    assert "shop-10001" not in page.text
    progress = await browser.get(f"{old}/progress")
    assert (progress.status_code, progress.json()["code"]) == (404, "page_ended")
    key = {"recipient_public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="}
    reveal = await browser.post(f"{old}/units/{new_id()}/reveal", json=key)
    assert reveal.json()["code"] == "page_ended"
    read = (await shop.get(f"/v1/deliveries/{delivery_id}")).json()
    assert read["url"] == new["url"]
    [told] = await published(service)
    assert isinstance(told, PageLinkChanged)
    assert (told.order_id, told.url) == (read["order_id"], new["url"])


async def test_without_days_it_works_as_long_as_a_first_link(
    service: Service, accept: Accept, db: Database, shop: Any
) -> None:
    _, delivery_id = await _accepted(service, accept, db)
    new = (await shop.post(f"/v1/deliveries/{delivery_id}/link", json={})).json()
    assert datetime.fromisoformat(new["ends_at"]) > datetime.now(UTC) + timedelta(days=179)


async def test_an_ended_link_opens_nothing_until_it_is_renewed(
    service: Service, accept: Accept, db: Database, shop: Any, browser: Any
) -> None:
    old, delivery_id = await _accepted(service, accept, db)
    assert (await shop.delete(f"/v1/deliveries/{delivery_id}/link")).status_code == 204
    assert (await browser.get(old)).status_code == 410
    shown = _path((await shop.get(f"/v1/deliveries/{delivery_id}")).json()["url"])
    assert (await browser.get(shown)).status_code == 410
    new = (await shop.post(f"/v1/deliveries/{delivery_id}/link", json={})).json()
    assert (await browser.get(_path(new["url"]))).status_code == 200


async def test_of_many_renewals_at_once_exactly_one_link_works(
    service: Service, accept: Accept, db: Database, shop: Any, browser: Any
) -> None:
    _, delivery_id = await _accepted(service, accept, db)
    path = f"/v1/deliveries/{delivery_id}/link"
    answers = await asyncio.gather(*(shop.post(path, json={}) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {201}
    pages = [await browser.get(_path(answer.json()["url"])) for answer in answers]
    assert sorted(page.status_code for page in pages) == [200] + [410] * 11


async def test_another_merchants_delivery_and_a_reader_get_nothing(
    service: Service, accept: Accept, db: Database, api: ApiClient, browser: Any
) -> None:
    old, delivery_id = await _accepted(service, accept, db)
    stranger = await api("deliveries:write", merchant_id=OTHER_MERCHANT)
    reader = await api("deliveries:read")
    path = f"/v1/deliveries/{delivery_id}/link"
    for who, status in ((stranger, 404), (reader, 403)):
        assert (await who.post(path, json={})).status_code == status
        assert (await who.delete(path)).status_code == status
    assert (await browser.get(old)).status_code == 200


@pytest.mark.parametrize("days", [0, -1, 3_651, "x"])
async def test_days_have_bounds(
    service: Service, accept: Accept, db: Database, shop: Any, days: Any
) -> None:
    _, delivery_id = await _accepted(service, accept, db)
    answer = await shop.post(f"/v1/deliveries/{delivery_id}/link", json={"days": days})
    assert answer.status_code == 422


async def test_wrong_links_from_one_address_have_to_wait_and_right_ones_never_do(
    service: Service, accept: Accept, db: Database, browser: Any
) -> None:
    right, _ = await _accepted(service, accept, db)
    wrong = f"/d/{'A' * 48}"
    statuses = [(await browser.get(wrong)).status_code for _ in range(31)]
    assert statuses == [404] * 30 + [429]
    page = await browser.get(wrong, headers=ENGLISH)
    assert "Too many wrong links" in page.text
    limited = await browser.get("/d/x/progress")
    assert limited.json()["code"] == "too_many_wrong_links"
    assert int(limited.headers["retry-after"]) >= 1
    assert (await browser.get(right)).status_code == 200
    assert (await browser.get(f"{right}/progress")).status_code == 200


WRONG, UNIT = "A" * 48, "019f0000-0000-7000-8000-000000000001"
KEY = base64.b64encode(new_key_pair().public_key).decode()
ENTRANCES: dict[tuple[str, str], dict[str, str] | None] = {
    ("GET", "/d/{token}"): None,
    ("GET", "/d/{token}/progress"): None,
    ("GET", "/d/{token}/units"): None,
    ("GET", "/d/{token}/recommendations"): None,
    ("POST", "/d/{token}/units/{unit_id}/reveal"): {"recipient_public_key": KEY},
    ("POST", "/d/{token}/step-up"): None,
    ("POST", "/d/{token}/step-up/confirm"): {"code": "294173"},
    ("POST", "/d/{token}/claims"): {"unit_id": UNIT, "reason": "invalid"},
    ("GET", "/h/{token}"): None,
}


async def test_wrong_links_are_counted_at_every_entrance_alike(
    service: Service, browser: httpx.AsyncClient
) -> None:
    paths = create_app(service).openapi()["paths"]
    linked = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if "{token}" in path
    }
    assert linked == set(ENTRANCES), "an entrance that this test does not know"
    statuses = []
    for number in range(35):
        method, path = list(ENTRANCES)[number % len(ENTRANCES)]
        address = path.format(token=WRONG, unit_id=UNIT)
        answer = await browser.request(method, address, json=ENTRANCES[method, path])
        statuses.append(answer.status_code)
    assert statuses == [404] * 30 + [429] * 5
    for (method, path), body in ENTRANCES.items():
        address = path.format(token=WRONG, unit_id=UNIT)
        limited = await browser.request(method, address, json=body)
        assert limited.status_code == 429, path
        assert int(limited.headers["retry-after"]) >= 1
