"""The page in a real browser, with the real service, the real vault and its opener behind it."""

import base64
from io import StringIO

from playwright.async_api import BrowserContext, Route
from sqlalchemy import Text, func, literal_column, select

from kit.service import Service
from tests.fulfillment.conftest import acceptor, dispatch
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.pages.conftest import PLANTED, Watched, delivered_codes, page_url
from tests.fulfillment.real_vault import RealVault

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


async def test_a_click_opens_exactly_the_planted_code_in_the_browser_and_nowhere_else(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED)).url)
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
    await page.goto((await delivered_codes(shown, vault, PIXEL, kind="image")).url)
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
    sold = await delivered_codes(shown, vault, PLANTED + "-T")
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
    sold = await delivered_codes(shown, vault, PLANTED + "-V", customer_id="buyer-42")
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
    sold = await delivered_codes(shown, vault, *codes)
    await page.goto(sold.url)
    await page.get_by_role("button", name="Show Steam 50, number 2").click()
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
        (await delivered_codes(shown, vault, "6222020000012345,PLANTED-PW-1", kind="card")).url
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
    sold = await delivered_codes(shown, vault, PLANTED + "-A", PLANTED + "-B")
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
        await page.locator("button.show").first.click()
        await page.get_by_role("alert").filter(has_text="could not be opened").wait_for()
        assert await page.locator(".field-value").count() == 0
        await page.unroute("**/reveal")


async def test_a_silent_vault_and_too_many_clicks_are_said_kindly(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-S")).url)
    vault.line.is_cut = True
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("alert").filter(has_text="Nothing is lost").wait_for()
    for _ in range(6):
        await page.get_by_role("button", name="Try again").click()
        await page.locator("button.show:enabled").wait_for()
    await page.get_by_role("alert").filter(has_text="very fast").wait_for()


async def test_the_page_talks_to_its_own_host_only_and_breaks_no_rule_of_its_policy(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    address = (await delivered_codes(shown, vault, PLANTED + "-H")).url
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
    page = watched.page
    await page.goto(await page_url(shown, event))
    await page.get_by_text("On its way").wait_for()
    await dispatch(shown)
    await page.get_by_role("button", name="Show").wait_for()


async def test_a_code_can_be_opened_by_keyboard_and_is_announced(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-K")).url)
    for _ in range(3):
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
    sold = await delivered_codes(shown, vault, "W" * 120, reference="R" * 100)
    for language, width in (("zh", 320), ("en", 320), ("zh", 390), ("en", 1280)):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{sold.url}?lang={language}")
        await page.locator("button.show").click()
        await page.locator(".field-value").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await page.locator("html").get_attribute("lang") == language
