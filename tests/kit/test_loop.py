"""What is done while something else is under way."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from kit.loop import meanwhile, run

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair()
    far.settimeout(30)
    with near, far:
        yield near, far


def test_the_work_is_done_after_the_question_is_sent_and_before_its_answer_is_there(pair: Pair):
    near, far = pair

    def work() -> bytes:
        # The loop stands still here: what arrives was sent before.
        got = far.recv(100)
        far.sendall(b"answer")
        return got

    async def both() -> tuple[bytes, bytes]:
        # The connection is there: nothing but the question is waited for.
        reader, writer = await asyncio.open_connection(sock=near)

        async def question() -> bytes:
            writer.write(b"question")
            return await reader.readexactly(6)

        try:
            return await meanwhile(question(), work)
        finally:
            writer.close()

    assert run(both()) == (b"answer", b"question")


async def test_an_error_of_what_was_asked_is_raised_when_the_work_is_done():
    done: list[str] = []

    async def fail() -> None:
        raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        await meanwhile(fail(), lambda: done.append("work"))
    assert done == ["work"]


async def hang(ended: list[str]) -> None:
    """What was asked and is never answered."""
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("asked")


async def test_an_error_of_the_work_ends_what_was_asked():
    ended: list[str] = []

    def fail() -> None:
        raise ValueError("no work")

    with pytest.raises(ValueError, match="no work"):
        await meanwhile(hang(ended), fail)
    assert ended == ["asked"]


async def test_who_is_cancelled_ends_what_was_asked():
    ended: list[str] = []

    task = asyncio.create_task(meanwhile(hang(ended), lambda: None))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["asked"]
