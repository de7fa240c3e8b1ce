import asyncio
from collections.abc import Sequence

import pytest

from kit.combine import Combiner
from kit.errors import Unavailable


async def test_a_lone_call_is_served_at_once():
    async def work(items: Sequence[int]) -> list[int | BaseException]:
        return [item * 2 for item in items]

    assert await Combiner(work)(21) == 42


async def test_calls_that_wait_are_served_together():
    batches: list[int] = []
    gate = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int | BaseException]:
        batches.append(len(items))
        await gate.wait()
        return list(items)

    combiner: Combiner[int, int] = Combiner(work, batch_max=64)
    first = asyncio.create_task(combiner(0))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(combiner(i)) for i in range(1, 51)]
    await asyncio.sleep(0.01)
    gate.set()

    assert await asyncio.gather(first, *others) == list(range(51))
    assert batches == [1, 50]


async def test_an_error_of_one_item_reaches_its_caller_only():
    async def work(items: Sequence[int]) -> list[int | BaseException]:
        return [ValueError("odd") if item % 2 else item for item in items]

    combiner: Combiner[int, int] = Combiner(work)
    results = await asyncio.gather(*(combiner(i) for i in range(4)), return_exceptions=True)

    assert [type(result).__name__ for result in results] == ["int", "ValueError"] * 2


async def test_an_error_of_the_batch_reaches_all_its_callers_and_the_next_batch_runs():
    calls = 0

    async def work(items: Sequence[int]) -> list[int | BaseException]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("database gone")
        return list(items)

    combiner: Combiner[int, int] = Combiner(work)
    with pytest.raises(RuntimeError):
        await combiner(1)

    assert await combiner(2) == 2


async def test_a_caller_that_goes_away_does_not_disturb_the_others():
    gate = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int | BaseException]:
        await gate.wait()
        return list(items)

    combiner: Combiner[int, int] = Combiner(work)
    tasks = [asyncio.create_task(combiner(i)) for i in range(3)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    gate.set()

    assert await tasks[0] == 0
    assert await tasks[2] == 2


async def test_a_batch_answering_too_few_results_is_an_error_for_all():
    async def work(items: Sequence[int]) -> list[int | BaseException]:
        return []

    with pytest.raises(RuntimeError, match="0 results for 1"):
        await Combiner(work)(1)


async def test_more_waiting_calls_than_the_limit_are_refused():
    gate = asyncio.Event()

    async def work(items: Sequence[int]) -> list[int | BaseException]:
        await gate.wait()
        return list(items)

    combiner: Combiner[int, int] = Combiner(work, batch_max=1, waiting_max=2)
    running = asyncio.create_task(combiner(0))
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(combiner(i)) for i in (1, 2)]
    await asyncio.sleep(0.01)

    with pytest.raises(Unavailable):
        await combiner(3)

    gate.set()
    assert await asyncio.gather(running, *waiting) == [0, 1, 2]
