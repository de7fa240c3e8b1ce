"""Orders, facts and bodies that are valid by default; override what matters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event, topic_of, type_of
from kit.money import Money
from lockstock.common.v1 import money_pb2
from lockstock.fulfillment.v1.delivery_events_pb2 import (
    DeliveredUnit,
    LineDelivered,
    LineFailed,
    LineUnknown,
)
from lockstock.order.v1.order_events_pb2 import LotCost
from lockstock.risk.v1.assessment_events_pb2 import Decision, FiredRule, OrderAssessed
from order.catalogue.domain import PoolFulfillment, Product
from order.lines.domain import Line
from order.orders import service as orders
from order.orders.domain import Assessment, Change, Customer, News, Order, Payment, Verdict
from order.payments.domain import PaymentWord
from order.payments.service import PaymentService
from order.price_rules.domain import (
    CouponTerms,
    FloorTerms,
    ListTerms,
    PromotionTerms,
    Rule,
    RuleKind,
    Scope,
    Terms,
)
from order.saga import domain as saga
from order.saga import service as saga_service
from order.saga.service import Fact

MERCHANT = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a01")
OTHER_MERCHANT = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a02")
SHOP = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a21")
UNTRUSTED = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a22")
POOL = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10")
EMAIL = "buyer-7@example.com"


def a_line(**given: Any) -> Line:
    quantity = given.get("quantity", 1)
    return Line(
        **{
            "id": new_id(),
            "line_no": 1,
            "product_id": new_id(),
            "sku": "GAME-100",
            "name": "Game card",
            "kind": "pool",
            "pool_id": POOL,
            "quantity": quantity,
            "unit_price": Money(1990, "CNY"),
            "total": Money(1990, "CNY") * quantity,
            "instructions": "Enter the code.",
            **given,
        }
    )


def an_order(*, lines: Sequence[Line] = (), **given: Any) -> Order:
    lines = tuple(lines) or (a_line(),)
    now = datetime.now(UTC)
    return Order(
        **{
            "id": new_id(),
            "merchant_id": MERCHANT,
            "channel_id": SHOP,
            "reference": f"ref-{new_id()}",
            "customer": Customer("buyer-7", email=EMAIL, ip="203.0.113.7"),
            "total": Money(sum(line.total.amount_minor for line in lines), "CNY"),
            "lines": lines,
            "pay_until": now + timedelta(seconds=900),
            "placed_at": now,
            "reservation_id": new_id(),
            **given,
        }
    )


def a_payment(order: Order, **given: Any) -> Payment:
    return Payment(
        **{
            "id": new_id(),
            "via": "channel",
            "provider": "shop",
            "provider_reference": f"pay-{order.id}",
            "amount": order.total,
            **given,
        }
    )


def a_word(order: Order, **given: Any) -> PaymentWord:
    return PaymentWord(
        **{
            "provider": "shop",
            "provider_reference": f"pay-{order.id}",
            "amount": order.total,
            **given,
        }
    )


def a_payment_body(order: Order, **given: Any) -> dict[str, Any]:
    return {
        "provider": "shop",
        "provider_reference": f"pay-{order.id}",
        "amount": {"amount": order.total.amount_minor, "currency": order.total.currency},
        **given,
    }


async def placed(db: Database, order: Order | None = None) -> Order:
    """An order as placing writes it."""
    order = order or an_order()
    change = Change(order, "test").told("placed", "placed").announced(News.PLACED)
    async with db.transaction() as tx:
        assert await orders.add_many(tx, [change]) == {order.id}
        orders.tell(tx, [change])
    return order


async def paid(db: Database, order: Order) -> None:
    """Pays a placed order."""
    async with db.transaction() as tx:
        locked, now = await orders.lock_own(tx, order.merchant_id, order.id)
        payment = a_payment(order)
        await PaymentService({}).record(tx, [(locked, payment, now)])
        change = saga.pay(Change(locked, "test"), payment, now)
        await orders.save_many(tx, [change])


async def fulfilling(db: Database, order: Order | None = None) -> Order:
    """An order that is placed, allowed and paid."""
    order = await placed(db, order)
    async with db.transaction() as tx:
        await saga_service.assess(tx, [Fact(order.id, an_assessment(), "test")])
    await paid(db, order)
    return order


def an_assessment(verdict: Verdict = Verdict.ALLOW, **given: Any) -> Assessment:
    return Assessment(**{"id": str(new_id()), "verdict": verdict, **given})


async def state_of(db: Database, order: Order) -> Order:
    async with db.read() as tx:
        return (await orders.get_view(tx, order.merchant_id, order.id)).order


async def kinds_of(db: Database, order: Order) -> list[str]:
    """The kinds of the order's timeline, in order."""
    async with db.read() as tx:
        entries = await orders.list_timeline(tx, order.merchant_id, order.id, after=0, limit=1000)
    return [entry.kind for entry in entries]


def an_event(message: Message, key: UUID) -> Event[Any]:
    return Event(
        id=new_id(),
        type=type_of(type(message)),
        topic=topic_of(type(message)),
        key=str(key),
        version=1,
        time=datetime.now(UTC),
        merchant_id=str(MERCHANT),
        traceparent=None,
        request_id=None,
        message=message,
    )


def assessed(order: Order, decision: str = "ALLOW", **given: Any) -> Event[Any]:
    values = {
        "assessment_id": str(new_id()),
        "order_id": str(order.id),
        "merchant_id": str(order.merchant_id),
        "decision": Decision.Value(f"DECISION_{decision}"),
        **given,
    }
    if decision != "ALLOW" and "rules" not in values:
        rule = FiredRule(rule_id="ip", version=1, name="ip", explanation="one IP, 6 orders")
        values["rules"] = [rule]
    return an_event(OrderAssessed(**values), order.id)


def delivered(order: Order, line: Line, **given: Any) -> Event[Any]:
    values = {
        "delivery_id": str(new_id()),
        "order_id": str(order.id),
        "merchant_id": str(order.merchant_id),
        "line_id": str(line.id),
        "url": "https://example.com/d/token",
        "units": [DeliveredUnit(unit_id=str(new_id()), mask="12****89", lot_id="lot-1")],
        "costs": [
            LotCost(
                lot_id="lot-1",
                quantity=line.quantity,
                unit_cost=money_pb2.Money(amount_minor=1200, currency="CNY"),
            )
        ],
        **given,
    }
    return an_event(LineDelivered(**values), order.id)


def failed(order: Order, line: Line, reason: str = "broken", **given: Any) -> Event[Any]:
    values = {
        "delivery_id": str(new_id()),
        "order_id": str(order.id),
        "merchant_id": str(order.merchant_id),
        "line_id": str(line.id),
        "reason": reason,
        **given,
    }
    return an_event(LineFailed(**values), order.id)


def unknown(order: Order, line: Line, **given: Any) -> Event[Any]:
    values = {
        "delivery_id": str(new_id()),
        "order_id": str(order.id),
        "merchant_id": str(order.merchant_id),
        "line_id": str(line.id),
        **given,
    }
    return an_event(LineUnknown(**values), order.id)


def a_product(sku: str = "GAME-100", price: int = 1990, **given: Any) -> Product:
    """As it is kept; `currency` and `ladder` among what may be given."""
    now = datetime.now(UTC)
    currency = given.pop("currency", "CNY")
    if ladder := given.pop("ladder", None):
        given |= {"tiers": ladder.tiers, "allow_rising": ladder.allow_rising}
    return Product(
        **{
            "id": new_id(),
            "merchant_id": MERCHANT,
            "sku": sku,
            "name": f"Card {sku}",
            "fulfillment": PoolFulfillment(POOL),
            "price": Money(price, currency),
            "instructions": "",
            "is_active": True,
            "created_at": now,
            "updated_at": now,
            **given,
        }
    )


_KINDS = {
    ListTerms: RuleKind.PRICE_LIST,
    PromotionTerms: RuleKind.PROMOTION,
    CouponTerms: RuleKind.COUPON,
    FloorTerms: RuleKind.MARGIN_FLOOR,
}


def a_rule(terms: Terms, **given: Any) -> Rule:
    """A rule that holds everywhere and always, unless its scope is given."""
    now = datetime.now(UTC)
    rule_id = given.pop("id", None) or new_id()
    return Rule(
        **{
            "id": rule_id,
            "merchant_id": MERCHANT,
            "kind": _KINDS[type(terms)],
            "name": f"rule {rule_id}",
            "version": 1,
            "priority": 0,
            "scope": Scope(),
            "currency": "CNY",
            "is_active": True,
            "terms": terms,
            "created_at": now,
            "updated_at": now,
            **given,
        }
    )
