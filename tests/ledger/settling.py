"""What settlement is made of: rules, and orders that are shared out by them."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from ledger.settlement_rules.domain import Rule, Scope, SoldLine, Terms
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClaimOpened
from lockstock.order.v1.order_events_pb2 import (
    OrderCompleted,
    OrderPaid,
    OrderPartiallyCompleted,
    PaidLine,
    RefundMade,
    SettledLine,
)
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    PRODUCT,
    a_completion,
    a_line,
    a_partial_completion,
    an_event,
    cny,
)
from tests.stack.api import ApiClient

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def terms(**given: Any) -> Terms:
    """No warranty and five percent, unless said otherwise."""
    return Terms(**{"basis_points": 500, "warranty_days": 0, **given})


def a_rule(
    given: Terms,
    *,
    merchant_id: UUID | None = MERCHANT,
    channel_id: UUID | None = None,
    product_id: UUID | None = None,
    currency: str = "CNY",
    version: int = 1,
    valid_from: datetime = BEGINNING,
    is_enabled: bool = True,
) -> Rule:
    scope = Scope(
        merchant_id=merchant_id, currency=currency, channel_id=channel_id, product_id=product_id
    )
    return Rule(
        id=new_id(),
        scope=scope,
        version=version,
        valid_from=valid_from,
        is_enabled=is_enabled,
        terms=given,
        created_by="key:a",
        created_at=valid_from,
    )


def sold(
    gross_minor: int, *, quantity: int = 1, fee: int = 0, at: datetime = LONG_AGO, **given: Any
) -> SoldLine:
    values = {
        "merchant_id": MERCHANT,
        "channel_id": CHANNEL,
        "product_id": PRODUCT,
        "currency": "CNY",
        **given,
    }
    return SoldLine(
        gross_minor=gross_minor, quantity=quantity, channel_fee_minor=fee, at=at, **values
    )


async def agree(service: Service, given: Terms, **scope: Any) -> Rule:
    """A rule that is in force."""
    async with service.db.transaction() as tx:
        rule: Rule = await service.state["settlement_rules"].add(tx, a_rule(given, **scope))
        return rule


def a_sale(
    *amounts: int,
    order_id: UUID | None = None,
    at: datetime = LONG_AGO,
    merchant_id: UUID = MERCHANT,
) -> Event[OrderCompleted]:
    """An order that was delivered wholly, of a line for each amount."""
    lines = [a_line(cny(amount)) for amount in amounts]
    return replace(a_completion(order_id or new_id(), *lines, merchant_id=merchant_id), time=at)


def a_part_sale(delivered: int, failed: int) -> Event[OrderPartiallyCompleted]:
    lines = (a_line(cny(delivered)), a_line(cny(failed), delivered=False))
    return replace(a_partial_completion(new_id(), cny(failed), *lines), time=LONG_AGO)


def line_of(sale: Event[Any], place: int = 0) -> SettledLine:
    line: SettledLine = sale.message.lines[place]
    return line


def paid(sale: Event[Any], *fees: int, bearer: str = "merchant") -> Event[OrderPaid]:
    """The payment of a sale, of whose lines the channel kept `fees`."""
    message = sale.message
    lines = [
        PaidLine(
            line_id=line.line_id,
            product_id=line.product_id,
            sku=line.sku,
            quantity=line.quantity,
            total=line.total,
            fee=cny(fee) if fee else None,
        )
        for line, fee in zip(message.lines, fees, strict=True)
    ]
    event = OrderPaid(
        order_id=message.order_id,
        merchant_id=message.merchant_id,
        channel_id=message.channel_id,
        amount=cny(sum(line.total.amount_minor for line in message.lines)),
        lines=lines,
        fee_bearer=bearer,
    )
    return replace(an_event(event, message.order_id), time=sale.time)


def money_back(
    sale: Event[Any],
    amount: int,
    *,
    place: int = 0,
    at: datetime | None = None,
    fee_back: int = 0,
    bearer: str = "merchant",
) -> Event[RefundMade]:
    """A refund of a delivered line, an hour after the sale."""
    line = line_of(sale, place)
    refund = RefundMade(
        order_id=sale.message.order_id,
        merchant_id=sale.message.merchant_id,
        channel_id=sale.message.channel_id,
        refund_id=str(new_id()),
        payment_id=str(new_id()),
        amount=cny(amount),
        kind=RefundMade.Kind.KIND_DELIVERED_LINE,
        line_id=line.line_id,
        product_id=line.product_id,
        sku=line.sku,
        fee_returned=cny(fee_back) if fee_back else None,
        fee_bearer=bearer,
    )
    event = an_event(refund, sale.message.order_id)
    return replace(event, time=at or sale.time + timedelta(hours=1))


def a_claim(sale: Event[Any], claim_id: UUID) -> Event[ClaimOpened]:
    message = ClaimOpened(
        claim_id=str(claim_id),
        order_id=sale.message.order_id,
        merchant_id=sale.message.merchant_id,
        line_id=line_of(sale).line_id,
    )
    return an_event(message, sale.message.order_id)


def a_decision(sale: Event[Any], claim_id: UUID) -> Event[ClaimDecided]:
    message = ClaimDecided(
        claim_id=str(claim_id),
        order_id=sale.message.order_id,
        merchant_id=sale.message.merchant_id,
        channel_id=sale.message.channel_id,
        line_id=line_of(sale).line_id,
        lot_id=str(new_id()),
        sku="STEAM-50",
        outcome=ClaimDecided.Outcome.OUTCOME_REFUSED,
    )
    return an_event(message, sale.message.order_id)


async def let_time_pass(service: Service) -> None:
    """Runs the jobs once: what is due by the database's clock becomes available."""
    splits = service.state["splits"]
    for step in (splits.release, splits.release_reserves):
        async with service.db.transaction() as tx:
            await step(tx)


def settlement(balances: dict[tuple[str, str], int]) -> dict[str, int]:
    """What of the balances lies between merchant and platform."""
    return {
        code: amount
        for (code, _), amount in balances.items()
        if code.startswith(("settlement:", "platform-fees", "payouts-under-way", "bank"))
    }


async def close_all(service: Service) -> None:
    """What the job does until no settlement is open."""
    settlements = service.state["settlements"]
    while True:
        async with service.db.transaction() as tx:
            if not await settlements.advance(tx):
                return


def platform(api: ApiClient) -> Awaitable[httpx.AsyncClient]:
    """A client with a key of the platform; each has another name."""
    return api("platform:write", "ledger:read", merchant_id=None)


async def settle(service: Service, api: ApiClient, period_end: datetime | None = None) -> Any:
    """Settles all that is available, by a key of its own; the settlements, closed."""
    operator = await platform(api)
    end = (period_end or datetime.now(UTC)).isoformat()
    body = {"period_end": end}
    run = await operator.post("/v1/settlements", json=body)
    assert run.status_code == 202, run.text
    await close_all(service)
    return (await operator.post("/v1/settlements", json=body)).json()["items"]


async def put_payee(api: ApiClient, merchant_id: UUID = MERCHANT, **given: str) -> None:
    body = {"name": "上海云卡数字科技有限公司", "account": "6222020200112233445", "bank": "ICBC"}
    operator = await platform(api)
    answer = await operator.put(f"/v1/payees/{merchant_id}", json={**body, **given})
    assert answer.status_code == 200, answer.text
