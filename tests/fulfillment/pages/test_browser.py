"""The page in a real browser, with the real service, the real vault and its opener behind it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fulfillment.app import create_service
from fulfillment.settings import Settings
from kit.service import Service, running_api
from onebox.ports import free_ports
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright
from sqlalchemy import text

from tests.fulfillment.conftest import acceptor, dispatch, published
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.real_vault import RealVault

CHROMIUM = Path("/usr/bin/chromium")
PLANTED = "PLANTED-7Q4X-91ZK"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install -y chromium (make setup does it)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def shown(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    """The service on a port, as a browser reaches it."""
    port = free_ports(1)[0]
    own = settings.model_copy(
        update={"port": port, "public_url": f"http://127.0.0.1:{port}", "reveal_burst": 5}
    )
    service = create_service(own, vault_transport=vault.line)
    async with running_api(service):
        yield service
    for close in service.closing:
        await close()
    await service.db.close()


class Watched:
    """A browser's page with everything it was told and everything it said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.bodies: list[bytes] = []
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self._reading: set[asyncio.Task[None]] = set()
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("response", self._keep)

    async def heard(self, words: str) -> bool:
        """Whether the words came over the network or reached the console."""
        await asyncio.gather(*self._reading)
        found = [body for body in self.bodies if words.encode() in body]
        return bool(found) or any(words in line for line in self.said)

    def _keep(self, response: Any) -> None:
        task = asyncio.create_task(self._read(response))
        self._reading.add(task)

    async def _read(self, response: Any) -> None:
        self.bodies.append(json.dumps(await response.all_headers()).encode())
        self.bodies.append(await response.body())


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    yield context
    await context.close()


@pytest.fixture
async def watched(context: BrowserContext) -> Watched:
    return Watched(await context.new_page())


async def _delivered(
    service: Service, vault: RealVault, *codes: str, kind: str = "code", **given: Any
) -> str:
    """An order of these codes, delivered; answers its page's address."""
    pool = await vault.stock(codes, kind=kind)
    hold = await vault.hold((pool, len(codes)))
    line = a_line(pool_id=str(pool), quantity=len(codes), name="Steam 50")
    await acceptor(service)(a_request(reservation_id=hold, lines=[line], **given))
    await dispatch(service)
    event: Any = (await published(service))[-1]
    return str(event.url)


async def _logged_units(service: Service) -> list[UUID]:
    async with service.db.read() as tx:
        rows = await tx.execute(text("SELECT unit_id FROM delivered_unit ORDER BY position"))
        return [row.unit_id for row in rows]


async def test_a_click_opens_exactly_the_planted_code_in_the_browser_and_nowhere_else(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto(await _delivered(shown, vault, PLANTED))
    assert PLANTED not in await page.content()
    await page.get_by_role("button", name="Show").click()
    value = page.locator(".field-value")
    await value.wait_for()
    assert await value.text_content() == PLANTED
    assert not await watched.heard(PLANTED)
    assert watched.said == []
    await page.get_by_role("button", name="Hide").click()
    assert PLANTED not in await page.content()
    assert await watched.page.context.cookies() == []
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0


async def test_every_view_is_logged_by_the_vault_and_counted_on_the_page(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto(await _delivered(shown, vault, PLANTED + "-V", customer_id="buyer-42"))
    assert "Not opened yet" in await page.content()
    for count in ("Opened once", "Opened 2 times"):
        await page.get_by_role("button", name="Show").click()
        await page.locator(".viewed", has_text=count).wait_for()
        await page.get_by_role("button", name="Hide").click()
    await page.reload()
    assert "Opened 2 times" in await page.content()
    [unit_id] = await _logged_units(shown)
    views = await vault.views(str(unit_id))
    assert [view["viewer_id"] for view in views] == ["buyer-42"] * 2
    assert {view["viewer_kind"] for view in views} == {"buyer"}
    assert {view["ip"] for view in views} == {"127.0.0.1"}
    assert all("Chrome" in view["user_agent"] for view in views)


async def test_only_the_code_asked_for_is_opened(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    codes = [f"{PLANTED}-{n}" for n in range(3)]
    await page.goto(await _delivered(shown, vault, *codes))
    await page.get_by_role("button", name="number 2").click()
    await page.locator(".field-value").wait_for()
    html = await page.content()
    assert [code in html for code in codes] == [False, True, False]
    views = [len(await vault.views(str(unit))) for unit in await _logged_units(shown)]
    assert views == [0, 1, 0]


async def test_a_card_shows_number_and_password_each_to_be_copied(
    shown: Service, vault: RealVault, context: BrowserContext, watched: Watched
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.page
    await page.goto(await _delivered(shown, vault, "6222020000012345,PLANTED-PW-1", kind="card"))
    await page.get_by_role("button", name="Show").click()
    await page.locator(".field").first.wait_for()
    names = await page.locator(".field-name").all_text_contents()
    values = await page.locator(".field-value").all_text_contents()
    assert dict(zip(names, values, strict=True)) == {
        "Card number": "6222020000012345",
        "Password": "PLANTED-PW-1",
    }
    await page.get_by_role("button", name="Copy").nth(1).click()
    await page.get_by_role("button", name="Copied").wait_for()
    assert await page.evaluate("navigator.clipboard.readText()") == "PLANTED-PW-1"


async def test_a_changed_box_and_a_box_of_another_unit_are_not_shown(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto(await _delivered(shown, vault, PLANTED + "-A", PLANTED + "-B"))
    first, second = await _logged_units(shown)

    async def change(route: Route) -> None:
        answer = await route.fetch()
        document = await answer.json()
        raw = bytearray(base64.b64decode(document["box"]["ciphertext"]))
        raw[20] ^= 1
        document["box"]["ciphertext"] = base64.b64encode(raw).decode()
        await route.fulfill(response=answer, json=document)

    async def swap(route: Route) -> None:
        url = route.request.url.replace(str(first), str(second))
        await route.fulfill(response=await route.fetch(url=url))

    for trick in (change, swap):
        await page.route("**/reveal", trick)
        await page.get_by_role("button", name="number 1").click()
        await page.get_by_role("alert").filter(has_text="could not be opened").wait_for()
        assert await page.locator(".field-value").count() == 0
        await page.unroute("**/reveal")


async def test_a_silent_vault_and_too_many_clicks_are_said_kindly(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto(await _delivered(shown, vault, PLANTED + "-S"))
    vault.line.is_cut = True
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("alert").filter(has_text="Nothing is lost").wait_for()
    for _ in range(6):
        await page.get_by_role("button", name="Show").click()
        await page.locator("button.show:enabled").wait_for()
    assert "very fast" in (await page.get_by_role("alert").text_content() or "")


async def test_the_page_talks_to_its_own_host_only_and_breaks_no_rule_of_its_policy(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    address = await _delivered(shown, vault, PLANTED + "-H")
    await page.goto(address)
    await page.get_by_role("button", name="Show").click()
    await page.locator(".field-value").wait_for()
    assert watched.hosts == {address.split("/")[2]}
    assert watched.said == []


async def test_a_page_that_waits_shows_the_delivery_by_itself(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    pool = await vault.stock([PLANTED + "-W"])
    hold = await vault.hold((pool, 1))
    line = a_line(pool_id=str(pool))
    await acceptor(shown)(a_request(reservation_id=hold, lines=[line]))
    deliveries = shown.state["deliveries"]
    async with shown.db.read() as tx:
        page_id = (await tx.execute(text("SELECT page_id FROM request"))).scalar_one()
        request, _ = await deliveries.find_page(tx, page_id, range(1, 2))
    page = watched.page
    await page.goto(deliveries.url_of(request))
    await page.get_by_text("On its way").wait_for()
    await dispatch(shown)
    await page.get_by_role("button", name="Show").wait_for(timeout=5_000)


async def test_a_code_can_be_opened_by_keyboard_and_is_announced(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto(await _delivered(shown, vault, PLANTED + "-K"))
    for _ in range(2):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.locator(".field-value").wait_for()
    assert await page.get_by_role("status").text_content() == "The code is shown"
    expanded = page.get_by_role("button", expanded=True)
    assert await expanded.text_content() == "Hide Steam 50, number 1"


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_runs_over_the_edge(
    shown: Service, vault: RealVault, watched: Watched, language: str, width: int
) -> None:
    page = watched.page
    await page.set_viewport_size({"width": width, "height": 800})
    address = await _delivered(shown, vault, f"{language}{width}".ljust(120, "W"), reference="R" * 100)
    await page.goto(f"{address}?lang={language}")
    await page.locator("button.show").click()
    await page.locator(".field-value").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert await page.locator("html").get_attribute("lang") == language
