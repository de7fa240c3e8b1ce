"""The word of who takes money himself: a payment was refused; risk counts it, once."""

import asyncio
from typing import Any

import httpx

from kit.db import Database
from order.orders.domain import OrderStatus
from tests.order.conftest import ApiClient
from tests.order.factories import UNTRUSTED, an_order, kinds_of, placed, state_of
from tests.order.providers.rules.refusals import failures_told

BODY: dict[str, Any] = {
    "provider": "demo",
    "provider_reference": "try-1",
    "reason": "insufficient_funds",
}
CALLERS = 20


async def test_it_is_on_the_timeline_and_told_and_the_order_may_still_be_paid(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = await placed(db)

    answer = await api.post(f"/v1/orders/{order.id}/failed-payments", json=BODY)

    assert (answer.status_code, answer.json()["order_status"]) == (201, "pending_payment")
    [told] = await failures_told(db)
    assert (told.order_id, told.provider, told.reason) == (
        str(order.id),
        "demo",
        "insufficient_funds",
    )
    assert (await kinds_of(db, order))[-1] == "payment_failed"
    assert (await state_of(db, order)).status is OrderStatus.PENDING_PAYMENT


async def test_the_same_try_counts_once_and_another_one_again(
    api: httpx.AsyncClient, db: Database
) -> None:
    order = await placed(db)
    path, other = f"/v1/orders/{order.id}/failed-payments", BODY | {"provider_reference": "try-2"}

    answers = await asyncio.gather(*(api.post(path, json=BODY) for _ in range(CALLERS)))
    await api.post(path, json=other)

    assert {answer.status_code for answer in answers} == {201}
    assert len(await failures_told(db)) == 2


async def test_a_trusted_channel_is_believed_and_an_untrusted_one_is_not(
    api: httpx.AsyncClient, db: Database
) -> None:
    body = BODY | {"provider": "their-own"}
    trusted, untrusted = await placed(db), await placed(db, an_order(channel_id=UNTRUSTED))

    taken = await api.post(f"/v1/orders/{trusted.id}/failed-payments", json=body)
    refused = await api.post(f"/v1/orders/{untrusted.id}/failed-payments", json=body)

    assert taken.status_code == 201
    assert (refused.status_code, refused.json()["code"]) == (403, "channel_not_trusted")
    assert [it.order_id for it in await failures_told(db)] == [str(trusted.id)]


async def test_somebody_elses_order_is_hidden_and_the_scope_is_needed(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient, open_api: ApiClient, db: Database
) -> None:
    order = await placed(db)
    path = f"/v1/orders/{order.id}/failed-payments"
    reader = await open_api(scopes=["orders:read"])

    hidden, denied = await other_api.post(path, json=BODY), await reader.post(path, json=BODY)

    assert (hidden.status_code, hidden.json()["code"]) == (404, "order_not_found")
    assert (denied.status_code, denied.json()["scope"]) == (403, "payments:write")
    assert await failures_told(db) == []
