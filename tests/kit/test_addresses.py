"""Where a call comes from: what proxies of ours say, and nothing that the caller made up."""

from ipaddress import ip_address

import pytest

from kit.addresses import (
    caller_address,
    covers,
    home_of,
    is_within,
    read_address,
    read_network,
)

PEER = "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        ([], 0, PEER),
        (["198.51.100.9"], 0, PEER),
        (["198.51.100.9"], 1, "198.51.100.9"),
        (["1.2.3.4, 198.51.100.9"], 1, "198.51.100.9"),
        (["1.2.3.4", "198.51.100.9"], 1, "198.51.100.9"),
        (["1.2.3.4, 198.51.100.9, 10.0.0.7"], 2, "198.51.100.9"),
        (["198.51.100.9"], 2, None),
        ([], 1, None),
        (["unknown"], 1, None),
        (["198.51.100.9:4711"], 1, "198.51.100.9"),
        (["[2001:db8::7]:4711"], 1, "2001:db8::7"),
        (["::ffff:198.51.100.9"], 1, "198.51.100.9"),
    ],
)
def test_only_what_trusted_proxies_appended_counts(
    forwarded: list[str], proxies: int, expected: str | None
):
    found = caller_address(PEER, forwarded, proxies)

    assert found == (ip_address(expected) if expected else None)


@pytest.mark.parametrize(
    ("address", "home"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::9", "2001:db8:0:1::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_addresses_of_one_ipv6_home_count_as_one(address: str, home: str):
    assert home_of(read_address(address)) == home


def test_an_unknown_address_lies_nowhere():
    assert not is_within(None, [read_network("0.0.0.0/0"), read_network("::/0")])
    assert caller_address(None, [], 0) is None


def test_an_address_lies_in_networks_of_its_own_version_only():
    networks = [read_network("203.0.113.0/24"), read_network("2001:db8::/32")]

    assert is_within(read_address("203.0.113.255"), networks)
    assert is_within(read_address("2001:db8::1"), networks)
    assert not is_within(read_address("203.0.114.0"), networks)
    assert not is_within(read_address("2001:db9::1"), networks)
    assert not is_within(read_address("::1"), [read_network("0.0.0.0/0")])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.9/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::fffe:0:0/95", "::fffe:0:0/95"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_a_network_of_ipv4_is_that_in_the_spelling_of_ipv6_too(written: str, meant: str):
    """Else an address, which is IPv4 in either spelling, would never lie in it."""
    assert str(read_network(written)) == meant


@pytest.mark.parametrize("text", ["203.0.113.1/24", "203.0.113.0/33", "office", "", "1.2.3"])
def test_what_is_no_network_is_refused(text: str):
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        read_network(text)


def test_a_network_covers_its_parts_and_nothing_else():
    own = [read_network("203.0.113.0/24"), read_network("2001:db8::/32")]

    for inner in ("203.0.113.0/24", "203.0.113.7", "2001:db8:1::/48"):
        assert covers(own, read_network(inner))
    for other in ("203.0.0.0/16", "0.0.0.0/0", "::/0", "198.51.100.0/24"):
        assert not covers(own, read_network(other))
