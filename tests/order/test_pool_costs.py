"""What a pool's units cost: the dearest lot that has some, asked once a minute."""

import asyncio
from typing import Any

import httpx
import pytest

from kit.auth import ServiceTokens
from kit.errors import Unavailable
from kit.ids import new_id
from kit.money import Money
from kit.peers import Peer
from order.pool_costs import PoolCosts
from tests.order.factories import MERCHANT, OTHER_MERCHANT, POOL


class Lots(httpx.AsyncBaseTransport):
    """A vault that says of every pool what `lots` says: (cost, currency, units for sale)."""

    def __init__(self, *lots: tuple[int, str, int], status: int = 200) -> None:
        self.lots = lots
        self.status = status
        self.asked: list[tuple[str, str | None]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.url.path, request.headers.get("lockstock-merchant")))
        lots: list[dict[str, Any]] = [
            {"unit_cost": {"amount": cost, "currency": currency}, "levels": {"available": units}}
            for cost, currency, units in self.lots
        ]
        return httpx.Response(self.status, json={"code": "some_code", "lots": lots})


def pool_costs(vault: Lots) -> PoolCosts:
    tokens = ServiceTokens("s" * 32)
    return PoolCosts(Peer("http://vault", service="order", tokens=tokens, transport=vault))


@pytest.mark.parametrize(
    ("lots", "cost"),
    [
        ([(900, "CNY", 3), (950, "CNY", 1), (2000, "CNY", 0)], Money(950, "CNY")),
        ([(900, "CNY", 3), (9, "USD", 1)], None),
        ([(900, "CNY", 3), (9, "USD", 0)], Money(900, "CNY")),
        ([(900, "CNY", 0)], None),
        ([], None),
    ],
)
async def test_the_dearest_lot_with_units_for_sale_counts(
    lots: list[tuple[int, str, int]], cost: Money | None
):
    assert await pool_costs(Lots(*lots)).of(MERCHANT, POOL) == cost


async def test_the_vault_is_asked_once_for_a_while_and_for_the_merchant():
    vault = Lots((900, "CNY", 3))
    costs = pool_costs(vault)

    answers = [await costs.of(MERCHANT, POOL) for _ in range(5)]

    assert answers == [Money(900, "CNY")] * 5
    assert vault.asked == [(f"/v1/pools/{POOL}", str(MERCHANT))]


async def test_what_one_merchant_is_told_of_a_pool_is_not_told_to_another():
    vault = Lots((900, "CNY", 3))
    costs = pool_costs(vault)

    assert await costs.of(MERCHANT, POOL) == Money(900, "CNY")
    vault.status = 404
    assert await costs.of(OTHER_MERCHANT, POOL) is None
    assert await costs.of(MERCHANT, POOL) == Money(900, "CNY")


async def test_a_pool_that_is_not_there_costs_nothing_that_is_known():
    assert await pool_costs(Lots(status=404)).of(MERCHANT, POOL) is None


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_vault_that_does_not_say_is_no_cost_of_nothing(status: int):
    vault = Lots((900, "CNY", 3), status=status)
    costs = pool_costs(vault)

    with pytest.raises(Unavailable):
        await costs.of(MERCHANT, POOL)
    vault.status = 200
    assert await costs.of(MERCHANT, POOL) == Money(900, "CNY")


async def test_pools_that_are_not_known_are_asked_at_once_and_each_once():
    class Slow(Lots):
        """Answers nobody before all have asked."""

        def __init__(self, callers: int) -> None:
            super().__init__((900, "CNY", 3))
            self._all = asyncio.Barrier(callers)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await self._all.wait()
            return await super().handle_async_request(request)

    vault, pools = Slow(3), [new_id() for _ in range(3)]

    async with asyncio.timeout(30):
        costs = await pool_costs(vault).of_many(MERCHANT, [*pools, pools[0]])

    assert costs == dict.fromkeys(pools, Money(900, "CNY"))
    assert len(vault.asked) == 3
