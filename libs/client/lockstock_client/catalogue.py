"""order: products and channels."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from lockstock_client.transport import Service
from lockstock_client.wire import ChannelJson, MoneyJson, ProductJson


class Products:
    """What can be ordered."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def create(
        self,
        /,
        sku: str,
        name: str,
        *,
        price: MoneyJson,
        pool_id: str | None = None,
        fulfillment: Mapping[str, Any] | None = None,
        instructions: str = "",
        key: str | None = None,
        **more: Any,
    ) -> ProductJson:
        """Delivered from one pool, or as `fulfillment` says (top_up, manual, bundle). `more`: other
        members, as in the OpenAPI document. Raises Conflict (`sku_taken`).
        """
        body = {
            "sku": sku,
            "name": name,
            "fulfillment": dict(fulfillment or {"kind": "pool", "pool_id": pool_id}),
            "price": price,
            "instructions": instructions,
            **more,
        }
        return cast(ProductJson, await self._order.post("/v1/products", body, key=key))

    async def change(self, /, product_id: str, **changes: Any) -> ProductJson:
        """Sets what is given (`price`, `active`, ...); placed orders keep theirs."""
        return cast(ProductJson, await self._order.patch(f"/v1/products/{product_id}", changes))

    async def get(self, product_id: str) -> ProductJson:
        """Raises NotFound."""
        return cast(ProductJson, await self._order.get(f"/v1/products/{product_id}"))

    async def all(self, *, sku: str | None = None) -> AsyncIterator[ProductJson]:
        """Every product, or the one with this SKU."""
        async for product in self._order.pages("/v1/products", sku=sku):
            yield cast(ProductJson, product)


class Channels:
    """Ways of the merchant to sell."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def create(
        self,
        /,
        name: str,
        kind: str = "shop",
        *,
        trusted: bool = False,
        key: str | None = None,
        **more: Any,
    ) -> ChannelJson:
        """`trusted`: its own word that money came is believed. `more` are its rules, as in the
        OpenAPI document.
        """
        body = {"name": name, "kind": kind, "trusted": trusted, **more}
        return cast(ChannelJson, await self._order.post("/v1/channels", body, key=key))

    async def change(self, /, channel_id: str, **changes: Any) -> ChannelJson:
        """Sets what is given."""
        return cast(ChannelJson, await self._order.patch(f"/v1/channels/{channel_id}", changes))

    async def get(self, channel_id: str) -> ChannelJson:
        """Raises NotFound."""
        return cast(ChannelJson, await self._order.get(f"/v1/channels/{channel_id}"))

    async def all(self) -> AsyncIterator[ChannelJson]:
        """Every channel of the merchant."""
        async for channel in self._order.pages("/v1/channels"):
            yield cast(ChannelJson, channel)
