"""Money that goes back: asked for until it is definite, never twice."""

from collections.abc import Mapping

import httpx
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.money import Money
from order.lines.domain import LineStatus
from order.orders.domain import OrderStatus
from order.payments.jobs import pay_back
from order.provider import Provider, RefundOutcome
from order.refunds.domain import Refund
from tests.order.conftest import Consume
from tests.order.factories import a_line, an_order, delivered, failed, fulfilling, state_of


class MoodyProvider:
    """A provider that answers what it is told to, and remembers whom it paid."""

    name = "channel"
    takes_word = False

    def __init__(self, *answers: RefundOutcome | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Refund] = []

    async def refund(self, refund: Refund) -> RefundOutcome:
        self.asked.append(refund)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def run(db: Database, providers: Mapping[str, Provider]) -> None:
    """One round of the job, as if all pauses were over."""
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE order_refund SET next_at = clock_timestamp()"))
    await pay_back(db, providers, every_seconds=1)._run()


async def test_a_failed_line_is_refunded_and_the_order_partially_completed(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db, an_order(lines=[a_line(), a_line(line_no=2)]))
    await consume(delivered(order, order.lines[0]))
    await consume(failed(order, order.lines[1]))
    assert (await state_of(db, order)).status is OrderStatus.REFUNDING
    provider = MoodyProvider(RefundOutcome.DONE)

    await run(db, {"channel": provider})
    await run(db, {"channel": provider})

    state = await state_of(db, order)
    assert state.status is OrderStatus.PARTIALLY_COMPLETED
    assert [line.status for line in state.lines] == [LineStatus.DELIVERED, LineStatus.REFUNDED]
    assert [refund.amount for refund in provider.asked] == [order.lines[1].total]


async def test_an_unclear_refund_is_asked_for_again_under_the_same_id(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    await consume(failed(order, order.lines[0]))
    provider = MoodyProvider(RefundOutcome.UNKNOWN, TimeoutError(), RefundOutcome.DONE)

    for expected in (OrderStatus.REFUNDING, OrderStatus.REFUNDING, OrderStatus.REFUNDED):
        await run(db, {"channel": provider})
        assert (await state_of(db, order)).status is expected

    assert len({refund.id for refund in provider.asked}) == 1


async def test_a_refund_whose_provider_is_switched_off_waits_with_its_reason(
    db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    await consume(failed(order, order.lines[0]))

    await run(db, {})

    async with db.read() as tx:
        row = (await tx.execute(text("SELECT status, last_error FROM order_refund"))).one()
    assert (row.status, row.last_error) == ("due", "provider channel is not enabled")
    assert (await state_of(db, order)).status is OrderStatus.REFUNDING


async def test_a_line_that_cost_nothing_fails_without_asking_a_provider_for_nothing(
    db: Database, consume: Consume
) -> None:
    """No provider gives back 0: it refuses, and the order would wait for somebody for ever."""
    free = a_line(line_no=2, total=Money(0, "CNY"))
    order = await fulfilling(db, an_order(lines=[a_line(), free]))
    await consume(delivered(order, order.lines[0]))
    await consume(failed(order, order.lines[1]))
    provider = MoodyProvider(RefundOutcome.REFUSED)

    await run(db, {"channel": provider})

    assert provider.asked == []
    state = await state_of(db, order)
    assert state.status is OrderStatus.PARTIALLY_COMPLETED
    assert [line.status for line in state.lines] == [LineStatus.DELIVERED, LineStatus.REFUNDED]


async def test_an_order_with_a_gift_is_refunded_once_all_its_money_is_back(
    api: httpx.AsyncClient, db: Database, consume: Consume
) -> None:
    gift = a_line(line_no=2, total=Money(0, "CNY"))
    order = await fulfilling(db, an_order(lines=[a_line(), gift]))
    await consume(*(delivered(order, line) for line in order.lines))
    assert (await state_of(db, order)).status is OrderStatus.COMPLETED

    body = {"reason": "does not work", "whole": True}
    headers = {"Idempotency-Key": str(new_id())}
    asked = await api.post(f"/v1/orders/{order.id}/refunds", json=body, headers=headers)
    assert asked.status_code == 201, asked.text
    await run(db, {"channel": MoodyProvider(RefundOutcome.DONE)})

    assert (await state_of(db, order)).status is OrderStatus.REFUNDED
