from collections.abc import Iterable, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging.consumer import Handler, handles
from kit.messaging.events import Event
from ledger.posting_messages import PLATFORM
from ledger.settlement_rules.domain import SoldLine
from ledger.splits.domain import DeliveredLine, LineFee, OpenClaim, Refund
from ledger.splits.service import SplitService
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClaimOpened
from lockstock.order.v1.order_events_pb2 import (
    OrderCompleted,
    OrderPaid,
    OrderPartiallyCompleted,
    RefundMade,
)


class SplitConsumers:
    def __init__(self, splits: SplitService) -> None:
        self._splits = splits

    def handlers(self) -> list[Handler]:
        return [
            handles(OrderPaid, self.on_order_paid),
            handles(OrderCompleted, self.on_order_over),
            handles(OrderPartiallyCompleted, self.on_order_over),
            handles(RefundMade, self.on_refund_made),
            handles(ClaimOpened, self.on_claim_opened),
            handles(ClaimDecided, self.on_claim_decided),
        ]

    async def on_order_paid(self, tx: Transaction, events: Sequence[Event[OrderPaid]]) -> None:
        """What the channel keeps of each line."""
        fees = [
            LineFee(
                merchant_id=UUID(event.message.merchant_id),
                line_id=UUID(line.line_id),
                amount_minor=line.fee.amount_minor,
                is_owed_by_platform=event.message.fee_bearer == PLATFORM,
                at=event.time,
            )
            for event in events
            for line in event.message.lines
            if line.fee.amount_minor > 0
        ]
        if fees:
            await self._splits.keep_fees(tx, fees)

    async def on_order_over(
        self,
        tx: Transaction,
        events: Sequence[Event[OrderCompleted]] | Sequence[Event[OrderPartiallyCompleted]],
    ) -> None:
        """Each delivered line is shared out by the rule that covers it; a free one needs none."""
        await self._splits.share_out(tx, [line for event in events for line in _lines(event)])

    async def on_refund_made(self, tx: Transaction, events: Sequence[Event[RefundMade]]) -> None:
        """Of delivered lines; other money that goes back was never the merchant's."""
        refunds = [
            Refund(
                refund_id=UUID(event.message.refund_id),
                merchant_id=UUID(event.message.merchant_id),
                line_id=UUID(event.message.line_id),
                amount_minor=event.message.amount.amount_minor,
                at=event.time,
                fee_returned_minor=event.message.fee_returned.amount_minor,
            )
            for event in events
            if event.message.kind == RefundMade.Kind.KIND_DELIVERED_LINE and event.message.line_id
        ]
        if refunds:
            await self._splits.refund(tx, refunds)

    async def on_claim_opened(self, tx: Transaction, events: Sequence[Event[ClaimOpened]]) -> None:
        await self._splits.open_claims(tx, _claims(events))

    async def on_claim_decided(
        self, tx: Transaction, events: Sequence[Event[ClaimDecided]]
    ) -> None:
        await self._splits.decide_claims(tx, _claims(events))


def _lines(
    event: Event[OrderCompleted] | Event[OrderPartiallyCompleted],
) -> Iterable[DeliveredLine]:
    message = event.message
    for line in message.lines:
        if line.delivered and line.total.amount_minor > 0:
            yield DeliveredLine(
                line_id=UUID(line.line_id),
                order_id=UUID(message.order_id),
                sku=line.sku,
                sold=SoldLine(
                    merchant_id=UUID(message.merchant_id),
                    channel_id=UUID(message.channel_id),
                    product_id=UUID(line.product_id) if line.product_id else None,
                    currency=line.total.currency,
                    gross_minor=line.total.amount_minor,
                    quantity=line.quantity,
                    at=event.time,
                ),
            )


def _claims(
    events: Sequence[Event[ClaimOpened]] | Sequence[Event[ClaimDecided]],
) -> list[OpenClaim]:
    """Those that name their line; claims from older releases may not."""
    return [
        OpenClaim(
            claim_id=UUID(event.message.claim_id),
            merchant_id=UUID(event.message.merchant_id),
            line_id=UUID(event.message.line_id),
        )
        for event in events
        if event.message.line_id
    ]
