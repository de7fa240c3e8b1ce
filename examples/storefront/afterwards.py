"""After the sales: one key is looked at as its buyer would, and the books are read."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lockstock_client import Lockstock, NoAnswer, Recipient
from lockstock_client.wire import ConservationJson
from sealing import mask_of
from storefront.scenarios import Ending, Wrong
from storefront.stock import Stocked, codes_of

POSTED_SECONDS_MAX = 20.0
TRANSACTIONS_OF_PAID_ORDER = 2
"""Its payment, and its end (delivered or refunded)."""


@dataclass(frozen=True, slots=True)
class Revealed:
    """What is told of a key that was looked at: never the key."""

    reference: str
    mask: str
    is_of_file: bool
    file: str
    views: int


async def reveal_one(shop: Lockstock, endings: Iterable[Ending], good: Stocked) -> Revealed:
    """Opens the first delivered key of this good behind its buyer's link, with a key pair made
    for this one look, as the page's script does in a browser.
    """
    reference, url, unit = _first_unit(endings, good.sku)
    recipient = Recipient.new()
    answer = await shop.buyer_page(url).reveal(unit["unit_id"], recipient)
    fields = recipient.open(answer["box"], unit_id=unit["unit_id"]).disclose()
    if mask_of(fields) != unit["mask"]:
        raise Wrong(f"unit {unit['unit_id']} opens to something else than its mask says")
    views = await shop.units.views(unit["unit_id"])
    file = good.good.file
    return Revealed(reference, unit["mask"], fields["code"] in codes_of(file), file, len(views))


def sold_once(endings: Iterable[Ending]) -> bool:
    """Whether no unit was delivered twice, all orders of the run together."""
    units = [
        unit["unit_id"]
        for ending in endings
        if ending.order
        for delivery in ending.order["deliveries"]
        for unit in delivery["units"]
    ]
    return len(units) == len(set(units))


async def books(shop: Lockstock, endings: Iterable[Ending]) -> dict[str, Any]:
    """The trial balance, once the ledger has heard of every paid order of this run."""
    paid = [
        ending.order["id"]
        for ending in endings
        if ending.order and ending.actual in {"completed", "refunded", "partially_completed"}
    ]
    try:
        async with asyncio.timeout(POSTED_SECONDS_MAX):
            for order_id in paid:
                await _posted(shop, order_id)
    except TimeoutError as error:
        raise NoAnswer(f"the ledger has not posted all {len(paid)} paid orders") from error
    return await shop.ledger.trial_balance()


async def conservation(
    shop: Lockstock, goods: Iterable[Stocked]
) -> list[tuple[Stocked, ConservationJson]]:
    """The figures of every lot of the pools."""
    found: list[tuple[Stocked, ConservationJson]] = []
    for good in goods:
        for lot in (await shop.pools.get(good.pool_id))["lots"]:
            found.append((good, await shop.lots.conservation(lot["id"])))
    return found


def _first_unit(endings: Iterable[Ending], sku: str) -> tuple[str, str, Any]:
    for ending in endings:
        if ending.order is None or ending.actual != "completed" or ending.is_boxed:
            continue
        lines = {line["id"] for line in ending.order["lines"] if line["sku"] == sku}
        for delivery in ending.order["deliveries"]:
            if delivery["line_id"] in lines and delivery["url"] and delivery["units"]:
                return ending.reference, delivery["url"], delivery["units"][0]
    raise Wrong("no order was delivered whose key could be looked at")


async def _posted(shop: Lockstock, order_id: str) -> None:
    while True:
        posted = [entry async for entry in shop.ledger.transactions(order_id=order_id)]
        if len(posted) >= TRANSACTIONS_OF_PAID_ORDER:
            return
        await asyncio.sleep(0.2)
