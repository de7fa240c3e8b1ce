"""A part is kept alive, patiently."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from onebox.errors import DidNotStart
from onebox.output import Output
from onebox.parts import Keeper, Program
from onebox.processes import Spec


async def at_once() -> bool:
    return True


async def never() -> bool:
    return False


@pytest.fixture
def log(folder: Path) -> Iterator[Output]:
    output = Output(folder, echo=False)
    yield output
    output.close()


def program(log: Output, script: str, ready: Callable[[], Awaitable[bool]] = at_once) -> Program:
    return Program(Spec("part", ["sh", "-c", script]), ready, log)


async def test_a_part_that_ends_at_once_gives_its_last_words(log: Output) -> None:
    keeper = Keeper(program(log, "echo no database; exit 2", never), print)
    with pytest.raises(DidNotStart, match="part ended while starting: no database"):
        await keeper.start()
    await keeper.stop()


async def test_a_dying_part_is_started_again_with_growing_pauses(log: Output) -> None:
    said: list[str] = []
    keeper = Keeper(program(log, "sleep 0.1; exit 3"), said.append)
    await keeper.start()
    await asyncio.sleep(2.0)
    await keeper.stop()
    assert said[:2] == [
        "part ended (exit 3); starting it again in 0.2 s",
        "part ended (exit 3); starting it again in 0.4 s",
    ]
    assert 2 <= keeper.restarts <= 4
    assert keeper.pid is None


async def test_a_part_may_be_left_dead_on_purpose(log: Output) -> None:
    keeper = Keeper(program(log, "sleep 0.1"), print, restart=False)
    await keeper.start()
    await asyncio.sleep(0.5)
    assert (keeper.pid, keeper.restarts) == (None, 0)
    await keeper.stop()


async def test_a_killed_part_is_ready_again(log: Output) -> None:
    keeper = Keeper(program(log, "sleep 60"), lambda _: None)
    await keeper.start()
    before = keeper.pid
    await keeper.part.kill()
    await keeper.ready()
    assert keeper.pid not in {None, before}
    await keeper.stop()
    assert keeper.pid is None


async def test_its_output_is_in_its_log(log: Output, folder: Path) -> None:
    part = program(log, "echo hello; sleep 60")
    keeper = Keeper(part, print)
    await keeper.start()
    async with asyncio.timeout(5):
        while not part._last_lines:  # noqa: ASYNC110 - it comes through a pipe
            await asyncio.sleep(0.02)
    await keeper.stop()
    assert (folder / "part.log").read_text() == "hello\n"
