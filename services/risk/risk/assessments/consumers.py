from collections.abc import Sequence

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from risk.assessments.events import purchase_of
from risk.assessments.service import AssessmentService


class AssessmentConsumers:
    def __init__(self, assessments: AssessmentService) -> None:
        self._assessments = assessments

    def handlers(self) -> list[Handler]:
        return [handles(OrderPlaced, self.on_order_placed)]

    async def on_order_placed(self, tx: Transaction, events: Sequence[Event[OrderPlaced]]) -> None:
        """Judges the batch in the order it happened; partitions bring it in any order. Not those
        that were allowed while they were placed; when `order` did not hear that, it is told again.
        """
        happened = sorted(events, key=lambda event: event.time)
        wanted = [
            purchase_of(event.message, event.time)
            for event in happened
            if not event.message.assessment_id
        ]
        if not wanted:
            return
        judged = {it.purchase.id for it in await self._assessments.assess(tx, wanted)}
        known = [it.id for it in wanted if it.id not in judged]
        if known:
            await self._assessments.tell_again(tx, known)
