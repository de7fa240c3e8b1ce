"""For each rule, by its name: drafts that show every line of its table."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from kit.ids import new_id
from kit.money import Money
from ledger.accounts.domain import AccountKind, AccountRef
from ledger.posting_rules.consumers import load_rules
from ledger.posting_rules.kinds.reconciliation.domain import Rounded
from ledger.posting_rules.kinds.settlement.domain import LineMove, MoneyMove
from ledger.transactions.domain import Dimensions, Draft
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClawBackSettled
from lockstock.fulfillment.v1.delivery_events_pb2 import DeliveredUnit
from lockstock.fulfillment.v1.purchase_events_pb2 import (
    CaseOpened,
    PurchaseStocked,
    SupplierAnswered,
)
from lockstock.inventory_vault.v1.redemption_events_pb2 import (
    RedemptionRolledBack,
    VoucherExpired,
    VoucherRedeemed,
)
from lockstock.inventory_vault.v1.stock_events_pb2 import StockWrittenOff
from lockstock.order.v1.order_events_pb2 import LotCost, OrderPaid, PaidLine, RefundMade
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    NOON,
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
    an_event,
    an_import,
    an_undo,
    cny,
    usd,
)

RULES = {rule.name: rule for rule in load_rules()}
ORDER, LOT = new_id(), new_id()
BEARERS = ("merchant", "platform")
ABOUT = {
    "merchant_id": str(MERCHANT),
    "channel_id": str(CHANNEL),
    "order_id": str(ORDER),
    "lot_id": str(LOT),
}


def _of(message: Message) -> Any:
    return an_event(message, str(ORDER))


def paid_with_fee(fee: int, bearer: str = "merchant", **more: Any) -> Any:
    line = PaidLine(
        line_id=str(new_id()), product_id=str(PRODUCT), sku="STEAM-50", quantity=1, fee=cny(fee)
    )
    return _of(
        OrderPaid(
            order_id=str(more.pop("order_id", ORDER)),
            merchant_id=str(MERCHANT),
            channel_id=str(CHANNEL),
            amount=cny(10_000),
            lines=[line],
            fee_bearer=bearer,
            **more,
        )
    )


def voucher_cost(face: int, quantity: int = 1, worth: Callable[[int], Any] = cny) -> LotCost:
    return LotCost(
        lot_id=str(LOT), quantity=quantity, unit_cost=cny(0), face_value=worth(face), supplier="own"
    )


def a_claim(**given: Any) -> Any:
    unit = DeliveredUnit(unit_id=str(new_id()), mask="a*", lot_id=str(new_id()))
    return _of(
        ClaimDecided(
            **{
                **ABOUT,
                "claim_id": str(new_id()),
                "sku": "STEAM-50",
                "outcome": ClaimDecided.Outcome.OUTCOME_REPLACED,
                "replacement": unit,
                "replacement_cost": cny(1300),
                "supplier": "Kinguin",
                "claw_back": cny(1200),
                **given,
            }
        )
    )


def an_answer(*, accepted: bool) -> Any:
    return _of(
        ClawBackSettled(
            **ABOUT,
            claim_id=str(new_id()),
            sku="STEAM-50",
            supplier="Kinguin",
            amount=cny(1200),
            accepted=accepted,
        )
    )


def a_write_off(reason: str, cost: int = 2400, **given: Any) -> Any:
    return _of(
        StockWrittenOff(
            **{
                "write_off_id": str(new_id()),
                "lot_id": str(LOT),
                "merchant_id": str(MERCHANT),
                "supplier": "Kinguin",
                "reason": StockWrittenOff.Reason.Value(f"REASON_{reason}"),
                "quantity": 2,
                "cost": cny(cost),
                **given,
            }
        )
    )


def a_redemption(amount: int, redemption_id: UUID | None = None) -> Any:
    return _of(
        VoucherRedeemed(
            redemption_id=str(redemption_id or new_id()),
            unit_id=str(new_id()),
            lot_id=str(LOT),
            merchant_id=str(MERCHANT),
            amount=cny(amount),
            balance=cny(100),
        )
    )


def a_roll_back(amount: int, redemption_id: UUID | None = None, *, is_over: bool = False) -> Any:
    return _of(
        RedemptionRolledBack(
            redemption_id=str(redemption_id or new_id()),
            unit_id=str(new_id()),
            lot_id=str(LOT),
            merchant_id=str(MERCHANT),
            amount=cny(amount),
            is_over=is_over,
        )
    )


def an_expiry(balance: int, unit_id: UUID | None = None) -> Any:
    return _of(
        VoucherExpired(
            unit_id=str(unit_id or new_id()),
            lot_id=str(LOT),
            merchant_id=str(MERCHANT),
            balance=cny(balance),
        )
    )


def a_late_success(amount: int, **given: Any) -> Any:
    return _of(
        CaseOpened(
            **{
                "case_id": str(new_id()),
                "merchant_id": str(MERCHANT),
                "kind": "late_success",
                "supplier": "Kinguin",
                "purchase_id": str(new_id()),
                "order_id": str(ORDER),
                "amount": cny(amount),
                **given,
            }
        )
    )


def a_stocking(refused: int | None, **given: Any) -> Any:
    return _of(
        PurchaseStocked(
            **{
                "purchase_id": str(new_id()),
                "merchant_id": str(MERCHANT),
                "lot_id": str(LOT),
                "accepted": 2,
                "duplicates": 1,
                "supplier": "Kinguin",
                "refused_cost": None if refused is None else cny(refused),
                **given,
            }
        )
    )


def a_supplier_answer(amount: int, *, pays: bool, **given: Any) -> Any:
    return _of(
        SupplierAnswered(
            **{
                "case_id": str(new_id()),
                "merchant_id": str(MERCHANT),
                "supplier": "Kinguin",
                "purchase_id": str(new_id()),
                "lot_id": str(LOT),
                "amount": cny(amount),
                "pays": pays,
                **given,
            }
        )
    )


def _delivered_lines() -> list[Any]:
    sold = a_line(cny(900), a_cost(LOT, cny(500)), a_purchase("Kinguin", cny(40)))
    sold.coupon_discount.CopyFrom(cny(60))
    sold.promotion_discount.CopyFrom(cny(40))
    foreign = a_line(cny(7_000), voucher_cost(1_000, worth=usd))
    return [sold, a_line(cny(9_000), voucher_cost(10_000)), foreign]


def _partly(bearer: str) -> Any:
    failed = a_line(cny(100), delivered=False)
    failed.fee_returned.CopyFrom(cny(3))
    event = a_partial_completion(ORDER, cny(100), failed, *_delivered_lines())
    event.message.fee_bearer = bearer
    return event


def _refunded(bearer: str) -> Any:
    failed = a_line(cny(100), delivered=False)
    failed.fee_returned.CopyFrom(cny(3))
    event = a_refund(ORDER, cny(100))
    event.message.lines.append(failed)
    event.message.fee_bearer = bearer
    return event


def refund_with_fee(amount: int, fee: int, bearer: str = "merchant", **given: Any) -> Any:
    kind = RefundMade.Kind.KIND_DELIVERED_LINE
    event = a_refund_made(given.pop("order_id", ORDER), cny(amount), kind=kind, **given)
    event.message.fee_returned.CopyFrom(cny(fee))
    event.message.fee_bearer = bearer
    return event


def _line_move(**amounts: int) -> LineMove:
    return LineMove(
        cause_id=new_id(),
        merchant_id=MERCHANT,
        channel_id=CHANNEL,
        currency="CNY",
        about=Dimensions(channel_id=CHANNEL, order_id=ORDER),
        at=NOON,
        **amounts,
    )


def _money_move() -> MoneyMove:
    return MoneyMove(cause="1", merchant_id=MERCHANT, currency="CNY", amount_minor=900, at=NOON)


def _moved(name: str, *args: Any) -> Callable[[], list[Draft]]:
    return lambda: [RULES[name](_money_move(), *args)]


def _lines_moved(name: str, *amounts: dict[str, int]) -> Callable[[], list[Draft]]:
    return lambda: [RULES[name](_line_move(**each)) for each in amounts]


def _each(name: str, *events: Any) -> Callable[[], list[Draft]]:
    return lambda: [RULES[name](event) for event in events]


def _rounded(beyond: int) -> Draft:
    return RULES["statement_rounded"](
        Rounded(
            merchant_id=MERCHANT,
            channel_id=CHANNEL,
            order_id=ORDER,
            beyond=Money(beyond, "CNY"),
            at=NOON,
        )
    )


def _exchanged(book_rate: Fraction | None) -> Draft:
    return RULES["exchanged"](
        merchant_id=MERCHANT,
        source="exchange:1",
        at=NOON,
        description="Changed",
        given=(AccountRef("bank:ccb", AccountKind.ASSET), Money(1_000, "CNY")),
        received=(AccountRef("bank:hsbc", AccountKind.ASSET), Money(140, "USD")),
        book_rate=book_rate,
    )


_LINE_REFUND = RefundMade.Kind.KIND_DELIVERED_LINE
SAMPLES: dict[str, Callable[[], Sequence[Draft]]] = {
    "stock_imported": _each("stock_imported", an_import()),
    "stock_undone": _each("stock_undone", an_undo(lot_id=LOT, total=cny(5))),
    "stock_written_off": _each("stock_written_off", a_write_off("EXPIRED"), a_write_off("VOIDED")),
    "order_paid": _each(
        "order_paid",
        a_payment(ORDER, cny(900), earlier=cny(300)),
        *(paid_with_fee(5, bearer) for bearer in BEARERS),
    ),
    "payment_received": _each("payment_received", an_arrival(ORDER, new_id(), cny(5))),
    "order_completed": _each("order_completed", a_completion(ORDER, *_delivered_lines())),
    "order_partially_completed": _each(
        "order_partially_completed", *(_partly(bearer) for bearer in BEARERS)
    ),
    "order_refunded": _each("order_refunded", *(_refunded(bearer) for bearer in BEARERS)),
    "refund_made": _each(
        "refund_made",
        a_refund_made(ORDER, cny(5)),
        a_refund_made(ORDER, cny(5), kind=_LINE_REFUND),
        *(refund_with_fee(50, 2, bearer) for bearer in BEARERS),
    ),
    "claim_decided": _each("claim_decided", a_claim(replacement_face_value=cny(500))),
    "claw_back_settled": _each(
        "claw_back_settled", an_answer(accepted=True), an_answer(accepted=False)
    ),
    "voucher_redeemed": _each("voucher_redeemed", a_redemption(400)),
    "redemption_rolled_back": _each(
        "redemption_rolled_back", a_roll_back(400), a_roll_back(400, is_over=True)
    ),
    "voucher_expired": _each("voucher_expired", an_expiry(600)),
    "case_opened": _each("case_opened", a_late_success(700)),
    "purchase_stocked": _each("purchase_stocked", a_stocking(1200)),
    "supplier_answered": _each(
        "supplier_answered", *(a_supplier_answer(1200, pays=pays) for pays in (True, False))
    ),
    "exchanged": lambda: [
        _exchanged(rate) for rate in (Fraction(100, 712), Fraction(1, 8), Fraction(1393, 10_000))
    ],
    "statement_rounded": lambda: [_rounded(1), _rounded(-1)],
    "line_shared_out": _lines_moved(
        "line_shared_out", {"pending": 900, "platform_fees": 100, "clearing": -1_000}
    ),
    "line_fee_shared_out": _lines_moved(
        "line_fee_shared_out",
        {"clearing": 30, "pending": -20, "platform_fees": -10},
        {"clearing": 30, "pending": 0, "receivable": -30},
    ),
    "line_refund_shared_out": _lines_moved(
        "line_refund_shared_out",
        {"clearing": 60, "pending": -10, "reserved": -20, "available": -25, "platform_fees": -5},
        {"clearing": -5, "receivable": 5},
    ),
    "line_released": _lines_moved(
        "line_released", {"pending": -900, "available": 810, "reserved": 90}
    ),
    "reserve_released": _lines_moved("reserve_released", {"reserved": -90, "available": 90}),
    "payout_approved": _moved("payout_approved"),
    "payout_paid": _moved("payout_paid"),
    "payout_failed": _moved("payout_failed"),
    "payout_returned": _moved("payout_returned"),
    "prepaid_topped_up": _moved("prepaid_topped_up", "ACME"),
    "prepaid_captured": _moved("prepaid_captured", "ACME", CHANNEL),
}
