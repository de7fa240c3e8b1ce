"""Random streams of events, repeated and shuffled: the books always balance and add up."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from lockstock.common.v1.money_pb2 import Money
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import (
    CHANNEL,
    a_completion,
    a_cost,
    a_line,
    a_partial_completion,
    a_payment,
    a_refund,
    an_import,
)

LOTS = [new_id() for _ in range(3)]
amounts = st.integers(min_value=0, max_value=10**9)
currencies = st.sampled_from(["CNY", "USD"])


@dataclass(frozen=True)
class Line:
    total: int
    is_delivered: bool
    costs: list[tuple[int, int, str, int]]
    """(lot, quantity, currency, unit cost)"""


lines = st.builds(
    Line,
    amounts,
    st.booleans(),
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 5), currencies, st.integers(0, 10**6)),
        max_size=3,
    ),
)
orders = st.tuples(
    currencies,
    st.lists(lines, min_size=1, max_size=3),
    st.sampled_from(["open", "settled", "refunded"]),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    stream=st.lists(orders, max_size=6),
    imports=st.lists(st.tuples(currencies, amounts), max_size=3),
    seed=st.randoms(use_true_random=False),
)
async def test_any_stream_of_events_leaves_balanced_books_that_add_up(
    service: Service,
    db: Database,
    deliver: Deliver,
    balances: Balances,
    stream: list[tuple[str, list[Line], str]],
    imports: list[tuple[str, int]],
    seed: Any,
) -> None:
    merchant = new_id()
    events = [
        an_import(total=_money(amount, currency), merchant_id=merchant)
        for currency, amount in imports
    ]
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for currency, amount in imports:
        expected["inventory", currency] += amount
        expected["supplier-payable:Kinguin", currency] -= amount
    for order in stream:
        events += _order_events(merchant, *order, expected)
    repeated = events + seed.sample(events, len(events) // 2)
    seed.shuffle(repeated)

    for batch in _batches(repeated, seed):
        await deliver(*batch)

    assert await balances(merchant) == {key: value for key, value in expected.items() if value}
    async with db.read() as tx:
        assert (await tx.execute(_OUT_OF_BALANCE)).all() == []
        assert (await tx.execute(_BALANCES_THAT_LIE)).all() == []
        report = await service.state["reports"].trial_balance(tx, merchant)
    assert report.is_balanced


def _order_events(
    merchant: UUID,
    currency: str,
    order_lines: list[Line],
    end: str,
    expected: dict[tuple[str, str], int],
) -> list[Event[Any]]:
    """The events of an order; adds to `expected` what they must come to."""
    order = new_id()
    total = sum(line.total for line in order_lines)
    refunded = sum(line.total for line in order_lines if not line.is_delivered)
    clearing, deposits = (f"channel-clearing:{CHANNEL}", currency), ("customer-deposits", currency)
    events: list[Event[Any]] = [a_payment(order, _money(total, currency), merchant_id=merchant)]
    expected[clearing] += total
    expected[deposits] -= total
    if end == "refunded":
        events.append(a_refund(order, _money(total, currency), merchant_id=merchant))
        expected[clearing] -= total
        expected[deposits] += total
    if end == "settled":
        wire = [_wire(line, currency) for line in order_lines]
        if refunded:
            events.append(
                a_partial_completion(order, _money(refunded, currency), *wire, merchant_id=merchant)
            )
        else:
            events.append(a_completion(order, *wire, merchant_id=merchant))
        expected[clearing] -= refunded
        expected[deposits] += total
        expected["revenue", currency] -= total - refunded
        for line in order_lines:
            for _, quantity, of_cost, unit_cost in line.costs if line.is_delivered else []:
                expected["cost-of-goods", of_cost] += quantity * unit_cost
                expected["inventory", of_cost] -= quantity * unit_cost
    return events


def _wire(line: Line, currency: str) -> Any:
    costs = [
        a_cost(LOTS[lot], _money(unit_cost, of_cost), quantity)
        for lot, quantity, of_cost, unit_cost in line.costs
    ]
    return a_line(_money(line.total, currency), *costs, delivered=line.is_delivered)


def _batches(events: list[Event[Any]], seed: Any) -> list[list[Event[Any]]]:
    """Runs of one class of message, as the consumer hands them over."""
    batches: list[list[Event[Any]]] = []
    for event in events:
        if batches and type(batches[-1][0].message) is type(event.message) and seed.random() < 0.7:
            batches[-1].append(event)
        else:
            batches.append([event])
    return batches


def _money(amount_minor: int, currency: str) -> Money:
    return Money(amount_minor=amount_minor, currency=currency)


_OUT_OF_BALANCE = text("""
    SELECT transaction_id, currency FROM posting GROUP BY 1, 2 HAVING sum(amount_minor) <> 0
""")
_BALANCES_THAT_LIE = text("""
    SELECT account_id FROM account_balance AS balance
    FULL JOIN (SELECT account_id, sum(amount_minor) AS total, count(*) AS postings
               FROM posting GROUP BY account_id) AS actual USING (account_id)
    WHERE balance.debit_minor - balance.credit_minor IS DISTINCT FROM actual.total
        OR balance.postings_total IS DISTINCT FROM actual.postings
""")
