"""What this slice tells the others."""

from datetime import datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from lockstock.fulfillment.v1.page_events_pb2 import PageLinkChanged


def page_link_changed(
    order_id: UUID, merchant_id: UUID, url: str, ends_at: datetime
) -> PageLinkChanged:
    moment = Timestamp()
    moment.FromDatetime(ends_at)
    return PageLinkChanged(
        order_id=str(order_id), merchant_id=str(merchant_id), url=url, ends_at=moment
    )
