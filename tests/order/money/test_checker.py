"""The checker can fail: it is silent about good tales and finds each way of being wrong."""

from dataclasses import replace
from typing import Any

import pytest

from tests.order.money.checker import problems
from tests.order.money.tales import LineRow, PaymentRow, RefundRow, Tale, Told

OK = (201, b"receipt")
NO = (409, b"order_not_payable")

PAID = Tale(
    id="paid",
    status="paid",
    total=1990,
    currency="CNY",
    told=(Told("a", 1990, "CNY", is_word=False, answers=(OK,) * 5),),
    payments=(PaymentRow("p", "a", "taken", 1990, "CNY", 1990, 0),),
    lines=(LineRow("l", "pending", 1990, 0, 0),),
    timeline=("placed", "paid"),
    news=("OrderPlaced", "OrderPaid"),
    shown={"paid": 1990, "refunded": 0, "open": 1990},
    liability={"CNY": 1990},
)
COMPLETED = replace(
    PAID,
    id="completed",
    status="completed",
    lines=(LineRow("l", "delivered", 1990, 0, 0),),
    timeline=("placed", "paid", "fulfillment_requested", "completed"),
    news=("OrderPlaced", "OrderPaid", "FulfillmentRequested", "OrderCompleted"),
    shown={"paid": 1990, "refunded": 0, "open": 0},
    liability={"CNY": 0},
)
REFUNDED = replace(
    PAID,
    id="refunded",
    status="refunded",
    lines=(LineRow("l", "refunded", 1990, 1990, 1990),),
    payments=(PaymentRow("p", "a", "taken", 1990, "CNY", 1990, 1990),),
    refunds=(RefundRow("r", "p", "l", 1990, "CNY", "done"),),
    timeline=("placed", "paid", "refund_due", "line_refunded", "refunded"),
    news=("OrderPlaced", "OrderPaid", "OrderRefunded"),
    shown={"paid": 1990, "refunded": 1990, "open": 0},
    liability={"CNY": 0},
)
PARTLY = replace(
    COMPLETED,
    id="partly",
    status="partially_completed",
    lines=(LineRow("l", "delivered", 1990, 500, 500),),
    payments=(PaymentRow("p", "a", "taken", 1990, "CNY", 1990, 500),),
    refunds=(RefundRow("r", "p", "l", 500, "CNY", "done"),),
    timeline=(*COMPLETED.timeline, "refund_due", "line_refunded", "partially_completed"),
    news=(*COMPLETED.news, "RefundMade"),
    asked_refunds=(((201, b"one"), (201, b"one")),),
    shown={"paid": 1990, "refunded": 500, "open": 0},
)
LATE = Tale(
    id="late",
    status="cancelled",
    total=1990,
    currency="CNY",
    told=(
        Told("a", 1990, "CNY", is_word=False, answers=(OK,) * 5),
        Told("w", 1990, "CNY", is_word=True, answers=(NO,) * 5),
    ),
    cancels=(200,),
    payments=(PaymentRow("p", "a", "returned", 1990, "CNY", 0, 1990),),
    refunds=(RefundRow("r", "p", None, 1990, "CNY", "done"),),
    lines=(LineRow("l", "pending", 1990, 0, 0),),
    timeline=("placed", "cancelled", "payment_unusable", "refund_due", "payment_returned"),
    news=("OrderPlaced", "OrderCancelled", "PaymentReceived", "RefundMade"),
    shown={"paid": 1990, "refunded": 1990, "open": 0},
    liability={"CNY": 0},
)
REVIVED = replace(
    PAID,
    id="revived",
    timeline=("placed", "expired", "payment_late", "revived", "paid"),
    news=("OrderPlaced", "OrderExpired", "PaymentReceived", "OrderPaid"),
)
PART = Tale(
    id="part",
    status="pending_payment",
    total=1990,
    currency="CNY",
    told=(Told("a", 500, "CNY", is_word=False, answers=(OK,) * 5),),
    payments=(PaymentRow("p", "a", "partial", 500, "CNY", 0, 0),),
    lines=(LineRow("l", "pending", 1990, 0, 0),),
    timeline=("placed", "payment_partial"),
    news=("OrderPlaced", "PaymentReceived"),
    shown={"paid": 500, "refunded": 0, "open": 500},
    liability={"CNY": 500},
)
FOREIGN = replace(
    PART,
    id="foreign",
    told=(Told("a", 500, "USD", is_word=False, answers=(OK,)),),
    payments=(PaymentRow("p", "a", "surplus", 500, "USD", 0, 500),),
    refunds=(RefundRow("r", "p", None, 500, "USD", "due"),),
    timeline=("placed", "payment_unusable", "refund_due"),
    shown={"paid": 0, "refunded": 0, "open": 0},
    liability={"USD": 500},
)
GOOD = (PAID, COMPLETED, REFUNDED, PARTLY, LATE, REVIVED, PART, FOREIGN)


def payment(tale: Tale, **given: Any) -> Tale:
    return replace(tale, payments=(replace(tale.payments[0], **given),))


def line(tale: Tale, **given: Any) -> Tale:
    return replace(tale, lines=(replace(tale.lines[0], **given),))


def refund(tale: Tale, **given: Any) -> Tale:
    return replace(tale, refunds=(replace(tale.refunds[0], **given),))


def told(tale: Tale, **given: Any) -> Tale:
    return replace(tale, told=(replace(tale.told[0], **given), *tale.told[1:]))


BROKEN = {
    "copies answered differently": ("M1", told(PAID, answers=(OK, (201, b"other")))),
    "money that came refused": ("M1", told(LATE, answers=(NO,) * 5)),
    "a refund call answered twice": (
        "M1",
        replace(PARTLY, asked_refunds=(((201, b"one"), (201, b"two")),)),
    ),
    "a payment lost": ("M2", replace(PAID, payments=())),
    "a payment out of nothing": ("M2", replace(PAID, told=())),
    "a payment recorded twice": ("M2", replace(PAID, payments=PAID.payments * 2)),
    "a refused word recorded": ("M2", told(replace(PAID), is_word=True, answers=(NO,))),
    "another amount recorded": ("M2", told(PAID, amount=1)),
    "delivered and given back": ("M3", line(REFUNDED, status="delivered", refund=0)),
    "money that vanished": ("M3", replace(REFUNDED, refunds=())),
    "wrong figures shown": ("M3", replace(PAID, shown={"paid": 1990, "refunded": 1, "open": 1989})),
    "foreign money kept": ("M3", replace(FOREIGN, refunds=())),
    "paid with too little": ("M4", payment(PAID, applied=1000)),
    "paid twice": (
        "M4",
        replace(PAID, payments=(*PAID.payments, replace(PAID.payments[0], id="q", reference="b"))),
    ),
    "a cancelled order that kept the money": ("M4", payment(LATE, status="taken", applied=1990)),
    "a part kept after the end": ("M4", replace(PART, status="expired")),
    "a surplus that does not go back": ("M4", replace(LATE, refunds=())),
    "a payment that says it is back": ("M4", refund(LATE, status="sent")),
    "more back than came": ("M5", refund(LATE, amount=1991)),
    "a wrong count": ("M5", payment(PARTLY, back=499)),
    "a line that counts wrongly": ("M5", line(PARTLY, refund=400)),
    "a failed line not refunded": ("M5", line(REFUNDED, status="failed", refund=0, refunded=0)),
    "a refund of a strange payment": ("M5", refund(PARTLY, payment_id="x")),
    "no such state": ("M6", replace(PAID, status="lost")),
    "ended with a line open": ("M6", line(COMPLETED, status="unknown")),
    "ended with a refund open": ("M6", refund(PARTLY, status="unknown")),
    "completed with money back": ("M6", replace(PARTLY, status="completed")),
    "refunded without": ("M6", replace(COMPLETED, status="refunded")),
    "delivered before paid": ("M6", line(LATE, status="delivered")),
    "a cancelling that did not hold": ("M6", replace(PAID, cancels=(200, 409))),
    "paid twice in the story": ("M7", replace(PAID, timeline=("placed", "paid", "paid"))),
    "a payment untold": ("M7", replace(PAID, timeline=("placed",))),
    "an end untold": (
        "M7",
        replace(LATE, timeline=("placed", "payment_unusable", "refund_due", "payment_returned")),
    ),
    "paid and cancelled": ("M7", replace(PAID, news=(*PAID.news, "OrderCancelled"))),
    "paid after its end and not revived": (
        "M7",
        replace(REVIVED, timeline=("placed", "expired", "payment_late", "paid")),
    ),
    "revived and not paid": ("M7", replace(REVIVED, news=REVIVED.news[:-1])),
    "paid and not published": ("M7", replace(PAID, news=("OrderPlaced",))),
    "its end published twice": ("M7", replace(PARTLY, news=(*PARTLY.news, "OrderRefunded"))),
    "its end not published": ("M7", replace(COMPLETED, news=COMPLETED.news[:-1])),
    "a refund untold": ("M7", replace(PARTLY, timeline=COMPLETED.timeline)),
    "books that still owe": ("M8", replace(COMPLETED, liability={"CNY": 1990})),
    "books that forgot a surplus": ("M8", replace(FOREIGN, liability={"USD": 0})),
}


@pytest.mark.parametrize("tale", GOOD, ids=lambda tale: tale.id)
def test_a_good_tale_has_no_problem(tale: Tale) -> None:
    assert problems(tale) == []


@pytest.mark.parametrize(("rule", "tale"), BROKEN.values(), ids=BROKEN)
def test_a_broken_tale_is_found(rule: str, tale: Tale) -> None:
    assert any(f": {rule} " in problem for problem in problems(tale)), problems(tale)
