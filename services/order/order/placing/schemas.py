from ipaddress import IPv4Address, IPv6Address
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from kit.contacts import EMAIL_CHARACTERS_MAX
from kit.http import CodeText, Model, MoneyModel, Name, PublicKeyText, Reference, Timestamp
from kit.public_keys import decode_public_key
from order.catalogue.schemas import Country
from order.contacts import ContactHasher
from order.coupons.domain import CODES_PER_ORDER_MAX
from order.orders.domain import Customer
from order.payments.schemas import PaymentCreate
from order.placing.domain import Request
from order.prices.domain import Wanted

LINES_MAX = 50
QUANTITY_MAX = 10_000
INPUTS_MAX = 20
GROUPS_MAX = 20

Email = Annotated[
    str,
    StringConstraints(
        min_length=3,
        max_length=EMAIL_CHARACTERS_MAX,
        pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$",
    ),
]
Phone = Annotated[
    str, StringConstraints(min_length=5, max_length=32, pattern=r"^\+?[0-9][0-9 ().\-]*$")
]
Locale = Annotated[
    str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
]
InputText = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
CouponCodes = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]],
    Field(max_length=CODES_PER_ORDER_MAX),
]

_ORDER_EXAMPLE: JsonDict = {
    "channel_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a22",
    "reference": "shop-10001",
    "customer": {"id": "buyer-7", "email": "buyer@example.com", "ip": "203.0.113.7"},
    "lines": [{"sku": "GAME-100", "quantity": 1}],
}


class CustomerCreate(Model):
    """Who buys. E-mail and phone are used for delivery; risk sees only a keyed hash of them."""

    id: Name = Field(description="the shop's own id of the buyer")
    email: Email | None = None
    phone: Phone | None = None
    ip: IPv4Address | IPv6Address | None = None
    device_id: Name | None = None
    registered_at: Timestamp | None = Field(
        default=None, description="when the buyer's account at the shop was made"
    )
    payer_hash: Name | None = Field(
        default=None,
        description="the shop's own hash of the card or its holder, never the number: risk counts "
        "by it",
    )
    locale: Locale | None = Field(default=None, examples=["zh-CN"])
    region: Country | None = Field(
        default=None, description="the buyer's country; some products are sold in some only"
    )
    groups: Annotated[list[CodeText], Field(max_length=GROUPS_MAX)] = Field(
        default_factory=list, description="the shop's customer groups that the buyer is in"
    )

    def to_domain(self, contacts: ContactHasher) -> Customer:
        hashes = contacts.hashes(self.email, self.phone)
        return Customer(
            id=self.id,
            email=self.email,
            phone=self.phone,
            ip=str(self.ip) if self.ip else None,
            device_id=self.device_id,
            registered_at=self.registered_at,
            contact_hash=hashes[0] if hashes else None,
            contact_hashes=hashes,
            locale=self.locale,
            region=self.region,
            payer_hash=self.payer_hash,
        )


class OrderLineCreate(Model):
    sku: CodeText
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX, strict=True)]
    inputs: Annotated[dict[CodeText, InputText], Field(max_length=INPUTS_MAX)] = Field(
        default_factory=dict, description="what the product's form asks the buyer for"
    )

    def to_domain(self) -> Wanted:
        return Wanted(self.sku, self.quantity, self.inputs)


class BelowCostCreate(Model):
    """Told on the order's timeline, with who it was."""

    reason: Name


class OrderCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [_ORDER_EXAMPLE]})

    channel_id: UUID
    reference: Reference = Field(description="the shop's own number, unique in its channel")
    customer: CustomerCreate
    lines: Annotated[list[OrderLineCreate], Field(min_length=1, max_length=LINES_MAX)]
    coupon_codes: CouponCodes = Field(default_factory=list)
    expected_total: MoneyModel | None = Field(
        default=None, description="what the buyer was quoted: 409 `price_changed` if it is not that"
    )
    allow_below_cost: BelowCostCreate | None = Field(
        default=None, description="sell below the margin floor; needs the scope `prices:override`"
    )
    recipient_public_key: PublicKeyText | None = Field(
        default=None, description="units are handed out sealed to this X25519 key"
    )
    paid: PaymentCreate | None = Field(
        default=None, description="a trusted channel's word that the order is paid already"
    )

    def to_domain(self, merchant_id: UUID, contacts: ContactHasher, cause: str) -> Request:
        key = self.recipient_public_key
        return Request(
            merchant_id=merchant_id,
            channel_id=self.channel_id,
            reference=self.reference,
            customer=self.customer.to_domain(contacts),
            lines=tuple(line.to_domain() for line in self.lines),
            recipient_public_key=decode_public_key(key) if key else None,
            paid=self.paid.to_domain() if self.paid else None,
            cause=cause,
            groups=frozenset(self.customer.groups),
            coupon_codes=tuple(self.coupon_codes),
            expected_total=self.expected_total.to_domain() if self.expected_total else None,
            below_cost=self.allow_below_cost.reason if self.allow_below_cost else "",
        )
