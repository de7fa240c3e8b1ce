"""The goods: five card files into five pools, and a product for each.

The files are imported anew by every run. From the second run on each line of them is a duplicate
(the receipt says so, which is worth seeing) and the run sells what is left from the runs before.
Only when a pool has too little left does the run make up fresh codes for it, as one more lot.
"""

import io
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from lockstock_client import Lockstock, Upload
from lockstock_client.wire import ImportJson, MoneyJson

CARDS = Path(__file__).parent.parent / "cards"
NEEDED_UNITS = 40
"""More than one run sells out of any pool."""
FRESH_UNITS = 200
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Good:
    """A card file, the pool it goes into, and how it is sold. Costs and prices in fen."""

    file: str
    pool: str
    unit_kind: str
    supplier: str
    unit_cost: int
    sku: str
    price: int


GOODS = (
    Good("steam-keys.txt", "Steam keys", "code", "Northgate Games", 4_550, "STEAM", 5_900),
    Good("game-points.txt", "Game points", "card", "Northgate Games", 870, "POINTS", 1_000),
    Good("youku-month-gbk.csv", "Youku month", "card", "Huayue Media", 2_400, "YOUKU", 3_000),
    Good("coffee-links.csv", "Coffee vouchers", "link", "Bean Street", 1_400, "COFFEE", 1_990),
    Good("jd-giftcards.xlsx", "JD gift cards 100", "card", "Jingli Cards", 9_188, "JD", 9_900),
)


@dataclass(frozen=True, slots=True)
class Stocked:
    """A good that is ready to be sold in this run."""

    good: Good
    pool_id: str
    sku: str
    price: MoneyJson
    available: int
    receipt: ImportJson
    as_published: bool
    """Whether the receipt has the figures of answers.json (new and known lines together)."""
    fresh_units: int


async def stock_up(shop: Lockstock, good: Good, run: str) -> Stocked:
    """Pool, file, product. The SKU is this run's own, so that runs do not meet."""
    pool = await shop.pools.named(good.pool) or await shop.pools.create(good.pool, good.unit_kind)
    with (CARDS / good.file).open("rb") as content:
        receipt = await _import(shop, good, pool["id"], Upload(good.file, content))
    levels = (await shop.pools.get(pool["id"]))["levels"]
    fresh_units = 0
    if levels["available"] < NEEDED_UNITS:
        await _import(shop, good, pool["id"], _fresh(good.unit_kind, run))
        fresh_units = FRESH_UNITS
    price = MoneyJson(amount=good.price, currency="CNY")
    sku = f"{good.sku}-{run}"
    await shop.products.create(sku, good.pool, pool_id=pool["id"], price=price)
    return Stocked(
        good,
        pool["id"],
        sku,
        price,
        levels["available"] + fresh_units,
        receipt,
        _as_published(good.file, receipt),
        fresh_units,
    )


def codes_of(file: str) -> set[str]:
    """The codes of a plain text file, to compare a revealed one with."""
    return set((CARDS / file).read_text(encoding="utf-8").split())


async def _import(shop: Lockstock, good: Good, pool_id: str, upload: Upload) -> ImportJson:
    return await shop.imports.send(
        pool_id, upload, supplier=good.supplier, unit_cost=good.unit_cost
    )


def _as_published(file: str, receipt: ImportJson) -> bool:
    """answers.json says what is in each file; on a later run accepted lines are duplicates."""
    answer = json.loads((CARDS / "answers.json").read_text(encoding="utf-8"))[file]
    good_lines = answer["accepted"] + answer["duplicates"]
    found = receipt["accepted"] + receipt["duplicates"], receipt["rejected"]
    return found == (good_lines, sum(answer["rejected"].values()))


def _fresh(unit_kind: str, run: str) -> Upload:
    match unit_kind:
        case "card":
            lines = ["card_no,card_pwd", *(f"{_code(16)},{_code(10)}" for _ in range(FRESH_UNITS))]
            name = f"fresh-{run}.csv"
        case "link":
            links = (f"https://q.example/{_code(12)}" for _ in range(FRESH_UNITS))
            lines, name = ["url", *links], f"fresh-{run}.csv"
        case _:
            lines, name = [_code(16) for _ in range(FRESH_UNITS)], f"fresh-{run}.txt"
    return Upload(name, io.BytesIO("\n".join(lines).encode()))


def _code(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
