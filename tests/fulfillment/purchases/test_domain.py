"""Each decision about a purchase, without a supplier; and that the database thinks the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fulfillment.connector import Done, Failed, NotFound, NotSent, Terms, Unknown
from fulfillment.purchases.domain import (
    LEGAL,
    SENDS_MAX,
    Limits,
    Purchase,
    PurchaseState,
    Step,
    next_step,
    pause_of,
    settle,
)
from kit.db import Database
from kit.ids import new_id
from kit.money import Money
from tests.fulfillment.conftest import Accept
from tests.fulfillment.factories import MERCHANT, a_request

TERMS = Terms(
    idempotent_by_ref=True,
    query_by_ref=True,
    definite_failures=frozenset({"refused"}),
    timeout=timedelta(seconds=10),
    visibility_delay=timedelta(seconds=60),
    unknown_ttl=timedelta(hours=24),
)
LIMITS = Limits(unsent=timedelta(minutes=10), pause=timedelta(hours=1))
COST = Money(4850, "CNY")


def a_purchase(state: PurchaseState = PurchaseState.SENT, **given: object) -> Purchase:
    purchase = Purchase(
        id=new_id(),
        order_id=new_id(),
        line_id=new_id(),
        delivery_id=new_id(),
        task_id=new_id(),
        merchant_id=MERCHANT,
        generation=0,
        supplier="sim",
        supplier_sku="CM-50",
        quantity=1,
        cost_max=Money(4900, "CNY"),
        state=state,
        sends=1,
    )
    return replace(purchase, **given)  # type: ignore[arg-type]  # names of its fields


def settled(purchase: Purchase, report: object, terms: Terms = TERMS) -> Purchase:
    return settle(purchase, report, terms, LIMITS)  # type: ignore[arg-type]  # one of the answers


def test_only_listed_codes_are_definite() -> None:
    assert settled(a_purchase(), Failed("refused")).state is PurchaseState.FAILED
    assert settled(a_purchase(), Failed("maybe")).state is PurchaseState.UNKNOWN
    assert settled(a_purchase(), Unknown("no_answer")).state is PurchaseState.UNKNOWN


def test_what_never_will_be_sent_is_a_no_unless_an_earlier_sending_may_have_worked() -> None:
    too_dear = NotSent("cost_too_high", is_final=True)

    fresh = settled(a_purchase(), too_dear)
    assert (fresh.state, fresh.reason) == (PurchaseState.FAILED, "cost_too_high")
    again = settled(a_purchase(sends=2), too_dear)
    assert (again.state, again.reason) == (PurchaseState.UNKNOWN, "cost_too_high")
    # One that could not be reached is tried again: it comes_to_the_same only for the final ones.
    assert settled(a_purchase(), NotSent("supplier_unreachable")).state is PurchaseState.INTENT


@pytest.mark.parametrize(("age", "state"), [(69, "unknown"), (70, "intent")])
def test_not_found_proves_nothing_while_a_call_may_be_on_its_way(age: int, state: str) -> None:
    purchase = a_purchase(PurchaseState.UNKNOWN, age=timedelta(seconds=age))

    assert settled(purchase, NotFound()).state.value == state


def test_not_found_is_a_no_when_the_reference_must_not_or_cannot_be_sent_again() -> None:
    old = a_purchase(PurchaseState.UNKNOWN, age=timedelta(hours=1))
    careless = replace(TERMS, idempotent_by_ref=False)

    assert settled(old, NotFound(), careless).state is PurchaseState.FAILED
    assert settled(replace(old, sends=SENDS_MAX), NotFound()).state is PurchaseState.FAILED
    by_hand = replace(old, state=PurchaseState.MANUAL)
    assert settled(by_hand, NotFound()).state is PurchaseState.FAILED


def test_what_did_not_leave_is_tried_again_until_it_is_too_late() -> None:
    fresh = settled(a_purchase(), NotSent("supplier_unreachable"))
    assert (fresh.state, fresh.tries) == (PurchaseState.INTENT, 0)

    late = a_purchase(waited=LIMITS.unsent)
    assert settled(late, NotSent("supplier_unreachable")).state is PurchaseState.FAILED


def test_what_may_have_left_once_is_unknown_even_if_the_second_time_it_did_not() -> None:
    again = a_purchase(sends=2, waited=LIMITS.unsent)

    assert settled(again, NotSent("supplier_unreachable")).state is PurchaseState.UNKNOWN


def test_a_person_must_look_when_the_time_of_asking_is_over() -> None:
    over = a_purchase(PurchaseState.UNKNOWN, waited=TERMS.unknown_ttl)

    assert settled(over, Unknown("no_answer")).state is PurchaseState.MANUAL
    # Asking goes on, and an answer still counts.
    by_hand = settled(over, Unknown("no_answer"))
    assert next_step(by_hand, TERMS) is Step.ASK
    assert settled(by_hand, Done(COST, "A-1")).state is PurchaseState.DONE


def test_a_supplier_that_cannot_be_asked_is_sent_the_same_again_or_left_to_people() -> None:
    mute = replace(TERMS, query_by_ref=False)
    unknown = a_purchase(PurchaseState.UNKNOWN)

    assert next_step(unknown, mute) is Step.SEND
    assert next_step(unknown, replace(mute, idempotent_by_ref=False)) is Step.WAIT
    assert next_step(a_purchase(PurchaseState.MANUAL), mute) is Step.WAIT


def test_the_pauses_between_questions_grow_to_an_hour() -> None:
    asked = [
        pause_of(a_purchase(PurchaseState.UNKNOWN, asks=asks), LIMITS).total_seconds()
        for asks in range(8)
    ]

    assert asked == [5, 15, 60, 300, 900, 3600, 3600, 3600]
    short = Limits(LIMITS.unsent, timedelta(seconds=0.1))
    assert pause_of(a_purchase(PurchaseState.UNKNOWN, asks=5), short) == short.pause


async def test_the_database_allows_exactly_what_the_rules_allow(
    db: Database, accept: Accept
) -> None:
    await accept(a_request())
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT id, task_id FROM delivery"))).one()
    legal = set()
    for before in PurchaseState:
        for after in PurchaseState:
            try:
                async with db.transaction() as tx:
                    await tx.execute(_ADD, _values(row.id, row.task_id, before))
                    await tx.execute(_MOVE, _state(after))
                    legal.add((before, after))
                    _undo()
            except (_Undone, IntegrityError):
                continue

    expected = {(before, after) for before, many in LEGAL.items() for after in many}
    assert legal == expected | {(state, state) for state in PurchaseState}


async def test_a_second_offer_waits_for_a_definite_no_of_the_first(
    db: Database, accept: Accept
) -> None:
    await accept(a_request())
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT id, task_id FROM delivery"))).one()
    for first in PurchaseState:
        allowed = True
        try:
            async with db.transaction() as tx:
                await tx.execute(_ADD, _values(row.id, row.task_id, first))
                second = _values(row.id, row.task_id, PurchaseState.INTENT)
                await tx.execute(_ADD, {**second, "generation": 1})
                _undo()
        except IntegrityError:
            allowed = False
        except _Undone:
            pass
        assert allowed is (first is PurchaseState.FAILED), first


class _Undone(Exception):
    """So that nothing of it stays."""


def _undo() -> None:
    raise _Undone


def _state(state: PurchaseState) -> dict[str, object]:
    over = state in (PurchaseState.DONE, PurchaseState.FAILED)
    return {
        "state": state.value,
        "cost_minor": 1 if state is PurchaseState.DONE else None,
        "reason": "refused" if state is PurchaseState.FAILED else "",
        "settled_at": datetime.now(UTC) if over else None,
    }


def _values(delivery_id: object, task_id: object, state: PurchaseState) -> dict[str, object]:
    return {
        "id": new_id(),
        "delivery_id": delivery_id,
        "task_id": task_id,
        "generation": 0,
        **_state(state),
    }


_ADD = text(
    """
    INSERT INTO purchase (id, merchant_id, order_id, line_id, delivery_id, task_id, generation,
        supplier, supplier_sku, quantity, cost_max_minor, currency, state, cost_minor, reason,
        sent_at, settled_at)
    VALUES (:id, :id, :id, :id, :delivery_id, :task_id, :generation, 'sim', 'CM-50', 1, 100, 'CNY',
        :state, :cost_minor, :reason, clock_timestamp(), :settled_at)
    """
)
_MOVE = text(
    "UPDATE purchase SET state = :state, cost_minor = :cost_minor, reason = :reason, "
    "settled_at = :settled_at"
)
