"""order: products, orders, payments."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, cast

from lockstock_client.transport import Service
from lockstock_client.waiting import until
from lockstock_client.wire import (
    MoneyJson,
    OrderJson,
    PaymentJson,
    ProductJson,
    TimelineEntryJson,
)

FINAL = frozenset({"completed", "partially_completed", "refunded", "cancelled", "expired"})
"""States an order never leaves by itself."""


class Products:
    """What can be ordered."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def create(
        self, sku: str, name: str, *, pool_id: str, price: MoneyJson, instructions: str = ""
    ) -> ProductJson:
        """A product delivered from one pool."""
        body = {
            "sku": sku,
            "name": name,
            "fulfillment": {"kind": "pool", "pool_id": pool_id},
            "price": price,
            "instructions": instructions,
        }
        return cast(ProductJson, await self._order.post("/v1/products", body))

    async def all(self, *, sku: str | None = None) -> AsyncIterator[ProductJson]:
        """Every product, or the one with this SKU."""
        async for product in self._order.pages("/v1/products", sku=sku):
            yield cast(ProductJson, product)


class Orders:
    """Orders of the merchant's channels."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def place(
        self,
        channel_id: str,
        reference: str,
        customer: Mapping[str, str],
        lines: Sequence[Mapping[str, Any]],
        *,
        paid: Mapping[str, Any] | None = None,
        recipient_public_key: str | None = None,
        key: str | None = None,
    ) -> OrderJson:
        """Raises OutOfStock (nothing is held then). With `recipient_public_key` the units come
        as boxes for that key, with `paid` a trusted channel's order goes on at once.
        """
        body: dict[str, Any] = {
            "channel_id": channel_id,
            "reference": reference,
            "customer": dict(customer),
            "lines": [dict(line) for line in lines],
        }
        if paid is not None:
            body["paid"] = dict(paid)
        if recipient_public_key is not None:
            body["recipient_public_key"] = recipient_public_key
        return cast(OrderJson, await self._order.post("/v1/orders", body, key=key))

    async def get(self, order_id: str) -> OrderJson:
        """State, lines and deliveries."""
        return cast(OrderJson, await self._order.get(f"/v1/orders/{order_id}"))

    async def all(
        self, *, reference: str | None = None, status: str | None = None
    ) -> AsyncIterator[OrderJson]:
        """The newest first."""
        async for order in self._order.pages("/v1/orders", reference=reference, status=status):
            yield cast(OrderJson, order)

    async def timeline(self, order_id: str) -> list[TimelineEntryJson]:
        """Every decision about the order and why it was taken, the oldest first."""
        entries = self._order.pages(f"/v1/orders/{order_id}/timeline")
        return [cast(TimelineEntryJson, entry) async for entry in entries]

    async def cancel(self, order_id: str, reason: str) -> OrderJson:
        """Ends an unpaid order; its stock goes back."""
        answer = await self._order.post(f"/v1/orders/{order_id}/cancel", {"reason": reason})
        return cast(OrderJson, answer)

    async def until(
        self, order_id: str, wanted: Collection[str] = FINAL, *, seconds_max: float = 30.0
    ) -> OrderJson:
        """The order once it is in one of these states; raises NoAnswer when it is not in time."""
        return await until(
            lambda: self.get(order_id),
            lambda order: order["status"] in wanted,
            seconds_max=seconds_max,
            late=lambda order: f"order {order_id} is still {order['status']}",
        )

    async def until_assessed(self, order_id: str, *, seconds_max: float = 30.0) -> OrderJson:
        """The order once risk has spoken; raises NoAnswer when it has not in time."""
        return await until(
            lambda: self.get(order_id),
            lambda order: order["verdict"] is not None,
            seconds_max=seconds_max,
            late=lambda _: f"order {order_id} is not assessed",
        )


class Payments:
    """Words that money came, from a trusted channel or the demo provider."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def tell(
        self,
        order_id: str,
        *,
        provider: str,
        provider_reference: str,
        amount: MoneyJson,
        key: str | None = None,
    ) -> PaymentJson:
        """The same payment told again gives the same answer."""
        body = {"provider": provider, "provider_reference": provider_reference, "amount": amount}
        answer = await self._order.post(f"/v1/orders/{order_id}/payments", body, key=key)
        return cast(PaymentJson, answer)


class Channels:
    """Ways of the merchant to sell."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def create(self, name: str, kind: str = "shop", *, trusted: bool = False) -> Any:
        """`trusted`: its own word that money came is believed."""
        body = {"name": name, "kind": kind, "trusted": trusted}
        return await self._order.post("/v1/channels", body)

    async def all(self) -> AsyncIterator[dict[str, Any]]:
        """Every channel of the merchant."""
        async for channel in self._order.pages("/v1/channels"):
            yield channel
