"""Holds units of another product that the merchant named as a substitute.

args: those of a rung, `sku` the substitute's; result: `reservation_id`, `instead` (the product as
fulfilment and the buyer's page need it).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from kit.db import Transaction
from order.catalogue.domain import PoolFulfillment, Product, terms_of
from order.orders.domain import Change, Order
from order.shortages import service as shortages
from order.step_kinds import Outside
from order.steps.domain import Answer, Done, Failed, Step
from order.steps.kinds.reserve.service import ask_for_hold
from order.substitutes import service as substitutes
from order.vault import HoldLine


class SubstituteKind:
    name = "substitute"

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def call(self, step: Step) -> Answer:
        async with self._outside.db.read({step.merchant_id}) as tx:
            found = await substitutes.read(tx, self._outside.prices, step)
        product = found.product
        if found.refusal or product is None:
            return Failed(found.refusal)
        if not isinstance(product.fulfillment, PoolFulfillment):
            return Failed("not_from_a_pool")
        if why := await substitutes.why_too_dear(self._outside.margins, step, found):
            return Failed(why)
        line = HoldLine(
            step.args["line_no"], product.sku, product.fulfillment.pool_id, step.args["quantity"]
        )
        answer = await ask_for_hold(self._outside, step, line)
        if isinstance(answer, Done):
            return Done({**answer.result, "instead": _snapshot(product)})
        return answer

    async def confirm(
        self, tx: Transaction, done: Sequence[tuple[Order, Step]]
    ) -> Mapping[UUID, str]:
        return await substitutes.confirm(tx, done)

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        return shortages.settle(change, step, answer)


def _snapshot(product: Product) -> dict[str, Any]:
    terms = terms_of(product.fulfillment)
    return {
        "product_id": str(product.id),
        "sku": product.sku,
        "name": product.name,
        "pool_id": terms["pool_id"],
        "instructions": product.instructions,
        "terms": terms,
        "template": product.template,
    }


KIND = SubstituteKind
