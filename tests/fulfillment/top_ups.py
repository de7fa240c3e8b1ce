"""A merchant with suppliers, and orders of top-ups."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from fulfillment.suppliers.domain import Supplier, Times
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from lockstock.order.v1.order_events_pb2 import (
    FulfillmentRequested,
    RequestedLine,
    SupplierOffer,
    TopUpTerms,
)
from tests.fulfillment.conftest import acceptor, dispatch, published
from tests.fulfillment.factories import MERCHANT, a_line, a_request
from tests.suppliers.simulator import Simulator

COST_MAX = 4900
TIMES = Times(timeout_seconds=0.3, visibility_delay_seconds=0.5, unknown_ttl_seconds=60)


_numbers = itertools.count()


def an_account() -> str:
    """A phone number nobody has, each time another."""
    return f"139{next(_numbers):08}"


def an_offer(supplier: str = "sim", cost_max: int = COST_MAX) -> SupplierOffer:
    money = Money(amount_minor=cost_max, currency="CNY")
    return SupplierOffer(supplier=supplier, supplier_sku="CM-50", cost_max=money)


def a_top_up(
    account: str, *offers: SupplierOffer, routing: str = "", **given: Any
) -> RequestedLine:
    terms = TopUpTerms(offers=offers or [an_offer()], account_input="phone", routing=routing)
    values = {"kind": "top_up", "pool_id": "", "sku": "PHONE-50", "name": "Phone 50", **given}
    return a_line(inputs={"phone": account}, top_up=terms, **values)


def an_order(account: str, *offers: SupplierOffer, **given: Any) -> Event[FulfillmentRequested]:
    return a_request(lines=[a_top_up(account, *offers, **given)], reservation_id="")


async def with_supplier(
    service: Service,
    simulator: Simulator | None,
    name: str = "sim",
    *,
    times: Times = TIMES,
    connector: str = "generic",
    url: str = "",
) -> Supplier:
    """An account of the merchant's with this simulator."""
    supplier = Supplier(
        id=new_id(),
        merchant_id=MERCHANT,
        name=name,
        connector=connector,
        base_url=url or (simulator.url if simulator else ""),
        account_id="shop-17",
        times=times,
    )
    secret = simulator.secret if simulator else "nothing-secret"
    async with service.db.transaction() as tx:
        made: Supplier = await service.state["suppliers"].create(tx, supplier, secret)
        return made


async def accept(service: Service, *orders: Event[FulfillmentRequested]) -> None:
    await acceptor(service)(*orders)


async def until_settled(service: Service, seconds: float = 8.0) -> list[Any]:
    """Lets the dispatchers work until no top-up is open; what was told of lines since."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await dispatch(service)
        if await count(service, "task", "state = 'pending'") == 0:
            told = await published(service)
            return [it for it in told if isinstance(it, LineDelivered | LineFailed | LineUnknown)]
        await asyncio.sleep(0.03)
    raise AssertionError(await purchases(service))


async def count(service: Service, table: str, condition: str = "true") -> int:
    async with service.db.read() as tx:
        statement = text(f"SELECT count(*) FROM {table} WHERE {condition}")  # noqa: S608 - ours
        return int((await tx.execute(statement)).scalar_one())


async def purchases(service: Service) -> Sequence[Any]:
    """Every purchase, as it lies in the table, in the order of making."""
    async with service.db.read() as tx:
        rows = await tx.execute(text("SELECT * FROM purchase ORDER BY created_at, id"))
        return rows.all()
