"""Asks the vault for a new hold of a paid order's lines, under the step's own reference.

args: `lines` [{line_no, sku, pool_id, quantity}], `round`? (it is a rung of the ladder of a short
line); result: `reservation_id`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from order.merchants import service as merchants
from order.orders import service as orders
from order.orders.domain import Change
from order.shortages import service as shortages
from order.step_kinds import Outside
from order.steps.domain import Answer, Done, Failed, Step
from order.vault import Hold, HoldBudgetExceeded, HoldLine, OutOfStock, StockRefused

HOLD_SECONDS = 3_600
"""Long enough for fulfilment to claim it; it asks for another one when this ran out."""


class ReserveKind:
    name = "reserve"

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def call(self, step: Step) -> Answer:
        return await ask_for_hold(self._outside, step, *(_line(it) for it in step.args["lines"]))

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        if "round" in step.args:
            return shortages.settle(change, step, answer)
        match answer:
            case Done(result):
                return change.told("reserved_again", "units are held again", **_ids(step), **result)
            case Failed(reason):
                return change.told(
                    "not_reserved", f"no new hold: {reason}", **_ids(step), reason=reason
                )
            case _:
                return change


async def ask_for_hold(outside: Outside, step: Step, *lines: HoldLine) -> Answer:
    """Asks under the step's reference, by the rules of the order's channel as placing does: the
    same hold at every attempt. Should the channel's validity have changed between two of them, the
    vault refuses the later one, and a hold of the earlier one runs out.
    """
    async with outside.db.read({step.merchant_id}) as tx:
        order = await orders.get_order(tx, step.merchant_id, step.order_id)
        channel = (await merchants.find_channels(tx, [order.channel_id]))[order.channel_id]
    lines = tuple(replace(line, min_valid_seconds=channel.min_valid_seconds) for line in lines)
    reference = f"step:{step.ext_ref}"
    hold = Hold(step.merchant_id, reference, lines, HOLD_SECONDS, channel_id=channel.id)
    try:
        reservation_id = await outside.vault.reserve(hold)
    except OutOfStock:
        return Failed(OutOfStock.code)
    except (StockRefused, HoldBudgetExceeded) as error:
        return Failed(str(error.fields.get("reason", error.code)))
    return Done({"reservation_id": str(reservation_id)})


def _line(line: Mapping[str, Any]) -> HoldLine:
    return HoldLine(line["line_no"], line["sku"], UUID(line["pool_id"]), line["quantity"])


def _ids(step: Step) -> dict[str, str]:
    return {"step_id": str(step.id), "line_id": str(step.line_id or "")}


KIND = ReserveKind
