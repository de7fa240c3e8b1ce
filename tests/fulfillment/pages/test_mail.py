"""From the mail in a buyer's inbox to the code on their screen."""

import re
from io import StringIO

from playwright.async_api import expect

from kit.ids import new_id
from kit.service import Service, create_app
from tests.fulfillment.conftest import a_client, dispatch
from tests.fulfillment.mailbox import Mailbox
from tests.fulfillment.pages.conftest import PLANTED, Watched, delivered_codes
from tests.fulfillment.real_vault import RealVault


def link_in(mailbox: Mailbox, address: str) -> str:
    """The one link of the first mail to this address."""
    [link] = set(re.findall(r"https?://[^\s\"<>]+/d/[\w-]+", mailbox.to(address)[0].text))
    return str(link)


async def test_the_link_of_a_real_mail_opens_the_code_and_nothing_else_tells_it(
    shown: Service, vault: RealVault, watched: Watched, mailbox: Mailbox, logged: StringIO
) -> None:
    page, code, buyer = watched.page, PLANTED + "-MAIL", f"buyer-{new_id()}@shop.example"
    await delivered_codes(shown, vault, code, email=buyer)
    await dispatch(shown)
    link = link_in(mailbox, buyer)
    await page.goto(link)
    assert code not in await page.content()
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".field-value")).to_have_text(code, timeout=30_000)
    for secret in (code.encode(), code.encode().hex().encode()):
        assert secret not in await watched.heard()
        assert all(secret not in mail.raw for mail in mailbox.mails)
        assert secret.decode() not in logged.getvalue()
    assert link.rpartition("/")[2] not in logged.getvalue()
    assert watched.said == []


async def test_a_careful_shop_asks_for_the_code_it_mails_first(
    shown: Service, vault: RealVault, watched: Watched, mailbox: Mailbox
) -> None:
    page, buyer = watched.page, f"buyer-{new_id()}@shop.example"
    sold = await delivered_codes(shown, vault, PLANTED + "-STEP", email=buyer)
    async with a_client(shown, create_app(shown), "deliveries:write") as shop:
        await shop.put("/v1/page-settings", json={"step_up": "code"})
    try:
        await page.goto(sold.url)
        await page.get_by_role("button", name="Show").click()
        dialog = page.get_by_role("dialog", name="Confirm that it is you")
        await dialog.get_by_role("button", name="Send the code").click()
        entry = dialog.get_by_label("One-time code")
        await entry.fill("000000")
        await dialog.get_by_role("button", name="Confirm").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("not right", timeout=30_000)
        await dispatch(shown)
        [code] = re.findall(r"\b\d{6}\b", mailbox.to(buyer)[-1].text)
        await entry.fill(str(code))
        await dialog.get_by_role("button", name="Confirm").click()
        await expect(page.locator(".field-value")).to_have_text(PLANTED + "-STEP", timeout=30_000)
        assert await page.context.cookies() == []
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
        await page.reload()
        await page.get_by_role("button", name="Show").click()
        await dialog.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("alert")).to_contain_text("one-time code")
    finally:
        async with a_client(shown, create_app(shown), "deliveries:write") as shop:
            await shop.put("/v1/page-settings", json={})
