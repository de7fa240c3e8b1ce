"""order: orders and payments."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Unpack, cast

from lockstock_client.transport import Service
from lockstock_client.waiting import until
from lockstock_client.wire import (
    Buyer,
    ExportJson,
    MoneyJson,
    OrderedLine,
    OrderFilter,
    OrderJson,
    Paid,
    PaymentJson,
    RefundJson,
    RefundLine,
    RefundRequestJson,
    TimelineEntryJson,
)

FINAL = frozenset({"completed", "partially_completed", "refunded", "cancelled", "expired"})
"""States an order never leaves by itself."""


class Orders:
    """Orders of the merchant's channels."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def place(
        self,
        /,
        channel_id: str,
        reference: str,
        customer: Mapping[str, str] | Buyer,
        lines: Sequence[Mapping[str, Any] | OrderedLine],
        *,
        paid: Mapping[str, Any] | Paid | None = None,
        recipient_public_key: str | None = None,
        expected_total: MoneyJson | None = None,
        coupon_codes: Sequence[str] = (),
        key: str | None = None,
    ) -> OrderJson:
        """Raises OutOfStock (nothing is held then), ReferenceTaken. With `recipient_public_key` the
        units come as boxes for that key, with `paid` a trusted channel's order goes on at once,
        with `expected_total` (of a quote) it is not placed at another price.
        """
        body: dict[str, Any] = {
            "channel_id": channel_id,
            "reference": reference,
            "customer": dict(customer),
            "lines": [dict(line) for line in lines],
        }
        if expected_total is not None:
            body["expected_total"] = expected_total
        if coupon_codes:
            body["coupon_codes"] = list(coupon_codes)
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

    async def search(self, /, **wanted: Unpack[OrderFilter]) -> AsyncIterator[OrderJson]:
        """Those that all of the filter is true of, also by `email` or `phone`; the newest first."""
        async for order in self._order.pages_of("/v1/orders/search", dict(wanted)):
            yield cast(OrderJson, order)

    async def export(self, /, **wanted: Unpack[OrderFilter]) -> AsyncIterator[bytes]:
        """CSV in pieces, a row for each line of the orders. Contacts are masked unless the key has
        `contacts:read`. Raises NoAnswer when it is cut off.
        """
        async for chunk in self._order.stream("/v1/orders/export", dict(wanted)):
            yield chunk

    async def exports(self) -> AsyncIterator[ExportJson]:
        """Who took which orders out, the newest first."""
        async for export in self._order.pages("/v1/order-exports"):
            yield cast(ExportJson, export)

    async def entries(self, order_id: str) -> AsyncIterator[TimelineEntryJson]:
        """Every decision about the order and why it was taken, the oldest first."""
        async for entry in self._order.pages(f"/v1/orders/{order_id}/timeline"):
            yield cast(TimelineEntryJson, entry)

    async def timeline(self, order_id: str) -> list[TimelineEntryJson]:
        """All entries at once."""
        return [entry async for entry in self.entries(order_id)]

    async def cancel(self, order_id: str, reason: str, *, key: str | None = None) -> OrderJson:
        """Ends an unpaid order; its stock goes back. Raises OrderNotCancellable."""
        path = f"/v1/orders/{order_id}/cancel"
        return cast(OrderJson, await self._order.post(path, {"reason": reason}, key=key))

    async def refund(
        self,
        order_id: str,
        reason: str,
        *,
        lines: Sequence[RefundLine] | None = None,
        key: str | None = None,
    ) -> RefundRequestJson:
        """Gives money back, all that is left or by line; what was delivered stays with the buyer.
        Raises Conflict (`outcome_unknown`, `nothing_to_refund`), NotValid (`refund_too_large`).
        """
        body: dict[str, Any] = {"reason": reason}
        body |= {"whole": True} if lines is None else {"lines": list(lines)}
        path = f"/v1/orders/{order_id}/refunds"
        return cast(RefundRequestJson, await self._order.post(path, body, key=key))

    async def refunds(self, order_id: str) -> AsyncIterator[RefundJson]:
        """Money on its way back to the buyer, and what came of it."""
        async for refund in self._order.pages(f"/v1/orders/{order_id}/refunds"):
            yield cast(RefundJson, refund)

    async def until(
        self, order_id: str, wanted: Collection[str] = FINAL, *, seconds_max: float = 30.0
    ) -> OrderJson:
        """The order once it is in one of these states; raises NoAnswer when it is not in time."""
        return await until(
            lambda: self.get(order_id),
            lambda order: order["status"] in wanted,
            seconds_max=seconds_max,
            late=lambda order: f"order {order_id} is still {order['status']}",
            pause=self._order.pause,
        )

    async def until_assessed(self, order_id: str, *, seconds_max: float = 30.0) -> OrderJson:
        """The order once risk has spoken; raises NoAnswer when it has not in time."""
        return await until(
            lambda: self.get(order_id),
            lambda order: order["verdict"] is not None,
            seconds_max=seconds_max,
            late=lambda _: f"order {order_id} is not assessed",
            pause=self._order.pause,
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
