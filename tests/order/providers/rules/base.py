"""What the rules share: the peer, an account with it, a payment that is begun."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import httpx
import pytest

from kit.db import Database
from kit.service import Service
from order.orders.domain import Order
from tests.order.providers.conftest import Push, run_job
from tests.order.providers.peers.base import ProviderPeer, Pushed
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
    Mood.BLOCKED,
]
ASK = "ask-for-payments"
PAY_BACK = "pay-back"


@dataclass(frozen=True, slots=True)
class Scene:
    """The service, a provider's peer, and the merchant's account with it."""

    api: httpx.AsyncClient
    db: Database
    service: Service
    peer: ProviderPeer
    account: Mapping[str, Any]
    push_to: Push

    async def begin(self, order: Order, **more: Any) -> httpx.Response:
        body = {"provider": self.peer.name, "return_url": "https://shop.example/thanks", **more}
        return await self.api.post(f"/v1/orders/{order.id}/checkout", json=body)

    async def begun(self, order: Order) -> str:
        """Our reference of the payment over there."""
        answer = await self.begin(order)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"]).hex

    async def push(self, pushed: Pushed) -> httpx.Response:
        """The peer calls the account's path."""
        return await self.push_to(self.account["callback_path"], pushed)

    async def run(self, job: str) -> None:
        await run_job(self.service, job)


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

    @pytest.fixture
    def scene(
        self,
        api: httpx.AsyncClient,
        db: Database,
        service: Service,
        peer: ProviderPeer,
        account: dict[str, Any],
        push: Push,
    ) -> Scene:
        return Scene(api, db, service, peer, account, push)
