"""The one-time code before the first code, with a real mail server on the other side."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from fulfillment.settings import Settings
from kit.ids import new_id
from kit.service import Service, create_app
from tests.fulfillment.conftest import a_client, dispatch
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.pages.conftest import page_url
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.tellings import accept, running, send, smtp_account, telling_with

SKU = "STEAM-50"
KEY = {"recipient_public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="}


@dataclass(frozen=True, slots=True)
class Bought:
    """A delivered order of a shop that wants one-time codes."""

    path: str
    unit_id: str
    email: str


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


@pytest.fixture
async def careful(settings: Settings, vault: RealVault, box: Mailbox) -> AsyncIterator[Service]:
    """The service with a mail server and the real vault."""
    told = telling_with(settings, [smtp_account(box)], one_time_code_again_seconds=0)
    async with running(told, vault_transport=vault.line) as service:
        yield service


@pytest.fixture
async def browser(careful: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(careful, create_app(careful)) as client:
        yield client


async def _set(service: Service, **settings: Any) -> None:
    async with a_client(service, create_app(service), "deliveries:write") as shop:
        assert (await shop.put("/v1/page-settings", json=settings)).status_code == 200


async def _bought(service: Service, vault: RealVault, email: str | None = None) -> Bought:
    await _set(service, step_up="code")
    address = f"buyer-{new_id()}@shop.example" if email is None else email
    pool = await vault.stock([f"CODE-{new_id()}"])
    event = a_request(
        reservation_id=await vault.hold((pool, 1)),
        lines=[a_line(pool_id=str(pool))],
        email=address,
    )
    await accept(service, event)
    await dispatch(service)
    async with service.db.read() as tx:
        statement = text(
            "SELECT unit_id FROM delivered_unit u JOIN delivery d ON d.id = u.delivery_id "
            "WHERE d.order_id = :id"
        )
        unit_id = (await tx.execute(statement, {"id": UUID(event.key)})).scalar_one()
    path = (await page_url(service, event)).removeprefix("http://fulfillment")
    return Bought(path, str(unit_id), address)


async def _sent_code(service: Service, box: Mailbox, bought: Bought) -> str:
    await send(service)
    found = re.findall(r"\b\d{6}\b", box.to(bought.email)[-1].text)
    assert len(found) == 1
    return str(found[0])


async def _reveal(browser: httpx.AsyncClient, bought: Bought, proof: str | None) -> httpx.Response:
    headers = {"Lockstock-Proof": proof} if proof else {}
    path = f"{bought.path}/units/{bought.unit_id}/reveal"
    return await browser.post(path, json=KEY, headers=headers)


async def test_a_code_is_opened_only_with_the_one_that_was_mailed(
    careful: Service, vault: RealVault, box: Mailbox, browser: Any
) -> None:
    bought = await _bought(careful, vault)
    refused = await _reveal(browser, bought, None)
    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
    begun = await browser.post(f"{bought.path}/step-up")
    assert begun.status_code == 202
    code = await _sent_code(careful, box, bought)
    confirmed = await browser.post(f"{bought.path}/step-up/confirm", json={"code": code})
    assert confirmed.status_code == 200
    assert (await _reveal(browser, bought, confirmed.json()["proof"])).status_code == 200
    assert len(await vault.views(bought.unit_id)) == 1
    again = await browser.post(f"{bought.path}/step-up/confirm", json={"code": code})
    assert (again.status_code, again.json()["code"]) == (403, "one_time_code_wrong")


async def test_the_proof_of_one_page_opens_no_other(
    careful: Service, vault: RealVault, box: Mailbox, browser: Any
) -> None:
    mine, other = await _bought(careful, vault), await _bought(careful, vault)
    await browser.post(f"{mine.path}/step-up")
    code = await _sent_code(careful, box, mine)
    proof = (await browser.post(f"{mine.path}/step-up/confirm", json={"code": code})).json()[
        "proof"
    ]
    assert (await _reveal(browser, other, proof)).json()["code"] == "step_up_required"


async def test_guessing_makes_the_code_void(
    careful: Service, vault: RealVault, box: Mailbox, browser: Any
) -> None:
    bought = await _bought(careful, vault)
    await browser.post(f"{bought.path}/step-up")
    code = await _sent_code(careful, box, bought)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(careful.settings.one_time_code_tries_max):  # type: ignore[attr-defined]  # its own
        tried = await browser.post(f"{bought.path}/step-up/confirm", json={"code": wrong})
        assert tried.json()["code"] == "one_time_code_wrong"
    late = await browser.post(f"{bought.path}/step-up/confirm", json={"code": code})
    assert late.json()["code"] == "one_time_code_wrong"


async def test_nothing_tells_whether_there_is_an_address(
    careful: Service, vault: RealVault, box: Mailbox, browser: Any
) -> None:
    known, unknown = await _bought(careful, vault), await _bought(careful, vault, email="")
    answers = []
    for bought in (known, unknown):
        for _ in range(9):  # also where too many are asked for
            begun = await browser.post(f"{bought.path}/step-up")
            answers.append((begun.status_code, begun.content, sorted(begun.headers)))
    assert len({(status, content) for status, content, _ in answers}) == 1
    assert len({tuple(names) for _, _, names in answers}) == 1
    tried = [
        await browser.post(f"{it.path}/step-up/confirm", json={"code": "000000"})
        for it in (known, unknown)
    ]
    assert [it.json()["code"] for it in tried] == ["one_time_code_wrong"] * 2
    assert sorted(tried[0].json()) == sorted(tried[1].json())


async def test_a_shop_that_wants_none_asks_for_none(
    careful: Service, vault: RealVault, browser: Any
) -> None:
    bought = await _bought(careful, vault)
    async with a_client(careful, create_app(careful), "deliveries:write") as shop:
        await shop.put("/v1/page-settings", json={"step_up": "none"})
    assert (await _reveal(browser, bought, None)).status_code == 200
    for path, body in (("step-up", {}), ("step-up/confirm", {"code": "123456"})):
        answer = await browser.post(f"{bought.path}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "step_up_not_wanted")


async def test_a_product_may_want_a_code_where_the_shop_wants_none(
    careful: Service, vault: RealVault, box: Mailbox, browser: Any
) -> None:
    bought = await _bought(careful, vault)
    await _set(careful, step_up="none", step_up_products={SKU: "code"})

    refused = await _reveal(browser, bought, None)
    begun = await browser.post(f"{bought.path}/step-up")
    code = await _sent_code(careful, box, bought)
    confirmed = await browser.post(f"{bought.path}/step-up/confirm", json={"code": code})
    opened = await _reveal(browser, bought, confirmed.json()["proof"])

    assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
    assert (begun.status_code, opened.status_code) == (202, 200)


async def test_a_product_may_want_none_where_the_shop_wants_a_code(
    careful: Service, vault: RealVault, browser: Any
) -> None:
    bought = await _bought(careful, vault)
    await _set(careful, step_up="code", step_up_products={SKU: "none", "OTHER": "code"})

    assert (await _reveal(browser, bought, None)).status_code == 200
    begun = await browser.post(f"{bought.path}/step-up")
    assert (begun.status_code, begun.json()["code"]) == (409, "step_up_not_wanted")


async def test_of_one_order_only_the_product_that_wants_a_code_is_behind_one(
    careful: Service, vault: RealVault, browser: Any
) -> None:
    pools = [await vault.stock([f"CODE-{new_id()}"]) for _ in range(2)]
    lines = [
        a_line(line_no=number, sku=sku, pool_id=str(pool))
        for number, (sku, pool) in enumerate(zip(("PLAIN", "GIFT"), pools, strict=True), 1)
    ]
    held = await vault.hold(*((pool, 1) for pool in pools))
    event = a_request(reservation_id=held, lines=lines)
    await accept(careful, event)
    await dispatch(careful)
    await _set(careful, step_up_products={"GIFT": "code"})
    path = (await page_url(careful, event)).removeprefix("http://fulfillment")
    async with careful.db.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT d.sku, u.unit_id FROM delivered_unit u "
                "JOIN delivery d ON d.id = u.delivery_id WHERE d.order_id = :id"
            ),
            {"id": UUID(event.key)},
        )
        units = {row.sku: str(row.unit_id) for row in rows}

    answers = {
        sku: (await _reveal(browser, Bought(path, unit_id, ""), None)).status_code
        for sku, unit_id in units.items()
    }

    assert answers == {"PLAIN": 200, "GIFT": 403}


@pytest.mark.parametrize("code", ["", "1" * 13, "12 34", "１２３", None, 5])
async def test_what_can_be_no_code_is_refused(
    careful: Service, vault: RealVault, browser: Any, code: Any
) -> None:
    bought = await _bought(careful, vault)
    answer = await browser.post(f"{bought.path}/step-up/confirm", json={"code": code})
    assert answer.status_code == 422


async def test_a_wrong_link_sends_nothing(browser: Any, box: Mailbox) -> None:
    for path in ("/d/x/step-up", f"/d/{'A' * 48}/step-up"):
        assert (await browser.post(path)).status_code == 404
    assert box.mails == []
