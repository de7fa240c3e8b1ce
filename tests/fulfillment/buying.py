"""What tests of buying into stock share: a service with a code shop for a supplier, and the real
vault behind it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fulfillment.app import create_service
from fulfillment.procurement.domain import Procurement
from fulfillment.procurement.service import Wish
from fulfillment.settings import Settings
from fulfillment.supplier_products.domain import SupplierProduct
from kit.ids import new_id
from kit.money import Money
from kit.service import Service
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.top_ups import with_supplier
from tests.suppliers.code_shop import CodeShop, with_code_shop_connector

SECONDS_MAX = 30.0
SKU = "STEAM-50-CN"


def buying_settings(settings: Settings, **given: Any) -> Settings:
    """With the tests' own connector, private addresses, and no patience."""
    with_code_shop_connector()
    values = {
        "connectors": "generic,demo,code_shop",
        "supplier_private_addresses": True,
        "supplier_patience_seconds": 1.5,
        "supplier_pause_seconds_max": 0.1,
        "circuit_pause_seconds": 0.2,
        **given,
    }
    return settings.model_copy(update=values)


@asynccontextmanager
async def buying(settings: Settings, vault: RealVault, **given: Any) -> AsyncIterator[Service]:
    """The service as it buys, with a line to the vault."""
    service = create_service(buying_settings(settings, **given), vault_transport=vault.line)
    try:
        yield service
    finally:
        for close in service.closing:
            await close()
        await service.db.close()


async def with_offer(
    service: Service, shop: CodeShop, pool_id: UUID | None, name: str = "shop", **given: Any
) -> SupplierProduct:
    """An account with the shop, and its article as an offer for the pool."""
    await with_supplier(service, None, name, connector="code_shop", url=shop.url)
    values = {"currency": "CNY", "cost_max_minor": 4900, **given}
    offer = SupplierProduct(new_id(), MERCHANT, name, SKU, pool_id=pool_id, **values)
    async with service.db.transaction() as tx:
        made: SupplierProduct = await service.state["supplier_products"].create(tx, offer)
        return made


async def plan(
    service: Service, pool_id: UUID, quantity: int, budget: int | None = None, **given: Any
) -> Procurement:
    wish = Wish(
        MERCHANT,
        pool_id,
        quantity,
        "tests",
        budget=None if budget is None else Money(budget, "CNY"),
        **given,
    )
    async with service.db.transaction() as tx:
        made: Procurement = await service.state["procurements"].plan(tx, wish)
        return made


async def work(service: Service, *names: str) -> None:
    """One round of these jobs; without names of all that buy."""
    wanted = names or ("buy-into-stock", "carry-codes")
    for job in service.jobs:
        if job.name in wanted:
            await job._run()


async def until(
    service: Service,
    is_done: Callable[[], Any],
    *,
    hurry: bool = True,
    seconds: float = SECONDS_MAX,
) -> None:
    """Lets the jobs that buy work until it is so. `hurry`: as if pauses were over."""
    deadline = time.monotonic() + seconds
    while not await is_done():
        assert time.monotonic() < deadline, await rows(service, "procurement")
        if hurry:
            await end_pauses(service)
        await work(service)
        await asyncio.sleep(0.02)


async def until_ended(service: Service, procurement: Procurement, **given: Any) -> Procurement:
    """The procurement at its end."""

    async def is_ended() -> bool:
        return (await found(service, procurement)).ended_at is not None

    await until(service, is_ended, **given)
    return await found(service, procurement)


async def found(service: Service, procurement: Procurement) -> Procurement:
    async with service.db.read() as tx:
        it: Procurement = await service.state["procurements"].get(tx, MERCHANT, procurement.id)
        return it


async def end_pauses(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(
            text("UPDATE procurement SET due_at = clock_timestamp() WHERE lease_id IS NULL")
        )
        await tx.execute(
            text("UPDATE arrival SET due_at = clock_timestamp() WHERE lease_id IS NULL")
        )


async def rows(service: Service, table: str) -> list[Any]:
    async with service.db.read() as tx:
        return list((await tx.execute(text(f"SELECT * FROM {table}"))).all())  # noqa: S608 - ours


async def empty_pool(vault: RealVault, kind: str = "code") -> UUID:
    pool = await vault._post("/v1/pools", {"name": "pool", "unit_kind": kind})
    return UUID(pool["id"])
