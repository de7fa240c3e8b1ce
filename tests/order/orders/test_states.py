"""The state machine in the database is the one of the domain: every pair of states is tried."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database
from order.lines.domain import LineStatus
from order.orders.domain import LEGAL, OrderStatus
from tests.order.factories import an_order, placed

_FORCE = text(
    "UPDATE orders SET status = :status, payment_id = CASE WHEN :paid THEN id END, "
    "paid_at = CASE WHEN :paid THEN clock_timestamp() END WHERE id = :id"
)
# What an order that had ended needs beside its state: its whole price, and that it is revived.
_TAKEN = text(
    "INSERT INTO order_payment (id, order_id, merchant_id, provider, provider_reference, via, "
    "amount_minor, currency, paid_at, status, applied_minor, closes_order) SELECT id, id, "
    "merchant_id, 'demo', 'r-1', 'demo', total_minor, currency, clock_timestamp(), 'taken', "
    "total_minor, true FROM orders WHERE id = :id"
)
_REVIVED = text("UPDATE orders SET revived_at = clock_timestamp() WHERE id = :id")
_FORCE_LINE = text("UPDATE order_line SET status = :status WHERE order_id = :id")
_UNPAID = {OrderStatus.PENDING_PAYMENT, OrderStatus.CANCELLED, OrderStatus.EXPIRED}
_LEGAL_LINES = {
    LineStatus.PENDING: {LineStatus.UNKNOWN, LineStatus.DELIVERED, LineStatus.FAILED},
    LineStatus.UNKNOWN: {LineStatus.DELIVERED, LineStatus.FAILED},
    LineStatus.FAILED: {LineStatus.REFUNDED},
}


async def test_the_database_allows_exactly_the_transitions_of_the_domain(db: Database) -> None:
    order = await placed(db)
    allowed: set[tuple[OrderStatus, OrderStatus]] = set()

    async with db.transaction() as tx:
        await tx.execute(_TAKEN, {"id": order.id})
        for before in OrderStatus:
            for after in set(OrderStatus) - {before}:
                await tx.execute(text("ALTER TABLE orders DISABLE TRIGGER USER"))
                forced = {"id": order.id, "status": before, "paid": before not in _UNPAID}
                await tx.execute(_FORCE, forced)
                await tx.execute(_REVIVED, {"id": order.id})
                await tx.execute(text("ALTER TABLE orders ENABLE TRIGGER USER"))
                try:
                    async with tx.savepoint():
                        wanted = {"id": order.id, "status": after, "paid": after not in _UNPAID}
                        await tx.execute(_FORCE, wanted)
                    allowed.add((before, after))
                except IntegrityError:
                    continue

    assert allowed == {(before, after) for before, afters in LEGAL.items() for after in afters}


async def test_the_database_allows_a_line_to_settle_once(db: Database) -> None:
    order = await placed(db)
    allowed: set[tuple[LineStatus, LineStatus]] = set()

    async with db.transaction() as tx:
        for before in LineStatus:
            for after in set(LineStatus) - {before}:
                await tx.execute(text("ALTER TABLE order_line DISABLE TRIGGER USER"))
                await tx.execute(_FORCE_LINE, {"id": order.id, "status": before})
                await tx.execute(text("ALTER TABLE order_line ENABLE TRIGGER USER"))
                try:
                    async with tx.savepoint():
                        await tx.execute(_FORCE_LINE, {"id": order.id, "status": after})
                    allowed.add((before, after))
                except IntegrityError:
                    continue

    assert allowed == {(before, after) for before in _LEGAL_LINES for after in _LEGAL_LINES[before]}


async def test_an_order_begins_unpaid_or_paid_only(db: Database) -> None:
    for status in set(OrderStatus) - {OrderStatus.PENDING_PAYMENT, OrderStatus.PAID}:
        with pytest.raises(IntegrityError):
            await placed(db, an_order(status=status))


async def test_what_was_agreed_does_not_change(db: Database) -> None:
    order = await placed(db)

    for change in ("total_minor = 1", "currency = 'USD'", "reference = 'other'"):
        with pytest.raises(IntegrityError, match="does not change"):
            async with db.transaction() as tx:
                await tx.execute(text(f"UPDATE orders SET {change}"))  # noqa: S608 - our own text

    assert order.total.currency == "CNY"
