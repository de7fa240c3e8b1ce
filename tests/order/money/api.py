"""Order APIs in processes of their own, ended by pid."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.stack.nursery import Forked, nursery_of

START_SECONDS_MAX = 30.0


class ApiProcess:
    """One process; `kill` is kill -9, `start` starts it again on the same port."""

    def __init__(self, database_url: str, port: int) -> None:
        self.port = port
        self._arguments = ("tests.order.money.api_process", database_url, str(port))
        self._process: Forked | None = None

    async def start(self) -> None:
        self._process = nursery_of("order.app", "tests.order.conftest").fork(
            *self._arguments, env=os.environ
        )
        async with asyncio.timeout(START_SECONDS_MAX), httpx.AsyncClient() as http:
            while not await self._is_up(http):  # noqa: ASYNC110 - another process: no event
                await asyncio.sleep(0.05)

    async def _is_up(self, http: httpx.AsyncClient) -> bool:
        try:
            answer = await http.get(f"http://127.0.0.1:{self.port}/healthz")
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    async def kill(self) -> None:
        assert self._process is not None
        await self._process.kill()


@asynccontextmanager
async def api_processes(database_url: str, *ports: int) -> AsyncIterator[list[ApiProcess]]:
    processes = [ApiProcess(database_url, port) for port in ports]
    try:
        for process in processes:
            await process.start()
        yield processes
    finally:
        for process in processes:
            await process.kill()
