"""Purchases that nobody can be asked about: told as unknown, and in the end a person's."""

from dataclasses import replace
from typing import Any

from sqlalchemy import text

from fulfillment.connector import Unknown
from fulfillment.purchases.domain import Want
from fulfillment.suppliers.domain import Times
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineUnknown
from tests.fulfillment.conftest import dispatch, end_pauses, published
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.top_ups import (
    accept,
    an_account,
    an_order,
    count,
    purchases,
    with_supplier,
)
from tests.fulfillment.webhooks import execute, rows
from tests.suppliers.simulator import Behaviour, Simulator

TTL = 3_600
TIMES = Times(timeout_seconds=0.3, visibility_delay_seconds=0.5, unknown_ttl_seconds=TTL)


def cannot_be_asked(service: Service, *, idempotent: bool) -> None:
    connector: Any = service.state["suppliers"]._connectors["generic"]
    terms = replace(connector.terms, query_by_ref=False, idempotent_by_ref=idempotent)
    connector.terms = terms


async def turn(service: Service, times: int = 3) -> None:
    for _ in range(times):
        await end_pauses(service)
        await dispatch(service)


async def time_is_over(service: Service) -> None:
    await execute(
        service,
        "UPDATE purchase SET created_at = created_at - make_interval(secs => :ttl)",
        ttl=TTL,
    )


async def an_unanswered_one(
    service: Service, simulator: Simulator, behaviour: Behaviour = Behaviour.TIMEOUT_DONE
) -> str:
    account = an_account()
    simulator.behave(account, behaviour)
    await with_supplier(service, simulator, times=TIMES)
    await accept(service, an_order(account))
    await turn(service)
    return account


async def state_of(service: Service) -> str:
    [purchase] = await purchases(service)
    return str(purchase.state)


async def test_one_that_can_neither_be_asked_for_nor_repeated_reaches_a_person(
    buying: Service, simulator: Simulator
) -> None:
    cannot_be_asked(buying, idempotent=False)
    account = await an_unanswered_one(buying, simulator)
    assert await state_of(buying) == "unknown"
    assert await count(buying, "manual_task") == 0

    await time_is_over(buying)
    await turn(buying)
    assert await state_of(buying) == "manual"
    [task] = await rows(buying, "manual_task")
    async with buying.db.transaction() as tx:
        await buying.state["manual_tasks"].complete(
            tx, MERCHANT, task.id, "ann", result="It arrived", cost=None
        )
    await turn(buying)

    assert [type(it) for it in await published(buying)] == [LineUnknown, LineDelivered]
    assert (simulator.charged(account), len(simulator.posts)) == (1, 1)


async def test_one_that_a_crash_left_as_sent_is_unknown_once_its_call_must_be_over(
    buying: Service, simulator: Simulator
) -> None:
    cannot_be_asked(buying, idempotent=False)
    await an_unanswered_one(buying, simulator)
    async with buying.db.transaction() as tx:
        await tx.execute(text("UPDATE purchase SET state = 'sent'"))
    await turn(buying)
    assert await state_of(buying) == "sent"

    await execute(buying, "UPDATE purchase SET sent_at = sent_at - interval '1 minute'")
    await turn(buying)
    assert await state_of(buying) == "unknown"


async def test_one_whose_supplier_is_left_alone_for_long_reaches_a_person(
    buying: Service, simulator: Simulator
) -> None:
    cannot_be_asked(buying, idempotent=True)
    await an_unanswered_one(buying, simulator, Behaviour.ERROR_NOT_DONE)
    await execute(
        buying,
        "INSERT INTO supplier_circuit (merchant_id, supplier, failures, openings, open_until) "
        "VALUES (:merchant_id, 'sim', 10, 1, clock_timestamp() + interval '1 hour') "
        "ON CONFLICT (merchant_id, supplier) DO UPDATE SET open_until = excluded.open_until",
        merchant_id=MERCHANT,
    )
    await turn(buying)
    assert await count(buying, "manual_task") == 0

    await time_is_over(buying)
    await turn(buying)
    assert await state_of(buying) == "manual"
    assert await count(buying, "manual_task", "state = 'open'") == 1


async def test_what_is_sent_again_for_want_of_a_question_counts_as_one_so_that_pauses_grow(
    buying: Service, simulator: Simulator
) -> None:
    cannot_be_asked(buying, idempotent=True)
    await an_unanswered_one(buying, simulator, Behaviour.ERROR_NOT_DONE)
    await turn(buying, 4)

    [purchase] = await purchases(buying)
    assert purchase.state == "unknown"
    assert purchase.asks == purchase.sends - 1 >= 4


async def test_a_slow_answer_about_what_was_decided_meanwhile_asks_no_person(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    simulator.behave(account, Behaviour.TIMEOUT_DONE)
    await with_supplier(buying, simulator, times=TIMES)
    await accept(buying, an_order(account))
    await dispatch(buying)
    await time_is_over(buying)
    [row] = await purchases(buying)
    service = buying.state["purchases"]
    async with buying.db.transaction() as tx:
        want = Want(await service.get(tx, MERCHANT, row.id), account)
        [slow] = await service._begin(tx, [want])
    await service.buy(buying.db, [want])
    assert await state_of(buying) == "done"

    await service._record_late(buying.db, [(slow, Unknown("no_answer"))])
    assert await count(buying, "manual_task") == 0
