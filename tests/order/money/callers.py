"""Shops that place orders, let their plots happen, and remember what was answered."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_id
from tests.order.money.plots import COPIES, Payment, Plot
from tests.order.money.tales import Told
from tests.order.money.wire import Answer, Line

TRIES_MAX = 60
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Seller:
    """Whose goods are sold; one of each SKU makes an order of PRICE."""

    merchant_id: UUID
    channel_id: UUID
    skus: tuple[str, ...]


class Caller:
    """One shop: places an order, lets its plot happen, and remembers what was answered."""

    def __init__(self, port: int, token: str, db: Database, seller: Seller) -> None:
        self._lines = [Line(port, token) for _ in range(2 * COPIES + 1)]
        self._db = db
        self._seller = seller
        self.told: dict[UUID, list[Told]] = defaultdict(list)
        self.cancels: dict[UUID, list[int]] = defaultdict(list)
        self.orders: list[UUID] = []
        self.sold_out = 0

    async def live(self, plot: Plot) -> None:
        order_id = await self._place()
        if order_id is None:
            return
        deeds = {
            "pay": lambda: self._pay(order_id, plot.payments),
            "cancel": lambda: self._cancel(order_id),
            "expire": lambda: self._expire(order_id),
        }
        if plot.at_once:
            await asyncio.gather(*(deeds[name]() for name in plot.deeds))
            return
        for name in plot.deeds:
            await deeds[name]()

    async def _place(self) -> UUID | None:
        """None when there is no stock to hold."""
        reference = str(new_id())
        body = {
            "channel_id": str(self._seller.channel_id),
            "reference": reference,
            "customer": {"id": reference},
            "lines": [{"sku": sku, "quantity": 1} for sku in self._seller.skus],
        }
        answer = await insist(self._lines[0], "/v1/orders", orjson.dumps(body), reference)
        if answer.code == "out_of_stock":
            self.sold_out += 1
            return None
        assert answer.status == 201, answer.body
        order_id = UUID(orjson.loads(answer.body)["id"])
        self.orders.append(order_id)
        return order_id

    async def _pay(self, order_id: UUID, payments: Sequence[Payment]) -> None:
        lines = iter(self._lines[1:])
        await asyncio.gather(
            *(
                self._tell(order_id, payment, [next(lines) for _ in range(COPIES)])
                for payment in payments
            )
        )

    async def _tell(self, order_id: UUID, payment: Payment, lines: Sequence[Line]) -> None:
        reference = f"{order_id}-{payment.suffix}"
        answers: Sequence[Answer]
        if payment.is_word:
            path, body = _word(order_id, payment, reference)
            answers = await asyncio.gather(*(insist(line, path, body) for line in lines))
        else:
            answers = await self._money_came(order_id, payment, reference, lines)
        self.told[order_id].append(
            Told(
                reference,
                payment.amount,
                payment.currency,
                payment.is_word,
                tuple(seen(answer) for answer in answers),
            )
        )

    async def _money_came(
        self, order_id: UUID, payment: Payment, reference: str, lines: Sequence[Line]
    ) -> Sequence[Answer]:
        """A provider says so, as often as there are lines, at once."""
        body = orjson.dumps(
            {
                "merchant_id": str(self._seller.merchant_id),
                "order_id": str(order_id),
                "reference": reference,
                "amount": payment.amount,
                "currency": payment.currency,
            }
        )
        return await asyncio.gather(*(insist(line, "/money-came", body) for line in lines))

    async def _cancel(self, order_id: UUID) -> None:
        answer = await insist(self._lines[0], f"/v1/orders/{order_id}/cancel", b"{}")
        assert answer.status in (200, 409), answer.body
        self.cancels[order_id].append(answer.status)

    async def _expire(self, order_id: UUID) -> None:
        """Its time is over; the timer, which runs all the while, sees it."""

        async def end_time() -> None:
            async with self._db.transaction() as tx:
                await tx.execute(_OVER, {"id": order_id})

        await until_available(end_time)

    def close(self) -> None:
        for line in self._lines:
            line.close()


_OVER = text("UPDATE orders SET pay_until = clock_timestamp() WHERE id = :id")


async def insist(line: Line, path: str, body: bytes, key: str = "") -> Answer:
    """A busy service says 503 and when to come again; all that is told here may be told again."""
    for _ in range(TRIES_MAX):
        answer = await line.post(path, body, key)
        if answer.status != 503:
            return answer
        await asyncio.sleep(1)
    return answer


async def until_available(work: Callable[[], Awaitable[Result]]) -> Result:
    """The same for what is done on a busy database itself."""
    for _ in range(TRIES_MAX):
        try:
            return await work()
        except Unavailable:
            await asyncio.sleep(1)
    return await work()


def _word(order_id: UUID, payment: Payment, reference: str) -> tuple[str, bytes]:
    body = {
        "provider": "demo",
        "provider_reference": reference,
        "amount": {"amount": payment.amount, "currency": payment.currency},
    }
    return f"/v1/orders/{order_id}/payments", orjson.dumps(body)


def seen(answer: Answer) -> tuple[int, bytes]:
    """A problem names its request, so that copies of a refusal differ in that alone."""
    return answer.status, answer.code.encode() if answer.status >= 400 else answer.body
