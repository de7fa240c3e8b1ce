"""The thirty orders: how each is played, and the state it must end in."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lockstock_client import LockstockError, OutOfStock, Problem, Recipient
from lockstock_client.wire import OrderJson
from storefront.stall import Quantities, Stall, any_address

SAME_CALLS = 20
BUYERS_AT_ONE_ADDRESS = 7
HELD_FROM = 5  # the rule holds from the sixth purchase on

Play = Callable[[Stall, "Ending"], Awaitable[OrderJson | str]]


@dataclass(slots=True)
class Ending:
    """What became of one order; `actual` is its state, or the code of a refusal."""

    story: str
    expected: str
    reference: str
    actual: str = "..."
    order: OrderJson | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    is_boxed: bool = False
    """Handed out to the shop's own key, which is a look at its units too."""

    @property
    def is_right(self) -> bool:
        return self.actual == self.expected


class Wrong(Exception):
    """Something on an order's way was not as it must be."""


Group = AsyncIterator[Ending]


def groups(stall: Stall) -> Iterator[Group]:
    """Independent parts of the thirty, to be played at the same time; the last is the longest."""
    for count, story, quantities in _PLAIN:
        for _ in range(count):
            yield _one(stall, story, "completed", _paid_later(quantities))
    for count, story, quantities in _PREPAID:
        for _ in range(count):
            yield _one(stall, story, "completed", _prepaid(quantities))
    for story, expected, play in _PARTICULAR:
        yield _one(stall, story, expected, play)
    yield _one_address(stall, [stall.reference() for _ in range(BUYERS_AT_ONE_ADDRESS)])


_PLAIN = (
    (4, "one key", {"STEAM": 1}),
    (2, "one card with password", {"YOUKU": 1}),
    (1, "one link", {"COFFEE": 1}),
    (1, "one card of a workbook", {"JD": 1}),
    (2, "five of one kind", {"POINTS": 5}),
    (2, "mixed lines", {"STEAM": 1, "YOUKU": 2, "COFFEE": 1}),
)
_PREPAID = (
    (3, "prepaid", {"POINTS": 1}),
    (1, "prepaid, mixed lines", {"JD": 1, "STEAM": 2}),
)


def _one(stall: Stall, story: str, expected: str, play: Play) -> Group:
    ending = Ending(story, expected, stall.reference())

    async def group() -> AsyncIterator[Ending]:
        async with _ends(ending):
            _note_end(ending, await play(stall, ending))
        yield ending

    return group()


@asynccontextmanager
async def _ends(ending: Ending) -> AsyncIterator[None]:
    """Whatever goes wrong is the order's end, told in the table."""
    started = time.monotonic()
    try:
        yield
    except Problem as problem:
        ending.actual = problem.code
        ending.notes.append(problem.detail)
    except (LockstockError, Wrong) as error:
        ending.actual = "wrong"
        ending.notes.append(str(error))
    finally:
        ending.seconds = time.monotonic() - started


def _note_end(ending: Ending, end: OrderJson | str) -> None:
    if isinstance(end, str):
        ending.actual = end
        return
    ending.order = end
    ending.actual = end["status"]


def _paid_later(quantities: Quantities) -> Play:
    async def play(stall: Stall, ending: Ending) -> OrderJson:
        order = await stall.place(ending.reference, quantities)
        await stall.pay(order)
        return _with_units(await stall.settled(order), quantities)

    return play


def _prepaid(quantities: Quantities) -> Play:
    async def play(stall: Stall, ending: Ending) -> OrderJson:
        order = await stall.place_paid(ending.reference, quantities)
        return _with_units(await stall.settled(order), quantities)

    return play


async def _cancelled(stall: Stall, ending: Ending) -> OrderJson:
    order = await stall.place(ending.reference, {"STEAM": 1})
    return await stall.shop.orders.cancel(order["id"], "buyer changed mind")


async def _paid_too_late(stall: Stall, ending: Ending) -> OrderJson:
    order = await stall.place(ending.reference, {"YOUKU": 1})
    await stall.shop.orders.cancel(order["id"], "buyer changed mind")
    ending.notes.append(await _refusal(stall.pay(order)))
    return await stall.shop.orders.get(order["id"])


async def _more_than_there_is(stall: Stall, ending: Ending) -> str:
    # One line that could be served and one that cannot: neither is held.
    try:
        order = await stall.place(
            ending.reference, {"COFFEE": 1, "JD": stall.goods["JD"].available + 1_000}
        )
    except OutOfStock as short:
        left = ", ".join(str(line.get("available")) for line in short.short_lines)
        ending.notes.append(f"only {left} there, nothing held")
        return short.code
    return order["status"]


async def _paid_many_times(stall: Stall, ending: Ending) -> OrderJson:
    order = await stall.place(ending.reference, {"STEAM": 1})
    await asyncio.gather(*(stall.pay(order) for _ in range(SAME_CALLS)))
    ending.notes.append("delivered once")
    return _with_units(await stall.settled(order), {"STEAM": 1})


async def _placed_twice(stall: Stall, ending: Ending) -> OrderJson:
    # The same body too: another one under the same key would be refused.
    key, ip = f"place-{ending.reference}", any_address()
    first, second = await asyncio.gather(
        stall.place(ending.reference, {"POINTS": 1}, ip=ip, key=key),
        stall.place(ending.reference, {"POINTS": 1}, ip=ip, key=key),
    )
    if first["id"] != second["id"]:
        raise Wrong(f"two orders by one Idempotency-Key: {first['id']}, {second['id']}")
    ending.notes.append("one order")
    await stall.pay(first)
    return _with_units(await stall.settled(first), {"POINTS": 1})


async def _wrong_amount_first(stall: Stall, ending: Ending) -> OrderJson:
    order = await stall.place(ending.reference, {"COFFEE": 1})
    ending.notes.append(await _refusal(stall.pay(order, amount={"amount": 1, "currency": "CNY"})))
    await stall.pay(order)
    return _with_units(await stall.settled(order), {"COFFEE": 1})


async def _boxed(stall: Stall, ending: Ending) -> OrderJson:
    recipient, ending.is_boxed = Recipient.new(), True
    order = await stall.place(ending.reference, {"STEAM": 2}, recipient=recipient)
    await stall.pay(order)
    settled = _with_units(await stall.settled(order), {"STEAM": 2})
    opened = 0
    async for delivery in stall.shop.deliveries.of_order(order["id"]):
        for unit in delivery["units"]:
            if unit["box"] is None:
                raise Wrong(f"unit {unit['unit_id']} came without a box")
            recipient.open(unit["box"], unit_id=unit["unit_id"])
            opened += 1
    ending.notes.append(f"{opened} boxes opened here")
    return settled


async def _one_address(stall: Stall, references: list[str]) -> AsyncIterator[Ending]:
    """Seven orders from one address within a minute: the sixth and the seventh wait for a person,
    who lets one go on and declines the other.
    """
    ip = any_address()
    for number, reference in enumerate(references, start=1):
        story = f"purchase {number} from one address"
        expected = "completed"
        if number == BUYERS_AT_ONE_ADDRESS - 1:
            story += ", held, approved"
        elif number == BUYERS_AT_ONE_ADDRESS:
            story, expected = story + ", held, declined", "refunded"
        ending = Ending(story, expected, reference)
        async with _ends(ending):
            order = await stall.place(ending.reference, {"POINTS": 1}, ip=ip)
            # One after the other, so that it is known which are the sixth and the seventh.
            await stall.shop.orders.until_assessed(order["id"])
            await stall.pay(order)
            if number > HELD_FROM:
                await _reviewed(stall, ending, order)
            _note_end(ending, await stall.settled(order))
        yield ending


async def _reviewed(stall: Stall, ending: Ending, order: OrderJson) -> None:
    held = await stall.shop.orders.until(order["id"], {"on_hold", "completed", "refunded"})
    if held["status"] != "on_hold":
        raise Wrong(f"not held, but {held['status']}")
    async for review in stall.shop.reviews.all(order_id=order["id"], status="open"):
        if ending.expected == "completed":
            await stall.shop.reviews.approve(review["id"], "a school class, their teacher called")
        else:
            await stall.shop.reviews.decline(review["id"], "stolen card")
        ending.notes.append(review["reason"])


async def _refusal(call: Awaitable[object]) -> str:
    """The code of the refusal that must come."""
    try:
        await call
    except Problem as problem:
        return problem.code
    raise Wrong("was accepted and must be refused")


def _with_units(order: OrderJson, quantities: Quantities) -> OrderJson:
    """A completed order has exactly the units that were bought, each one once."""
    units = [unit["unit_id"] for delivery in order["deliveries"] for unit in delivery["units"]]
    wanted = sum(quantities.values())
    if order["status"] == "completed" and not (len(units) == len(set(units)) == wanted):
        raise Wrong(f"{wanted} units bought, {len(units)} delivered")
    return order


_PARTICULAR: Sequence[tuple[str, str, Play]] = (
    ("unpaid, then cancelled", "cancelled", _cancelled),
    ("cancelled, then paid: refused", "cancelled", _paid_too_late),
    ("asks for more than there is", "out_of_stock", _more_than_there_is),
    (f"paid {SAME_CALLS} times at once", "completed", _paid_many_times),
    ("placed twice by one key", "completed", _placed_twice),
    ("wrong amount, then the right one", "completed", _wrong_amount_first),
    ("boxed for the shop's own key", "completed", _boxed),
)
