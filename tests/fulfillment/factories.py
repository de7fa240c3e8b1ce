"""Events and lines as the order service words them: valid by default, override what matters."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from kit.ids import new_id
from kit.messaging.events import Event, topic_of, type_of
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested, RequestedLine

MERCHANT = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a01")
OTHER_MERCHANT = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a02")
POOL = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10")


def a_line(**given: Any) -> RequestedLine:
    return RequestedLine(
        **{
            "line_id": str(new_id()),
            "line_no": 1,
            "sku": "STEAM-50",
            "name": "Steam 50",
            "quantity": 1,
            "pool_id": str(POOL),
            "instructions": "",
            "kind": "pool",
            **given,
        }
    )


def a_request(*, lines: Sequence[RequestedLine] = (), **given: Any) -> Event[FulfillmentRequested]:
    message = FulfillmentRequested(
        **{
            "order_id": str(new_id()),
            "merchant_id": str(MERCHANT),
            "channel_id": str(new_id()),
            "reference": "shop-10001",
            "reservation_id": str(new_id()),
            "customer_id": "buyer-7",
            "email": "buyer@shop.example",
            "locale": "",
            **given,
        },
        lines=lines or [a_line()],
    )
    return Event(
        id=new_id(),
        type=type_of(FulfillmentRequested),
        topic=topic_of(FulfillmentRequested),
        key=message.order_id,
        version=1,
        time=datetime.now(UTC),
        merchant_id=message.merchant_id,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        request_id="request-1",
        message=message,
    )
