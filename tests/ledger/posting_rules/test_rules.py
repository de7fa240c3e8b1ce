"""Rules one by one: what an event posts, what a repeat does not, what a reversal undoes."""

from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.errors import Invalid
from kit.ids import new_id
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import (
    CHANNEL,
    a_completion,
    a_cost,
    a_line,
    a_partial_completion,
    a_payment,
    a_refund,
    cny,
    usd,
)
from tests.ledger.posting_rules.samples import (
    a_claim,
    a_late_success,
    a_redemption,
    a_roll_back,
    a_write_off,
    an_expiry,
    paid_with_fee,
    refund_with_fee,
    voucher_cost,
)

CLEARING, DEPOSITS = (f"channel-clearing:{CHANNEL}", "CNY"), ("customer-deposits", "CNY")


async def test_the_channel_keeps_its_fee_of_what_it_collected(
    deliver: Deliver, balances: Balances
) -> None:
    event = paid_with_fee(66)
    await deliver(event, event)
    await deliver(event)
    assert await balances() == {
        CLEARING: 10_000 - 66,
        DEPOSITS: -10_000,
        ("channel-fees", "CNY"): 66,
    }


async def test_a_fee_that_the_platform_bears_is_owed_by_it(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(paid_with_fee(66, "platform"))
    found = await balances()
    assert found["platform-receivable", "CNY"] == 66
    assert ("channel-fees", "CNY") not in found


async def test_a_refund_before_delivery_brings_the_fee_back_where_the_event_says_so(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    await deliver(paid_with_fee(66, order_id=order))
    refund = a_refund(order, cny(10_000))
    line = a_line(cny(10_000), delivered=False)
    line.fee_returned.CopyFrom(cny(66))
    refund.message.lines.append(line)
    await deliver(refund)
    assert await balances() == {}


async def test_a_fee_that_is_kept_stays_an_expense(deliver: Deliver, balances: Balances) -> None:
    order = new_id()
    await deliver(paid_with_fee(66, order_id=order))
    await deliver(a_refund(order, cny(10_000)))
    assert await balances() == {CLEARING: -66, ("channel-fees", "CNY"): 66}


async def test_a_delivered_line_refunded_in_part_brings_part_of_the_fee_back(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(refund_with_fee(500, 3, refund_id=new_id()))
    assert await balances() == {
        ("refunds", "CNY"): 500,
        CLEARING: -500 + 3,
        ("channel-fees", "CNY"): -3,
    }


async def test_a_refund_of_a_line_of_an_order_that_ended_in_part_is_once_only(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    await deliver(paid_with_fee(66, order_id=order))
    failed = a_line(cny(4_000), delivered=False)
    failed.fee_returned.CopyFrom(cny(26))
    event = a_partial_completion(order, cny(4_000), a_line(cny(6_000)), failed)
    await deliver(event, event)
    await deliver(event)
    assert await balances() == {
        CLEARING: 6_000 - 66 + 26,
        ("channel-fees", "CNY"): 40,
        ("revenue", "CNY"): -6_000,
    }


async def test_gross_and_net_of_a_discounted_line_are_both_seen(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    line = a_line(cny(900), a_cost(new_id(), cny(500)))
    line.coupon_discount.CopyFrom(cny(60))
    line.promotion_discount.CopyFrom(cny(40))
    await deliver(a_payment(order, cny(900)))
    await deliver(a_completion(order, line))
    found = await balances()
    assert found["revenue", "CNY"] == -1_000
    assert found["discounts:coupon", "CNY"] == 60
    assert found["discounts:promotion", "CNY"] == 40
    assert DEPOSITS not in found


async def test_a_line_that_a_coupon_paid_whole_is_sold_for_nothing(
    deliver: Deliver, balances: Balances
) -> None:
    line = a_line(cny(0))
    line.coupon_discount.CopyFrom(cny(60))
    await deliver(a_completion(new_id(), line))
    assert await balances() == {("revenue", "CNY"): -60, ("discounts:coupon", "CNY"): 60}


async def test_an_own_voucher_is_owed_at_what_it_is_worth_until_it_is_redeemed(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    await deliver(a_payment(order, cny(9_000)))
    await deliver(a_completion(order, a_line(cny(9_000), voucher_cost(10_000))))
    assert await balances() == {
        CLEARING: 9_000,
        ("deferred-revenue", "CNY"): -10_000,
        ("discounts:voucher", "CNY"): 1_000,
    }
    redeemed = a_redemption(4_000)
    await deliver(redeemed, redeemed)
    await deliver(redeemed)
    found = await balances()
    assert (found["revenue", "CNY"], found["deferred-revenue", "CNY"]) == (-4_000, -6_000)


async def test_a_voucher_sold_above_its_worth_is_no_discount(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(a_completion(new_id(), a_line(cny(11_000), voucher_cost(5_000, 2))))
    found = await balances()
    assert found["discounts:voucher", "CNY"] == -1_000
    assert found["deferred-revenue", "CNY"] == -10_000


async def test_a_voucher_in_another_currency_is_owed_in_its_own_and_earned_when_redeemed(
    deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    await deliver(a_payment(order, cny(7_000)))
    line = a_line(cny(7_000), voucher_cost(500, 2, usd), voucher_cost(1_000))
    await deliver(a_completion(order, line))
    found = await balances()
    assert found["deferred-revenue", "USD"] == -1_000
    assert found["fx-position", "USD"] == 1_000
    # Shared out by worth: 3,500 for the two, and 3,500 for the one in the order's currency.
    assert found["fx-position", "CNY"] == -3_500
    assert found["deferred-revenue", "CNY"] == -1_000
    assert found["discounts:voucher", "CNY"] == -2_500
    assert ("revenue", "CNY") not in found


async def test_a_redemption_that_is_rolled_back_is_owed_again_in_whatever_order_it_is_told(
    deliver: Deliver, balances: Balances
) -> None:
    redemption = new_id()
    await deliver(a_roll_back(400, redemption))
    await deliver(a_redemption(400, redemption))
    await deliver(a_roll_back(400, redemption))
    assert await balances() == {}


async def test_what_is_left_on_an_expired_voucher_is_kept_once(
    deliver: Deliver, balances: Balances
) -> None:
    unit = new_id()
    await deliver(an_expiry(600, unit), an_expiry(600, unit))
    await deliver(an_expiry(600, unit))
    assert await balances() == {("deferred-revenue", "CNY"): 600, ("breakage", "CNY"): -600}


async def test_a_voucher_that_replaces_a_bad_one_is_owed_until_it_is_redeemed(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(a_completion(new_id(), a_line(cny(500), voucher_cost(500))))
    claim = a_claim(replacement_face_value=cny(500))
    claim.message.ClearField("claw_back")
    await deliver(claim, claim)
    await deliver(a_redemption(500))
    await deliver(an_expiry(500))
    found = await balances()
    assert ("deferred-revenue", "CNY") not in found
    assert found["discounts:voucher", "CNY"] == 500
    assert found["breakage", "CNY"] == -500
    assert found["revenue", "CNY"] == -500


@pytest.mark.parametrize(
    ("reason", "account"),
    [("EXPIRED", "stock-losses:expired"), ("VOIDED", "stock-losses:voided")],
)
async def test_lost_stock_is_a_loss_at_the_cost_of_its_units(
    deliver: Deliver, balances: Balances, reason: str, account: str
) -> None:
    event = a_write_off(reason)
    await deliver(event, event)
    await deliver(event)
    assert await balances() == {(account, "CNY"): 2_400, ("inventory", "CNY"): -2_400}


async def test_stock_lost_for_a_reason_of_a_later_release_is_refused(deliver: Deliver) -> None:
    with pytest.raises(Invalid, match="does not know"):
        await deliver(a_write_off("UNSPECIFIED"))


async def test_a_purchase_that_was_done_too_late_is_a_loss_that_is_owed(
    deliver: Deliver, balances: Balances
) -> None:
    event = a_late_success(700)
    await deliver(event, event)
    await deliver(event)
    assert await balances() == {
        ("lost-purchases", "CNY"): 700,
        ("supplier-payable:Kinguin", "CNY"): -700,
    }


async def test_other_cases_and_those_about_no_money_post_nothing(
    deliver: Deliver, balances: Balances
) -> None:
    free = a_late_success(0)
    free.message.ClearField("amount")
    await deliver(a_late_success(700, kind="statement_difference"), free)
    assert await balances() == {}


async def test_a_refund_of_a_kind_of_a_later_release_is_refused(deliver: Deliver) -> None:
    event = refund_with_fee(5, 1)
    event.message.kind = RefundMade.Kind.KIND_UNSPECIFIED
    with pytest.raises(Invalid, match="does not know"):
        await deliver(event)


async def test_postings_say_what_they_are_about(deliver: Deliver, db: Database) -> None:
    order, lot = new_id(), new_id()
    line = a_line(cny(900), a_cost(lot, usd(70), 3))
    line.quantity = 3
    event = a_completion(order, line)
    event.message.buyer, event.message.buyer_group = "b7", "vip"
    await deliver(event)
    found = await dimensions(db, order)
    sold, cost = found["revenue"], found["cost-of-goods"]
    assert (sold["quantity"], sold["line"], sold["lot"]) == (3, UUID(line.line_id), None)
    assert (sold["buyer"], sold["buyer_group"], sold["sku"]) == ("b7", "vip", "STEAM-50")
    assert (cost["quantity"], cost["line"], cost["lot"]) == (3, UUID(line.line_id), lot)


async def dimensions(db: Database, order: UUID) -> dict[str, dict[str, object]]:
    async with db.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT a.code, p.quantity, p.line_id AS line, p.lot_id AS lot, p.buyer, "
                "p.buyer_group, p.sku FROM posting p JOIN account a ON a.id = p.account_id "
                "WHERE p.order_id = :order"
            ),
            {"order": order},
        )
        return {row.code: dict(row._mapping) for row in rows}
