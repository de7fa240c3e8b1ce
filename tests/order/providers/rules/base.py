"""What the rules share: the peer, an account with it, a payment that is begun."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

import httpx
import pytest

from order.orders.domain import Order
from tests.order.providers.peers.base import ProviderPeer
from tests.order.providers.peers.serving import Mood

CALLERS = 20
UNCLEAR = [
    Mood.SILENT,
    Mood.DONE_SILENT,
    Mood.FAULT,
    Mood.DONE_FAULT,
    Mood.GARBAGE,
    Mood.DONE_GARBAGE,
    Mood.DONE_CUT,
    Mood.REDIRECT,
    Mood.HUGE,
    Mood.SLOW,
]
ASK = "ask-for-payments"
PAY_BACK = "pay-back"


class Rules:
    provider: ClassVar[str]

    @pytest.fixture
    def peer(self, peers: Mapping[str, ProviderPeer]) -> ProviderPeer:
        peers[self.provider].forget()
        return peers[self.provider]

    @pytest.fixture
    async def account(self, api: httpx.AsyncClient, peer: ProviderPeer) -> dict[str, Any]:
        body = {"provider": self.provider, "name": "Ours", **peer.account}
        answer = await api.post("/v1/payment-accounts", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def begin(self, api: httpx.AsyncClient, order: Order, **more: Any) -> httpx.Response:
        body = {"provider": self.provider, "return_url": "https://shop.example/thanks", **more}
        return await api.post(f"/v1/orders/{order.id}/checkout", json=body)

    async def begun(self, api: httpx.AsyncClient, order: Order) -> str:
        """Our reference of the payment over there."""
        answer = await self.begin(api, order)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"]).hex
