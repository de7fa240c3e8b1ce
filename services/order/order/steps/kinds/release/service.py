"""Gives a hold back that is not needed any more.

args: `reservation_id`, `reason`, `undoes`? (reference of the step that had asked for the hold).
"""

from uuid import UUID

from order.orders.domain import Change
from order.step_kinds import Outside
from order.steps.domain import Answer, Done, Failed, Step
from order.vault import HoldEnded


class ReleaseKind:
    name = "release"

    def __init__(self, outside: Outside) -> None:
        self._vault = outside.vault

    async def call(self, step: Step) -> Answer:
        reservation_id = UUID(step.args["reservation_id"])
        try:
            await self._vault.give_back(step.merchant_id, reservation_id, step.args["reason"])
        except HoldEnded as error:
            return Failed(str(error.fields["reason"]))
        return Done()

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        ids = {"step_id": str(step.id), "reservation_id": step.args["reservation_id"]}
        match answer:
            case Done():
                return change.told("hold_released", "the hold was given back", **ids)
            case Failed(reason):
                return change.told(
                    "hold_ended", f"nothing to give back: {reason}", **ids, reason=reason
                )
            case _:
                return change


KIND = ReleaseKind
