"""The whole set of `make run` and a shop's load on it, for the benchmarks that sell through
everything.
"""

import asyncio
import itertools
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from onebox.ports import free_ports
from onebox.services import service_named
from onebox.supervisor import Onebox, Options
from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.load import Outcome, request_bytes
from tests.stack.shop import Shop, open_shop

PRICE = 1990
SETTLE_SECONDS = 180.0


@asynccontextmanager
async def running_set() -> AsyncIterator[tuple[Onebox, Shop]]:
    """Everything of `make run`, in a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="lockstock-bench-"))
    folder.chmod(0o755)
    try:
        options = Options(home=folder / "box", random_ports=True, echo=False)
        async with Onebox(options) as box, open_shop(box.demo) as shop:
            yield box, shop
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_codes(number: int) -> list[str]:
    """So many codes to sell, no two alike."""
    return [f"B{place:06d}{secrets.token_hex(5).upper()}" for place in range(number)]


def order_requests(
    shop: Shop, sku: str, *, path: str = "/v1/orders", is_paid: bool = True
) -> Callable[[], bytes]:
    """Each call is the next order, of a buyer of its own."""
    run_id, numbers = secrets.token_hex(4), itertools.count()

    def request() -> bytes:
        number = next(numbers)
        reference = f"bench-{run_id}-{number}"
        body = {
            "channel_id": shop.channel_id,
            "reference": reference,
            # Each buyer from an address of its own: the velocity rule must look, and let it pass.
            "customer": {"id": f"b{number}", "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}."
                         f"{number & 255}", "device_id": run_id + str(number)},
            "lines": [{"sku": sku, "quantity": 1}],
            "paid": {
                "provider": "shop",
                "provider_reference": reference,
                "amount": {"amount": PRICE, "currency": "CNY"},
            },
        }  # fmt: skip
        if not is_paid:
            del body["paid"]
        return request_bytes(path, orjson.dumps(body), shop.api_key)

    return request


def payment_requests(shop: Shop, order_ids: list[str]) -> Callable[[], bytes]:
    """Each call pays the next of these orders."""
    unpaid = iter(order_ids)

    def request() -> bytes:
        order_id = next(unpaid, None)
        if order_id is None:
            raise SystemExit("more payments were made than orders had been placed")
        body = {
            "provider": "shop",
            "provider_reference": order_id,
            "amount": {"amount": PRICE, "currency": "CNY"},
        }
        path = f"/v1/orders/{order_id}/payments"
        return request_bytes(path, orjson.dumps(body), shop.api_key)

    return request


def require_created(outcome: Outcome) -> Outcome:
    """Ends the benchmark unless every answer was 201."""
    if set(outcome.statuses) != {201}:
        raise SystemExit(f"answers were {dict(outcome.statuses)}")
    return outcome


async def until_completed(box: Onebox) -> None:
    """Returns when every order that was paid is completed."""
    deadline = time.monotonic() + SETTLE_SECONDS
    async with connected(box, "order") as connection:
        while await connection.fetchval(_OPEN):
            if time.monotonic() > deadline:
                raise SystemExit(f"orders are not completed after {SETTLE_SECONDS:.0f} s")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def empty_server() -> AsyncIterator[int]:
    """The port of an API of one empty POST."""
    port = free_ports(1)[0]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.empty_server", str(port)
    )
    try:
        while not await _listens(port):  # noqa: ASYNC110 - another process: no event
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


def cpu_of_parts(box: Onebox) -> dict[str, float]:
    """CPU seconds so far of each part of the set."""
    return {name: cpu_seconds([pid]) for name, pid in box.pids.items()}


async def now(box: Onebox) -> Any:
    """The database's time."""
    return (await rows(box, "order", "SELECT clock_timestamp()"))[0][0]


async def count(box: Onebox, service: str, statement: str, *arguments: Any) -> int:
    return int((await rows(box, service, statement, *arguments))[0][0])


async def rows(box: Onebox, service: str, statement: str, *arguments: Any) -> list[Any]:
    """What the database of a service answers."""
    async with connected(box, service) as connection:
        return list(await connection.fetch(statement, *arguments))


@asynccontextmanager
async def connected(box: Onebox, service: str) -> AsyncIterator[asyncpg.Connection]:
    """The administrator's connection to the database of a service."""
    url = f"{box.wiring.admin_url.rsplit('/', 1)[0]}/{service_named(service).database}"
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


_OPEN = "SELECT count(*) FROM orders WHERE status NOT IN ('completed', 'pending_payment')"
