"""Counts over sliding windows, named by what they count: `purchases_by_ip_1h`.

A name is a measure, a key and a window: how many purchases, how much money, how many units, or how
many different devices (buyers, contacts, ...) by the same address (device, buyer, ...) within so
many minutes, hours or days of this purchase.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

WINDOW_SECONDS_MIN = 60
WINDOW_SECONDS_MAX = 90 * 86_400
DISTINCT_MAX = 1_000
"""Different values are counted up to here. A condition that compares with more is refused."""
NAMES_KEPT = 10_000
"""Names read before, about 300 bytes each."""


class KeyKind(StrEnum):
    """What purchases are counted by. What is unknown about a purchase counts for nothing."""

    IP = "ip"
    IP_24 = "ip_24"
    DEVICE = "device"
    CUSTOMER = "customer"
    CONTACT = "contact"
    PAYER = "payer"
    PRODUCT = "product"
    CHANNEL = "channel"

    @property
    def thing(self) -> str:
        return _THINGS[self]


_THINGS = {
    KeyKind.IP: "address (IPv6: its /64)",
    KeyKind.IP_24: "network (/24; IPv6: /48)",
    KeyKind.DEVICE: "device",
    KeyKind.CUSTOMER: "buyer",
    KeyKind.CONTACT: "contact",
    KeyKind.PAYER: "card-holder",
    KeyKind.PRODUCT: "product (of several the one with the most)",
    KeyKind.CHANNEL: "channel",
}


class Measure(StrEnum):
    """What is counted: the purchase at hand always counts too."""

    PURCHASES = "purchases"
    AMOUNT = "amount"
    QUANTITY = "quantity"
    UNPAID = "unpaid"
    FAILED = "failed_payments"
    REFUNDED = "refunded"
    IPS = "ips"
    NETWORKS = "networks"
    DEVICES = "devices"
    CUSTOMERS = "customers"
    CONTACTS = "contacts"
    PAYERS = "payers"
    PRODUCTS = "products"
    CHANNELS = "channels"

    @property
    def meaning(self) -> str:
        return _MEANINGS.get(self, f"different {self.value}")

    @property
    def of(self) -> KeyKind | None:
        """What is told apart, for a count of different values."""
        return _DISTINCT.get(self)


_MEANINGS = {
    Measure.PURCHASES: "purchases",
    Measure.AMOUNT: "minor units of this currency",
    Measure.QUANTITY: "units bought",
    Measure.UNPAID: "purchases that ended unpaid",
    Measure.FAILED: "failed payments",
    Measure.REFUNDED: "purchases whose whole money went back",
}
_DISTINCT = {
    Measure.IPS: KeyKind.IP,
    Measure.NETWORKS: KeyKind.IP_24,
    Measure.DEVICES: KeyKind.DEVICE,
    Measure.CUSTOMERS: KeyKind.CUSTOMER,
    Measure.CONTACTS: KeyKind.CONTACT,
    Measure.PAYERS: KeyKind.PAYER,
    Measure.PRODUCTS: KeyKind.PRODUCT,
    Measure.CHANNELS: KeyKind.CHANNEL,
}
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_KEYS = sorted(KeyKind, key=len, reverse=True)
_WINDOW = re.compile(r"([1-9][0-9]{0,5})([mhd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class CountFact:
    """A count as its name says it."""

    name: str
    measure: Measure
    key: KeyKind
    seconds: int


class CountGroup(NamedTuple):
    """Counts that the same window of the same key answers."""

    span: timedelta
    span_us: int
    of: KeyKind | None
    counts: tuple[CountFact, ...]


class CountsByKey(NamedTuple):
    """What is asked of each key of a kind."""

    kind: KeyKind
    groups: tuple[CountGroup, ...]
    span_us: int
    """The longest."""


class CountSet(tuple[CountFact, ...]):
    """Counts that are asked for together, with what they have in common worked out once."""

    @cached_property
    def by_key(self) -> tuple[CountsByKey, ...]:
        """By the kind of key."""
        found: dict[KeyKind, dict[tuple[int, KeyKind | None], list[CountFact]]] = {}
        for it in self:
            found.setdefault(it.key, {}).setdefault((it.seconds, it.measure.of), []).append(it)
        return tuple(_by_key(kind, alike) for kind, alike in found.items())

    @cached_property
    def asked(self) -> frozenset[tuple[KeyKind, KeyKind | None]]:
        """Kinds of keys, each with what is told apart."""
        return frozenset((it.key, it.measure.of) for it in self)


def _by_key(
    kind: KeyKind, alike: Mapping[tuple[int, KeyKind | None], Sequence[CountFact]]
) -> CountsByKey:
    groups = tuple(
        CountGroup(timedelta(seconds=seconds), seconds * 1_000_000, of, tuple(counts))
        for (seconds, of), counts in alike.items()
    )
    return CountsByKey(kind, groups, max(it.span_us for it in groups))


class CountRefused(ValueError):
    """The name is no count; the text says which part of it is wrong and what there is."""


@lru_cache(maxsize=NAMES_KEPT)
def read_count(name: str) -> CountFact:
    """Raises CountRefused."""
    what, _, rest = name.partition("_by_")
    measure = next((it for it in Measure if it == what), None)
    if measure is None:
        raise CountRefused(f"'{what}' is not counted: {', '.join(Measure)}")
    key = next((it for it in _KEYS if rest.startswith(f"{it}_") or rest == it), None)
    if key is None:
        raise CountRefused(f"counted is by {', '.join(KeyKind)}, as in {what}_by_ip_1h")
    if measure.of is key:
        raise CountRefused(f"{what} by {key} would always be 1")
    seconds = _seconds(rest.removeprefix(key).removeprefix("_"))
    if seconds is None:
        raise CountRefused(f"a window is 1m to 90d, as in {what}_by_{key}_90m, _24h or _30d")
    return CountFact(name, measure, key, seconds)


def window_text(seconds: int) -> str:
    """The window in the largest unit that measures it."""
    for unit, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % unit == 0:
            number = seconds // unit
            return f"{number} {word}s" if number > 1 else f"1 {word}"
    raise AssertionError(f"{seconds} s are no whole minutes")


def _seconds(text: str) -> int | None:
    found = _WINDOW.fullmatch(text)
    if found is None:
        return None
    seconds = int(found[1]) * _UNITS[found[2]]
    return seconds if WINDOW_SECONDS_MIN <= seconds <= WINDOW_SECONDS_MAX else None
