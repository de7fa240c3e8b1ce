"""Random orders, told in any order and again, with settlements and payouts in between.

Each merchant gets its part to the cent, and its statements are its postings.
"""

import os
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from ledger.payouts.domain import Payee, PayoutState
from ledger.settlement_rules.domain import Bearer, SoldLine, divide, refund_parts
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.random_orders import RandomOrders
from tests.ledger.settling import agree, close_all, let_time_pass, terms
from tests.ledger.stories import LineStory, OrderStory, disordered

ORDERS = int(os.environ.get("LOCKSTOCK_SETTLEMENT_ORDERS", "150"))
"""Of each of two merchants; 50,000 is the full size."""
SEED = int(os.environ.get("LOCKSTOCK_SETTLEMENT_SEED", "11"))
TOGETHER = 2_000

pytestmark = pytest.mark.timeout(120 + ORDERS // 10)
RULES = {
    "CNY": terms(reserve_basis_points=1_000, reserve_days=30),
    "USD": terms(
        basis_points=300,
        fixed_minor=10,
        share_min_minor=5,
        channel_fee_bearer=Bearer.PLATFORM,
        refund_bearer=Bearer.MERCHANT,
    ),
    "JPY": terms(
        basis_points=777,
        share_max_minor=2_000,
        channel_fee_bearer=Bearer.PRO_RATA,
        refund_bearer=Bearer.PLATFORM,
    ),
}
_OF_MERCHANT = ("settlement:pending", "settlement:available", "settlement:reserved")
_PAID = ("payouts-under-way", "bank")


async def test_each_merchant_gets_its_part_and_its_statements_are_its_postings(
    service: Service, db: Database, deliver: Deliver, balances: Balances
) -> None:
    rng = random.Random(SEED)
    for currency, given in RULES.items():
        await agree(service, given, merchant_id=None, currency=currency)
    merchants = [new_id(), new_id()]
    expected: dict[UUID, Counter[str]] = {merchant: Counter() for merchant in merchants}
    for merchant in merchants:
        await _name_payee(service, merchant)
        generator = RandomOrders(SEED, merchant)
        for begin in range(0, ORDERS, TOGETHER):
            stories = list(generator.orders(min(TOGETHER, ORDERS - begin)))
            heap = [event for story in stories for event in story.events]
            for batch in disordered(rng, heap, batch_max=50):
                await deliver(*batch)
                await _let_something_happen(service, rng)
            for story in stories:
                expected[merchant][story.currency] += _merchants_part(story)
    await let_time_pass(service)
    await _settle(service)

    for merchant in merchants:
        found = await balances(merchant)
        got = Counter(
            {
                currency: sum(found.get((code, currency), 0) for code in (*_OF_MERCHANT, *_PAID))
                for currency in RULES
            }
        )
        assert got == expected[merchant]
        for currency in RULES:
            await _check_statements(service, db, merchant, currency, found)
    async with db.read() as tx:
        assert (await tx.execute(_OUT_OF_BALANCE)).all() == []


def _merchants_part(story: OrderStory) -> int:
    """Reckoned line by line, without any of the order in which it was told."""
    refunds: dict[str, list[RefundMade]] = {}
    for event in story.events:
        if isinstance(event.message, RefundMade) and event.message.line_id:
            refunds.setdefault(event.message.line_id, []).append(event.message)
    is_settled = any(
        type(event.message).__name__ in ("OrderCompleted", "OrderPartiallyCompleted")
        for event in story.events
    )
    return sum(
        _part_of(story, line, refunds.get(str(line.id), []))
        for line in story.lines
        if is_settled and line.is_delivered and line.total
    )


def _part_of(story: OrderStory, line: LineStory, refunds: list[RefundMade]) -> int:
    given = RULES[story.currency]
    if story.bearer == "platform" and line.fee:
        given = replace(given, channel_fee_bearer=Bearer.PLATFORM)
    sold = SoldLine(
        merchant_id=story.id,
        channel_id=story.channel_id,
        product_id=line.product_id,
        currency=story.currency,
        gross_minor=line.total,
        quantity=line.quantity,
        at=story.at,
        channel_fee_minor=line.fee,
    )
    parts = divide(given, sold)
    back = sum(refund.amount.amount_minor for refund in refunds)
    fee_back = sum(refund.fee_returned.amount_minor for refund in refunds)
    return (
        parts.merchant_minor
        - _merchants(given.refund_bearer, parts.gross_minor, parts.share_minor, back)
        + _merchants(given.channel_fee_bearer, parts.gross_minor, parts.share_minor, fee_back)
    )


def _merchants(bearer: Bearer, gross: int, share: int, amount: int) -> int:
    return refund_parts(
        bearer, gross_minor=gross, share_minor=share, before_minor=0, refund_minor=amount
    )[1]


async def _let_something_happen(service: Service, rng: random.Random) -> None:
    if rng.random() < 0.3:
        await let_time_pass(service)
    if rng.random() < 0.1:
        await _settle(service)
    if rng.random() < 0.1:
        await _pay_something(service, rng)


async def _settle(service: Service) -> None:
    async with service.db.transaction() as tx:
        await service.state["settlements"].run(tx, datetime.now(UTC), None, "key:runner")
    await close_all(service)


async def _pay_something(service: Service, rng: random.Random) -> None:
    """Takes payouts some way: some arrive, some fail, some come back."""
    payouts = service.state["payouts"]
    async with service.db.read() as tx:
        proposed = await payouts.list_payouts(
            tx, None, state=PayoutState.PROPOSED, before=None, limit=20
        )
    for payout in proposed:
        ways: list[list[PayoutState]] = [
            [PayoutState.REJECTED],
            [PayoutState.APPROVED],
            [PayoutState.APPROVED, PayoutState.FAILED],
            [PayoutState.APPROVED, PayoutState.SENT, PayoutState.PAID],
            [PayoutState.APPROVED, PayoutState.PAID, PayoutState.RETURNED],
        ]
        async with service.db.transaction() as tx:
            free = await payouts.free_minor(tx, payout.merchant_id, payout.currency)
            way = rng.choice(ways) if free >= 0 else ways[0]
            for state in way:
                moved = await payouts.move(tx, payout.id, state, "key:approver", "chance")
                await service.state["settlements"].follow(tx, moved)


async def _name_payee(service: Service, merchant: UUID) -> None:
    payee = Payee(merchant_id=merchant, name="云卡", account="62220202", bank="ICBC")
    async with service.db.transaction() as tx:
        await service.state["payouts"].put_payee(tx, payee)


async def _check_statements(
    service: Service,
    db: Database,
    merchant: UUID,
    currency: str,
    found: dict[tuple[str, str], int],
) -> None:
    """They follow each other without a gap, add up, and have every posting of the account once."""
    settlements = service.state["settlements"]
    async with db.read() as tx:
        listed = await settlements.list_settlements(
            tx, merchant, state=None, before=None, limit=10_000
        )
        mine = sorted(
            (it for it in listed if it.currency == currency), key=lambda it: it.period_end
        )
        balance, lines = 0, Counter[tuple[UUID, int]]()
        for settlement in mine:
            assert settlement.opening_minor == balance
            page: list[Any] = await settlements.list_lines(
                tx, settlement.id, after=0, limit=1_000_000
            )
            for line in page:
                balance += line.amount_minor
                assert line.balance_minor == balance
                lines[line.transaction_id, line.line_no] += 1
            totals = await settlements.totals(tx, settlement.id)
            moved = sum(total.amount_minor for total in totals)
            assert settlement.opening_minor + moved == settlement.closing_minor == balance
        values = {"merchant": merchant, "currency": currency}
        postings = {tuple(row) for row in await tx.execute(_POSTINGS, values)}
    assert balance == found.get(("settlement:available", currency), 0)
    assert set(lines) == postings
    assert set(lines.values()) <= {1}


_POSTINGS = text("""
    SELECT posting.transaction_id, posting.line_no
    FROM posting JOIN account ON account.id = posting.account_id
    WHERE account.merchant_id = :merchant AND account.currency = :currency
        AND account.code = 'settlement:available'
""")
_OUT_OF_BALANCE = text("""
    SELECT currency FROM posting GROUP BY merchant_id, currency HAVING sum(amount_minor) <> 0
""")
