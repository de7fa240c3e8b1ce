from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from kit.db import Transaction
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from risk.assessments.service import AssessmentService
from risk.velocity.domain import Purchase, PurchasedLine, PurchaseSource


class AssessmentConsumers:
    def __init__(self, assessments: AssessmentService) -> None:
        self._assessments = assessments

    def handlers(self) -> list[Handler]:
        return [handles(OrderPlaced, self.on_order_placed)]

    async def on_order_placed(self, tx: Transaction, events: Sequence[Event[OrderPlaced]]) -> None:
        """Judges the batch in the order it happened; partitions bring it in any order."""
        happened = sorted(events, key=lambda event: event.time)
        await self._assessments.assess(tx, [_purchase(event) for event in happened])


def _purchase(event: Event[OrderPlaced]) -> Purchase:
    placed = event.message
    customer = placed.customer
    return Purchase(
        id=UUID(placed.order_id),
        merchant_id=UUID(placed.merchant_id),
        source=PurchaseSource.ORDER,
        at=event.time,
        channel_id=placed.channel_id,
        reference=placed.reference,
        customer_id=customer.id,
        ip=customer.ip,
        device_id=customer.device_id,
        contact_hash=customer.contact_hash,
        payer_hash=customer.payer_hash,
        registered_at=_moment(customer.registered_at)
        if customer.HasField("registered_at")
        else None,
        amount_minor=placed.total.amount_minor,
        currency=placed.total.currency,
        lines=tuple(
            PurchasedLine(line.sku, line.quantity, line.product_id, line.total.amount_minor)
            for line in placed.lines
        ),
    )


def _moment(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
