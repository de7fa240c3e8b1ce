"""Suppliers that call back: genuine, forged, again and again, too early and too late."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import orjson
from sqlalchemy import text

from fulfillment.supplier_callbacks.domain import REPEATS_MAX
from fulfillment.supplier_callbacks.routes import CALLBACK_BYTES_MAX
from fulfillment.suppliers.domain import Supplier
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from tests.fulfillment.conftest import dispatch, published
from tests.fulfillment.top_ups import (
    accept,
    an_account,
    an_order,
    count,
    purchases,
    until_settled,
    with_supplier,
)
from tests.suppliers.simulator import Behaviour, Simulator

SECRET = "simulator-secret"


def told(reference: Any, status: str = "succeeded", **more: Any) -> bytes:
    cost = {"cost": {"amount": 4850, "currency": "CNY"}} if status == "succeeded" else {}
    return orjson.dumps({"reference": str(reference), "status": status, **cost, **more})


async def push(
    http: httpx.AsyncClient,
    supplier: Supplier,
    body: bytes,
    *,
    secret: str = SECRET,
    age: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    stamp = str(int(time.time() - age))
    path = f"/v1/supplier-callbacks/{supplier.id}"
    made = hmac.new(secret.encode(), f"{stamp}.POST.{path}.".encode() + body, hashlib.sha256)
    signed = {
        "Lockstock-Timestamp": stamp,
        "Lockstock-Signature": made.hexdigest(),
        **(headers or {}),
    }
    return await http.post(path, content=body, headers=signed)


async def undecided(buying: Service, simulator: Simulator) -> tuple[Supplier, Any]:
    """A purchase in progress at a supplier that is not asked again for long."""
    account = an_account()
    simulator.behave(account, Behaviour.PROGRESS_THEN_DONE)
    supplier = await with_supplier(buying, simulator)
    await accept(buying, an_order(account))
    await dispatch(buying)
    await _not_due(buying)
    [purchase] = await purchases(buying)
    assert purchase.state == "unknown"
    return supplier, purchase


async def _not_due(buying: Service) -> None:
    later = text("UPDATE task SET due_at = clock_timestamp() + interval '1 hour'")
    async with buying.db.transaction() as tx:
        await tx.execute(later)


async def _due(buying: Service) -> int:
    return await count(buying, "task", "state = 'pending' AND due_at <= clock_timestamp()")


async def test_a_genuine_callback_is_answered_and_has_the_supplier_asked_at_once(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    await asyncio.sleep(simulator.settle_seconds)
    assert await _due(buying) == 0

    answer = await push(http, supplier, told(purchase.id))

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert await _due(buying) == 1
    assert [type(it) for it in await until_settled(buying)] == [LineUnknown, LineDelivered]
    assert simulator.queries == [str(purchase.id)]


async def test_what_a_callback_claims_is_not_believed_but_asked_for(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    simulator.settle_seconds = 3_600
    supplier, purchase = await undecided(buying, simulator)

    await push(http, supplier, told(purchase.id))
    await dispatch(buying)

    [after] = await purchases(buying)
    assert (after.state, after.reason) == ("unknown", "in_progress")


async def test_the_same_callback_many_times_at_once_asks_and_delivers_once(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    body = told(purchase.id)

    answers = await asyncio.gather(*(push(http, supplier, body) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    await until_settled(buying)
    assert sum(isinstance(it, LineDelivered) for it in await published(buying)) == 1
    again = await push(http, supplier, body)
    assert again.status_code == 200
    assert await count(buying, "supplier_callback") == 1
    assert await count(buying, "supplier_callback", "times = 51") == 1
    assert simulator.charged_twice == []


async def test_different_callbacks_of_one_purchase_at_once_are_all_heard(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    bodies = [told(purchase.id, at=number) for number in range(30)]

    answers = await asyncio.gather(*(push(http, supplier, body) for body in bodies))

    assert {answer.status_code for answer in answers} == {200}
    assert await count(buying, "supplier_callback") == len(bodies)


async def test_words_repeated_too_often_change_nothing_any_more(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    simulator.settle_seconds = 3_600
    supplier, purchase = await undecided(buying, simulator)
    body = told(purchase.id)
    for _ in range(REPEATS_MAX):
        await push(http, supplier, body)
    await _not_due(buying)

    answer = await push(http, supplier, body)

    assert answer.status_code == 200
    assert await _due(buying) == 0


async def test_a_callback_before_the_answer_to_our_own_call_is_right(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    account = an_account()
    simulator.slow_seconds = 0.25
    simulator.behave(account, Behaviour.SLOW)
    supplier = await with_supplier(buying, simulator)
    await accept(buying, an_order(account))
    round_ = asyncio.create_task(dispatch(buying))
    await simulator.purchase_came.wait()

    answer = await push(http, supplier, told(simulator.posts[0]))
    await round_

    assert answer.status_code == 200
    assert isinstance((await until_settled(buying))[-1], LineDelivered)
    assert (simulator.charged(account), len(simulator.posts)) == (1, 1)


async def test_a_success_after_a_definite_no_stays_a_no_and_is_noted(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    account = an_account()
    simulator.behave(account, Behaviour.REFUSED)
    supplier = await with_supplier(buying, simulator)
    await accept(buying, an_order(account))
    await until_settled(buying)
    [refused] = await purchases(buying)

    await push(http, supplier, told(refused.id, supplier_reference="SIM-LATE"))
    await push(http, supplier, told(refused.id, "failed", code="account_unknown"))
    await dispatch(buying)

    [after] = await purchases(buying)
    assert (after.state, after.reason) == ("failed", "account_unknown")
    assert after.late_success_at is not None
    assert after.supplier_reference == "SIM-LATE"
    of_lines = [it for it in await published(buying) if isinstance(it, LineFailed | LineDelivered)]
    assert [type(it) for it in of_lines] == [LineFailed]
    late = f"kind = 'late_success' AND subject = '{refused.id}' AND state = 'open'"
    assert await count(buying, "supplier_case", late) == 1


async def test_a_no_after_a_success_changes_nothing(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    supplier = await with_supplier(buying, simulator)
    await accept(buying, an_order(an_account()))
    await until_settled(buying)
    [done] = await purchases(buying)

    answer = await push(http, supplier, told(done.id, "failed", code="refused"))

    assert answer.status_code == 200
    assert await purchases(buying) == [done]


async def test_forged_old_and_misaddressed_callbacks_are_refused_and_change_nothing(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    simulator.settle_seconds = 3_600
    supplier, purchase = await undecided(buying, simulator)
    other = await with_supplier(buying, simulator, "other")
    body = told(purchase.id)
    stamp, far = str(int(time.time())), str(int(time.time()) + 10_000)

    forged = [
        await push(http, supplier, body, secret="another-secret"),
        await push(http, supplier, body, age=301),
        await push(http, supplier, body, age=-400),
        await push(http, supplier, body, headers={"Lockstock-Signature": ""}),
        await push(http, supplier, body, headers={"Lockstock-Timestamp": far}),
        await push(http, supplier, body, headers={"Lockstock-Timestamp": f"{stamp}000"}),
        await push(http, supplier, body, headers={"Lockstock-Timestamp": "-1"}),
        await push(http, supplier, body, headers={"Lockstock-Timestamp": "now"}),
        await push(http, supplier, b"<html>"),
        await push(http, supplier, b'{"reference": "x", "status": "succeeded"}'),
        await push(http, supplier, b"[" * 50_000),
    ]

    assert {answer.status_code for answer in forged} == {401}
    assert {answer.json()["code"] for answer in forged} == {"callback_forged"}
    # Genuine, but about a purchase that another account made, or that nobody made.
    assert (await push(http, other, body)).status_code == 200
    assert (await push(http, supplier, told(uuid4()))).status_code == 200
    assert await count(buying, "supplier_callback") == 0
    assert await _due(buying) == 0


async def test_nobody_answers_for_an_account_that_is_not_there_or_a_connector_that_hears_nothing(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    deaf = await with_supplier(buying, None, "deaf", connector="demo")

    assert (await push(http, deaf, told(uuid4()))).status_code == 404
    answer = await http.post(f"/v1/supplier-callbacks/{uuid4()}", content=b"{}")
    assert answer.status_code == 404
    assert (await http.post("/v1/supplier-callbacks/acme", content=b"{}")).status_code == 422


async def test_a_giant_callback_is_refused_unread(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    supplier = await with_supplier(buying, simulator)

    answer = await push(http, supplier, b" " * (CALLBACK_BYTES_MAX + 1))

    assert answer.status_code == 413


async def test_what_a_callback_said_is_not_kept(
    buying: Service,
    simulator: Simulator,
    http: httpx.AsyncClient,
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    code = [{"fields": {"code": "PLAIN-CODE-1"}}]

    await push(http, supplier, told(purchase.id, codes=code))
    await until_settled(buying)

    async with buying.db.read() as tx:
        for table in ("supplier_callback", "purchase", "event_log", "delivery"):
            rows = await tx.execute(text(f"SELECT t::text AS row FROM {table} t"))  # noqa: S608
            assert "PLAIN-CODE" not in "".join(row.row for row in rows)
