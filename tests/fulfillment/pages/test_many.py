"""Many codes at once: shown, copied, saved, over all parts of a page, and through a bad network."""

import os
from pathlib import Path

from playwright.async_api import BrowserContext, Route, expect

from kit.service import Service
from tests.fulfillment.pages.conftest import PLANTED, Watched, delivered_codes
from tests.fulfillment.real_vault import RealVault

UNITS = int(os.environ.get("PAGE_UNITS", "130"))
"""Of the order whose codes are saved as a file; the full size is 1000."""


def codes_named(name: str, count: int) -> list[str]:
    return [f"{PLANTED}-{name}-{number:04}" for number in range(count)]


async def test_all_codes_are_shown_at_once_and_each_view_is_counted(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    codes = codes_named("SHOW", 12)
    sold = await delivered_codes(shown, vault, *codes)
    await page.goto(sold.url)
    await page.get_by_role("button", name="Show all").click()
    await expect(page.locator(".field-value")).to_have_text(codes, timeout=30_000)
    await expect(page.get_by_text("Opened once")).to_have_count(12)
    assert [len(await vault.views(unit)) for unit in sold.units] == [1] * 12
    assert PLANTED.encode() not in await watched.heard()


async def test_all_codes_are_copied_and_what_is_open_is_not_viewed_again(
    shown: Service, vault: RealVault, context: BrowserContext, watched: Watched
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.page
    codes = codes_named("COPY", 3)
    sold = await delivered_codes(shown, vault, *codes)
    await page.goto(sold.url)
    await page.get_by_role("button", name="Show Steam 50, number 2").click()
    await page.locator(".field-value").wait_for()
    await page.get_by_role("button", name="Copy all").click()
    await page.get_by_role("button", name="Copied").wait_for()
    assert await page.evaluate("navigator.clipboard.readText()") == "\n".join(codes)
    assert [len(await vault.views(unit)) for unit in sold.units] == [1, 1, 1]


async def test_a_file_holds_the_codes_of_every_part_of_the_page(
    shown: Service, vault: RealVault, watched: Watched, tmp_path: Path
) -> None:
    page = watched.page
    codes = codes_named("FILE", UNITS)
    await page.goto((await delivered_codes(shown, vault, *codes, reference="R 1/2")).url)
    assert await page.locator(".unit").count() == 100
    async with page.expect_download(timeout=UNITS * 1_000) as download:
        await page.get_by_role("button", name="Save as file").click()
    saved = await download.value
    await saved.save_as(tmp_path / "codes.txt")
    assert (tmp_path / "codes.txt").read_text().splitlines() == codes
    assert saved.suggested_filename == "R_1_2.txt"
    assert PLANTED.encode() not in await watched.heard()
    await page.get_by_role("link", name="Next").click()
    await expect(page.locator(".unit")).to_have_count(min(100, UNITS - 100))


async def test_a_failure_in_between_is_tried_again_by_itself(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    codes = codes_named("FAIL", 4)
    await page.goto((await delivered_codes(shown, vault, *codes)).url)
    cut = iter([True, True, False])

    async def fail_at_first(route: Route) -> None:
        await (route.abort() if next(cut, False) else route.continue_())

    await page.route("**/reveal", fail_at_first)
    await page.get_by_role("button", name="Show all").click()
    await expect(page.locator(".field-value")).to_have_text(codes, timeout=30_000)


async def test_it_can_be_stopped_and_says_so(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, *codes_named("STOP", 9))).url)
    await page.route("**/reveal", lambda route: route.abort())
    await page.get_by_role("button", name="Show all").click()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator(".tools-words")).to_contain_text("Stopped", timeout=30_000)
    await page.unroute("**/reveal")
    await page.get_by_role("button", name="Show all").click()
    await expect(page.locator(".field-value")).to_have_count(9, timeout=30_000)
