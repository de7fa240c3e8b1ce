"""That the page is good to use: on a bad network, without script, by keyboard, for every eye, on
paper; and that nothing jumps.
"""

import asyncio

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from kit.service import Service
from tests.fulfillment.conftest import acceptor, dispatch
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.pages.conftest import PLANTED, Watched, delivered_codes, page_url
from tests.fulfillment.real_vault import RealVault

READABLE = 4.5
"""Contrast of text that WCAG 2 asks for (AA)."""
SHIFT_MAX = 0.02
# Every text that is seen, its colour and the ground it stands on.
CONTRASTS = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((it) => it / 255)
    .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4))
    .reduce((sum, it, at) => sum + it * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    if (node.closest("noscript, .only-read, .skip, script, svg")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([walker.currentNode.textContent.trim().slice(0, 40), ratio]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_can_be_read_in_light_and_in_dark(
    shown: Service, vault: RealVault, browser: Browser, scheme: str
) -> None:
    context = await browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = await context.new_page()
    await page.goto((await delivered_codes(shown, vault, PLANTED + scheme, scheme + PLANTED)).url)
    await page.locator("button.show").first.click()
    await page.get_by_role("button", name="QR code").click()
    contrasts = await page.evaluate(CONTRASTS)
    assert len(contrasts) > 10
    assert [text for text, ratio in contrasts if ratio < READABLE] == []
    await context.close()


async def test_without_javascript_the_page_explains_itself_and_promises_no_button(
    shown: Service, vault: RealVault, browser: Browser
) -> None:
    context = await browser.new_context(java_script_enabled=False, locale="en-GB")
    page = await context.new_page()
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-N1", PLANTED + "-N2")).url)
    await expect(page.locator(".no-script")).to_contain_text("JavaScript is switched off")
    await expect(page.locator(".no-script")).to_be_visible()
    await expect(page.locator("button:visible")).to_have_count(0)
    await expect(page.get_by_role("heading", name="Steam 50")).to_be_visible()
    await context.close()


async def test_a_lost_connection_says_that_nothing_is_lost_and_can_be_tried_again(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-L")).url)
    await page.route("**/reveal", lambda route: route.abort())
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("alert")).to_contain_text("No connection. Nothing is lost")
    await page.unroute("**/reveal")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".field-value")).to_have_text(PLANTED + "-L")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_slow_answer_is_announced_and_still_comes(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    may_go = asyncio.Event()

    async def hold_back(route: Route) -> None:
        await may_go.wait()
        await route.continue_()

    await page.goto((await delivered_codes(shown, vault, PLANTED + "-SL")).url)
    await page.route("**/reveal", hold_back)
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("button", name="Opening")).to_be_disabled()
    await expect(page.get_by_role("alert")).to_contain_text("slow", timeout=30_000)
    may_go.set()
    await expect(page.locator(".field-value")).to_have_text(PLANTED + "-SL", timeout=30_000)


@pytest.mark.parametrize("answer", ["<html>busy</html>", "{", "[]", "{}"])
async def test_an_answer_that_is_none_is_said_kindly(
    shown: Service, vault: RealVault, watched: Watched, answer: str
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-G" + answer)).url)
    await page.route("**/reveal", lambda route: route.fulfill(status=200, body=answer))
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("alert")).to_contain_text("could not be opened here")
    await expect(page.get_by_role("button", name="Try again")).to_be_enabled()


async def test_nothing_jumps_while_the_page_loads(
    shown: Service, vault: RealVault, context: BrowserContext
) -> None:
    page = await context.new_page()
    await page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => list.getEntries().forEach("
        "(it) => { window.shift += it.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    codes = [f"{PLANTED}-J{number}" for number in range(5)]
    await page.goto((await delivered_codes(shown, vault, *codes)).url)
    await expect(page.locator("button.show").first).to_be_enabled()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("window.shift") < SHIFT_MAX


async def test_what_is_open_stays_open_when_another_line_arrives(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    first, second = await vault.stock([PLANTED + "-O1"]), await vault.stock(["O2", "O3"])
    ready = a_line(line_no=1, pool_id=str(first), name="Ready now")
    event = a_request(reservation_id=await vault.hold((first, 1)), lines=[ready])
    await acceptor(shown)(event)
    await dispatch(shown)
    late = a_line(line_no=2, pool_id=str(second), name="Comes later")
    hold = await vault.hold((second, 1), (second, 1))
    again = a_request(
        order_id=event.key, round=2, reservation_id=hold, hold_has_more=True, lines=[late]
    )
    await acceptor(shown)(again)
    await page.goto(await page_url(shown, event))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Part of your order is ready")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".field-value")).to_have_text(PLANTED + "-O1")
    await dispatch(shown)
    await expect(page.get_by_role("heading", level=1)).to_have_text(
        "Your order is ready", timeout=30_000
    )
    await expect(page.locator(".field-value")).to_have_text(PLANTED + "-O1")
    await page.get_by_role("button", name="Show Comes later").click()
    await expect(page.locator(".field-value")).to_have_count(2, timeout=30_000)


async def test_every_control_has_a_name_and_a_size_for_a_thumb(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-T1", PLANTED + "-T2")).url)
    await page.locator("button.show").first.click()
    await page.locator(".field-value").wait_for()
    for control in await page.locator("button:visible, main a:visible").all():
        assert (await control.text_content() or "").strip()
    for button in await page.locator("button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 40


async def test_paper_shows_what_is_open_and_no_buttons(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page: Page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-P")).url)
    await page.get_by_role("button", name="Show").click()
    await page.locator(".field-value").wait_for()
    await page.emulate_media(media="print")
    await expect(page.locator(".field-value")).to_be_visible()
    await expect(page.locator("button:visible")).to_have_count(0)
