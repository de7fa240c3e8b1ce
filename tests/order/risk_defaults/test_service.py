"""Risk is killed: what the channel says counts, is marked, and is not undone by a late word."""

from io import StringIO
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested, OrderHeld
from order.orders.domain import Order, OrderStatus, Verdict
from order.risk_defaults import service
from tests.order.conftest import Consume
from tests.order.factories import SHOP, assessed, kinds_of, paid, placed, state_of


async def wants(db: Database, default: str, seconds: int = 30) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE channel SET risk_default = :default, risk_wait_seconds = :s"),
            {"default": default, "s": seconds},
        )


async def a_silent_order(db: Database, waited_seconds: float = 31) -> Order:
    """Paid, and risk says nothing about it."""
    order = await placed(db)
    await paid(db, order)
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE orders SET paid_at = paid_at - make_interval(secs => :s) WHERE id = :id"),
            {"s": waited_seconds, "id": order.id},
        )
    return order


async def apply(db: Database) -> int:
    async with db.transaction() as tx:
        return await service.apply_due(tx, 100)


async def details(db: Database, order: Order, kind: str) -> dict[str, Any]:
    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT details FROM order_timeline WHERE order_id = :id AND kind = :kind"),
            {"id": order.id, "kind": kind},
        )
        return dict(rows.scalar_one())


async def told(db: Database, name: str) -> int:
    async with db.read() as tx:
        query = text("SELECT count(*) FROM event_log WHERE type LIKE :name")
        return int((await tx.execute(query, {"name": f"%{name}"})).scalar_one())


async def test_allow_lets_the_order_go_and_says_so(db: Database) -> None:
    await wants(db, "allow")
    order = await a_silent_order(db)

    assert await apply(db) == 1

    now = await state_of(db, order)
    assert (now.status, now.verdict) == (OrderStatus.FULFILLING, Verdict.ALLOW)
    assert now.is_default_verdict
    assert await details(db, order, "risk_default") == {"default": "allow", "waited_seconds": 30}
    assert await told(db, FulfillmentRequested.DESCRIPTOR.name) == 1
    assert await apply(db) == 0


async def test_hold_holds_it_until_risk_says_something(db: Database, consume: Consume) -> None:
    await wants(db, "hold")
    order = await a_silent_order(db)
    await apply(db)
    held = await state_of(db, order)

    await consume(assessed(order))

    assert (held.status, held.reason) == (OrderStatus.ON_HOLD, "risk was silent")
    assert await told(db, OrderHeld.DESCRIPTOR.name) == 1
    now = await state_of(db, order)
    assert (now.status, now.is_default_verdict) == (OrderStatus.FULFILLING, False)


@pytest.mark.parametrize(("default", "waited"), [("wait", 99_999), ("allow", 0), ("hold", 20)])
async def test_without_a_default_or_before_its_time_the_order_waits(
    db: Database, default: str, waited: float
) -> None:
    await wants(db, default)
    order = await a_silent_order(db, waited)

    assert await apply(db) == 0
    assert (await state_of(db, order)).status is OrderStatus.PAID


async def test_what_risk_spoke_of_is_left_alone(db: Database, consume: Consume) -> None:
    await wants(db, "allow")
    order = await placed(db)
    await consume(assessed(order, "HOLD"))
    await paid(db, order)

    assert await apply(db) == 0
    assert (await state_of(db, order)).status is OrderStatus.ON_HOLD


async def test_a_late_decline_undoes_nothing_and_stands_out(
    db: Database, consume: Consume, logged: StringIO
) -> None:
    await wants(db, "allow")
    order = await a_silent_order(db)
    await apply(db)

    await consume(assessed(order, "DECLINE"))

    now = await state_of(db, order)
    assert (now.status, now.verdict) == (OrderStatus.FULFILLING, Verdict.ALLOW)
    assert (now.late_verdict, now.is_default_verdict) == (Verdict.DECLINE, True)
    assert (await kinds_of(db, order))[-3:] == ["assessed", "assessed_too_late", "let_go_wrongly"]
    assert (await details(db, order, "let_go_wrongly"))["verdict"] == "decline"
    assert '"let_go_wrongly"' in logged.getvalue()


async def test_a_late_allow_is_only_noted(db: Database, consume: Consume) -> None:
    await wants(db, "allow")
    order = await a_silent_order(db)
    await apply(db)

    await consume(assessed(order))

    assert (await state_of(db, order)).late_verdict is Verdict.ALLOW
    assert (await kinds_of(db, order))[-1] == "assessed_too_late"


async def test_the_channel_says_it_over_http_and_the_order_shows_it(
    api: httpx.AsyncClient, db: Database
) -> None:
    url = f"/v1/channels/{SHOP}"

    changed = await api.patch(url, json={"risk_default": "allow", "risk_wait_seconds": 2})
    refused = await api.patch(url, json={"risk_wait_seconds": 0})

    assert changed.json()["risk_default"] == "allow"
    assert refused.status_code == 422
    order = await a_silent_order(db, 3)
    await apply(db)
    shown = (await api.get(f"/v1/orders/{order.id}")).json()
    assert (shown["verdict"], shown["verdict_by"], shown["late_verdict"]) == (
        "allow",
        "default",
        None,
    )
