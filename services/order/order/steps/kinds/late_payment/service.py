"""Holds the goods of an ended order anew, whose whole price has come late.

args: `payment_id`, `came_at`; result: `reservation_id` (none for an order without units), or
`short` (numbers of the lines that are out of stock and have a ladder), `refused`? (why it does not
count all the same).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from kit.db import Transaction
from order.late_payments import domain, service
from order.late_payments.service import Facts
from order.margins.domain import BelowMarginFloor
from order.orders.domain import Change, Order
from order.step_kinds import Outside
from order.steps.domain import Answer, Done, Failed, Step
from order.steps.kinds.reserve.service import hold_for
from order.vault import HoldBudgetExceeded, HoldEnded, HoldLine, OutOfStock, StockRefused


class LatePaymentKind:
    name = domain.KIND

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def call(self, step: Step) -> Answer:
        async with self._outside.db.read({step.merchant_id}) as tx:
            facts = await service.read(tx, self._outside.prices, step)
            why = facts.refusal or await service.why_not(tx, facts)
        if why:
            return Failed(why)
        priced = domain.priced(facts.order, facts.products)
        if await self._outside.margins.shortfalls(
            step.merchant_id, facts.channel, facts.products, facts.asked, priced
        ):
            return Failed(BelowMarginFloor.code)
        return await self._hold(step, facts)

    async def confirm(
        self, tx: Transaction, done: Sequence[tuple[Order, Step]]
    ) -> Mapping[UUID, str]:
        return await service.confirm(tx, done)

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        return domain.settle(change, step, answer)

    async def _hold(self, step: Step, facts: Facts) -> Answer:
        """The units of the first hold may be the only ones there are: they go back before."""
        order, vault = facts.order, self._outside.vault
        lines = _lines(order, facts.channel.min_valid_seconds)
        if not lines:
            return Done()
        if order.reservation_id is not None:
            with suppress(HoldEnded):
                await vault.give_back(order.merchant_id, order.reservation_id, "the order ended")
        try:
            reservation_id = await hold_for(vault, step, lines, order.channel_id)
            return Done({"reservation_id": str(reservation_id)})
        except OutOfStock as error:
            short = frozenset(int(line["line_no"]) for line in error.fields["lines"])
            is_sold = domain.has_ladders(order, short)
            return Done({"short": sorted(short)}) if is_sold else Failed(OutOfStock.code)
        except (StockRefused, HoldBudgetExceeded, HoldEnded) as error:
            return Failed(str(error.fields.get("reason", error.code)))


def _lines(order: Order, min_valid_seconds: int) -> tuple[HoldLine, ...]:
    return tuple(
        HoldLine(line.line_no, line.sku, line.pool_id, line.quantity, min_valid_seconds)
        for line in order.lines
        if line.pool_id is not None
    )


KIND = LatePaymentKind
