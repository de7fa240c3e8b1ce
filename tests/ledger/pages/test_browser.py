"""The page in a real browser, wide and narrow, light and dark."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser

from kit.auth import mint_api_key
from kit.ids import new_id
from kit.keys import UPSERT_KEY
from kit.service import Service, running_api
from onebox.ports import free_ports
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    MERCHANT,
    a_completion,
    a_cost,
    a_line,
    a_payment,
    an_import,
    an_order,
    cny,
)
from tests.stack.chromium import running_chromium


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with running_chromium() as browser:
        yield browser


@pytest.fixture
async def address(service: Service, deliver: Deliver) -> AsyncIterator[str]:
    """Of the page, with a month of sales behind it."""
    lot, now = new_id(), datetime.now(UTC)
    await deliver(an_import(lot_id=lot, total=cny(900_000)))
    for number in range(40):
        at, order = now - timedelta(hours=17 * number), new_id()
        line = a_line(cny(1_000 + number * 37), a_cost(lot, cny(400)), sku=f"SKU-{number % 4}")
        await deliver(an_order(order, cny(1_000), buyer=f"buyer-{number % 9}", at=at))
        await deliver(replace(a_payment(order, cny(1_000)), time=at))
        await deliver(replace(a_completion(order, line), time=at))
    service.settings = service.settings.model_copy(update={"port": free_ports(1)[0]})
    async with running_api(service):
        yield f"http://127.0.0.1:{service.settings.port}/reports"


@pytest.fixture
async def key(service: Service) -> str:
    key = mint_api_key()
    values = {
        "key_id": key.key_id,
        "merchant_id": MERCHANT,
        "secret_hash": key.secret_hash,
        "scopes": ["ledger:read"],
        "expires_at": None,
        "revoked_at": None,
        "suspended_at": None,
        "allowed_ips": [],
        "version": 1,
    }
    async with service.db.transaction() as tx:
        await tx.execute(UPSERT_KEY, values)
    return key.text


@pytest.mark.parametrize(
    ("width", "language", "scheme", "chart"),
    [(1280, "en", "light", "wide"), (390, "zh", "dark", "narrow")],
)
async def test_a_person_enters_and_sees_the_board(
    browser: Browser, address: str, key: str, width: int, language: str, scheme: str, chart: str
) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]  # one of two words
    )
    page = await context.new_page()
    page.set_default_timeout(60_000)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    await page.goto(f"{address}?lang={language}")

    await page.fill("#api_key", key)
    await page.click(".entrance button")
    await page.wait_for_selector("#trend")

    assert key not in page.url
    assert await page.locator(f"#trend svg.{chart}").is_visible()
    assert await page.locator("#trend svg:visible .line").count() == 3
    assert await page.locator("#peaks svg:visible .heat").count() == 7 * 24
    assert await page.locator("#best tbody tr").count() == 4
    assert await page.locator("#funnel .bars div").count() == 5
    assert await page.locator("#cohorts tbody tr").count() >= 1
    assert "8,840.00" in await page.locator("#stock").inner_text()
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    assert all(url.startswith(address.removesuffix("/reports")) for url in requested)

    await page.click("button[value='365']")
    await page.wait_for_selector("button[value='365'].chosen")
    await page.click("nav button")
    await page.wait_for_selector("#api_key")
    await context.close()
