"""The page in a real browser, with the real service, the real vault and its opener behind it."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Response, Route, async_playwright
from sqlalchemy import Text, func, literal_column, select, text

from fulfillment.app import create_service
from kit.service import Service, running_api
from onebox.ports import free_ports
from tests.fulfillment.conftest import acceptor, dispatch, published, settings_with
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.real_vault import RealVault
from tests.stack.service_databases import ServiceDatabases

CHROMIUM = Path("/usr/bin/chromium")
PLANTED = "PLANTED-7Q4X-91ZK"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing; install it with: apt-get install -y chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def service_of_run(
    service_databases: ServiceDatabases, vault_of_run: RealVault
) -> AsyncIterator[Service]:
    """The service on a port, as a browser reaches it; tests keep apart by their orders."""
    name, url = await service_databases.create("fulfillment")
    port = free_ports(1)[0]
    own = settings_with(url).model_copy(
        update={"port": port, "public_url": f"http://127.0.0.1:{port}", "reveal_burst": 5}
    )
    service = create_service(own, vault_transport=vault_of_run.line)
    async with running_api(service):
        yield service
    for close in service.closing:
        await close()
    await service.db.close()
    await service_databases.drop(name)


@pytest.fixture
def shown(service_of_run: Service, vault: RealVault) -> Service:
    """The service on its port, with a whole line to the vault."""
    return service_of_run


class Watched:
    """A browser's page with everything it was told and everything it said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.hosts: set[str] = set()
        self._responses: list[Response] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("response", lambda response: self._responses.append(response))

    async def heard(self) -> bytes:
        """All that came over the network since the page was opened."""
        heads = [json.dumps(await it.all_headers()).encode() for it in self._responses]
        return b"".join([*heads, *[await it.body() for it in self._responses]])


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    yield context
    await context.close()


@pytest.fixture
async def watched(context: BrowserContext) -> Watched:
    return Watched(await context.new_page())


@dataclass(frozen=True, slots=True)
class Sold:
    """A delivered order: its page's address and its units in order."""

    url: str
    units: list[str]


async def _delivered(
    service: Service, vault: RealVault, *codes: str, kind: str = "code", **given: Any
) -> Sold:
    """An order of these codes, delivered."""
    pool = await vault.stock(codes, kind=kind)
    hold = await vault.hold((pool, len(codes)))
    line = a_line(pool_id=str(pool), quantity=len(codes), name="Steam 50")
    await acceptor(service)(a_request(reservation_id=hold, lines=[line], **given))
    await dispatch(service)
    event: Any = (await published(service))[-1]
    return Sold(event.url, [unit.unit_id for unit in event.units])


async def test_a_click_opens_exactly_the_planted_code_in_the_browser_and_nowhere_else(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await _delivered(shown, vault, PLANTED)).url)
    assert PLANTED not in await page.content()
    await page.get_by_role("button", name="Show").click()
    value = page.locator(".field-value")
    await value.wait_for()
    assert await value.text_content() == PLANTED
    heard = await watched.heard()
    assert b"ciphertext" in heard
    assert PLANTED.encode() not in heard
    assert watched.said == []
    await page.get_by_role("button", name="Hide").click()
    assert PLANTED not in await page.content()
    assert await watched.page.context.cookies() == []
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0


async def test_an_image_is_shown_as_one_when_it_was_opened(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await _delivered(shown, vault, PIXEL, kind="image")).url)
    assert await page.locator("img.field-image").count() == 0
    await page.get_by_role("button", name="Show").click()
    image = page.locator("img.field-image")
    await image.wait_for()
    assert await image.get_attribute("src") == PIXEL
    # The policy of the page lets the browser draw it.
    assert await image.evaluate("it => it.decode().then(() => it.naturalWidth)") == 1
    assert await image.get_attribute("alt")
    assert PIXEL.encode() not in await watched.heard()
    assert watched.said == []


async def test_no_table_and_no_log_knows_the_code_or_the_link(
    shown: Service, vault: RealVault, watched: Watched, logged: StringIO
) -> None:
    page = watched.page
    sold = await _delivered(shown, vault, PLANTED + "-T")
    await page.goto(sold.url)
    await page.get_by_role("button", name="Show").click()
    await page.locator(".field-value").wait_for()
    vault.line.is_cut = True
    await page.get_by_role("button", name="Hide").click()
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("alert").filter(has_text="Nothing is lost").wait_for()
    log = logged.getvalue()
    assert "/d/{token}/units/{unit_id}/reveal" in log
    assert sold.url.split("/")[-1] not in log
    stored = await _everything_stored(shown)
    assert sold.units[0] in stored
    for secret in (PLANTED, base64.b64encode(PLANTED.encode()).decode(), PLANTED.encode().hex()):
        assert secret not in stored
        assert secret not in log


async def _everything_stored(service: Service) -> str:
    found = []
    async with service.db.read() as tx:
        for table in service.metadata.sorted_tables:
            rows = await tx.execute(
                select(func.to_jsonb(literal_column(table.name)).cast(Text)).select_from(table)
            )
            found += [row[0] for row in rows]
    return "".join(found)


async def test_every_view_is_logged_by_the_vault_and_counted_on_the_page(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    sold = await _delivered(shown, vault, PLANTED + "-V", customer_id="buyer-42")
    await page.goto(sold.url)
    assert "Not opened yet" in await page.content()
    for count in ("Opened once", "Opened 2 times"):
        await page.get_by_role("button", name="Show").click()
        await page.locator(".viewed", has_text=count).wait_for()
        await page.get_by_role("button", name="Hide").click()
    await page.reload()
    assert "Opened 2 times" in await page.content()
    views = await vault.views(sold.units[0])
    assert [view["viewer_id"] for view in views] == ["buyer-42"] * 2
    assert {view["viewer_kind"] for view in views} == {"buyer"}
    assert {view["ip"] for view in views} == {"127.0.0.1"}
    assert all("Chrome" in view["user_agent"] for view in views)


async def test_only_the_code_asked_for_is_opened(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    codes = [f"{PLANTED}-{n}" for n in range(3)]
    sold = await _delivered(shown, vault, *codes)
    await page.goto(sold.url)
    await page.get_by_role("button", name="number 2").click()
    await page.locator(".field-value").wait_for()
    html = await page.content()
    assert [code in html for code in codes] == [False, True, False]
    views = [len(await vault.views(unit)) for unit in sold.units]
    assert views == [0, 1, 0]


async def test_a_card_shows_number_and_password_each_to_be_copied(
    shown: Service, vault: RealVault, context: BrowserContext, watched: Watched
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.page
    await page.goto(
        (await _delivered(shown, vault, "6222020000012345,PLANTED-PW-1", kind="card")).url
    )
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
    sold = await _delivered(shown, vault, PLANTED + "-A", PLANTED + "-B")
    await page.goto(sold.url)
    first, second = sold.units

    async def change(route: Route) -> None:
        answer = await route.fetch()
        document = await answer.json()
        raw = bytearray(base64.b64decode(document["box"]["ciphertext"]))
        raw[20] ^= 1
        document["box"]["ciphertext"] = base64.b64encode(raw).decode()
        await route.fulfill(response=answer, json=document)

    async def swap(route: Route) -> None:
        url = route.request.url.replace(first, second)
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
    await page.goto((await _delivered(shown, vault, PLANTED + "-S")).url)
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
    address = (await _delivered(shown, vault, PLANTED + "-H")).url
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
    event = a_request(reservation_id=hold, lines=[line])
    await acceptor(shown)(event)
    deliveries = shown.state["deliveries"]
    async with shown.db.read() as tx:
        statement = text("SELECT page_id FROM request WHERE order_id = :id")
        page_id = (await tx.execute(statement, {"id": UUID(event.key)})).scalar_one()
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
    await page.goto((await _delivered(shown, vault, PLANTED + "-K")).url)
    for _ in range(2):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.locator(".field-value").wait_for()
    assert await page.get_by_role("status").text_content() == "The code is shown"
    expanded = page.get_by_role("button", expanded=True)
    assert await expanded.text_content() == "Hide Steam 50, number 1"


async def test_nothing_runs_over_the_edge(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    sold = await _delivered(shown, vault, "W" * 120, reference="R" * 100)
    for language, width in (("zh", 320), ("en", 320), ("zh", 390), ("en", 1280)):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{sold.url}?lang={language}")
        await page.locator("button.show").click()
        await page.locator(".field-value").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await page.locator("html").get_attribute("lang") == language
