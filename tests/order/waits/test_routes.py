"""The operators' list: each kind of waiting thing is made and listed; what a person may do."""

from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import FulfillmentRequested
from order.lines.domain import LineStatus
from order.orders.domain import Order, OrderStatus
from order.payments.jobs import pay_back
from order.provider import load_providers
from order.steps.domain import StepState, Unknown
from order.waits.domain import WaitKind
from order.waits.jobs import WAITS, watch_waits
from order.waits.service import WaitService
from tests.order.conftest import ApiClient, Consume
from tests.order.factories import (
    a_line,
    an_order,
    assessed,
    delivered,
    failed,
    fulfilling,
    kinds_of,
    paid,
    placed,
    state_of,
    unknown,
)
from tests.order.payments.test_service import came
from tests.order.shortages.test_ladder import TERMS, requests_of
from tests.order.steps.making import MoodyKind, a_step, make_due, planned, run, steps_of

REASON = {"reason": "asked by the buyer"}
_CHECKOUT = text(
    "INSERT INTO payment_checkout (id, order_id, merchant_id, account_id, provider, method, "
    "amount_minor, currency, state, expires_at, next_at, last_error) "
    "SELECT gen_random_uuid(), id, merchant_id, gen_random_uuid(), 'stripe', 'checkout', 1990, "
    "'CNY', 'manual', now(), now(), 'silent' FROM orders WHERE id = :order_id"
)


async def waits_of(api: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get("/v1/waits", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def act(
    api: httpx.AsyncClient, wait_id: UUID | str, what: str, **body: Any
) -> tuple[int, Any]:
    answer = await api.post(f"/v1/waits/{wait_id}/{what}", json={**REASON, **body})
    return answer.status_code, answer.json()


async def fall_silent(db: Database, order: Order, **column: str) -> None:
    """As if nothing had happened to the order for an hour."""
    names = column or {"updated_at": "clock_timestamp() - interval '1 hour'"}
    changes = ", ".join(f"{name} = {value}" for name, value in names.items())
    async with db.transaction() as tx:
        await tx.execute(
            text(f"UPDATE orders SET {changes} WHERE id = :id"),  # noqa: S608 - our own text
            {"id": order.id},
        )


async def _unknown_step(db: Database, order: Order) -> None:
    await planned(db, order, a_step(order))
    await run(db, {"moody": MoodyKind(Unknown("silent"))})


async def test_nothing_waits_at_first(db: Database, api: httpx.AsyncClient) -> None:
    await placed(db)
    await fulfilling(db)

    assert await waits_of(api) == []


async def test_every_kind_of_waiting_is_listed(
    db: Database, consume: Consume, api: httpx.AsyncClient
) -> None:
    made: dict[str, Order] = {}
    made["step"] = await placed(db)
    await _unknown_step(db, made["step"])
    made["back_order"] = await fulfilling(
        db, an_order(lines=[a_line(terms={"shortage": {"back_order_seconds": 60}})])
    )
    await consume(failed(made["back_order"], made["back_order"].lines[0], "out_of_stock"))
    made["refund"] = await fulfilling(db)
    await consume(failed(made["refund"], made["refund"].lines[0]))
    made["unknown_line"] = await fulfilling(db)
    await consume(unknown(made["unknown_line"], made["unknown_line"].lines[0], reason="no_answer"))
    made["review"] = await placed(db)
    await consume(assessed(made["review"], "HOLD"))
    await paid(db, made["review"])
    made["payment"] = await placed(db)
    await came(db, made["payment"], 100)
    made["checkout"] = await placed(db)
    async with db.transaction() as tx:
        await tx.execute(_CHECKOUT, {"order_id": made["checkout"].id})
    made["assessment"] = await placed(db)
    await paid(db, made["assessment"])
    made["fulfillment"] = await fulfilling(db)
    made["lost"] = await placed(db)
    await fall_silent(db, made["lost"], pay_until="clock_timestamp() - interval '1 hour'")
    for silent in ("assessment", "fulfillment"):
        await fall_silent(db, made[silent])

    found = await waits_of(api)

    assert {wait["kind"]: wait["order_id"] for wait in found} == {
        kind: str(order.id) for kind, order in made.items()
    }
    assert set(made) == {kind.value for kind in WaitKind}
    by_kind = {wait["kind"]: wait for wait in found}
    assert by_kind["step"]["last_error"] == "silent"
    assert by_kind["step"]["next_try_at"] is not None
    assert by_kind["unknown_line"]["last_error"] == "no_answer"
    assert by_kind["review"]["last_error"] == "one IP, 6 orders"
    assert by_kind["refund"]["reference"] == made["refund"].reference
    for kind in made:
        assert [wait["kind"] for wait in await waits_of(api, kind=kind)] == [kind]


async def test_an_event_that_got_lost_is_seen_and_asked_for_again(
    db: Database, consume: Consume, api: httpx.AsyncClient
) -> None:
    order = await fulfilling(db)
    async with db.transaction() as tx:
        # The request never reached fulfilment.
        await tx.execute(text("DELETE FROM outbox_pending"))
    await fall_silent(db, order)
    [wait] = await waits_of(api)
    assert (wait["kind"], wait["id"]) == ("fulfillment", str(order.lines[0].id))

    status, _ = await act(api, wait["id"], "retry")

    assert status == 200
    first, again = await requests_of(db, order)
    assert again == first
    assert (await kinds_of(db, order))[-1] == "wait_retried"
    assert await waits_of(api) == []
    await consume(delivered(order, order.lines[0]))
    assert (await state_of(db, order)).status is OrderStatus.COMPLETED


async def test_lines_that_wait_for_their_bundle_are_not_silent(
    db: Database, api: httpx.AsyncClient
) -> None:
    bound = {"bundle_sku": "PACK", "bundle_no": 1, "bundle_policy": "all_or_nothing"}
    by_hand = {"kind": "manual", "queue": "desk", "fulfiller": None}
    top_up = a_line(line_no=2, sku="PHONE-50", kind="manual", pool_id=None, terms=by_hand, **bound)
    order = await fulfilling(db, an_order(lines=[a_line(**bound), top_up]))
    await fall_silent(db, order)

    assert [wait["what"] for wait in await waits_of(api)] == ["PHONE-50"]


async def test_the_list_is_paged_and_filtered_by_age(db: Database, api: httpx.AsyncClient) -> None:
    orders = [await placed(db) for _ in range(3)]
    for order in orders:
        await _unknown_step(db, order)
    seen, cursor = [], None
    for _ in range(4):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/v1/waits", params=params)).json()
        seen += [wait["order_id"] for wait in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == [str(order.id) for order in orders]
    assert await waits_of(api, min_age_seconds=3600) == []


async def test_another_merchant_sees_and_touches_nothing(
    db: Database, api: httpx.AsyncClient, other_api: httpx.AsyncClient, open_api: ApiClient
) -> None:
    order = await placed(db)
    await _unknown_step(db, order)
    [wait] = await waits_of(api)

    assert await waits_of(other_api) == []
    for what in ("retry", "skip", "refund"):
        assert (await act(other_api, wait["id"], what))[0] == 404
    reader = await open_api(["steps:read"])
    assert (await act(reader, wait["id"], "retry"))[0] == 403
    assert (await act(api, new_id(), "retry"))[1]["code"] == "wait_not_found"


async def test_a_step_that_waits_for_a_person_is_tried_again_by_the_same_reference(
    db: Database, api: httpx.AsyncClient
) -> None:
    order = await placed(db)
    await planned(db, order, a_step(order))
    kind = MoodyKind(Unknown("silent"))
    await make_due(db, is_late=True)
    await run(db, {"moody": kind})
    [wait] = await waits_of(api)
    assert (wait["state"], wait["next_try_at"]) == ("manual", None)

    assert (await act(api, wait["id"], "retry"))[0] == 200
    await run(db, {"moody": kind})

    assert (await steps_of(db, order))[0].state is StepState.OK
    assert len(set(kind.asked)) == 1
    assert len(kind.asked) == 2
    async with db.read() as tx:
        query = text("SELECT cause, details FROM order_timeline WHERE kind = 'wait_retried'")
        row = (await tx.execute(query)).one()
    assert row.cause.startswith("key:")
    assert row.details["reason"] == "asked by the buyer"


async def test_a_step_whose_outcome_is_unknown_is_skipped_by_force_only(
    db: Database, api: httpx.AsyncClient, open_api: ApiClient
) -> None:
    order = await placed(db)
    await _unknown_step(db, order)
    [wait] = await waits_of(api)
    weak = await open_api(["steps:read", "steps:write"])

    assert (await act(api, wait["id"], "skip"))[1]["code"] == "outcome_unknown"
    assert (await act(weak, wait["id"], "skip", force=True))[0] == 403
    assert (await act(api, wait["id"], "skip", force=True))[0] == 200

    assert (await steps_of(db, order))[0].state is StepState.SKIPPED
    assert await waits_of(api) == []


async def test_skipping_a_rung_goes_on_to_the_next(
    db: Database, consume: Consume, api: httpx.AsyncClient
) -> None:
    order = await fulfilling(db, an_order(lines=[a_line(terms=TERMS)]))
    await consume(failed(order, order.lines[0], "out_of_stock"))
    [wait] = await waits_of(api)

    assert (await act(api, wait["id"], "skip"))[0] == 200

    [wait] = await waits_of(api)
    assert wait["kind"] == "back_order"
    assert (await act(api, wait["id"], "skip"))[0] == 200
    assert (await state_of(db, order)).status is OrderStatus.REFUNDING


async def test_a_line_on_back_order_is_refunded_instead(
    db: Database, consume: Consume, api: httpx.AsyncClient
) -> None:
    terms = {"shortage": {"back_order_seconds": 600}}
    order = await fulfilling(db, an_order(lines=[a_line(terms=terms)]))
    await consume(failed(order, order.lines[0], "out_of_stock"))
    [wait] = await waits_of(api)

    status, body = await act(api, wait["id"], "refund")
    await pay_back(db, load_providers([]), every_seconds=1)._run()

    assert (status, body["order_status"]) == (200, "refunding")
    state = await state_of(db, order)
    assert (state.status, state.refunded) == (OrderStatus.REFUNDED, order.total)
    assert (await steps_of(db, order))[0].state is StepState.SKIPPED
    assert (await act(api, wait["id"], "refund"))[0] == 404


async def test_a_line_whose_outcome_is_unknown_is_refunded_by_force_only(
    db: Database, consume: Consume, api: httpx.AsyncClient, open_api: ApiClient
) -> None:
    order = await fulfilling(db)
    await consume(unknown(order, order.lines[0]))
    [wait] = await waits_of(api)
    weak = await open_api(["steps:read", "steps:write"])

    assert (await act(api, wait["id"], "refund"))[1]["code"] == "outcome_unknown"
    assert (await act(weak, wait["id"], "refund", force=True))[0] == 403
    assert (await state_of(db, order)).lines[0].status is LineStatus.UNKNOWN
    assert (await act(api, wait["id"], "refund", force=True))[0] == 200

    assert (await state_of(db, order)).status is OrderStatus.REFUNDING
    await consume(delivered(order, order.lines[0]))
    assert (await kinds_of(db, order))[-1] == "line_contradiction"


async def test_an_order_under_review_is_refunded_whole(
    db: Database, consume: Consume, api: httpx.AsyncClient
) -> None:
    order = await placed(db)
    await consume(assessed(order, "HOLD"))
    await paid(db, order)
    [wait] = await waits_of(api)

    assert (await act(api, wait["id"], "retry"))[1]["possible"] == ["refund"]
    assert (await act(api, wait["id"], "refund"))[1]["order_status"] == "refunding"


async def test_a_refund_is_asked_for_again_now(
    db: Database, consume: Consume, api: httpx.AsyncClient
) -> None:
    order = await fulfilling(db)
    await consume(failed(order, order.lines[0]))
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE order_refund SET next_at = next_at + interval '1 hour'"))
    [wait] = await waits_of(api)

    assert (await act(api, wait["id"], "skip"))[1]["code"] == "wait_action_not_possible"
    assert (await act(api, wait["id"], "retry"))[0] == 200
    await pay_back(db, load_providers([]), every_seconds=1)._run()

    assert (await state_of(db, order)).status is OrderStatus.REFUNDED


async def test_an_order_that_lost_its_timer_moves_on(db: Database, api: httpx.AsyncClient) -> None:
    order = await placed(db)
    await fall_silent(db, order, pay_until="clock_timestamp() - interval '1 hour'")
    [wait] = await waits_of(api)
    assert wait["kind"] == "lost"

    assert (await act(api, wait["id"], "retry"))[1]["order_status"] == "expired"


async def test_what_waits_is_counted_and_silence_is_logged(
    service: Service, db: Database, consume: Consume
) -> None:
    order = await fulfilling(db)
    await fall_silent(db, order)
    waits: WaitService = service.state["waits"]

    await watch_waits(db, waits, every_seconds=1)._run()
    assert WAITS.labels("fulfillment")._value.get() == 1

    await consume(delivered(order, order.lines[0]))
    await watch_waits(db, waits, every_seconds=1)._run()
    assert WAITS.labels("fulfillment")._value.get() == 0


async def test_a_later_round_is_asked_for_again_with_its_own_hold(
    db: Database, consume: Consume, api: httpx.AsyncClient, service: Service
) -> None:
    order = await fulfilling(db, an_order(lines=[a_line(), a_line(line_no=2)]))
    await consume(failed(order, order.lines[0], "out_of_stock"))
    waits: WaitService = service.state["waits"]
    await run(db, waits._kinds)
    await fall_silent(db, order)
    wait = next(w for w in await waits_of(api) if w["id"] == str(order.lines[0].id))

    assert (await act(api, wait["id"], "retry"))[0] == 200

    *_, second, again = await requests_of(db, order)
    assert isinstance(again, FulfillmentRequested)
    assert (again.round, again.reservation_id) == (2, second.reservation_id)
