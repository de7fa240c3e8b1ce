"""One line of an order: what was sold as it was then, and what has become of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from kit.money import Money


class LineStatus(StrEnum):
    PENDING = "pending"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    FAILED = "failed"  # definitely not delivered; its refund is due
    REFUNDED = "refunded"


SETTLED = frozenset({LineStatus.DELIVERED, LineStatus.FAILED, LineStatus.REFUNDED})


@dataclass(frozen=True, slots=True)
class LotCost:
    """What a line cost: units of a lot, or (without a lot) a purchase at a supplier."""

    lot_id: str
    quantity: int
    unit_cost: Money
    supplier: str = ""
    purchase_id: str = ""
    face_value: Money | None = None  # of one voucher that is redeemed at the vault


@dataclass(frozen=True, slots=True)
class Line:
    """One product of an order, with everything about it as it was when the order was placed.

    `terms` is the product's fulfillment document. A line that was sold in a bundle names it: lines
    with the same `bundle_no` are one sale and their totals sum up to the bundle's price.
    """

    id: UUID
    line_no: int
    product_id: UUID
    sku: str
    name: str
    kind: str
    pool_id: UUID | None
    quantity: int
    unit_price: Money
    total: Money
    instructions: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    status: LineStatus = LineStatus.PENDING
    costs: tuple[LotCost, ...] = ()
    terms: Mapping[str, Any] = field(default_factory=dict)
    form: tuple[Mapping[str, Any], ...] = ()  # the fields that asked for `inputs`
    template: str = ""  # of the delivery; empty means the merchant's default
    region: Mapping[str, Any] = field(default_factory=dict)
    redemption: Mapping[str, Any] = field(default_factory=dict)
    image_url: str = ""
    options: Mapping[str, str] = field(default_factory=dict)  # which variant of its family
    price_derivation: tuple[Mapping[str, Any], ...] = ()
    bundle_sku: str | None = None
    bundle_no: int | None = None
    bundle_policy: str | None = None
    # A line that stock ran out for goes to fulfilment again in a later round.
    round: int = 1
    tried: tuple[str, ...] = ()  # rungs of the ladder, in their order
    instead: Mapping[str, Any] = field(default_factory=dict)  # the substitute of this round
    refund_minor: int = 0  # of its price: asked back, done or not
    refunded_minor: int = 0  # of that: back with the buyer
    fee_minor: int = 0  # its part of the channel's fee on the order

    @property
    def refundable(self) -> Money:
        """What was not asked back yet."""
        return Money(self.total.amount_minor - self.refund_minor, self.total.currency)

    @property
    def is_wholly_refunded(self) -> bool:
        return 0 < self.total.amount_minor == self.refunded_minor

    @property
    def coupon_discount_minor(self) -> int:
        """What coupons took off its price."""
        return self._taken_off("coupon")

    @property
    def promotion_discount_minor(self) -> int:
        return self._taken_off("promotion")

    def _taken_off(self, kind: str) -> int:
        for step in self.price_derivation:
            if step["rule"] == "bundle_share":
                # The other steps are of the whole bundle: a component has its share, or none.
                return int(step.get(f"{kind}_discount", 0))
        return sum(
            (step["before"] - step["after"]) * (1 if step["of"] == "line" else self.quantity)
            for step in self.price_derivation
            if step["rule"] == kind
        )

    def fee_of(self, before_minor: int, after_minor: int) -> int:
        """The part of its fee that belongs to refunds from `before_minor` to `after_minor` of its
        price; all parts of a whole refund are the whole fee.
        """
        whole = self.total.amount_minor
        return self.fee_minor * after_minor // whole - self.fee_minor * before_minor // whole

    @property
    def has_open_refund(self) -> bool:
        return self.refunded_minor < self.refund_minor

    @property
    def shown_inputs(self) -> dict[str, str]:
        """As they may be read by anyone who may read the order: unless the form says that a field
        is no contact and no account, its input is masked.
        """
        plain = {item["name"] for item in self.form if item["type"] in _PLAIN_INPUTS}
        return {
            name: value if name in plain else _masked(value) for name, value in self.inputs.items()
        }


_PLAIN_INPUTS = frozenset({"text", "number", "choice"})


def _masked(value: str) -> str:
    """At most a quarter of it at either end, and three characters."""
    shown = min(3, len(value) // 4)
    return f"{value[:shown]}****{value[len(value) - shown :]}"
