"""What each event means in debits and credits; repeats; several currencies."""

import asyncio

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.db_errors import Unstorable
from kit.errors import Invalid
from kit.ids import new_id
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    OTHER_MERCHANT,
    PRODUCT,
    a_completion,
    a_cost,
    a_line,
    a_partial_completion,
    a_payment,
    a_purchase,
    a_refund,
    a_refund_made,
    an_arrival,
    an_import,
    an_undo,
    cny,
    usd,
)

CLEARING = f"channel-clearing:{CHANNEL}"


async def test_imported_stock_is_an_asset_owed_to_its_supplier(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(an_import(total=cny(120_000), supplier=" Kinguin "))

    assert await balances() == {
        ("inventory", "CNY"): 120_000,
        ("supplier-payable:Kinguin", "CNY"): -120_000,
    }


async def test_a_lot_without_supplier_is_owed_to_the_unnamed_one(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(an_import(total=cny(5), supplier=""))

    assert (await balances())["supplier-payable:unnamed", "CNY"] == -5


async def test_an_undone_lot_is_neither_an_asset_nor_owed(
    deliver: Deliver, balances: Balances
) -> None:
    lot = new_id()
    await deliver(an_import(lot_id=lot, total=cny(120_000)))
    await deliver(an_import(total=cny(7)))

    await deliver(an_undo(lot_id=lot, total=cny(120_000)))
    await deliver(an_undo(lot_id=lot, total=cny(120_000)))

    assert await balances() == {
        ("inventory", "CNY"): 7,
        ("supplier-payable:Kinguin", "CNY"): -7,
    }


async def test_a_lot_that_cost_nothing_posts_nothing(deliver: Deliver, db: Database) -> None:
    await deliver(an_import(total=cny(0)))

    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM transaction"))).scalar_one() == 0


async def test_a_paid_order_is_a_deposit_until_it_is_delivered(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(a_payment(new_id(), cny(1990)))

    assert await balances() == {(CLEARING, "CNY"): 1990, ("customer-deposits", "CNY"): -1990}


async def test_a_completed_order_earns_its_price_and_costs_its_lots(
    deliver: Deliver, balances: Balances
) -> None:
    order, old_lot, new_lot = new_id(), new_id(), new_id()
    await deliver(a_payment(order, cny(4000)))

    await deliver(
        a_completion(
            order, a_line(cny(4000), a_cost(old_lot, cny(1200), 2), a_cost(new_lot, cny(1300)))
        )
    )

    assert await balances() == {
        (CLEARING, "CNY"): 4000,
        ("revenue", "CNY"): -4000,
        ("cost-of-goods", "CNY"): 3700,
        ("inventory", "CNY"): -3700,
    }


async def test_what_was_bought_for_a_line_alone_is_owed_to_its_supplier(
    deliver: Deliver, balances: Balances
) -> None:
    order, lot = new_id(), new_id()
    await deliver(a_payment(order, cny(7000)))

    key = a_line(cny(2000), a_cost(lot, cny(1200)))
    top_up = a_line(cny(5000), a_purchase("acme", cny(4850)))
    await deliver(a_completion(order, key, top_up))

    assert await balances() == {
        (CLEARING, "CNY"): 7000,
        ("revenue", "CNY"): -7000,
        ("cost-of-goods", "CNY"): 6050,
        ("inventory", "CNY"): -1200,
        ("supplier-payable:acme", "CNY"): -4850,
    }


async def test_an_order_of_many_small_lots_is_posted_whole(
    deliver: Deliver, balances: Balances
) -> None:
    """Fifty lines of ten lots each, and one line of six hundred."""
    wide, long = new_id(), new_id()
    lines = [a_line(cny(10), *(a_cost(new_id(), cny(1)) for _ in range(10))) for _ in range(50)]

    await deliver(a_completion(wide, *lines))
    await deliver(
        a_completion(long, a_line(cny(600), *(a_cost(new_id(), cny(1)) for _ in range(600))))
    )

    assert await balances() == {
        ("customer-deposits", "CNY"): 1100,
        ("revenue", "CNY"): -1100,
        ("cost-of-goods", "CNY"): 1100,
        ("inventory", "CNY"): -1100,
    }


async def test_postings_say_what_they_are_about(deliver: Deliver, db: Database) -> None:
    order, lot = new_id(), new_id()

    await deliver(a_completion(order, a_line(cny(4000), a_cost(lot, cny(1200)))))

    async with db.read() as tx:
        rows = await tx.execute(
            text("""SELECT account.code, posting.channel_id, product_id, sku, lot_id, order_id
                    FROM posting JOIN account ON account.id = account_id ORDER BY line_no""")
        )
        found = [tuple(row) for row in rows]
    assert found == [
        ("customer-deposits", CHANNEL, PRODUCT, "STEAM-50", None, order),
        ("revenue", CHANNEL, PRODUCT, "STEAM-50", None, order),
        ("cost-of-goods", CHANNEL, PRODUCT, "STEAM-50", lot, order),
        ("inventory", CHANNEL, PRODUCT, "STEAM-50", lot, order),
    ]


async def test_a_cost_in_another_currency_balances_by_itself(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()

    await deliver(a_completion(order, a_line(cny(4000), a_cost(new_id(), usd(500)))))

    assert await balances() == {
        ("customer-deposits", "CNY"): 4000,
        ("revenue", "CNY"): -4000,
        ("cost-of-goods", "USD"): 500,
        ("inventory", "USD"): -500,
    }


async def test_a_partly_delivered_order_earns_one_part_and_returns_the_other(
    deliver: Deliver, balances: Balances
) -> None:
    order, lot = new_id(), new_id()
    await deliver(a_payment(order, cny(5000)))

    await deliver(
        a_partial_completion(
            order,
            cny(2000),
            a_line(cny(3000), a_cost(lot, cny(1000))),
            a_line(cny(2000), a_cost(lot, cny(900)), delivered=False),
        )
    )

    assert await balances() == {
        (CLEARING, "CNY"): 3000,
        ("revenue", "CNY"): -3000,
        ("cost-of-goods", "CNY"): 1000,
        ("inventory", "CNY"): -1000,
    }


async def test_a_refunded_order_leaves_nothing_behind(deliver: Deliver, balances: Balances) -> None:
    order = new_id()
    await deliver(a_payment(order, cny(1990)))

    await deliver(a_refund(order, cny(1990)))

    assert await balances() == {}


async def test_parts_of_a_price_are_credits_of_the_buyer_until_they_pay(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    await deliver(an_arrival(order, new_id(), cny(500)), an_arrival(order, new_id(), cny(400)))
    assert await balances() == {(CLEARING, "CNY"): 900, ("buyer-credits", "CNY"): -900}

    await deliver(a_payment(order, cny(1990), earlier=cny(900)))

    assert await balances() == {(CLEARING, "CNY"): 1990, ("customer-deposits", "CNY"): -1990}


async def test_a_payment_that_is_not_owed_is_a_credit_until_it_is_back(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    arrivals = [an_arrival(order, new_id(), cny(1990)), an_arrival(order, new_id(), usd(7))]

    await deliver(*arrivals)
    await deliver(*arrivals)
    assert await balances() == {
        (CLEARING, "CNY"): 1990,
        ("buyer-credits", "CNY"): -1990,
        (CLEARING, "USD"): 7,
        ("buyer-credits", "USD"): -7,
    }
    back = [a_refund_made(order, cny(1990)), a_refund_made(order, usd(7))]
    await deliver(*back)
    await deliver(*back)

    assert await balances() == {}


async def test_a_refund_after_delivery_lowers_what_was_earned(
    deliver: Deliver, balances: Balances, db: Database
) -> None:
    order, lot, refund = new_id(), new_id(), new_id()
    await deliver(a_payment(order, cny(4000)))
    await deliver(a_completion(order, a_line(cny(4000), a_cost(lot, cny(1500)))))
    kind = RefundMade.Kind.KIND_DELIVERED_LINE

    await deliver(a_refund_made(order, cny(1000), kind=kind, refund_id=refund))
    await deliver(a_refund_made(order, cny(1000), kind=kind, refund_id=refund))
    await deliver(a_refund_made(order, cny(3000), kind=kind))

    assert await balances() == {
        ("cost-of-goods", "CNY"): 1500,
        ("inventory", "CNY"): -1500,
        ("revenue", "CNY"): -4000,
        ("refunds", "CNY"): 4000,
    }
    query = "SELECT DISTINCT sku FROM posting WHERE order_id = :order AND amount_minor = 1000"
    async with db.read() as tx:
        skus = set((await tx.execute(text(query), {"order": order})).scalars())
    assert skus == {"STEAM-50"}


async def test_a_refund_of_an_unknown_kind_is_parked(deliver: Deliver) -> None:
    kind = RefundMade.Kind.KIND_UNSPECIFIED

    with pytest.raises(Invalid):
        await deliver(a_refund_made(new_id(), cny(1), kind=kind))


async def test_the_same_event_posts_once_however_it_comes(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    again = a_payment(order, cny(1990))

    await deliver(a_payment(order, cny(1990)), again)
    await deliver(again)
    await asyncio.gather(*(deliver(a_payment(order, cny(1990))) for _ in range(10)))

    assert await balances() == {(CLEARING, "CNY"): 1990, ("customer-deposits", "CNY"): -1990}


async def test_batches_that_open_the_same_accounts_at_once_all_post(
    deliver: Deliver, balances: Balances
) -> None:
    batches = [[a_payment(new_id(), cny(1)) for _ in range(50)] for _ in range(16)]

    await asyncio.gather(*(deliver(*batch) for batch in batches))

    assert (await balances())[CLEARING, "CNY"] == 800


async def test_batches_with_the_same_events_in_opposite_order_post_each_once(
    deliver: Deliver, balances: Balances
) -> None:
    events = [a_payment(new_id(), cny(1)) for _ in range(100)]

    await asyncio.gather(deliver(*events), deliver(*events[::-1]), deliver(*events))

    assert (await balances())[CLEARING, "CNY"] == 100


async def test_a_failed_batch_posts_nothing_and_its_accounts_are_opened_again(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    too_much = a_completion(order, a_line(cny(1), a_cost(new_id(), cny(2**62), 4)))
    with pytest.raises(Unstorable):
        await deliver(too_much)
    assert await balances() == {}

    await deliver(a_completion(order, a_line(cny(1), a_cost(new_id(), cny(2)))))

    assert (await balances())["cost-of-goods", "CNY"] == 2


async def test_merchants_have_books_of_their_own(deliver: Deliver, balances: Balances) -> None:
    await deliver(
        a_payment(new_id(), cny(7)), a_payment(new_id(), cny(9), merchant_id=OTHER_MERCHANT)
    )

    assert (await balances(MERCHANT))[CLEARING, "CNY"] == 7
    assert (await balances(OTHER_MERCHANT))[CLEARING, "CNY"] == 9
