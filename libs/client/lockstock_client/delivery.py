"""fulfillment: deliveries for the shop, and the buyer's page."""

from collections.abc import AsyncIterator
from typing import cast

from lockstock_client.boxes import Recipient
from lockstock_client.transport import Service
from lockstock_client.wire import DeliveryJson, RevealJson


class Deliveries:
    """What became of each order line."""

    def __init__(self, fulfillment: Service) -> None:
        self._fulfillment = fulfillment

    async def get(self, delivery_id: str) -> DeliveryJson:
        """With the boxes, when the order named the shop's key."""
        answer = await self._fulfillment.get(f"/v1/deliveries/{delivery_id}")
        return cast(DeliveryJson, answer)

    async def of_order(self, order_id: str) -> AsyncIterator[DeliveryJson]:
        """Those of one order."""
        async for delivery in self._fulfillment.pages("/v1/deliveries", order_id=order_id):
            yield cast(DeliveryJson, delivery)


class BuyerPage:
    """The page behind a delivery's link, as a buyer's browser uses it: whoever has the link has
    the page, no API key is sent.
    """

    def __init__(self, page: Service) -> None:
        self._page = page

    async def reveal(self, unit_id: str, recipient: Recipient) -> RevealJson:
        """One unit in a box for `recipient`; the view is logged before the answer."""
        body = {"recipient_public_key": recipient.public_key}
        return cast(RevealJson, await self._page.post(f"/units/{unit_id}/reveal", body))
