"""A client against a scripted server: every test runs with the async and the sync one."""

from collections.abc import Callable
from typing import Any

import pytest

from lockstock_client import Lockstock, Retry, SyncLockstock
from tests.client.both import Awaited
from tests.client.scripted import ScriptedServer

QUICK = Retry(attempts_max=4, pause_seconds=0.001, pause_seconds_max=0.002, wait_seconds_max=2)
SERVICES = ("order", "inventory-vault", "fulfillment", "risk", "ledger")


@pytest.fixture(params=["async", "sync"])
def shop_at(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`shop_at(server)` -> a client whose services all are this server."""

    def connect(server: ScriptedServer | str, retry: Retry = QUICK) -> Any:
        urls = dict.fromkeys(SERVICES, server if isinstance(server, str) else server.url)
        if request.param == "async":
            return Lockstock("lsk_live_sample", urls, retry=retry)
        return Awaited(SyncLockstock("lsk_live_sample", urls, retry=retry))

    return connect
