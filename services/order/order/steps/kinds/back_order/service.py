"""Waits for stock: asks for the hold again and again until the deadline. args: as `reserve`."""

from order.orders.domain import Change
from order.shortages import service as shortages
from order.step_kinds import Outside
from order.steps.domain import Answer, Failed, NotYet, Step
from order.steps.kinds.reserve.service import ReserveKind
from order.vault import OutOfStock


class BackOrderKind:
    name = "back_order"

    def __init__(self, outside: Outside) -> None:
        self._reserve = ReserveKind(outside)

    async def call(self, step: Step) -> Answer:
        answer = await self._reserve.call(step)
        return NotYet(OutOfStock.code) if answer == Failed(OutOfStock.code) else answer

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        return shortages.settle(change, step, answer)


KIND = BackOrderKind
