"""`make demo`: sells thirty orders of different kinds to a running system, as a shop would.

It talks to Lockstock through the HTTP API only (`lockstock_client`), so it is also the example to
read before writing a shop's own code: storefront/stall.py has the calls, storefront/scenarios.py
the orders. Exit code 0: every order ended as it must and the books agree.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from storefront import afterwards, tables
from storefront.scenarios import Ending, Group, Wrong, groups
from storefront.stall import Stall
from storefront.stock import GOODS, Stocked, stock_up

from lockstock_client import Config, Lockstock, LockstockError, NotConfigured
from lockstock_client.config import DEMO_FILE

ORDERS = 30
SIDE_BY_SIDE = 8
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def main() -> int:
    parser = argparse.ArgumentParser(description="Sell thirty orders to a running system.")
    parser.add_argument("--demo-file", type=Path, default=DEMO_FILE)
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        config = Config.from_demo_file(parser.parse_args().demo_file)
        return 0 if asyncio.run(play(config, console)) else 1
    except NotConfigured as error:
        console.print(f"The system is not running: {error}", style="red")
    except (LockstockError, Wrong) as error:
        console.print(f"The demo cannot go on: {error}", style="red", markup=False)
    return 1


async def play(config: Config, console: Console) -> bool:
    """The whole demo; whether everything was as it must be."""
    assert config.channel_id is not None
    started = time.monotonic()
    run = _base36(int(time.time()))
    async with Lockstock.from_config(config) as shop:
        await _must_run(shop, config)
        with _progress(console) as progress:
            goods = await _stock(shop, run, progress)
            stall = Stall(shop, config.channel_id, run, goods)
            endings = await _sell(stall, progress)
        stocked = list(goods.values())
        console.print(tables.stock_table(stocked))
        console.print(tables.orders_table(endings))
        revealed = await afterwards.reveal_one(shop, endings, goods["STEAM"])
        console.print(tables.revealed_text(revealed))
        balance = await afterwards.books(shop, endings)
        console.print(tables.balance_table(balance))
        lots = await afterwards.conservation(shop, stocked)
        console.print(tables.conservation_table(lots))
    is_right = (
        len(endings) == ORDERS
        and all(ending.is_right for ending in endings)
        and afterwards.sold_once(endings)
        and all(good.as_published for good in stocked)
        and balance["balanced"]
        and all(figures["holds"] for _, figures in lots)
    )
    seconds = time.monotonic() - started
    if is_right:
        console.print(f"Everything is as it must be ({seconds:.0f} s).", style="bold green")
    else:
        console.print("Not everything is as it must be.", style="bold red")
    return bool(is_right)


async def _must_run(shop: Lockstock, config: Config) -> None:
    """One clear sentence instead of thirty failures."""
    for name, url in config.base_urls.items():
        try:
            await shop.service(name).get("/readyz")
        except LockstockError as error:
            raise NotConfigured(f"{name} at {url} is not ready; start it with `make run`.") from (
                error
            )


async def _stock(shop: Lockstock, run: str, progress: Progress) -> dict[str, Stocked]:
    task = progress.add_task("importing card files", total=len(GOODS))

    async def one(number: int) -> Stocked:
        stocked = await stock_up(shop, GOODS[number], run)
        progress.advance(task)
        return stocked

    found = await asyncio.gather(*(one(number) for number in range(len(GOODS))))
    return {stocked.good.sku: stocked for stocked in found}


async def _sell(stall: Stall, progress: Progress) -> list[Ending]:
    task = progress.add_task("selling", total=ORDERS)
    free = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(group: Group) -> list[Ending]:
        endings: list[Ending] = []
        async with free:
            async for ending in _told(group, progress):
                endings.append(ending)
                progress.advance(task)
        return endings

    # The longest group begins first.
    found = await asyncio.gather(*(one(group) for group in reversed(list(groups(stall)))))
    return [ending for endings in reversed(found) for ending in endings]


async def _told(endings: AsyncIterator[Ending], progress: Progress) -> AsyncIterator[Ending]:
    """Each ending as it comes; wrong ones are told at once."""
    async for ending in endings:
        if not ending.is_right:
            progress.console.print(
                f"{ending.reference} {ending.story}: {ending.actual} {ending.notes}",
                style="red",
                markup=False,
            )
        yield ending


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits


if __name__ == "__main__":
    sys.exit(main())
