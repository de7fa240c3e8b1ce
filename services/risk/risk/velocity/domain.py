"""How often somebody buys: purchases counted by address, device, buyer and contact."""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

WINDOWS: Mapping[str, timedelta] = {"1h": timedelta(hours=1), "24h": timedelta(hours=24)}
"""Two purchases count for each other while they are less than the window apart, by event time.

Events may overtake each other on their way: of n purchases within a window the one that is recorded
last sees all n, in whatever order they come. In order, this is simply "in the last hour".
"""

COUNT_MAX = 1_000
"""Counts stop here, so that one hot address cannot make each decision slower than the last."""


class KeyKind(StrEnum):
    IP = "ip"
    DEVICE = "device"
    CUSTOMER = "customer"
    CONTACT = "contact"


class PurchaseSource(StrEnum):
    ORDER = "order"
    """An order of the order service; its id is the order's."""
    SHOP = "shop"
    """A purchase a shop asked about and told us to record."""


@dataclass(frozen=True, slots=True)
class PurchasedLine:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class VelocityKey:
    """One thing purchases are counted by. `digest` names it without showing it."""

    kind: KeyKind
    digest: UUID


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
    registered_at: datetime | None
    amount_minor: int
    currency: str
    lines: tuple[PurchasedLine, ...]

    def velocity_keys(self) -> tuple[VelocityKey, ...]:
        """What this purchase counts for; what is unknown counts for nothing, never together."""
        named = {
            KeyKind.IP: address_key(self.ip),
            KeyKind.DEVICE: self.device_id.strip(),
            KeyKind.CUSTOMER: self.customer_id.strip(),
            KeyKind.CONTACT: self.contact_hash.strip(),
        }
        return tuple(
            VelocityKey(kind, _digest(self.merchant_id, kind, value))
            for kind, value in named.items()
            if value
        )


@dataclass(frozen=True, slots=True)
class Velocity:
    """Counts for one purchase, itself included; a kind that is unknown has none."""

    counts: Mapping[tuple[KeyKind, str], int]
    """(kind, window) -> purchases, at most COUNT_MAX."""
    earlier_purchases: int
    """Purchases of the same buyer recorded before this one, ever."""

    def count(self, kind: KeyKind, window: str) -> int:
        return self.counts.get((kind, window), 0)


def normal_address(ip: str) -> str:
    """The address as one fixed text; empty for what is no address of a buyer."""
    try:
        address = ipaddress.ip_address(ip.strip())
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return "" if address.is_unspecified else str(address)


def address_key(ip: str) -> str:
    """What an address counts as: itself, or the /64 of one IPv6 customer; '' when unknown."""
    normal = normal_address(ip)
    if ":" not in normal:
        return normal
    return str(ipaddress.IPv6Network((normal.split("%", 1)[0], 64), strict=False))


def _digest(merchant_id: UUID, kind: KeyKind, value: str) -> UUID:
    text = f"{kind}\n{value}".encode()
    return UUID(
        bytes=hashlib.blake2b(
            text, digest_size=16, key=merchant_id.bytes, person=b"ls-velocity"
        ).digest()
    )
