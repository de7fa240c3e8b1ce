"""Calls between services over real connections, to a server that behaves as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from kit.auth import ServiceTokens
from kit.peers import CONNECTIONS_MAX, Peer, PeerProblem, PeerSilent

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TOKENS = ServiceTokens("s" * 32)


@asynccontextmanager
async def _server(serve: Serve) -> AsyncIterator[tuple[str, list[int]]]:
    """Its URL and the numbers of the connections that were made to it."""
    made: list[int] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(len(made))
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", made
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    at = head.lower().find(b"content-length:")
    length = int(head[at + 15 : head.index(b"\r\n", at)]) if at >= 0 else 0
    return head, await reader.readexactly(length)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head, body = await _request(reader)
        path = head.split(b" ")[1].decode()
        answer = b'{"path":"%b","body":%b}' % (path.encode(), body or b"null")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))


def _peer(url: str, *, seconds: float = 20) -> Peer:
    return Peer(url, service="order", tokens=TOKENS, timeout_seconds=seconds)


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with _server(_echo) as (url, made), _peer(url) as peer:
        for number in range(5):
            answer = await peer.post("/v1/things?a=b%20c", {"number": number})
            assert answer == {"path": "/v1/things?a=b%20c", "body": {"number": number}}
        assert await peer.get("/v1/things", params={"x": "1"}) == {
            "path": "/v1/things?x=1",
            "body": None,
        }
    assert len(made) == 1


async def test_calls_at_once_get_their_own_answers_over_no_more_connections_than_allowed() -> None:
    wanted = 5 * CONNECTIONS_MAX
    async with _server(_echo) as (url, made), _peer(url) as peer:
        answers = await asyncio.gather(
            *(peer.post(f"/{number}", {"number": number}) for number in range(wanted))
        )
    assert answers == [
        {"path": f"/{number}", "body": {"number": number}} for number in range(wanted)
    ]
    assert 1 < len(made) <= CONNECTIONS_MAX


async def test_an_answer_in_chunks_is_read_whole() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in (b"[1,", b"2]"):
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with _server(serve) as (url, _), _peer(url) as peer:
        assert await peer.get("/") == [1, 2]


async def test_a_connection_the_server_closes_is_not_used_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]")

    async with _server(serve) as (url, made), _peer(url) as peer:
        for _ in range(3):
            assert await peer.get("/") == []
    assert len(made) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[1,",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n",
    ],
    ids=["nothing", "half", "no-http", "no-chunk"],
)
async def test_what_is_no_whole_answer_is_silence_and_the_next_call_is_well(answer: bytes) -> None:
    broken = iter([True])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if next(broken, False):
            await _request(reader)
            writer.write(answer)
        else:
            await _echo(reader, writer)

    async with _server(serve) as (url, _), _peer(url) as peer:
        with pytest.raises(PeerSilent):
            await peer.post("/acts", {"once": True})
        assert (await peer.get("/after"))["path"] == "/after"


async def test_a_late_answer_reaches_nobody() -> None:
    late = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not late.is_set():
            await _request(reader)
            await late.wait()
            writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"late"')
        await _echo(reader, writer)

    async with _server(serve) as (url, made), _peer(url, seconds=0.2) as peer:
        with pytest.raises(PeerSilent):
            await peer.get("/slow")
        late.set()
    async with _server(_echo) as (url, made), _peer(url) as peer:
        calls = asyncio.create_task(peer.get("/cut"))
        await asyncio.sleep(0)
        calls.cancel()
        assert (await peer.get("/next"))["path"] == "/next"
        assert len(made) <= 2


async def test_where_nobody_listens_is_silence() -> None:
    async with _peer("http://127.0.0.1:1") as peer:
        with pytest.raises(PeerSilent):
            await peer.get("/")


@pytest.mark.parametrize("status", [302, 401, 429, 500, 503])
async def test_an_answer_that_says_nothing_of_what_was_asked_for_is_none(status: int) -> None:
    async with _server(partial(_say, status)) as (url, _), _peer(url) as peer:
        with pytest.raises(PeerSilent, match=str(status)):
            await peer.post("/v1/things", {})


@pytest.mark.parametrize("status", [403, 404, 409, 422])
async def test_a_no_is_an_answer(status: int) -> None:
    async with _server(partial(_say, status)) as (url, _), _peer(url) as peer:
        with pytest.raises(PeerProblem) as no:
            await peer.post("/v1/things", {})
    assert no.value.status == status


async def _say(status: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _request(reader)
    writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: 0\r\n\r\n" % status)
    await writer.drain()
