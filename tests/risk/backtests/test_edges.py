"""A past at its edges: what was recorded late near its end, what is forgotten by now, a run that
cannot be finished.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderedLine
from risk.backtests.domain import ATTEMPTS_MAX, GIVEN_UP
from tests.risk.backtests.past import a_past, write
from tests.risk.backtests.test_backtests import asked, read, run
from tests.risk.conftest import Assess
from tests.risk.factories import NOON, an_order
from tests.risk.velocity.test_jobs import OLD, forget
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


async def test_what_came_after_the_end_counts_for_a_late_order_before_it(
    service: Service, client: httpx.AsyncClient, assess: Assess
) -> None:
    await assess([an_order(at=NOON + timedelta(minutes=30)) for _ in range(5)])
    await assess([an_order(at=NOON + timedelta(minutes=5))])
    live = (await client.get("/v1/assessments?limit=1")).json()["items"][0]
    assert live["facts"]["purchases_by_ip_1h"] == 6
    end = (NOON + timedelta(minutes=10)).isoformat()

    backtest = await asked(
        client, condition="purchases_by_ip_1h > 5", **{"from": NOON.isoformat(), "to": end}
    )
    await run(service)

    report = (await read(client, backtest))["report"]
    assert (report["judged"], report["fired"]) == (1, 1)


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("count", ["purchases_by_product_1d", "products_by_ip_1d"])
async def test_products_of_forgotten_orders_are_what_was_recorded_or_unknown(
    service: Service, client: httpx.AsyncClient, assess: Assess, count: str, *, is_live: bool
) -> None:
    condition = f"{count} > 1"
    if is_live:
        rule = {"name": "Products", "condition": condition, "action": "hold"}
        assert (await client.post("/v1/rules", json=rule)).status_code == 201
    at = datetime.now(UTC) - OLD
    first, second = str(new_id()), str(new_id())
    await assess([an_order(at=at, lines=lines_of(first)), an_order(at=at, lines=lines_of(first))])
    await assess([an_order(at=at, lines=lines_of(second))])
    await forget(service)
    period = {"from": (at - timedelta(hours=1)).isoformat(), "to": (at + timedelta(hours=1))}

    backtest = await asked(client, condition=condition, **period | {"to": str(period["to"])})
    await run(service)

    report = (await read(client, backtest))["report"]
    assert report["judged"] == 3
    assert report["fired"] == (1 if is_live else 0)
    assert report["unknown_facts"] == ({} if is_live else {count: 3})


def lines_of(product_id: str) -> list[OrderedLine]:
    return [OrderedLine(line_no=1, sku="STEAM-50", quantity=1, product_id=product_id)]


async def test_a_run_that_cannot_be_finished_fails_and_makes_room(
    service: Service, client: httpx.AsyncClient
) -> None:
    await write(service.db, a_past(50))
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE purchase SET amount_minor = 9000000000000000000, ip = ''"))
        await tx.execute(text("UPDATE purchase SET customer_id = 'anna', currency = 'CNY'"))
    backtest = await asked(client, condition="amount_by_customer_90d > 40000")

    await run(service)

    done: dict[str, Any] = await read(client, backtest)
    assert (done["status"], done["report"]) == ("failed", None)
    assert "Overflow" in done["problem"]


@pytest.mark.parametrize(("action", "stopped"), [("allow", 4), ("hold", 5)])
async def test_what_nobody_can_decide_is_stopped_by_a_rule_that_allows_too(
    service: Service, client: httpx.AsyncClient, assess: Assess, action: str, stopped: int
) -> None:
    await assess([an_order(at=NOON, amount=amount) for amount in (1, 1, 1, 1, 2, 3)])
    period = {"from": NOON.isoformat(), "to": (NOON + timedelta(days=1)).isoformat()}

    backtest = await asked(client, condition="10 / (amount_minor - 1) > 5", action=action, **period)
    await run(service)

    report = (await read(client, backtest))["report"]
    assert (report["fired"], report["undecidable"], report["stopped"]) == (5, 4, stopped)


async def test_one_that_kills_whoever_runs_it_is_given_up_and_others_are_run(
    service: Service, client: httpx.AsyncClient
) -> None:
    await write(service.db, a_past(50))
    deadly = await asked(client)
    for _ in range(ATTEMPTS_MAX):
        await die_while_running(service)
    harmless = await asked(client)

    await run(service)

    ended = await read(client, deadly)
    assert (ended["status"], ended["problem"], ended["report"]) == ("failed", GIVEN_UP, None)
    assert ended["ended_at"] is not None
    assert (await read(client, harmless))["status"] == "completed"


async def test_one_whose_runner_dies_once_less_comes_to_its_end(
    service: Service, client: httpx.AsyncClient
) -> None:
    await write(service.db, a_past(50))
    backtest = await asked(client)
    for _ in range(ATTEMPTS_MAX - 1):
        await die_while_running(service)

    await run(service)

    assert (await read(client, backtest))["status"] == "completed"


async def die_while_running(service: Service) -> None:
    """What a process leaves that is gone in the middle of a run, a minute later."""
    running = text("SELECT count(*) FROM backtest WHERE leased_until > clock_timestamp()")
    async with service.db.transaction() as tx:
        await tx.execute(text("LOCK TABLE purchase IN ACCESS EXCLUSIVE MODE"))
        runner = asyncio.create_task(service.state["backtests"].run_next(service.db))
        while not (await tx.execute(running)).scalar_one():
            assert not runner.done()
            await asyncio.sleep(0.01)
        runner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await runner
    async with service.db.transaction() as tx:
        await tx.execute(
            text("UPDATE backtest SET leased_until = clock_timestamp() WHERE status = 'running'")
        )
