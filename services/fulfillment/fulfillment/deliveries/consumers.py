"""What this slice learns from the others."""

from collections.abc import Callable, Sequence, Set
from datetime import timedelta
from functools import partial
from uuid import UUID

from fulfillment.contacts.domain import Contact
from fulfillment.contacts.service import ContactService
from fulfillment.deliveries.domain import (
    Line,
    ManualTerms,
    Offer,
    Planned,
    Request,
    Settled,
    TopUpTerms,
)
from fulfillment.deliveries.service import DeliveryService, FirstTry
from fulfillment.messages.domain import Wanted, as_text
from fulfillment.messages.service import MessageService
from kit.db import Transaction
from kit.ids import new_id
from kit.messaging.events import Event
from kit.money import Money
from lockstock.common.v1 import money_pb2
from lockstock.order.v1.order_events_pb2 import (
    FulfillmentRequested,
    OrderPartiallyCompleted,
    OrderRefunded,
    RefundMade,
    RequestedLine,
)

Tell = Callable[[Transaction, Sequence[Settled], Set[UUID]], None]


class OrderConsumers:
    """`tell` publishes what the first try ended. `wake` is called once the requests are durable,
    with the kinds of the tasks that are left: so work on them starts at once.
    """

    def __init__(
        self,
        deliveries: DeliveryService,
        first_try: FirstTry,
        tell: Tell,
        contacts: ContactService,
        messages: MessageService,
        wake: Callable[[Set[str]], None],
        *,
        link_life: timedelta,
    ) -> None:
        self._deliveries = deliveries
        self._first_try = first_try
        self._tell = tell
        self._contacts = contacts
        self._messages = messages
        self._wake = wake
        self._link_life = link_life

    async def before_fulfillment_requested(
        self, events: Sequence[Event[FulfillmentRequested]]
    ) -> Sequence[Planned]:
        """The vault is asked before anything is written: the event itself is the durable intent,
        and asked again after a crash the vault answers the same."""
        return await self._first_try(self._plan(events))

    async def on_fulfillment_requested(
        self, tx: Transaction, events: Sequence[Event[FulfillmentRequested]]
    ) -> None:
        prepared = [event.prepared for event in events]
        planned = self._plan(events) if None in prepared else prepared
        new = await self._deliveries.accept(tx, planned)
        self._contacts.keep(tx, [_contact(event.message) for event in events])
        self._tell(tx, [end for it in planned for end in it.settled], new)
        left = {task.kind for it in planned for task in it.tasks if task.lease_id is None}
        if left:
            tx.on_commit(partial(self._wake, left))

    async def on_order_partially_completed(
        self, tx: Transaction, events: Sequence[Event[OrderPartiallyCompleted]]
    ) -> None:
        """The money of the lines that failed is back with the buyer: the page says so."""
        lines = [line for event in events for line in event.message.lines if not line.delivered]
        await self._deliveries.note_refunds(tx, [UUID(line.line_id) for line in lines])
        await self._messages.send_many(
            tx,
            [
                _about_money("partially_delivered", event.message, event.message.refunded)
                for event in events
            ],
        )

    async def on_order_refunded(
        self, tx: Transaction, events: Sequence[Event[OrderRefunded]]
    ) -> None:
        """All money of these orders is back."""
        await self._deliveries.note_whole_refunds(
            tx, [UUID(event.message.order_id) for event in events]
        )
        await self._messages.send_many(
            tx,
            [_about_money("refunded", event.message, event.message.amount) for event in events],
        )

    async def on_refund_made(self, tx: Transaction, events: Sequence[Event[RefundMade]]) -> None:
        """Of a line that was delivered: nothing replaces by itself what the buyer has the money
        back for."""
        whole = [event.message.line_id for event in events if event.message.is_whole_line]
        await self._deliveries.note_refunds(tx, [UUID(line_id) for line_id in whole])

    def _plan(self, events: Sequence[Event[FulfillmentRequested]]) -> Sequence[Planned]:
        return self._deliveries.plan(
            [(self._request(event), _lines(event.message)) for event in events]
        )

    def _request(self, event: Event[FulfillmentRequested]) -> Request:
        message = event.message
        return Request(
            order_id=UUID(message.order_id),
            merchant_id=UUID(message.merchant_id),
            channel_id=UUID(message.channel_id),
            reference=message.reference,
            customer_id=message.customer_id,
            locale=message.locale,
            reservation_id=UUID(message.reservation_id) if message.reservation_id else None,
            recipient_public_key=message.recipient_public_key or None,
            page_id=new_id(),
            page_ends_at=event.time + self._link_life,
            hold_has_more=message.hold_has_more,
            traceparent=event.traceparent,
            request_id=event.request_id,
        )


def _contact(message: FulfillmentRequested) -> Contact:
    return Contact(
        order_id=UUID(message.order_id),
        merchant_id=UUID(message.merchant_id),
        customer_id=message.customer_id,
        email=message.email,
        phone=message.phone,
        locale=message.locale,
        template=next((line.template for line in message.lines if line.template), ""),
    )


def _about_money(
    purpose: str, message: OrderPartiallyCompleted | OrderRefunded, amount: money_pb2.Money
) -> Wanted:
    money = Money(amount.amount_minor, amount.currency)
    values = {"amount": as_text(money)} if money.amount_minor else {}
    return Wanted(UUID(message.merchant_id), UUID(message.order_id), purpose, values)


def _lines(message: FulfillmentRequested) -> list[Line]:
    number = message.round or 1  # older releases knew one round
    return [_line(line, number) for line in message.lines]


def _line(line: RequestedLine, number: int) -> Line:
    return Line(
        line_id=UUID(line.line_id),
        line_no=line.line_no,
        kind=line.kind,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        pool_id=UUID(line.pool_id) if line.pool_id else None,
        instructions=line.instructions,
        inputs=dict(line.inputs),
        top_up=_top_up(line) if line.HasField("top_up") else None,
        manual=(
            ManualTerms(line.manual.queue, line.manual.fulfiller)
            if line.HasField("manual")
            else None
        ),
        round=number,
        instead_of=line.instead_of,
    )


def _top_up(line: RequestedLine) -> TopUpTerms:
    offers = tuple(
        Offer(
            offer.supplier,
            offer.supplier_sku,
            Money(offer.cost_max.amount_minor, offer.cost_max.currency),
        )
        for offer in line.top_up.offers
    )
    return TopUpTerms(offers, line.top_up.account_input, line.top_up.routing == "best")
