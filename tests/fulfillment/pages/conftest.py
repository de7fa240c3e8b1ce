"""The page in a real browser, with the real service, the real vault and its opener behind it."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Response
from sqlalchemy import text

from fulfillment.app import create_service
from kit.messaging.events import Event
from kit.service import Service, running_api
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from onebox.ports import free_ports
from tests.fulfillment.conftest import acceptor, dispatch, published, settings_with
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.tellings import smtp_account, telling_with
from tests.stack.chromium import running_chromium
from tests.stack.service_databases import ServiceDatabases

PLANTED = "PLANTED-7Q4X-91ZK"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
async def mailbox() -> AsyncIterator[Mailbox]:
    """Where the buyers' mail arrives."""
    # The server of the tests would log what it is sent: that is no log of ours.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    async with running_mailbox() as box:
        yield box


@pytest.fixture(scope="session")
async def service_of_run(
    service_databases: ServiceDatabases, vault_of_run: RealVault, mailbox: Mailbox
) -> AsyncIterator[Service]:
    """The service on a port, as a browser reaches it; tests keep apart by their orders."""
    name, url = await service_databases.create("fulfillment")
    port = free_ports(1)[0]
    own = settings_with(url).model_copy(
        update={
            "port": port,
            "public_url": f"http://127.0.0.1:{port}",
            "reveal_burst": 5,
            "reveal_every_seconds": 60.0,
        }
    )
    own = telling_with(own, [smtp_account(mailbox)])
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


async def delivered_codes(
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


async def page_url(service: Service, event: Event[FulfillmentRequested]) -> str:
    """The address of an order's page, delivered or not."""
    deliveries = service.state["deliveries"]
    async with service.db.read() as tx:
        statement = text("SELECT page_id FROM request WHERE order_id = :id")
        page_id = (await tx.execute(statement, {"id": UUID(event.key)})).scalar_one()
        request, _ = await deliveries.find_page(tx, page_id, range(1, 2))
    url: str = deliveries.url_of(request)
    return url
