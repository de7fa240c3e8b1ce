"""How often somebody buys: purchases counted by what they have in common, over sliding windows.

Two purchases count for each other while they are less than the window apart, by event time. Events
may overtake each other on their way: of n purchases within a window the one that is recorded last
sees all n, in whatever order they come. In order, this is simply "in the last hour".
"""

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from risk.counts import CountGroup, KeyKind
from risk.facts import UNKNOWN_TIME
from risk.pasts import NOTHING, Figures
from risk.windows.domain import VelocityKey

KEPT = timedelta(days=97)
"""The longest window, and a week for events that come late; older purchases count no more."""
NO_VALUES = frozenset[UUID]()
DIGESTS_KEPT = 100_000
"""Digests of keys worked out before, about 200 bytes each: one purchase asks several times."""


class PurchaseSource(StrEnum):
    ORDER = "order"
    """An order of the order service; its id is the order's."""
    SHOP = "shop"
    """A purchase a shop asked about and told us to record."""


@dataclass(frozen=True, slots=True)
class PurchasedLine:
    sku: str
    quantity: int
    product_id: str = ""
    amount_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """The fact that somebody is buying, as it happened at `at` (the event's time)."""

    id: UUID
    merchant_id: UUID
    source: PurchaseSource
    at: datetime
    channel_id: str
    reference: str
    customer_id: str
    ip: str
    device_id: str
    contact_hash: str
    payer_hash: str = ""
    registered_at: datetime | None
    amount_minor: int
    currency: str
    lines: tuple[PurchasedLine, ...]
    contact_hashes: tuple[str, ...] = ()
    """All contacts that were given, where that is known."""
    is_paid: bool = False
    """As far as is known while it is judged: it arrived paid."""
    _keys: dict[KeyKind, tuple[VelocityKey, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def is_open(self) -> bool:
        """It waits for its payment. What becomes of a shop's own purchase is not told here."""
        return self.source is PurchaseSource.ORDER and not self.is_paid

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def other_contacts(self) -> list[UUID]:
        """Digests of the contacts that it is not counted by."""
        names = {it.strip() for it in self.contact_hashes} - {self.contact_hash.strip(), ""}
        return [key_digest(self.merchant_id, KeyKind.CONTACT, it) for it in sorted(names)]

    def keys_of(self, kind: KeyKind) -> tuple[VelocityKey, ...]:
        """What this purchase counts for; what is unknown counts for nothing, never together."""
        if not self._keys:
            self._keys.update(_keys_of(self))
        return self._keys[kind]

    def key_of(self, kind: KeyKind) -> UUID | None:
        """The digest of the one key of a kind of which there is at most one."""
        keys = self.keys_of(kind)
        return keys[0].digest if keys else None

    def figures_for(self, key: VelocityKey) -> Figures:
        """What this purchase adds for a key: for a product, what its lines come to."""
        if key.kind is KeyKind.PRODUCT:
            lines = [line for line in self.lines if self._is_of(line, key)]
            if len(lines) < len(self.lines):
                quantity = sum(line.quantity for line in lines)
                return Figures(1, quantity, sum(line.amount_minor for line in lines))
        return Figures(1, self.quantity, self.amount_minor)

    def _is_of(self, line: PurchasedLine, key: VelocityKey) -> bool:
        name = product_name(line)
        return bool(name) and key_digest(self.merchant_id, KeyKind.PRODUCT, name) == key.digest


@dataclass(frozen=True, slots=True)
class SettledPurchase:
    """A recorded purchase of which something became known."""

    id: UUID
    merchant_id: UUID
    at: datetime
    currency: str
    keys: tuple[VelocityKey, ...]


def _keys_of(purchase: Purchase) -> dict[KeyKind, tuple[VelocityKey, ...]]:
    named: dict[KeyKind, Sequence[str]] = {
        KeyKind.IP: [address_key(purchase.ip)],
        KeyKind.IP_24: [network_key(purchase.ip)],
        KeyKind.DEVICE: [purchase.device_id.strip()],
        KeyKind.CUSTOMER: [purchase.customer_id.strip()],
        KeyKind.CONTACT: [purchase.contact_hash.strip()],
        KeyKind.PAYER: [purchase.payer_hash.strip()],
        KeyKind.CHANNEL: [purchase.channel_id.strip()],
        KeyKind.PRODUCT: sorted({product_name(line) for line in purchase.lines}),
    }
    return {
        kind: tuple(
            VelocityKey(kind, key_digest(purchase.merchant_id, kind, value))
            for value in values
            if value
        )
        for kind, values in named.items()
    }


def product_name(line: PurchasedLine) -> str:
    """What a product is counted as: its id, or the SKU that a shop calls it by."""
    return line.product_id or line.sku


@dataclass(frozen=True, slots=True)
class Velocity:
    """Counts for one purchase, itself included; of what is unknown there are none."""

    counts: Mapping[str, int]
    """Name of the count -> count."""
    earlier_purchases: int


class Alike:
    """The purchases of a batch that have one key, as they come; `told_apart`: kinds of values that
    may be asked for.
    """

    def __init__(self, told_apart: Sequence[KeyKind]) -> None:
        self._told_apart = told_apart
        self._purchases: list[tuple[Purchase, Figures]] = []
        self._totals: dict[str, Figures] = {}
        self._values: dict[KeyKind, frozenset[UUID]] = dict.fromkeys(told_apart, NO_VALUES)
        self._first = self._last = UNKNOWN_TIME

    def add(self, purchase: Purchase, key: VelocityKey) -> None:
        figures = purchase.figures_for(key)
        if not self._purchases:
            self._first = self._last = purchase.at
        self._first, self._last = min(self._first, purchase.at), max(self._last, purchase.at)
        self._purchases.append((purchase, figures))
        total = self._totals.get(purchase.currency, NOTHING)
        self._totals[purchase.currency] = total.plus(figures)
        for kind in self._told_apart:
            values = purchase.keys_of(kind)
            self._values[kind] = self._values[kind].union([value.digest for value in values])

    def around(
        self, purchase: Purchase, groups: Sequence[CountGroup]
    ) -> tuple[list[Figures], list[frozenset[UUID]]]:
        """What is within each group's window around the newest of them: figures, without the money
        of other currencies, or the different values.
        """
        at, currency = purchase.at, purchase.currency
        if len(self._purchases) == 1:
            figures, told = self._purchases[0][1], self._values
            return (
                [figures if it.of is None else NOTHING for it in groups],
                [NO_VALUES if it.of is None else told[it.of] for it in groups],
            )
        return (
            [NOTHING if it.of else self._sum(at, it.span, currency) for it in groups],
            [self._values_near(at, it.span, it.of) if it.of else NO_VALUES for it in groups],
        )

    def _sum(self, at: datetime, span: timedelta, currency: str) -> Figures:
        if not self._are_all_near(at, span):
            return _sum(self._sums_near(at, span), currency)
        return _sum(self._totals, currency)

    def _values_near(self, at: datetime, span: timedelta, of: KeyKind) -> frozenset[UUID]:
        if self._are_all_near(at, span):
            return self._values[of]
        near = (it for it, _ in self._purchases if abs(it.at - at) < span)
        return frozenset(value.digest for it in near for value in it.keys_of(of))

    def _are_all_near(self, at: datetime, span: timedelta) -> bool:
        """A batch is moments long, most windows are longer."""
        return at - self._first < span and self._last - at < span

    def _sums_near(self, at: datetime, span: timedelta) -> dict[str, Figures]:
        totals: dict[str, Figures] = {}
        for purchase, figures in self._purchases:
            if abs(purchase.at - at) < span:
                total = totals.get(purchase.currency, NOTHING)
                totals[purchase.currency] = total.plus(figures)
        return totals


def _sum(totals: Mapping[str, Figures], currency: str) -> Figures:
    if len(totals) == 1 and currency in totals:
        return totals[currency]
    total = NOTHING
    for other, figures in totals.items():
        total = total.plus(figures if other == currency else figures._replace(amount_minor=0))
    return total


def normal_address(ip: str) -> str:
    """The address as one fixed text; empty for what is no address of a buyer."""
    address = _address(ip)
    return "" if address is None else str(address)


def address_key(ip: str) -> str:
    """What an address counts as: itself, or the /64 of one IPv6 customer; '' when unknown."""
    return _network(ip, is_whole=True, bits_v6=64)


def network_key(ip: str) -> str:
    """The network an address lies in: /24, or the /48 that one site is given; '' when unknown."""
    return _network(ip, is_whole=False, bits_v6=48)


@lru_cache(maxsize=DIGESTS_KEPT)
def _network(ip: str, *, is_whole: bool, bits_v6: int) -> str:
    address = _address(ip)
    if address is None:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        plain = str(address)
        return plain if is_whole else f"{plain.rpartition('.')[0]}.0/24"
    plain = str(address).split("%", 1)[0]
    return str(ipaddress.IPv6Network((plain, bits_v6), strict=False))


@lru_cache(maxsize=DIGESTS_KEPT)
def _address(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(ip.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return None if address.is_unspecified else address


@lru_cache(maxsize=DIGESTS_KEPT)
def key_digest(merchant_id: UUID, kind: KeyKind, value: str) -> UUID:
    """Names a key of one merchant without showing it."""
    text = f"{kind}\n{value}".encode()
    return UUID(
        bytes=hashlib.blake2b(
            text, digest_size=16, key=merchant_id.bytes, person=b"ls-velocity"
        ).digest()
    )
