from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from kit.http import Model, MoneyModel
from order.deliveries.domain import Delivery
from order.lines.domain import Line
from order.orders.domain import Challenge, Order, OrderView
from order.timeline.domain import ToldEntry


class BundleRead(Model):
    """The bundle a line was sold in; lines with the same `no` are one sale."""

    sku: str
    no: int
    policy: str = Field(description="all_or_nothing, partial")


class SubstituteRead(Model):
    """What is delivered instead of the product that was ordered, at its price."""

    sku: str
    name: str


class LineRead(Model):
    id: UUID
    line_no: int
    sku: str
    name: str
    kind: str = Field(description="pool, top_up, manual")
    quantity: int
    unit_price: MoneyModel
    total: MoneyModel
    status: str = Field(description="pending, unknown, delivered, failed, refunded")
    options: Mapping[str, str] = Field(description="which variant of its family")
    bundle: BundleRead | None
    substitute: SubstituteRead | None
    refunded: MoneyModel = Field(description="what of its price is back with the buyer")
    inputs: Mapping[str, str] = Field(description="contacts and accounts are masked")
    instructions: str
    redemption: Mapping[str, str | int | None] = Field(
        description="where and how the goods are redeemed: text, url, valid_days"
    )
    image_url: str | None
    regions: Mapping[str, list[str]] = Field(
        description="countries it was sold to when the order was placed: `allowed`, `refused`"
    )

    @classmethod
    def from_domain(cls, line: Line) -> Self:
        return cls(
            id=line.id,
            line_no=line.line_no,
            sku=line.sku,
            name=line.name,
            kind=line.kind,
            quantity=line.quantity,
            unit_price=MoneyModel.from_domain(line.unit_price),
            total=MoneyModel.from_domain(line.total),
            status=line.status.value,
            options=line.options,
            bundle=_bundle_of(line),
            substitute=_substitute_of(line),
            inputs=line.shown_inputs,
            refunded=MoneyModel(amount=line.refunded_minor, currency=line.total.currency),
            instructions=line.instructions,
            redemption=line.redemption,
            image_url=line.image_url or None,
            regions=line.region,
        )


def _substitute_of(line: Line) -> SubstituteRead | None:
    if not line.instead:
        return None
    return SubstituteRead(sku=line.instead["sku"], name=line.instead["name"])


def _bundle_of(line: Line) -> BundleRead | None:
    if line.bundle_sku is None or line.bundle_no is None or line.bundle_policy is None:
        return None
    return BundleRead(sku=line.bundle_sku, no=line.bundle_no, policy=line.bundle_policy)


class DeliveredUnitRead(Model):
    unit_id: str
    mask: str


class DeliveryRead(Model):
    """Where the buyer finds a line's units. Masks only; the page behind `url` reveals."""

    id: UUID
    line_id: UUID
    status: str
    url: str | None
    units: list[DeliveredUnitRead]
    reason: str | None

    @classmethod
    def from_domain(cls, delivery: Delivery) -> Self:
        return cls(
            id=delivery.id,
            line_id=delivery.line_id,
            status=delivery.status,
            url=delivery.url or None,
            units=[DeliveredUnitRead(unit_id=unit, mask=mask) for unit, mask in delivery.units],
            reason=delivery.reason or None,
        )


class ChallengeRead(Model):
    """The code that the buyer is to show: `POST /v1/challenges/{id}/verify` of the risk service."""

    id: UUID
    channel: str | None = Field(description="sms, mail; null until a code was sent")
    target: str | None = Field(description="where it was sent, masked")

    @classmethod
    def from_domain(cls, challenge: Challenge) -> Self:
        return cls(
            id=UUID(challenge.id),
            channel=challenge.channel or None,
            target=challenge.target or None,
        )


class OrderRead(Model):
    """An order. The buyer's contact is not shown: it is kept for delivery only."""

    id: UUID
    reference: str
    status: str
    merchant_id: UUID
    channel_id: UUID
    customer_id: str
    customer_region: str | None = Field(description="the buyer's country, as the shop said it")
    total: MoneyModel
    paid: MoneyModel = Field(description="all that came for it in its currency, used or not")
    refunded: MoneyModel = Field(description="of that: back with the buyer")
    open: MoneyModel = Field(
        description="of that: neither delivered nor back; held, under way, or being refunded"
    )
    verdict: str | None = Field(description="risk's last word: allow, challenge, hold, decline")
    verdict_by: str | None = Field(
        description="risk, or default: risk was silent, and the channel's default counts"
    )
    late_verdict: str | None = Field(
        description="what risk said when the channel's default had let the order go already"
    )
    challenge: ChallengeRead | None = Field(
        description="set once its buyer was to show a code; `verdict` says whether still"
    )
    reason: str | None = Field(description="why it is held, cancelled or refunded")
    placed_at: datetime
    pay_until: datetime
    paid_at: datetime | None
    lines: list[LineRead]
    deliveries: list[DeliveryRead]

    @classmethod
    def from_domain(cls, order: Order, deliveries: tuple[Delivery, ...] = ()) -> Self:
        return cls(
            id=order.id,
            reference=order.reference,
            status=order.status.value,
            merchant_id=order.merchant_id,
            channel_id=order.channel_id,
            customer_id=order.customer.id,
            customer_region=order.customer.region,
            total=MoneyModel.from_domain(order.total),
            paid=MoneyModel.from_domain(order.paid),
            refunded=MoneyModel.from_domain(order.refunded),
            open=MoneyModel.from_domain(order.open),
            verdict=order.verdict.value if order.verdict else None,
            verdict_by=_verdict_by(order),
            late_verdict=order.late_verdict.value if order.late_verdict else None,
            challenge=ChallengeRead.from_domain(order.challenge) if order.challenge else None,
            reason=order.reason or None,
            placed_at=order.placed_at,
            pay_until=order.pay_until,
            paid_at=order.paid_at,
            lines=[LineRead.from_domain(line) for line in order.lines],
            deliveries=[DeliveryRead.from_domain(delivery) for delivery in deliveries],
        )

    @classmethod
    def from_view(cls, view: OrderView) -> Self:
        return cls.from_domain(view.order, view.deliveries)


def _verdict_by(order: Order) -> str | None:
    if order.verdict is None:
        return None
    return "default" if order.is_default_verdict else "risk"


class TimelineEntryRead(Model):
    """One decision: what, why, and what caused it."""

    at: datetime
    kind: str
    summary: str
    details: Mapping[str, Any]  # every kind has its own figures
    cause: str

    @classmethod
    def from_domain(cls, entry: ToldEntry) -> Self:
        return cls(
            at=entry.at,
            kind=entry.kind,
            summary=entry.summary,
            details=entry.details,
            cause=entry.cause,
        )
