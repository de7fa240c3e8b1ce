"""A real worker process, killed at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from sqlalchemy import text
from starlette.types import Message, Receive, Scope, Send

from fulfillment.settings import Settings
from kit.service import Service
from onebox.ports import free_ports
from tests.fulfillment.conftest import acceptor, published
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.workers import a_worker
from tests.stack.nursery import Forked

_SECONDS_MAX = 30.0


class Gate:
    """The vault, holding back its answers to calls of one path while it is shut."""

    def __init__(self, app: Any, path: str = "/v1/reservations/claims") -> None:
        self._app = app
        self._path = path
        self.is_shut = False
        self.claimed = asyncio.Event()
        self._opened = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope.get("path", "").endswith(self._path) or not self.is_shut:
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        self.claimed.set()
        await self._opened.wait()

    def open(self) -> None:
        self.is_shut = False
        self._opened.set()


@asynccontextmanager
async def listening(app: Any, port: int) -> AsyncIterator[None]:
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, not an event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def worker(settings: Settings, vault_port: int) -> AsyncIterator[Forked]:
    given = {"lease_seconds": 0.5, "dispatch_poll_seconds": 0.05}
    async with a_worker(settings, vault_url=f"http://127.0.0.1:{vault_port}", **given) as process:
        yield process


async def _until_settled(service: Service) -> None:
    async with asyncio.timeout(_SECONDS_MAX):
        while True:
            async with service.db.read() as tx:
                rows = await tx.execute(text("SELECT count(*) FROM task WHERE state = 'pending'"))
                if rows.scalar_one() == 0:
                    return
            await asyncio.sleep(0.05)


async def test_a_worker_killed_between_claim_and_commit_delivers_each_unit_once(
    service: Service, settings: Settings, vault: RealVault
) -> None:
    pool = await vault.stock([f"KILL-{n:04}-XYZ" for n in range(6)])
    orders = [
        a_request(
            reservation_id=await vault.hold((pool, 2)),
            lines=[a_line(pool_id=str(pool), quantity=2)],
        )
        for _ in range(2)
    ]
    gate = Gate(vault.app)
    [port] = free_ports(1)
    async with listening(gate, port):
        gate.is_shut = True
        await acceptor(service)(*orders)
        async with worker(settings, port) as first, asyncio.timeout(_SECONDS_MAX):
            await gate.claimed.wait()
            await first.kill()
        assert await published(service) == []
        assert (await vault.levels(pool))["sold"] == 4
        gate.open()
        async with worker(settings, port):
            await _until_settled(service)
    events: list[Any] = await published(service)
    assert sorted(event.order_id for event in events) == sorted(it.key for it in orders)
    units = [unit.unit_id for event in events for unit in event.units]
    assert len(units) == len(set(units)) == 4
    levels = await vault.levels(pool)
    assert (levels["sold"], levels["available"]) == (4, 2)
