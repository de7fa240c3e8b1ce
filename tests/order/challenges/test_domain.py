"""An order whose buyer is to show a code: before it is paid, after, too late, and never."""

from datetime import UTC, datetime

import pytest

from kit.ids import new_id
from order.challenges import domain as challenges
from order.challenges.domain import CodeNews
from order.orders.domain import Assessment, Challenge, Change, News, OrderStatus, Verdict
from order.saga import domain as saga
from tests.order.factories import a_payment, an_assessment, an_order

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHALLENGED = an_assessment(Verdict.CHALLENGE, challenge_id=str(new_id()))
SHOWN = Assessment(CHALLENGED.id, Verdict.ALLOW, note="the buyer showed the code")
NOT_SHOWN = Assessment(CHALLENGED.id, Verdict.HOLD, note="too many wrong codes")


def begun() -> Change:
    return Change(an_order(), "test")


def paid(change: Change) -> Change:
    return saga.pay(change, a_payment(change.order), NOW)


def news(change: Change) -> list[News]:
    return [told for told, _ in change.news]


@pytest.mark.parametrize("paid_first", [True, False])
def test_a_challenged_order_waits_for_the_code_whenever_it_is_paid(*, paid_first: bool) -> None:
    change = begun()
    if paid_first:
        change = saga.assess(paid(change), CHALLENGED)
    else:
        change = paid(saga.assess(change, CHALLENGED))

    assert change.order.status is OrderStatus.ON_HOLD
    assert change.order.reason.startswith("challenge: ")
    assert change.order.challenge == Challenge(CHALLENGED.challenge_id)
    assert sorted(news(change)) == ["challenged", "held", "paid"]


def test_an_unpaid_order_is_challenged_at_once_and_goes_on_by_itself_when_it_is_paid() -> None:
    change = saga.assess(begun(), CHALLENGED)
    assert (change.order.status, news(change)) == (OrderStatus.PENDING_PAYMENT, [News.CHALLENGED])

    change = paid(saga.assess(change, SHOWN))

    assert change.order.status is OrderStatus.FULFILLING
    assert news(change)[1:] == [News.PAID, News.FULFILLMENT_REQUESTED]


def test_the_code_lets_a_paid_order_go_on_at_once() -> None:
    change = saga.assess(saga.assess(paid(begun()), CHALLENGED), SHOWN)

    assert change.order.status is OrderStatus.FULFILLING
    assert news(change)[-1] is News.FULFILLMENT_REQUESTED


def test_without_the_code_it_waits_for_a_person_and_ends_as_that_one_says() -> None:
    held = saga.assess(saga.assess(paid(begun()), CHALLENGED), NOT_SHOWN)
    declined = saga.assess(held, Assessment(CHALLENGED.id, Verdict.DECLINE, reviewer="ann"))

    assert (held.order.status, held.order.reason) == (OrderStatus.ON_HOLD, "too many wrong codes")
    assert declined.order.status is OrderStatus.REFUNDING


def test_a_fall_back_to_decline_gives_the_money_back() -> None:
    no = Assessment(CHALLENGED.id, Verdict.DECLINE, note="too many wrong codes")

    assert saga.assess(saga.assess(begun(), CHALLENGED), no).order.status is OrderStatus.CANCELLED
    paid_one = saga.assess(saga.assess(paid(begun()), CHALLENGED), no)
    assert paid_one.order.status is OrderStatus.REFUNDING


@pytest.mark.parametrize("end", [saga.expire, lambda change: saga.cancel(change, "no")])
def test_an_order_that_ends_unpaid_is_not_brought_back_by_its_code(end: object) -> None:
    assert callable(end)
    change = end(saga.assess(begun(), CHALLENGED))
    status = change.order.status

    change = saga.assess(change, SHOWN)

    assert change.order.status is status
    assert change.entries[-1].kind == "assessed_too_late"


def test_a_price_that_comes_late_has_a_code_sent_anew() -> None:
    change = saga.expire(saga.assess(begun(), CHALLENGED))
    revived = Change(change.with_order(is_revived=True).order, "late payment")

    change = paid(revived)

    assert change.order.status is OrderStatus.ON_HOLD
    assert sorted(news(change)) == ["challenged", "held", "paid"]


def test_an_order_that_is_challenged_after_its_price_came_late_has_one_code_sent() -> None:
    ended = saga.expire(begun())
    change = paid(Change(ended.with_order(is_revived=True).order, "late payment"))
    assert change.order.status is OrderStatus.PAID

    change = saga.assess(change, CHALLENGED)

    assert change.order.status is OrderStatus.ON_HOLD
    assert sorted(news(change)) == ["challenged", "held", "paid"]


def test_the_timeline_tells_where_the_code_went_and_the_order_shows_it() -> None:
    change = saga.assess(begun(), CHALLENGED)
    sent = Challenge(CHALLENGED.challenge_id, "sms", "*******8001")

    change = challenges.note(change, CodeNews(sent))

    assert change.order.challenge == sent
    assert change.entries[-1].details["target"] == "*******8001"


def test_what_is_told_of_another_challenge_changes_nothing() -> None:
    change = saga.assess(begun(), CHALLENGED)

    assert challenges.note(change, CodeNews(Challenge(str(new_id()), "sms", "x"))) is change


def test_why_no_code_could_be_sent_is_told() -> None:
    change = saga.assess(begun(), CHALLENGED)

    told = challenges.note(change, CodeNews(Challenge(CHALLENGED.challenge_id), "no_contact"))

    assert told.entries[-1].details["reason"] == "no_contact"
    assert told.order.challenge == Challenge(CHALLENGED.challenge_id)
