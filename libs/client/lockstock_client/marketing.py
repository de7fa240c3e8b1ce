"""order: what else to offer, and buyers who wait for stock."""

from collections.abc import AsyncIterator
from typing import Any, cast

from lockstock_client.transport import Service
from lockstock_client.wire import RecommendationJson, RestockRequestJson


class Recommendations:
    """Bought together, in the merchant's own recent orders."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def for_product(self, product_id: str, *, limit: int = 5) -> list[RecommendationJson]:
        """What buyers of this product bought with it."""
        return await self._of(f"/v1/products/{product_id}/recommendations", limit)

    async def for_order(self, order_id: str, *, limit: int = 5) -> list[RecommendationJson]:
        """What else to offer to its buyer: nothing that it has already."""
        return await self._of(f"/v1/orders/{order_id}/recommendations", limit)

    async def _of(self, path: str, limit: int) -> list[RecommendationJson]:
        page = await self._order.get(path, limit=limit)
        return cast("list[RecommendationJson]", page["items"])


class RestockRequests:
    """Buyers who want to hear when a sold-out product can be bought again."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def add(
        self,
        sku: str,
        customer_id: str,
        *,
        email: str | None = None,
        phone: str | None = None,
        locale: str | None = None,
        key: str | None = None,
    ) -> RestockRequestJson:
        """Once for each buyer and product; again changes the contact. Raises Conflict
        (`still_in_stock`), NotValid (`not_from_pool`), NotFound.
        """
        given = {"id": customer_id, "email": email, "phone": phone, "locale": locale}
        customer = {name: value for name, value in given.items() if value is not None}
        body: dict[str, Any] = {"sku": sku, "customer": customer}
        answer = await self._order.post("/v1/restock-requests", body, key=key)
        return cast(RestockRequestJson, answer)

    async def all(self, status: str = "due") -> AsyncIterator[RestockRequestJson]:
        """Those in a state; `due` are the notices to send. The oldest first."""
        async for request in self._order.pages("/v1/restock-requests", status=status):
            yield cast(RestockRequestJson, request)

    async def mark_sent(self, request_id: str, *, key: str | None = None) -> RestockRequestJson:
        """The buyer was told; the contact is deleted."""
        return await self._end(request_id, "sent", key)

    async def withdraw(self, request_id: str, *, key: str | None = None) -> RestockRequestJson:
        """The buyer does not wait any more; the contact is deleted."""
        return await self._end(request_id, "withdraw", key)

    async def _end(self, request_id: str, how: str, key: str | None) -> RestockRequestJson:
        answer = await self._order.post(f"/v1/restock-requests/{request_id}/{how}", key=key)
        return cast(RestockRequestJson, answer)
