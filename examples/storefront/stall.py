"""What a shop's own code does with orders: place, pay, wait."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstock_client import Lockstock, Recipient
from lockstock_client.wire import MoneyJson, OrderJson
from storefront.stock import Stocked

SETTLED_SECONDS_MAX = 40.0
Quantities = Mapping[str, int]
"""Wanted units by the name in front of the SKU: {"STEAM": 2, "YOUKU": 1}."""


@dataclass(slots=True)
class Stall:
    """The shop during one run."""

    shop: Lockstock
    channel_id: str
    run: str
    goods: dict[str, Stocked]
    """By the name in front of the SKU: STEAM, POINTS, ..."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def reference(self) -> str:
        """The shop's own number of one more order."""
        return f"demo-{self.run}-{next(self._numbers):02d}"

    def lines(self, quantities: Quantities) -> list[dict[str, Any]]:
        """The lines of an order."""
        return [
            {"sku": self.goods[name].sku, "quantity": quantity}
            for name, quantity in quantities.items()
        ]

    def total(self, quantities: Quantities) -> MoneyJson:
        """What these lines cost; prepaid orders say it in advance."""
        amount = sum(
            self.goods[name].price["amount"] * quantity for name, quantity in quantities.items()
        )
        return MoneyJson(amount=amount, currency="CNY")

    async def place(
        self,
        reference: str,
        quantities: Quantities,
        *,
        ip: str | None = None,
        recipient: Recipient | None = None,
        key: str | None = None,
    ) -> OrderJson:
        """An order to be paid later."""
        return await self.shop.orders.place(
            self.channel_id,
            reference,
            buyer(reference, ip),
            self.lines(quantities),
            recipient_public_key=recipient.public_key if recipient else None,
            key=key,
        )

    async def place_paid(self, reference: str, quantities: Quantities) -> OrderJson:
        """An order that the shop took the money for already."""
        paid = {
            "provider": "till",
            "provider_reference": f"till-{reference}",
            "amount": self.total(quantities),
        }
        return await self.shop.orders.place(
            self.channel_id, reference, buyer(reference), self.lines(quantities), paid=paid
        )

    async def pay(self, order: OrderJson, *, amount: MoneyJson | None = None) -> None:
        """The demo provider's word; each call is one of its own, as repeats of a provider are."""
        await self.shop.payments.tell(
            order["id"],
            provider="demo",
            provider_reference=f"pay-{order['reference']}",
            amount=amount or order["total"],
        )

    async def settled(self, order: OrderJson) -> OrderJson:
        """The order in the state it stays in."""
        return await self.shop.orders.until(order["id"], seconds_max=SETTLED_SECONDS_MAX)


def buyer(reference: str, ip: str | None = None) -> dict[str, str]:
    """Somebody new, from an address of the range for benchmarks: runs within one hour must not
    meet in risk's counts.
    """
    return {
        "id": f"buyer-{reference}",
        "email": f"{reference}@buyers.example",
        "ip": ip or any_address(),
        "locale": "zh-CN",
    }


def any_address() -> str:
    """One of 131,072 addresses that belong to nobody (RFC 2544)."""
    number = random.randrange(2**17)
    return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
