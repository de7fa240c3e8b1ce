"""Holds units of another product that the merchant named as a substitute.

args: those of a rung, `sku` the substitute's; result: `reservation_id`, `instead` (the product as
fulfilment and the buyer's page need it).
"""

from typing import Any
from uuid import UUID

from order.catalogue import service as catalogue
from order.catalogue.domain import PoolFulfillment, Product, terms_of
from order.orders.domain import Change
from order.shortages import service as shortages
from order.step_kinds import Outside
from order.steps.domain import Answer, Done, Failed, Step
from order.vault import Hold, HoldBudgetExceeded, HoldLine, OutOfStock, StockRefused

HOLD_SECONDS = 3_600


class SubstituteKind:
    name = "substitute"

    def __init__(self, outside: Outside) -> None:
        self._db = outside.db
        self._vault = outside.vault

    async def call(self, step: Step) -> Answer:
        key = (step.merchant_id, str(step.args["sku"]))
        async with self._db.read({step.merchant_id}) as tx:
            product = (await catalogue.find_by_sku(tx, {key})).get(key)
        if product is None or not product.is_active:
            return Failed("not_on_sale")
        if not isinstance(product.fulfillment, PoolFulfillment):
            return Failed("not_from_a_pool")
        try:
            reservation_id = await self._vault.reserve(_hold(step, product.fulfillment.pool_id))
        except OutOfStock:
            return Failed(OutOfStock.code)
        except (StockRefused, HoldBudgetExceeded) as error:
            return Failed(str(error.fields.get("reason", error.code)))
        return Done({"reservation_id": str(reservation_id), "instead": _snapshot(product)})

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        return shortages.settle(change, step, answer)


def _hold(step: Step, pool_id: UUID) -> Hold:
    line = HoldLine(step.args["line_no"], step.args["sku"], pool_id, step.args["quantity"])
    return Hold(step.merchant_id, f"step:{step.ext_ref}", (line,), HOLD_SECONDS)


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
