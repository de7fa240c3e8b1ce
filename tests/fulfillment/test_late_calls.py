"""What slow calls answer is written down together, and one that cannot be spoils no other."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from fulfillment.calling import Turn, turn_of
from fulfillment.connector import NotFound, Report
from fulfillment.late_calls import LATE_MAX, TOGETHER_MAX, Answered, LateCalls
from fulfillment.purchases.domain import Step, Want
from kit.db import Database
from tests.fulfillment.purchases.test_domain import a_purchase

SECONDS_MAX = 30.0
# Handed on to who writes, and never opened.
NOWHERE = Database("postgresql+asyncpg://127.0.0.1:1/nowhere", application_name="tests")


class Book:
    """Where answers are written; `unwritable` are the references that make it fail."""

    def __init__(self, *unwritable: UUID) -> None:
        self.batches: list[list[UUID]] = []
        self.unwritable = set(unwritable)

    async def write(self, db: Database, late: Sequence[Answered]) -> None:
        ids = [turn.purchase.id for turn, _ in late]
        self.batches.append(ids)
        await asyncio.sleep(0)
        if self.unwritable & set(ids):
            raise ValueError("cannot be written")


def a_turn() -> Turn:
    purchase = a_purchase()
    accounts = {(purchase.merchant_id, purchase.supplier): None}
    return turn_of(purchase, Step.ASK, accounts, Want(purchase, ""), 0.0)  # type: ignore[arg-type]  # it is not called


class Calls:
    """Calls under way that all end at `end`."""

    def __init__(self, late: LateCalls, number: int) -> None:
        self._ends = asyncio.Event()
        self.turns = [a_turn() for _ in range(number)]
        for turn in self.turns:
            late.go_on(NOWHERE, turn, asyncio.create_task(self._answer()))

    async def _answer(self) -> Report:
        await self._ends.wait()
        return NotFound()

    def end(self) -> None:
        self._ends.set()


async def _until_written(late: LateCalls) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while late.under_way:  # noqa: ASYNC110 - a number, not an event
            await asyncio.sleep(0.01)


async def test_answers_that_come_together_are_written_together() -> None:
    book = Book()
    late = LateCalls(book.write)
    calls = Calls(late, 2 * TOGETHER_MAX)

    calls.end()
    await _until_written(late)

    written = [reference for batch in book.batches for reference in batch]
    assert sorted(written) == sorted(turn.purchase.id for turn in calls.turns)
    assert len(book.batches) < 5


async def test_an_answer_that_cannot_be_written_spoils_no_other() -> None:
    book = Book()
    late = LateCalls(book.write)
    calls = Calls(late, 10)
    broken = calls.turns[3].purchase.id
    book.unwritable.add(broken)

    calls.end()
    await _until_written(late)

    written = {batch[0] for batch in book.batches if len(batch) == 1}
    assert written == {turn.purchase.id for turn in calls.turns}


async def test_a_turn_waits_for_room_and_no_longer_than_its_patience() -> None:
    late = LateCalls(Book().write)
    few = Calls(late, LATE_MAX - 1)
    async with asyncio.timeout(SECONDS_MAX):
        await late.make_room(10 * SECONDS_MAX)

    one_more = Calls(late, 1)
    waiting = asyncio.create_task(late.make_room(10 * SECONDS_MAX))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    async with asyncio.timeout(SECONDS_MAX):
        await late.make_room(0.01)
    one_more.end()
    async with asyncio.timeout(SECONDS_MAX):
        await waiting

    assert late.under_way == LATE_MAX - 1
    few.end()
    await _until_written(late)


async def test_calls_under_way_end_with_the_process() -> None:
    book = Book()
    late = LateCalls(book.write)
    Calls(late, 3)
    await asyncio.sleep(0)

    async with asyncio.timeout(SECONDS_MAX):
        await late.close()

    assert (late.under_way, book.batches) == (0, [])
