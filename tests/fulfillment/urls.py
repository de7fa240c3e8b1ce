"""URLs that must never be called, and URLs that may be: with what their names resolve to."""

from collections.abc import Iterator
from ipaddress import ip_network

GOOD = "93.184.216.34"
HOSTILE_MIN = 300

_NETWORKS = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "::/96",  # IPv4-compatible
    "::ffff:0:0/96",  # IPv4-mapped
    "::ffff:0:0:0/96",  # IPv4-translated
    "64:ff9b::/96",  # NAT64
    "64:ff9b:1::/48",
    "100::/64",  # discard
    "2001::/32",  # Teredo
    "2001:2::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:db8::/32",
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",
    "3fff::/20",
    "4000::/3",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
_METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "169.254.0.23",
    "168.63.129.16",
    "fd00:ec2::254",
    "fe80::a9fe:a9fe",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "2606:4700::5efe:169.254.169.254",
    "2606:4700::200:5efe:127.0.0.1",
)
_MALFORMED = (
    "",
    "https://",
    "https:///x",
    "https:shop.example",
    "//shop.example/",
    "shop.example",
    "/etc/passwd",
    "file:///etc/passwd",
    "ftp://shop.example/",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/stats",
    "ldap://127.0.0.1/",
    "unix:///run/docker.sock",
    "javascript:alert(1)",
    "data:text/html,x",
    "jar:https://shop.example!/",
    "http://shop.example/",
    "HTTP://shop.example/",
    "https://shop.example:80/",
    "https://shop.example:8443/",
    "https://shop.example:22/",
    "https://shop.example:6379/",
    "https://shop.example:5432/",
    "https://shop.example:0/",
    "https://shop.example:65536/",
    "https://shop.example:-1/",
    "https://shop.example:443x/",
    "https://shop.example:4 43/",
    "https://user@shop.example/",
    "https://user:word@shop.example/",
    "https://:@shop.example/",
    "https://@shop.example/",
    "https://shop.example@127.0.0.1/",
    "https://127.0.0.1@shop.example/",
    "https://shop.example%40127.0.0.1/",
    "https://shop.example#@127.0.0.1/",
    "https://shop.example/#fragment",
    "https://shop.example\\@127.0.0.1/",
    "https:\\\\127.0.0.1\\",
    "https://127.0.0.1\\.shop.example/",
    "https://shop.example /",
    " https://shop.example/",
    "https://shop.example/ ",
    "https://shop.example/\r\nX-Evil: 1",
    "https://shop.example/\n",
    "https://sh\top.example/",
    "https://shop.example\x00.evil.example/",
    "https://shop.example./",
    "https://localhost./",
    "https://127.0.0.1./",
    "https://shop..example/",
    "https://.shop.example/",
    "https://-shop.example/",
    "https://shop-.example/",
    "https://sh_op.example/",
    "https://sh%6fp.example/",
    "https://%6c%6f%63alhost/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://shop.example/" + "a" * 2_000,
    "https://[/",
    "https://]/",
    "https://[]/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]x/",
    "https://[shop.example]/",
    "https://[127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.fe80::a]/",
    "https://*/",
    "https://shop,example/",
    "https://shop.example;evil/",
    "https://$(id)/",
    "https://{host}/",
)
_NUMBERS = (
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "0177.0.0.1",
    "0177.00.00.01",
    "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "0x7f.1",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "127.0.0.001",
    "0127.0.0.1",
    "127.0.0.0x1",
    "1.0x7f000001",
    "0",
    "0x0",
    "0x",
    "00",
    "1",
    "4294967295",
    "4294967296",
    "99999999999",
    "256.256.256.256",
    "1.2.3",
    "1.2.3.4.5",
    "127.0.0.1.2",
    "2852039166",
    "0xa9fea9fe",
    "025177524776",
    "0251.0376.0251.0376",
    "169.254.43518",
    "3232235777",
    "0xc0a80101",
    "167772161",
    "10.1",
    "192.168.257",
    "172.1048577",
    "134744072",
    "0x08080808",
    "010.8.8.8",
    "8.8.2056",
)
_LETTERS = (
    "１２７.０.０.１",
    "127。0。0。1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "①②⑦.⓪.⓪.①",
    "löcalhost.example",
    "shop.ехample",
    "shop\u200b.example",
    "shop\u00ad.example",
    "shop\u2024example",
    "ℓocalhost",
    "ſhop.example",
    "shop.example\u2044@127.0.0.1",
)
_NAMES = (
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "vault",
    "inventory-vault",
    "kafka",
    "metadata",
    "metadata.google.internal",
    "instance-data.ec2.internal",
    "kubernetes.default.svc",
    "127.0.0.1.nip.example",
    "localtest.example",
    "xn--lcalhost-n4a.example",
    "xn--80ak6aa92e.example",
    "a.b.c.d.internal",
)


def hostile() -> Iterator[tuple[str, list[str]]]:
    """(URL, the addresses its name has), more than 300 of them."""
    for url in _MALFORMED:
        yield url, [GOOD]
    for host in (*_NUMBERS, *_LETTERS):
        yield f"https://{host}/hook", [GOOD]
    for host in _NAMES:
        yield f"https://{host}/hook", ["127.0.0.1"]
    for number, address in enumerate((*_ends(), *_METADATA)):
        yield f"https://{_literal(address)}/hook", []
        yield f"https://n{number}.shop.example/hook", [address]
    # One bad address among good ones, wherever it stands; no address; nonsense of a resolver.
    yield "https://first.shop.example/", ["127.0.0.1", GOOD]
    yield "https://last.shop.example/", [GOOD, "10.0.0.1"]
    yield "https://middle.shop.example/", [GOOD, "::1", "2606:4700::1111"]
    yield "https://none.shop.example/", []
    yield "https://scoped.shop.example/", ["fe80::1%2"]
    yield "https://scoped-public.shop.example/", ["2606:4700::1111%2"]
    yield "https://nonsense.shop.example/", ["localhost"]


def good() -> Iterator[tuple[str, list[str]]]:
    """(URL, the addresses its name has): just outside of what is closed, and ordinary ones."""
    for number, address in enumerate(_NEIGHBOURS):
        yield f"https://{_literal(address)}/hook", []
        yield f"https://g{number}.shop.example/hook", [address]
    yield "https://shop.example", [GOOD]
    yield "https://SHOP.Example:443/a/b?c=d&e=%2F@x", [GOOD, "2606:4700::1111"]
    yield "https://xn--bcher-kva.example/h%20k", [GOOD]
    yield "https://a-b.c-d.shop.example/?q", [GOOD]


_NEIGHBOURS = (
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
    "2400:3200::1",
    "2001:200::1",
    "2003::1",
)


def _ends() -> Iterator[str]:
    for text in _NETWORKS:
        network = ip_network(text)
        yield str(network[0])
        if network.num_addresses > 1:
            yield str(network[network.num_addresses // 2])
            yield str(network[-1])


def _literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address
