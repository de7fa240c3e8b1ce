"""ledger: the merchant's books."""

from collections.abc import AsyncIterator
from typing import Any, cast

from lockstock_client.transport import Service


class Ledger:
    """Double entry, in minor units."""

    def __init__(self, ledger: Service) -> None:
        self._ledger = ledger

    async def trial_balance(self) -> dict[str, Any]:
        """The sums of all accounts; debits equal credits."""
        return cast(dict[str, Any], await self._ledger.get("/v1/trial-balance"))

    async def transactions(self, *, order_id: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """Balanced entries."""
        async for entry in self._ledger.pages("/v1/transactions", order_id=order_id):
            yield entry
