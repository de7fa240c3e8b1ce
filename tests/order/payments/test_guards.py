"""What the database refuses about money, whoever writes: every rule is tried by direct SQL."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database, constraint_of
from kit.ids import new_id
from order.orders.domain import Order
from order.payments.domain import PaymentStatus
from order.refunds.domain import RefundStatus
from tests.order.factories import MERCHANT, a_line, an_order, paid, placed

PRICE = 1990
_REFUND = text(
    "INSERT INTO order_refund (id, order_id, line_id, payment_id, merchant_id, provider, "
    "provider_reference, amount_minor, currency, reason, request_id) SELECT :id, p.order_id, "
    ":line_id, p.id, p.merchant_id, p.via, p.provider_reference, :amount, "
    ":currency, 'test', :request_id FROM order_payment p WHERE p.id = :payment_id"
)
_PAYMENT = text(
    "INSERT INTO order_payment (id, order_id, merchant_id, provider, provider_reference, via, "
    "status, amount_minor, currency, applied_minor, closes_order, paid_at) VALUES (:id, :order_id, "
    ":merchant_id, 'demo', :reference, 'demo', :status, :amount, 'CNY', :applied, :closes, "
    "clock_timestamp())"
)


async def pay(db: Database, order: Order, **given: Any) -> Any:
    values = {
        "id": new_id(),
        "order_id": order.id,
        "merchant_id": MERCHANT,
        "reference": str(new_id()),
        "status": "taken",
        "amount": PRICE,
        "applied": PRICE,
        "closes": True,
        **given,
    }
    async with db.transaction() as tx:
        await tx.execute(_PAYMENT, values)
    return values["id"]


async def refund(db: Database, payment_id: Any, amount: int, **given: Any) -> Any:
    values = {
        "id": new_id(),
        "payment_id": payment_id,
        "line_id": None,
        "request_id": None,
        "amount": amount,
        "currency": "CNY",
        **given,
    }
    async with db.transaction() as tx:
        await tx.execute(_REFUND, values)
    return values["id"]


async def refused(db: Database, statement: str, **values: Any) -> str | None:
    """The name of the rule that refuses the statement."""
    with pytest.raises(IntegrityError) as raised:
        async with db.transaction() as tx:
            await tx.execute(text(statement), values)
    return constraint_of(raised.value)


async def a_payment_of(db: Database, order: Order) -> Any:
    async with db.read() as tx:
        query = text("SELECT id FROM order_payment WHERE order_id = :id")
        return (await tx.execute(query, {"id": order.id})).scalar_one()


async def test_no_sum_of_refunds_is_more_than_what_came(db: Database) -> None:
    order = await placed(db, an_order(lines=[a_line(), a_line(line_no=2)]))
    await paid(db, order)
    payment = await a_payment_of(db, order)
    first, second = (line.id for line in order.lines)

    await refund(db, payment, PRICE, line_id=first, request_id=new_id())
    await refund(db, payment, PRICE - 1, line_id=second, request_id=new_id())
    for line_id, amount, rule in (
        (second, 2, "ck_order_payment_back_came"),
        (first, 1, "ck_order_line_refund_was_paid"),
        (None, 1, "order_refund_surplus"),
    ):
        asked = new_id() if line_id else None
        with pytest.raises(IntegrityError) as raised:
            await refund(db, payment, amount, line_id=line_id, request_id=asked)
        assert constraint_of(raised.value) == rule
    await refund(db, payment, 1, line_id=second, request_id=new_id())


async def test_refunds_at_once_never_add_up_to_more_than_what_came(db: Database) -> None:
    order = await placed(db)
    await paid(db, order)
    payment = await a_payment_of(db, order)

    async def one() -> bool:
        try:
            await refund(db, payment, 300, line_id=order.lines[0].id, request_id=new_id())
        except IntegrityError:
            return False
        return True

    made = await asyncio.gather(*(one() for _ in range(20)))

    assert sum(made) == PRICE // 300
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT back_minor, amount_minor FROM order_payment"))).one()
        counted = (await tx.execute(text("SELECT sum(amount_minor) FROM order_refund"))).scalar()
    assert row.back_minor == counted == 1800 <= row.amount_minor


async def test_a_refund_belongs_to_its_payment_line_and_currency(db: Database) -> None:
    order, other = await placed(db), await placed(db)
    await paid(db, order)
    payment = await a_payment_of(db, order)

    for given, rule in (
        ({"currency": "USD", "line_id": order.lines[0].id}, "order_refund_payment"),
        ({"line_id": other.lines[0].id}, "order_refund_line"),
    ):
        with pytest.raises(IntegrityError) as raised:
            await refund(db, payment, 1, **given)
        assert constraint_of(raised.value) == rule


async def test_an_automatic_refund_is_written_once(db: Database) -> None:
    order = await placed(db)
    await paid(db, order)
    payment = await a_payment_of(db, order)
    surplus = await pay(db, order, status="surplus", applied=0, closes=False)
    await refund(db, payment, 1, line_id=order.lines[0].id)
    await refund(db, surplus, 1)

    with pytest.raises(IntegrityError, match="uq_order_refund_line"):
        await refund(db, payment, 1, line_id=order.lines[0].id)
    with pytest.raises(IntegrityError, match="uq_order_refund_payment"):
        await refund(db, surplus, 1)


async def test_an_order_is_paid_once(db: Database) -> None:
    order = await placed(db)
    await pay(db, order)

    with pytest.raises(IntegrityError, match="uq_order_payment_closing"):
        await pay(db, order)


async def test_only_what_is_taken_pays(db: Database) -> None:
    order = await placed(db)

    for given, rule in (
        ({"status": "surplus", "closes": False}, "only_taken_pays"),
        ({"status": "partial", "applied": 0}, "only_taken_closes"),
        ({"applied": PRICE + 1}, "applied_came"),
        ({"status": "lost", "applied": 0, "closes": False}, "status_known"),
    ):
        with pytest.raises(IntegrityError, match=f"ck_order_payment_{rule}"):
            await pay(db, order, **given)


async def test_what_came_does_not_change(db: Database) -> None:
    order, other = await placed(db), await placed(db)
    await pay(db, order)

    for change in (
        "amount_minor = 1",
        "currency = 'USD'",
        "provider_reference = 'other'",
        "via = 'other'",
        "applied_minor = 1",
        "closes_order = false",
        f"order_id = '{other.id}'",
    ):
        rule = await refused(db, f"UPDATE order_payment SET {change}")  # noqa: S608 - our own text
        assert rule == "order_payment_fixed"


_LEGAL = {
    PaymentStatus.PARTIAL: {PaymentStatus.TAKEN, PaymentStatus.SURPLUS},
    PaymentStatus.SURPLUS: {PaymentStatus.RETURNING, PaymentStatus.RETURNED},
    PaymentStatus.RETURNING: {PaymentStatus.RETURNED},
}
_LEGAL_REFUNDS = {
    RefundStatus.DUE: {RefundStatus.SENT},
    RefundStatus.SENT: set(RefundStatus) - {RefundStatus.SENT},
    RefundStatus.UNKNOWN: {RefundStatus.SENT, RefundStatus.MANUAL, RefundStatus.DONE},
    RefundStatus.MANUAL: {RefundStatus.DUE, RefundStatus.DONE},
}


async def test_a_payment_moves_one_way_only(db: Database) -> None:
    order = await placed(db)
    allowed: set[tuple[PaymentStatus, PaymentStatus]] = set()
    for before in PaymentStatus:
        for after in set(PaymentStatus) - {before}:
            id_ = await pay(db, order, status=before, applied=0, closes=False)
            try:
                async with db.transaction() as tx:
                    move = text("UPDATE order_payment SET status = :status WHERE id = :id")
                    await tx.execute(move, {"id": id_, "status": after})
                allowed.add((before, after))
            except IntegrityError:
                continue

    assert allowed == {(before, after) for before in _LEGAL for after in _LEGAL[before]}


async def test_a_refund_moves_as_its_provider_answers_only(db: Database) -> None:
    order = await placed(db)
    payment = await pay(db, order)
    id_ = await refund(db, payment, 0, line_id=order.lines[0].id)
    set_it = text(
        "UPDATE order_refund SET status = :status, "
        "done_at = CASE WHEN :status = 'done' THEN clock_timestamp() END WHERE id = :id"
    )
    allowed: set[tuple[RefundStatus, RefundStatus]] = set()
    async with db.transaction() as tx:
        for before in RefundStatus:
            for after in set(RefundStatus) - {before}:
                await tx.execute(text("ALTER TABLE order_refund DISABLE TRIGGER USER"))
                await tx.execute(set_it, {"id": id_, "status": before.value})
                await tx.execute(text("ALTER TABLE order_refund ENABLE TRIGGER USER"))
                try:
                    async with tx.savepoint():
                        await tx.execute(set_it, {"id": id_, "status": after.value})
                    allowed.add((before, after))
                except IntegrityError:
                    continue

    assert allowed == {(it, after) for it in _LEGAL_REFUNDS for after in _LEGAL_REFUNDS[it]}


async def test_what_a_refund_gives_back_does_not_change(db: Database) -> None:
    order = await placed(db)
    payment = await pay(db, order)
    await refund(db, payment, 1, line_id=order.lines[0].id)

    for change in ("amount_minor = 2", "line_id = NULL", "reason = 'x'", "provider = 'x'"):
        rule = await refused(db, f"UPDATE order_refund SET {change}")  # noqa: S608 - our own text
        assert rule == "order_refund_fixed"


async def test_a_payment_follows_its_refund(db: Database) -> None:
    order = await placed(db)
    payment = await pay(db, order, status="partial", applied=0, closes=False)
    id_ = await refund(db, payment, PRICE)
    seen: list[str] = []

    for status in ("due", "sent", "unknown", "sent", "done"):
        async with db.transaction() as tx:
            done = ", done_at = clock_timestamp()" if status == "done" else ""
            move = f"UPDATE order_refund SET status = '{status}'{done} WHERE id = :id"  # noqa: S608
            await tx.execute(text(move), {"id": id_})
            seen.append((await tx.execute(text("SELECT status FROM order_payment"))).scalar_one())

    assert seen == ["surplus", "returning", "returning", "returning", "returned"]
