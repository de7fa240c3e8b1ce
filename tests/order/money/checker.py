"""`problems(tale)`: every way in which an order's money is not exact, or none.

Pure. Rules M1 to M8; tests/order/money/test_checker.py breaks a tale in each way.
"""

from collections import Counter
from collections.abc import Iterator

from tests.order.money.tales import PaymentRow, Tale

UNPAID_ENDS = {"cancelled", "expired"}
UNPAID = UNPAID_ENDS | {"pending_payment"}
SETTLED = {"completed", "partially_completed", "refunded"}
STATES = UNPAID | SETTLED | {"paid", "on_hold", "fulfilling", "refunding"}
CLOSING = {"OrderCompleted", "OrderPartiallyCompleted", "OrderRefunded"}
ENDING = {"OrderCancelled", "OrderExpired"}


def problems(tale: Tale) -> list[str]:
    found = [
        *_answers(tale),
        *_recorded(tale),
        *_balance(tale),
        *_payments(tale),
        *_refunds(tale),
        *_states(tale),
        *_story(tale),
        *_news(tale),
        *_books(tale),
    ]
    return [f"{tale.id} ({tale.status}): {problem}" for problem in found]


def _answers(tale: Tale) -> Iterator[str]:
    """M1: every copy of a call gets the same answer; money that came is never refused."""
    for told in tale.told:
        if len(set(told.answers)) > 1:
            yield f"M1 copies of {told.reference} were answered {sorted(set(told.answers))}"
        if not told.is_word and any(status != 201 for status, _ in told.answers):
            yield f"M1 money that came by {told.reference} was refused"
    for answers in tale.asked_refunds:
        if len(set(answers)) > 1:
            yield f"M1 copies of a refund call were answered {sorted(set(answers))}"


def _recorded(tale: Tale) -> Iterator[str]:
    """M2: what was answered with a receipt is written down once and as told; nothing else is."""
    rows = Counter(row.reference for row in tale.payments)
    for reference, times in rows.items():
        if times > 1:
            yield f"M2 payment {reference} is recorded {times} times"
    accepted = {it.reference: it for it in tale.told if any(s == 201 for s, _ in it.answers)}
    for reference in accepted.keys() - rows.keys():
        yield f"M2 payment {reference} was answered and is not recorded"
    for reference in rows.keys() - accepted.keys():
        yield f"M2 payment {reference} is recorded and was not answered"
    for row in tale.payments:
        told = accepted.get(row.reference)
        if told and (told.amount, told.currency) != (row.amount, row.currency):
            yield f"M2 payment {row.reference} is recorded with another amount"


def _balance(tale: Tale) -> Iterator[str]:
    """M3: in each currency, what came = delivered + given back + open."""
    for currency in {row.currency for row in tale.payments} | {tale.currency}:
        came = sum(row.amount for row in tale.payments if row.currency == currency)
        refunds = [it for it in tale.refunds if it.currency == currency]
        back = sum(it.amount for it in refunds if it.status == "done")
        under_way = sum(it.amount for it in refunds if it.status != "done")
        delivered = still_open = 0
        if currency == tale.currency:
            delivered = sum(it.total - it.refund for it in tale.lines if it.status == "delivered")
            still_open = _held(tale)
            shown = {"paid": came, "refunded": back, "open": under_way + still_open}
            if tale.shown != shown:
                yield f"M3 the API shows {tale.shown} and not {shown}"
        if came != delivered + back + under_way + still_open:
            yield (
                f"M3 {currency}: {came} came, {delivered} delivered, {back} back, "
                f"{under_way} on its way back, {still_open} held"
            )


def _held(tale: Tale) -> int:
    """Parts of an order that is not paid, prices of lines whose end is not known."""
    if tale.status in UNPAID:
        return sum(row.amount for row in tale.payments if row.status == "partial")
    return sum(it.total for it in tale.lines if it.status in ("pending", "unknown"))


def _payments(tale: Tale) -> Iterator[str]:
    """M4: a paid order was paid exactly; what paid nothing goes back whole."""
    applied = sum(row.applied for row in tale.payments)
    expected = 0 if tale.status in UNPAID else tale.total
    if applied != expected:
        yield f"M4 payments apply {applied} to an order of {expected}"
    for row in tale.payments:
        if row.status == "partial" and tale.status != "pending_payment":
            yield f"M4 part {row.reference} is still kept"
        if row.status == "taken" and tale.status in UNPAID:
            yield f"M4 payment {row.reference} is taken by an order that is not paid"
        surplus = sum(
            it.amount for it in tale.refunds if it.payment_id == row.id and it.line_id is None
        )
        owed = 0 if row.status == "partial" else row.amount - row.applied
        if surplus != owed:
            yield f"M4 {surplus} of payment {row.reference} go back and not {owed}"
        if row.status != _expected(row, tale):
            yield f"M4 payment {row.reference} is {row.status}"


def _expected(row: PaymentRow, tale: Tale) -> str:
    if row.status in ("taken", "partial"):
        return row.status
    states = [it.status for it in tale.refunds if it.payment_id == row.id and it.line_id is None]
    if states == ["done"]:
        return "returned"
    return "surplus" if states == ["due"] and row.status == "surplus" else "returning"


def _refunds(tale: Tale) -> Iterator[str]:
    """M5: no payment and no line gives back more than it has; the counts are the sums."""
    for row in tale.payments:
        back = sum(it.amount for it in tale.refunds if it.payment_id == row.id)
        if back != row.back or back > row.amount:
            yield f"M5 payment {row.reference}: {back} of {row.amount} back, counted {row.back}"
    for line in tale.lines:
        mine = [it for it in tale.refunds if it.line_id == line.id]
        asked = sum(it.amount for it in mine)
        done = sum(it.amount for it in mine if it.status == "done")
        if (asked, done) != (line.refund, line.refunded) or asked > line.total:
            yield f"M5 line {line.id}: {asked} asked, {done} back, counted {line.refund}"
        if line.status in ("failed", "refunded") and asked != line.total:
            yield f"M5 line {line.id} failed and {asked} of {line.total} go back"
    for it in tale.refunds:
        if it.payment_id not in {row.id for row in tale.payments}:
            yield f"M5 refund {it.id} is of no payment of the order"


def _states(tale: Tale) -> Iterator[str]:
    """M6: the order's state is what its lines and its money say."""
    if tale.status not in STATES:
        yield "M6 there is no such state"
    open_lines = [it for it in tale.lines if it.status in ("pending", "unknown")]
    back_open = [it for it in tale.refunds if it.line_id and it.status != "done"]
    if tale.status in SETTLED and (open_lines or back_open):
        yield "M6 the order has ended with lines or refunds open"
    if tale.status == "completed" and any(it.refunded for it in tale.lines):
        yield "M6 the order is completed and money went back"
    if tale.status == "refunded" and any(it.refunded != it.total for it in tale.lines):
        yield "M6 the order is refunded and money did not go back"
    if tale.status in UNPAID | {"paid", "on_hold"} and any(
        it.status != "pending" for it in tale.lines
    ):
        yield "M6 a line was decided before the order was paid"
    if 200 in tale.cancels and tale.status != "cancelled":
        yield "M6 cancelling was answered and the order is not cancelled"


def _story(tale: Tale) -> Iterator[str]:
    """M7: the timeline tells each thing once, and the events agree with it."""
    kinds = Counter(tale.timeline)
    once = (
        "placed",
        "paid",
        "cancelled",
        "expired",
        "revived",
        "completed",
        "fulfillment_requested",
    )
    for kind in once:
        if kinds[kind] > 1:
            yield f"M7 the timeline tells {kind} {kinds[kind]} times"
    if kinds["paid"] != (tale.status not in UNPAID):
        yield "M7 the timeline does not tell whether it was paid"
    if tale.status in UNPAID_ENDS and not kinds[tale.status]:
        yield "M7 the timeline does not tell how it ended"
    if kinds["refund_due"] != len(tale.refunds):
        yield f"M7 {kinds['refund_due']} refunds are told and {len(tale.refunds)} are owed"
    done = sum(it.status == "done" for it in tale.refunds)
    if kinds["line_refunded"] + kinds["payment_returned"] != done:
        yield "M7 the timeline does not tell every refund that was made"


def _news(tale: Tale) -> Iterator[str]:
    """M7, too: each event is published once, and one end of the order."""
    kinds, news = Counter(tale.timeline), Counter(tale.news)
    if news["OrderPaid"] != kinds["paid"]:
        yield "M7 events and timeline disagree on the payment"
    ends = sum(news[it] for it in ENDING)
    # One whose price came late was over before it was paid.
    was_over = tale.status in UNPAID_ENDS or bool(kinds["revived"])
    if ends != was_over or (ends and news["OrderPaid"] != kinds["revived"]):
        yield f"M7 the events tell {dict(news)}"
    if sum(news[it] for it in CLOSING) > 1:
        yield "M7 the order's end was published more than once"
    if tale.status in SETTLED and not sum(news[it] for it in CLOSING):
        yield "M7 the order's end was not published"


def _books(tale: Tale) -> Iterator[str]:
    """M8: the ledger owes the buyer the price until the order's end is published, parts that are
    kept, payments that are on their way back, and nothing else.
    """
    for currency, owed in tale.liability.items():
        expected = sum(
            it.amount
            for it in tale.refunds
            if it.currency == currency and it.line_id is None and it.status != "done"
        )
        if currency == tale.currency:
            expected += sum(row.amount for row in tale.payments if row.status == "partial")
            is_paid = tale.status not in UNPAID
            expected += tale.total if is_paid and not CLOSING & set(tale.news) else 0
        if owed != expected:
            yield f"M8 the books owe {owed} {currency} and not {expected}"
