"""Where a call comes from, and whether that lies within some networks."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_IPV6_HOME = 64
_MAPPED_BITS = 96
"""Before an IPv4 address that is written as one of IPv6."""


def read_network(text: str) -> Network:
    """`203.0.113.0/24`, `2001:db8::/32` or a single address; an IPv4 network inside IPv6 is the
    IPv4 one, as addresses are. Raises ValueError, also for a network whose host bits are set: it
    would not be what its writer meant.
    """
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def read_address(text: str) -> Address | None:
    """None for what is none. A port is left out; an IPv4 address inside IPv6 is the IPv4 one."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def home_of(address: Address | None) -> str:
    """What an address counts as where calls are counted: itself, or the /64 that one home or one
    server has to itself in IPv6. All unknown ones are one.
    """
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_HOME), strict=False))
    return str(address)


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """An unknown address lies nowhere."""
    return address is not None and any(address in network for network in networks)


def covers(networks: Sequence[Network], inner: Network) -> bool:
    """Whether one of the networks holds the whole of `inner`."""
    return any(
        inner.network_address in network and inner.broadcast_address in network
        for network in networks
    )


def caller_address(
    peer: str | None, forwarded: Sequence[str], trusted_proxies: int
) -> Address | None:
    """The caller behind so many proxies of ours, each of which appends the address it was called
    from to X-Forwarded-For; what stands before those entries is the caller's own invention. A call
    with fewer entries did not come through them: its origin is unknown.
    """
    if trusted_proxies == 0:
        return read_address(peer) if peer else None
    entries = [entry for header in forwarded for entry in header.split(",")]
    if len(entries) < trusted_proxies:
        return None
    return read_address(entries[-trusted_proxies])
