"""risk: orders that wait for a person."""

from collections.abc import AsyncIterator
from typing import cast

from lockstock_client.transport import Service
from lockstock_client.wire import ReviewJson


class Reviews:
    """Held orders and what a person decided about them."""

    def __init__(self, risk: Service) -> None:
        self._risk = risk

    async def all(
        self, *, status: str | None = None, order_id: str | None = None
    ) -> AsyncIterator[ReviewJson]:
        """The newest first."""
        async for review in self._risk.pages("/v1/reviews", status=status, order_id=order_id):
            yield cast(ReviewJson, review)

    async def approve(self, review_id: str, note: str = "") -> ReviewJson:
        """Lets the order go on."""
        answer = await self._risk.post(f"/v1/reviews/{review_id}/approve", {"note": note})
        return cast(ReviewJson, answer)

    async def decline(self, review_id: str, note: str = "") -> ReviewJson:
        """Ends the order; a payment goes back."""
        answer = await self._risk.post(f"/v1/reviews/{review_id}/decline", {"note": note})
        return cast(ReviewJson, answer)
