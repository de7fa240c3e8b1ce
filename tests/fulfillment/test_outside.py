"""Where calls may go: hostile URLs are not connected to, good ones are, at the checked address."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fulfillment.connector import NotSent, Unknown
from fulfillment.outside import ANSWER_BYTES_MAX, Heard, Outside
from kit.outward import Resolve
from tests.fulfillment.urls import GOOD, HOSTILE_MIN, good, hostile

SOON = timedelta(seconds=10)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Internet:
    """Names and addresses as a test wants them; remembers what was looked up and connected to."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self.looked_up: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        return await self._resolve(host, port)

    async def dial(
        self, address: str, port: int, timeout: float | None
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((address, port))
        return httpcore.AsyncMockStream([OK])

    def outside(self, **given: Any) -> Outside:
        values: dict[str, Any] = {"allow_private": False, "trust": NOBODY, **given}
        return Outside(resolve=self.resolve, dial=self.dial, **values)


def names(known: dict[str, list[str]]) -> Resolve:
    async def resolve(host: str, port: int) -> list[str]:
        if not known.get(host):
            raise OSError("Name or service not known")
        return known[host]

    return resolve


async def post(outside: Outside, url: str, timeout: timedelta = SOON) -> Heard | NotSent | Unknown:
    return await outside.call("POST", url, headers={}, content=b"{}", timeout=timeout)


async def test_of_300_hostile_urls_none_is_connected_to():
    corpus = list(hostile())
    assert len({url for url, _ in corpus}) >= HOSTILE_MIN

    for url, addresses in corpus:
        internet = Internet(_always(addresses))
        outside = internet.outside()
        answer = await post(outside, url)
        assert isinstance(answer, NotSent), url
        assert internet.dialled == [], url
        await outside.close()


def _always(addresses: list[str]) -> Resolve:
    async def resolve(host: str, port: int) -> list[str]:
        if not addresses:
            raise OSError("Name or service not known")
        return addresses

    return resolve


async def test_50_good_urls_are_called_at_the_address_that_was_checked():
    corpus = list(good())
    assert len(corpus) >= 50

    for url, addresses in corpus:
        internet = Internet(_always(addresses))
        outside = internet.outside()
        answer = await post(outside, url)
        assert isinstance(answer, Heard), url
        literal = url.split("/")[2].strip("[]")
        assert internet.dialled == [(addresses[0] if addresses else literal, 443)], url
        await outside.close()


async def test_a_name_server_that_answers_otherwise_each_time_is_asked_once_a_connection():
    answers = cycle([[GOOD], ["127.0.0.1"], [GOOD], ["169.254.169.254"], ["::1"], [GOOD]])

    async def flip(host: str, port: int) -> list[str]:
        return next(answers)

    internet = Internet(flip)
    outside = internet.outside()
    heard = 0
    for number in range(60):
        answer = await post(outside, f"https://flip{number}.shop.example/")
        heard += isinstance(answer, Heard)
        assert len(internet.looked_up) == number + 1
    await outside.close()

    assert heard == 30
    assert internet.dialled == [(GOOD, 443)] * 30


async def test_other_ports_are_called_only_when_they_are_listed():
    internet = Internet(names({"shop.example": [GOOD]}))
    outside = internet.outside(ports=frozenset({8443}))

    assert isinstance(await post(outside, "https://shop.example:8443/"), Heard)
    assert isinstance(await post(outside, "https://shop.example/"), Heard)
    assert await post(outside, "https://shop.example:9443/") == NotSent("address_not_allowed")
    assert internet.dialled == [(GOOD, 8443), (GOOD, 443)]


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fe80::1", "0.1.2.3"]
)
async def test_metadata_of_a_cloud_is_closed_also_where_private_addresses_are_open(address: str):
    internet = Internet(names({"here": [address]}))
    outside = internet.outside(allow_private=True)

    assert await post(outside, "http://here/") == NotSent("address_not_allowed")
    assert internet.dialled == []


async def test_a_name_without_an_answer_costs_its_caller_only_and_is_refused():
    async def silent(host: str, port: int) -> list[str]:
        if host == "silent.example":
            await asyncio.sleep(60)
        return [GOOD]

    outside = Internet(silent).outside()
    late = asyncio.create_task(post(outside, "https://silent.example/", timedelta(seconds=0.2)))
    assert isinstance(await post(outside, "https://shop.example/"), Heard)
    assert await late == NotSent("supplier_unreachable")


@asynccontextmanager
async def a_peer(serve: Serve, trust: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=trust)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answering(answer: bytes, heard: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


async def test_a_redirect_is_an_answer_and_is_not_followed():
    seen: list[bytes] = []
    async with a_peer(answering(OK, seen)) as inside:
        there = (
            f"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{inside}/\r\nContent-Length: 0\r\n\r\n"
        )
        async with a_peer(answering(there.encode())) as port:
            outside = Outside(allow_private=True)
            answer = await post(outside, f"http://127.0.0.1:{port}/")
            await outside.close()

    assert isinstance(answer, Heard)
    assert answer.status == 307
    assert seen == []


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
    ],
)
async def test_of_a_giant_answer_no_more_than_its_bound_is_read(head: bytes):
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while sent < 200_000_000:
            writer.write(b"\x1f" * 65_536 if b"gzip" in head else b"x" * 65_536)
            sent += 65_536
            try:
                await writer.drain()
            except ConnectionError:
                return

    async with a_peer(serve) as port:
        outside = Outside(allow_private=True)
        answer = await post(outside, f"http://127.0.0.1:{port}/")
        await outside.close()

    assert isinstance(answer, Unknown)
    # What the kernel's buffers swallow is not what was read.
    assert sent < 100 * ANSWER_BYTES_MAX


async def test_an_answer_in_drops_ends_with_the_deadline():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with a_peer(serve) as port:
        outside = Outside(allow_private=True)
        answer = await post(outside, f"http://127.0.0.1:{port}/", timedelta(seconds=0.5))
        await outside.close()

    assert answer == Unknown("no_answer")


async def test_tls_and_host_keep_the_name_while_the_connection_goes_to_the_address(tmp_path: Path):
    heard: list[bytes] = []
    theirs, ours = _certificate(tmp_path, "shop.example")
    async with a_peer(answering(OK, heard), theirs) as port:
        resolve = names({"shop.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
        outside = Outside(allow_private=True, trust=ours, resolve=resolve)
        answer = await post(outside, f"https://shop.example:{port}/hook?a=b")
        # The same address under a name its certificate is not for: not a byte is sent.
        other = await post(outside, f"https://other.example:{port}/hook")
        await outside.close()

    assert isinstance(answer, Heard)
    assert other == NotSent("supplier_unreachable")
    [request] = heard
    assert request.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert f"Host: shop.example:{port}\r\n".encode() in request


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path = folder / "server.pem"
    path.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(path)
    return theirs, ssl.create_default_context(cadata=pem.decode())
