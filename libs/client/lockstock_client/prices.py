"""order: quotes, and the rules that make prices."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from lockstock_client.transport import Service
from lockstock_client.wire import Buyer, CodeBatchJson, OrderedLine, QuoteJson, RuleJson


class Quotes:
    """Prices before anything is ordered."""

    def __init__(self, order: Service) -> None:
        self._order = order

    async def ask(
        self,
        channel_id: str,
        lines: Sequence[Mapping[str, Any] | OrderedLine],
        *,
        customer: Mapping[str, str] | Buyer | None = None,
        coupon_codes: Sequence[str] = (),
    ) -> QuoteJson:
        """What these lines would cost now, and why; holds nothing. Raises Problem."""
        body: dict[str, Any] = {"channel_id": channel_id, "lines": [dict(each) for each in lines]}
        if customer is not None:
            body["customer"] = dict(customer)
        if coupon_codes:
            body["coupon_codes"] = list(coupon_codes)
        return cast(QuoteJson, await self._order.post("/v1/quotes", body))


class Rules:
    """Rules of one kind. An edit makes a new version; placed orders keep theirs."""

    def __init__(self, order: Service, path: str) -> None:
        self._order = order
        self._path = path

    async def create(self, terms: Mapping[str, Any], *, key: str | None = None) -> RuleJson:
        """`terms` as in the OpenAPI document. Raises NotValid, naming the member."""
        return cast(RuleJson, await self._order.post(self._path, dict(terms), key=key))

    async def change(self, rule_id: str, changes: Mapping[str, Any]) -> RuleJson:
        """Sets what is given; `{"active": False}` ends it."""
        return cast(RuleJson, await self._order.patch(f"{self._path}/{rule_id}", dict(changes)))

    async def get(self, rule_id: str) -> RuleJson:
        """Raises NotFound."""
        return cast(RuleJson, await self._order.get(f"{self._path}/{rule_id}"))

    async def all(self) -> AsyncIterator[RuleJson]:
        """Every one of the merchant."""
        async for rule in self._order.pages(self._path):
            yield cast(RuleJson, rule)


class Coupons(Rules):
    """Taken off an order whose buyer shows a code."""

    async def make_codes(
        self, coupon_id: str, quantity: int, *, prefix: str = "", key: str | None = None
    ) -> CodeBatchJson:
        """New single-use codes; read them with `codes`."""
        body = {"quantity": quantity, "prefix": prefix}
        answer = await self._order.post(f"{self._path}/{coupon_id}/codes", body, key=key)
        return cast(CodeBatchJson, answer)

    async def codes(self, coupon_id: str, batch_id: str) -> AsyncIterator[dict[str, Any]]:
        """The codes of a batch, to be handed to buyers: keep them as you keep money."""
        async for code in self._order.pages(f"{self._path}/{coupon_id}/batches/{batch_id}/codes"):
            yield code
