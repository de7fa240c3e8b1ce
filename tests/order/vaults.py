"""A peer that speaks the vault's wire and can be told to misbehave.

The real vault is used in placing/test_with_vault.py; what it does not do on purpose (be silent,
answer rubbish) is done here.
"""

from typing import Any

import httpx
import orjson

from kit.ids import new_id


class ScriptedVault(httpx.AsyncBaseTransport):
    """Holds everything. `silences` is how many calls get no answer; `results` are given first, and
    so are `problems` (status, code) to calls about one hold.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As new."""
        self.calls: list[tuple[str, Any]] = []
        self.silences = 0
        self.results: list[dict[str, Any]] = []
        self.problems: list[tuple[int, str]] = []
        # Pool id -> (unit cost, units for sale) of each lot.
        self.pools: dict[str, list[tuple[int, int]]] = {}
        self._held: dict[str, str] = {}

    @property
    def holds(self) -> dict[str, str]:
        """Reference -> reservation id of what is held."""
        return dict(self._held)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content or b"null")
        self.calls.append((request.url.path, body))
        if self.silences > 0:
            self.silences -= 1
            raise httpx.ReadTimeout("silent", request=request)
        if not request.url.path.endswith("/batch") and self.problems:
            status, code = self.problems.pop(0)
            return httpx.Response(status, json={"status": status, "code": code})
        if request.url.path == "/v1/pools/costs":
            return self._costs(request.url.params.get_list("pool_id"))
        if request.url.path.startswith("/v1/pools/"):
            return self._pool(request.url.path.split("/")[-1])
        if request.url.path.endswith("/release"):
            gone = request.url.path.split("/")[-2]
            self._held = {ref: held for ref, held in self._held.items() if held != gone}
            return httpx.Response(200, json={"id": gone, "status": "released"})
        return httpx.Response(200, json={"items": [self._hold(item) for item in body["items"]]})

    def _costs(self, pool_ids: list[str]) -> httpx.Response:
        items = []
        for pool_id in pool_ids:
            dearest = max(
                (cost for cost, left in self.pools.get(pool_id, ()) if left), default=None
            )
            costs = [] if dearest is None else [{"amount": dearest, "currency": "CNY"}]
            items.append({"pool_id": pool_id, "unit_costs": costs})
        return httpx.Response(200, json={"items": items})

    def _pool(self, pool_id: str) -> httpx.Response:
        available = sum(left for _, left in self.pools.get(pool_id, ()))
        return httpx.Response(200, json={"id": pool_id, "levels": {"available": available}})

    def _hold(self, item: dict[str, Any]) -> dict[str, Any]:
        if self.results:
            return self.results.pop(0)
        reservation_id = self._held.setdefault(item["reference"], str(new_id()))
        return {
            "result": "held",
            "reservation": {"id": reservation_id, "status": "held"},
            "problem": None,
        }
