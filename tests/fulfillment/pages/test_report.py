"""A bad code from the mail to its replacement, as the buyer sees it."""

from io import StringIO

from playwright.async_api import expect

from kit.ids import new_id
from kit.service import Service
from tests.fulfillment.after_sales import open_shop
from tests.fulfillment.conftest import acceptor, dispatch
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.mailbox import Mailbox
from tests.fulfillment.pages.conftest import PLANTED, Watched, delivered_codes
from tests.fulfillment.pages.test_mail import link_in
from tests.fulfillment.real_vault import RealVault

PATIENT = 30_000


async def test_a_bad_code_is_reported_on_the_page_and_its_replacement_appears_there(
    shown: Service, vault: RealVault, watched: Watched, mailbox: Mailbox, logged: StringIO
) -> None:
    page, buyer = watched.page, f"buyer-{new_id()}@shop.example"
    bad, good = PLANTED + "-BAD", PLANTED + "-GOOD"
    pool = await vault.stock([bad])
    event = a_request(
        reservation_id=await vault.hold((pool, 1)), lines=[a_line(pool_id=str(pool))], email=buyer
    )
    await acceptor(shown)(event)
    await dispatch(shown)
    await vault.add_lot(pool, [good])

    await page.goto(link_in(mailbox, buyer))
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".field-value")).to_have_text(bad, timeout=PATIENT)
    await page.get_by_role("button", name="Report a problem").click()
    await page.get_by_label("It was used already").check()
    await page.get_by_label("Tell the shop more").fill("The game says so.")
    await page.get_by_role("button", name="Send report").click()
    await expect(page.locator(".claim-opened")).to_be_visible(timeout=PATIENT)
    await expect(page.locator(".field-value")).to_have_text(bad)
    await dispatch(shown)

    async with open_shop(shown, vault) as shop:
        listed = (await shop.client.get("/v1/claims", params={"order_id": event.key})).json()
        [claim] = listed["items"]
        assert (claim["reason"], claim["note"]) == ("used", "The game says so.")
        decided = await shop.decide(claim["id"], "replace")
        assert decided.status_code == 200, decided.text
    await dispatch(shown)

    await expect(page.locator(".claim-replaced")).to_be_visible(timeout=PATIENT)
    await expect(page.locator(".claim-instead")).to_be_visible()
    await expect(page.locator("button.show")).to_have_count(1)
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".field-value")).to_have_text(good, timeout=PATIENT)

    heard, log = await watched.heard(), logged.getvalue()
    for code in (bad, good):
        for secret in (code, code.encode().hex()):
            assert secret.encode() not in heard
            assert secret not in log
            assert all(secret.encode() not in mail.raw for mail in mailbox.mails)
    assert watched.said == []


async def test_a_report_that_does_not_arrive_can_be_sent_again_and_opens_one_claim(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    sold = await delivered_codes(shown, vault, PLANTED + "-AGAIN")
    await page.goto(sold.url)
    await page.route("**/claims", lambda route: route.abort())
    await page.get_by_role("button", name="Report a problem").click()
    await page.get_by_label("It is not accepted").check()
    await page.get_by_role("button", name="Send report").click()
    await expect(page.get_by_role("alert")).to_contain_text("No connection")
    await page.unroute("**/claims")
    await page.get_by_role("button", name="Send report").click()
    await expect(page.locator(".claim-opened")).to_be_visible(timeout=PATIENT)
    await page.reload()
    await expect(page.locator(".claim-opened")).to_be_visible()
    await expect(page.get_by_role("button", name="Report a problem")).to_have_count(0)


async def test_a_reason_must_be_chosen_and_the_form_can_be_left(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, PLANTED + "-LEAVE")).url)
    await page.get_by_role("button", name="Report a problem").click()
    await page.get_by_role("button", name="Send report").click()
    await expect(page.locator("input:invalid").first).to_be_attached()
    await expect(page.locator(".claim-opened")).to_have_count(0)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator(".report-form")).to_have_count(0)
    await expect(page.get_by_role("button", name="Report a problem")).to_be_focused()
