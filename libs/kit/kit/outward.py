"""The way to hosts that somebody else named: nothing is called that was not checked.

A URL is read once, by the rules below, and the parts that were read are what is called. A name is
looked up when a connection is made; every address it has must be one of the public internet by the
list in this file, and the connection goes to an address that was checked, while TLS and `Host` keep
the name. So a name server that answers otherwise the second time is not asked a second time. What
`ipaddress.is_global` says is not relied on: it differs between releases of Python.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import httpcore

URL_CHARACTERS_MAX = 2_000
LOOKUPS_MAX = 32
"""Names looked up at once. A lookup may hang for long, so they have threads of their own."""
ADDRESSES_TRIED_MAX = 4

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""All addresses of a host; raises OSError when it has none."""
Dial = Callable[[str, int, float | None], Awaitable[httpcore.AsyncNetworkStream]]
"""A connection to an address and a port; raises httpcore.ConnectError or ConnectTimeout."""

_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_NOT_PUBLIC_V4 = [
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's translation
        "127.0.0.0/8",  # this host
        "168.63.129.16/32",  # a cloud's own agent
        "169.254.0.0/16",  # link-local; metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
]
# Public unicast is given out of this one block. What lies outside needs no line of its own: this
# host, IPv4-mapped, NAT64 (64:ff9b::/96), unique local, link-local, multicast.
_GIVEN_OUT_V6 = ip_network("2000::/3")
_NOT_PUBLIC_V6 = [
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]
_ISATAP = (0x00005EFE, 0x02005EFE)
"""The third quarter of an IPv6 address that carries an IPv4 address in its last quarter."""
_PRIVATE = [
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fd00::/8",
    )
]
_METADATA_V6 = ip_network("fd00:ec2::/32")


class NotAllowed(ValueError):
    """A URL or an address that must not be called; the text says why, fit for who named it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`allow_private`: also private addresses, this host, plain http, and any port: for one machine
    and for tests. `ports`: those that may be called otherwise.
    """

    allow_private: bool = False
    ports: frozenset[int] = field(default_factory=lambda: frozenset({443}))


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was read: what is called is made of these parts and of nothing else."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str, rules: Rules) -> Target:
    """The URL's parts. Raises NotAllowed; looks nothing up."""
    if len(url) > URL_CHARACTERS_MAX or not _URL.fullmatch(url) or "\\" in url:
        raise NotAllowed("it is no absolute http or https URL in plain ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise NotAllowed("its host or port cannot be read") from error
    if "@" in parts.netloc:
        raise NotAllowed("it must not carry a user name or a password")
    if parts.fragment:
        raise NotAllowed("it must not carry a fragment")
    scheme = parts.scheme.lower()
    if scheme != "https" and not rules.allow_private:
        raise NotAllowed("https is required")
    port = _PORTS[scheme] if port is None else port
    if port == 0 or (port not in rules.ports and not rules.allow_private):
        raise NotAllowed(f"port {port} is not open to calls")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme, _host(host, parts.netloc, rules), port, path)


def _host(host: str, netloc: str, rules: Rules) -> str:
    is_bracketed = "[" in netloc
    if is_bracketed or _NUMBER.fullmatch(host.rpartition(".")[2]):
        # Only the usual way of writing an address: no octal, no hexadecimal, no missing parts.
        try:
            address = ip_address(host)
        except ValueError as error:
            raise NotAllowed(
                "its host is neither a name nor an address as it is written"
            ) from error
        if is_bracketed != isinstance(address, IPv6Address) or not is_allowed(host, rules):
            raise NotAllowed("its address is not one of the public internet")
        return host
    if not _NAME.fullmatch(host):
        raise NotAllowed("its host is no name of letters, digits and hyphens")
    if "." not in host and not rules.allow_private:
        raise NotAllowed("its host is no full name")
    return host


def is_allowed(address: str, rules: Rules) -> bool:
    """Whether a connection may go to this address, as a resolver wrote it."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        return False
    return is_public(found) or (
        rules.allow_private
        and any(found in network for network in _PRIVATE)
        and found not in _METADATA_V6
    )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a unicast address of the public internet that carries no other one inside."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return (
        address in _GIVEN_OUT_V6
        and not any(address in network for network in _NOT_PUBLIC_V6)
        and (int(address) >> 32) & 0xFFFFFFFF not in _ISATAP
    )


class Lookups:
    """The system's resolver. One lookup of a name at a time: who asks meanwhile shares its answer,
    so a name whose server is silent holds one thread and not all of them.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="lookup")
        self._running: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """Raises OSError when the name has no address."""
        key = (host, port)
        running = self._running.get(key)
        if running is None:
            running = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, *key)
            self._running[key] = running
            running.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(running)

    def close(self) -> None:
        """Waits for nothing."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self, key: tuple[str, int], done: "asyncio.Future[list[str]]") -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked may have left: nobody else reads it


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to nothing that the rules do not allow: for an `httpcore.AsyncConnectionPool`.

    `resolve` and `dial` are the two steps that reach outside, so that tests can stand in for the
    internet below everything that is checked.
    """

    def __init__(self, rules: Rules, resolve: Resolve, dial: Dial | None = None) -> None:
        self._rules = rules
        self._resolve = resolve
        self._dial = dial or _dial

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises NotAllowed, httpcore.ConnectError, httpcore.ConnectTimeout."""
        ends_at = None if timeout is None else asyncio.get_running_loop().time() + timeout
        addresses = await self._addresses(host, port, timeout)
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._dial(address, port, _left(ends_at))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises NotAllowed: nothing outside is a file."""
        raise NotAllowed("a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int, seconds: float | None) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                found = await self._found(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} is not found in time") from error
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not found") from error
        # One bad address among good ones is enough: which is connected to must not be a gamble.
        if not all(is_allowed(address, self._rules) for address in found):
            raise NotAllowed("its host has an address that is not of the public internet")
        return found

    async def _found(self, host: str, port: int) -> list[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            return await self._resolve(host, port)


def _left(ends_at: float | None) -> float | None:
    if ends_at is None:
        return None
    return max(ends_at - asyncio.get_running_loop().time(), 0.001)


_network = httpcore.AnyIOBackend()


async def _dial(address: str, port: int, timeout: float | None) -> httpcore.AsyncNetworkStream:
    return await _network.connect_tcp(address, port, timeout=timeout)
