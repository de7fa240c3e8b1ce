"""What pools' units cost: asked once a minute, all that are not known in one call."""

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

CHEAP = Money(900, "CNY")


class Costs(httpx.AsyncBaseTransport):
    """A vault that says of every pool what `costs` says."""

    def __init__(self, *costs: Money, status: int = 200) -> None:
        self.costs = costs
        self.status = status
        self.asked: list[tuple[list[str], str | None]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pools = request.url.params.get_list("pool_id")
        self.asked.append((pools, request.headers.get("lockstock-merchant")))
        costs = [{"amount": it.amount_minor, "currency": it.currency} for it in self.costs]
        items: list[dict[str, Any]] = [{"pool_id": it, "unit_costs": costs} for it in pools]
        return httpx.Response(self.status, json={"code": "some_code", "items": items})


def pool_costs(vault: Costs) -> PoolCosts:
    tokens = ServiceTokens("s" * 32)
    return PoolCosts(Peer("http://vault", service="order", tokens=tokens, transport=vault))


async def cost(costs: PoolCosts, merchant_id: Any = MERCHANT) -> Money | None:
    return (await costs.of_many(merchant_id, [POOL]))[POOL]


@pytest.mark.parametrize(
    ("costs", "known"),
    [([CHEAP], CHEAP), ([CHEAP, Money(9, "USD")], None), ([], None)],
)
async def test_a_cost_of_several_currencies_or_of_nothing_is_not_known(
    costs: list[Money], known: Money | None
):
    assert await cost(pool_costs(Costs(*costs))) == known


async def test_the_vault_is_asked_once_for_a_while_and_for_the_merchant():
    vault = Costs(CHEAP)
    costs = pool_costs(vault)

    assert [await cost(costs) for _ in range(5)] == [CHEAP] * 5
    assert vault.asked == [([str(POOL)], str(MERCHANT))]


async def test_what_one_merchant_is_told_of_a_pool_is_not_told_to_another():
    vault = Costs(CHEAP)
    costs = pool_costs(vault)

    assert await cost(costs) == CHEAP
    vault.costs = ()
    assert await cost(costs, OTHER_MERCHANT) is None
    assert await cost(costs) == CHEAP


async def test_pools_that_are_not_known_are_asked_for_in_one_call_and_each_once():
    vault, pools = Costs(CHEAP), [new_id() for _ in range(3)]
    costs = pool_costs(vault)
    await costs.of_many(MERCHANT, pools[:1])

    found = await costs.of_many(MERCHANT, [*pools, pools[2]])

    assert found == dict.fromkeys(pools, CHEAP)
    asked = [[str(it) for it in batch] for batch in (pools[:1], pools[1:])]
    assert [batch for batch, _ in vault.asked] == asked


async def test_more_than_a_call_takes_are_asked_for_in_several():
    vault = Costs(CHEAP)

    found = await pool_costs(vault).of_many(MERCHANT, [new_id() for _ in range(250)])

    assert set(found.values()) == {CHEAP}
    assert [len(batch) for batch, _ in vault.asked] == [100, 100, 50]


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_vault_that_does_not_say_is_no_cost_of_nothing(status: int):
    vault = Costs(CHEAP, status=status)
    costs = pool_costs(vault)

    with pytest.raises(Unavailable):
        await cost(costs)
    vault.status = 200
    assert await cost(costs) == CHEAP
