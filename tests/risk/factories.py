"""Valid by default; a test overrides what matters to it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from kit.messaging.events import Event
from lockstock.common.v1.money_pb2 import Money
from lockstock.order.v1.order_events_pb2 import Customer, OrderedLine, OrderPlaced
from risk.asking import Counts
from risk.assessments.domain import PURCHASE_FACTS
from risk.facts import Catalogue, Facts, FactValue
from risk.lists.service import ListService
from risk.open_orders.domain import OPEN_ORDER_FACTS
from risk.rules.domain import Action, Mode, RuleText
from risk.velocity.domain import Purchase, Velocity
from risk.velocity.service import VelocityService

MERCHANT = UUID("0190b1c2-0000-7000-8000-000000000001")
OTHER_MERCHANT = UUID("0190b1c2-0000-7000-8000-000000000002")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
IP = "203.0.113.7"
NO_COUNTS: Counts = MappingProxyType({})
CATALOGUE = Catalogue(PURCHASE_FACTS, ListService.facts, OPEN_ORDER_FACTS)


def facts(**values: FactValue) -> Facts:
    """What is left out is unknown."""
    return CATALOGUE.facts(values)


def an_order(
    *,
    order_id: UUID | None = None,
    merchant_id: UUID = MERCHANT,
    at: datetime = NOON,
    ip: str = IP,
    customer_id: str = "",
    amount: int = 1990,
    currency: str = "CNY",
    channel_id: str = "",
    lines: Sequence[OrderedLine] = (OrderedLine(line_no=1, sku="STEAM-50", quantity=2),),
    **customer: Any,
) -> Event[OrderPlaced]:
    """OrderPlaced as the consumer gets it."""
    order_id = order_id or new_id()
    message = OrderPlaced(
        order_id=str(order_id),
        merchant_id=str(merchant_id),
        channel_id=channel_id or str(new_id()),
        reference=f"shop-{order_id}",
        customer=Customer(id=customer_id, ip=ip, **customer),
        lines=lines,
        total=Money(amount_minor=amount, currency=currency),
    )
    return Event(
        id=new_id(),
        type="lockstock.order.v1.OrderPlaced",
        topic="lockstock.order.order",
        key=str(order_id),
        version=1,
        time=at,
        merchant_id=str(merchant_id),
        traceparent=None,
        request_id=None,
        message=message,
    )


def a_rule(condition: str = "amount_minor > 100", **changes: Any) -> RuleText:
    values: dict[str, Any] = {
        "name": "A rule",
        "priority": 50,
        "mode": Mode.ENFORCE,
        "condition": condition,
        "action": Action.HOLD,
    }
    return RuleText(**(values | changes))


async def recorded(
    velocity: VelocityService,
    tx: Transaction,
    purchases: Sequence[Purchase],
    counts: Counts = NO_COUNTS,
) -> list[tuple[Purchase, Velocity]]:
    """Recorded and counted, with nothing asked beside."""
    merchants = {it.merchant_id for it in purchases}
    watched = await velocity.watches.watched(tx, merchants)
    return (await velocity.record(tx, purchases, counts, watched, lambda _: [])).purchases
