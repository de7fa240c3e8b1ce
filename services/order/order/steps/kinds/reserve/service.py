"""Asks the vault for a new hold of a short line alone, under the step's own reference.

args: `lines` [{line_no, sku, pool_id, quantity}], `sku`, `round`; result: `reservation_id`.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from order.merchants import service as merchants
from order.orders import service as orders
from order.orders.domain import Change
from order.shortages import service as shortages
from order.step_kinds import Outside
from order.steps.domain import Answer, Done, Failed, Step
from order.vault import (
    Hold,
    HoldBudgetExceeded,
    HoldEnded,
    HoldLine,
    OutOfStock,
    StockRefused,
    Vault,
)

HOLD_SECONDS = 3_600
"""Long enough for fulfilment to claim it; it asks for another one when this ran out."""
HOLDS_MAX = 30
"""Of one step, one after another: more than run out until its deadline."""


class ReserveKind:
    name = "reserve"

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def call(self, step: Step) -> Answer:
        return await ask_for_hold(self._outside, step, *(_line(it) for it in step.args["lines"]))

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        return shortages.settle(change, step, answer)


async def ask_for_hold(outside: Outside, step: Step, *lines: HoldLine) -> Answer:
    """Asks by the rules of the order's channel, as placing does. Should the channel's validity have
    changed between two attempts, the vault refuses the later one, and a hold of the earlier one
    runs out.
    """
    async with outside.db.read({step.merchant_id}) as tx:
        order = await orders.get_order(tx, step.merchant_id, step.order_id)
        channel = (await merchants.find_channels(tx, [order.channel_id]))[order.channel_id]
    lines = tuple(replace(line, min_valid_seconds=channel.min_valid_seconds) for line in lines)
    try:
        reservation_id = await hold_for(outside.vault, step, lines, channel.id)
    except OutOfStock:
        return Failed(OutOfStock.code)
    except (StockRefused, HoldBudgetExceeded, HoldEnded) as error:
        return Failed(str(error.fields.get("reason", error.code)))
    return Done({"reservation_id": str(reservation_id)})


async def hold_for(vault: Vault, step: Step, lines: tuple[HoldLine, ...], channel_id: UUID) -> UUID:
    """The step's hold, the same at every attempt. One that ended before its answer was heard was
    nobody's, and its reference is used up: the next has a number. Raises as `Vault.reserve` does.
    """
    for number in range(1, HOLDS_MAX):
        with suppress(HoldEnded):
            return await vault.reserve(_hold(step, lines, channel_id, number))
    return await vault.reserve(_hold(step, lines, channel_id, HOLDS_MAX))


def _hold(step: Step, lines: tuple[HoldLine, ...], channel_id: UUID, number: int) -> Hold:
    reference = f"step:{step.ext_ref}" + (f":{number}" if number > 1 else "")
    return Hold(step.merchant_id, reference, lines, HOLD_SECONDS, channel_id=channel_id)


def _line(line: Mapping[str, Any]) -> HoldLine:
    return HoldLine(line["line_no"], line["sku"], UUID(line["pool_id"]), line["quantity"])


KIND = ReserveKind
