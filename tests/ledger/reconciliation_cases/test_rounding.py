"""A cent that a statement differs by is closed as rounding, and posted once."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database, constraint_of
from kit.ids import new_id
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    OTHER_MERCHANT,
    a_payment,
    an_arrival,
    an_event,
    cny,
)
from tests.stack.api import ApiClient

AT = "2026-11-22T12:00:00Z"
CLEARING, ROUNDING = (f"channel-clearing:{CHANNEL}", "CNY"), ("rounding", "CNY")


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read", "ledger:write")


def _paid(reference: str, amount: int, order_id: UUID | None = None, **more: Any) -> Any:
    event = a_payment(order_id or new_id(), cny(amount), **more)
    event.message.provider, event.message.provider_reference = "alipay", reference
    return event


async def _case(client: httpx.AsyncClient, line: str, **form: str) -> dict[str, Any]:
    """The case that a statement of one line opens."""
    given = {"provider": "alipay", "currency": "CNY", "time": "time", **form}
    answer = await client.post(
        "/v1/reconciliations",
        data={name: value for name, value in given.items() if value},
        files={"file": ("s.csv", f"reference,amount,time\n{line},{AT}\n".encode(), "text/csv")},
    )
    assert answer.status_code == 201, answer.text
    cases = await client.get(
        "/v1/reconciliation-cases", params={"reconciliation_id": answer.json()["id"]}
    )
    (case,) = cases.json()["items"]
    found: dict[str, Any] = case
    return found


async def _close(client: httpx.AsyncClient, case: dict[str, Any], **more: Any) -> httpx.Response:
    return await client.post(
        f"/v1/reconciliation-cases/{case['id']}/close",
        json={"reason": "a cent", "as_rounding": True, **more},
        headers={"Idempotency-Key": str(new_id())},
    )


@pytest.mark.parametrize(("said", "rounding"), [("10.05", -5), ("10.01", -1), ("9.95", 5)])
async def test_the_channel_owes_what_the_statement_says(
    client: httpx.AsyncClient, deliver: Deliver, balances: Balances, said: str, rounding: int
) -> None:
    paid = _paid("A", 1000)
    await deliver(paid)

    closed = await _close(client, await _case(client, f"A,{said}"))

    assert closed.status_code == 200, closed.text
    found = await balances()
    assert (found[CLEARING], found[ROUNDING]) == (1000 - rounding, rounding)
    posted = (await client.get(f"/v1/transactions/{closed.json()['transaction_id']}")).json()
    (line,) = [it for it in posted["postings"] if it["account"] == "rounding"]
    assert line["dimensions"]["order_id"] == paid.message.order_id
    assert line["dimensions"]["channel_id"] == str(CHANNEL)


@pytest.mark.parametrize("line", ["A,10.06", "A,9.94", "B,0.01"])
async def test_more_than_the_bound_and_what_was_never_paid_is_no_rounding(
    client: httpx.AsyncClient, deliver: Deliver, balances: Balances, line: str
) -> None:
    await deliver(_paid("A", 1000))
    case = await _case(client, line, period_from="2026-11-21T00:00:00Z", **_BEFORE_A[line[0]])

    refused = await _close(client, case)

    assert (refused.status_code, refused.json()["code"]) == (409, "not_rounding")
    assert refused.json()["at_most"] == 5
    assert ROUNDING not in await balances()
    closed = await _close(client, case, as_rounding=False)
    assert (closed.status_code, closed.json()["transaction_id"]) == (200, None)


# The statement of B is of the time before A was paid.
_BEFORE_A: dict[str, dict[str, str]] = {"A": {}, "B": {"period_to": "2026-11-21T00:00:01Z"}}


async def test_payments_in_two_channels_or_another_currency_are_a_persons_to_post(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    elsewhere = _paid("A", 1000)
    elsewhere.message.channel_id = str(new_id())
    await deliver(_paid("A", 1000), elsewhere)
    two = await _close(client, await _case(client, "A,20.01"))
    await deliver(_paid("C", 1000))
    dollars = {"currency": "USD", "period_from": AT, "period_to": AT}
    found = await client.post(
        "/v1/reconciliations",
        data={"provider": "alipay", "time": "time", **dollars},
        files={"file": ("s.csv", f"reference,amount,time\nC,10.01,{AT}\n".encode(), "text/csv")},
    )
    cases = await client.get(
        "/v1/reconciliation-cases", params={"reconciliation_id": found.json()["id"]}
    )
    (case,) = [it for it in cases.json()["items"] if it["reference"] == "C"]
    other = await _close(client, case)
    assert [it.json()["code"] for it in (two, other)] == ["not_rounding"] * 2


async def test_cents_of_another_currency_are_no_rounding(
    client: httpx.AsyncClient, deliver: Deliver, balances: Balances
) -> None:
    await deliver(_paid("A", 1000))
    content = f"reference,amount,time,currency\nA,10.00,{AT},CNY\nA,0.03,{AT},USD\n"
    answer = await client.post(
        "/v1/reconciliations",
        data={"provider": "alipay", "currency": "CNY", "time": "time", **_CURRENCIES},
        files={"file": ("s.csv", content.encode(), "text/csv")},
    )
    assert answer.json()["results"] == {"amount_differs": 1}
    (case,) = (await client.get("/v1/reconciliation-cases")).json()["items"]

    refused = await _close(client, case)

    assert (case["there"], case["here"]) == (None, 1000)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_rounding")
    assert ROUNDING not in await balances()


_CURRENCIES = {"currency_column": "currency"}


async def test_the_same_cent_in_a_second_statement_is_not_posted_twice(
    client: httpx.AsyncClient, deliver: Deliver, balances: Balances
) -> None:
    paid = _paid("A", 1000)
    placed = OrderPlaced(
        order_id=paid.message.order_id,
        merchant_id=str(MERCHANT),
        channel_id=str(CHANNEL),
        reference="TB-1",
        total=cny(1000),
    )
    await deliver(an_event(placed, paid.message.order_id))
    await deliver(paid)
    first = await _case(client, "A,9.99")
    of_channel = {"provider": "", "channel_id": str(CHANNEL), "match_by": "order"}
    second = await _case(client, "TB-1,9.99", **of_channel)

    assert (await _close(client, first)).status_code == 200
    again = await _close(client, second)

    assert (again.status_code, again.json()["code"]) == (409, "rounding_posted")
    assert (await _close(client, second, as_rounding=False)).status_code == 200
    assert (await balances())[ROUNDING] == 1


async def test_parts_of_a_payment_are_rounded_together(
    client: httpx.AsyncClient, deliver: Deliver, balances: Balances
) -> None:
    order = new_id()
    part = an_arrival(order, new_id(), cny(300))
    part.message.provider, part.message.provider_reference = "alipay", "P"
    await deliver(part)
    await deliver(_paid("P", 1000, order, earlier=cny(300)))
    closed = await _close(client, await _case(client, "P,9.98"))
    assert closed.status_code == 200, closed.text
    assert (await balances())[ROUNDING] == 2


async def test_of_many_who_close_it_at_once_one_posts(
    client: httpx.AsyncClient, deliver: Deliver, balances: Balances
) -> None:
    await deliver(_paid("A", 1000))
    case = await _case(client, "A,9.99")
    answers = await asyncio.gather(*(_close(client, case) for _ in range(8)))
    assert sorted(it.status_code for it in answers) == [200] + [409] * 7
    assert {it.json()["code"] for it in answers if it.status_code == 409} == {
        "reconciliation_case_closed"
    }
    assert (await balances())[ROUNDING] == 1


async def test_another_merchant_rounds_nothing(
    client: httpx.AsyncClient, deliver: Deliver, balances: Balances, api: ApiClient
) -> None:
    await deliver(_paid("A", 1000))
    case = await _case(client, "A,9.99")
    other = await api("ledger:read", "ledger:write", merchant_id=OTHER_MERCHANT)
    assert (await _close(other, case)).status_code == 404
    assert ROUNDING not in await balances()


async def test_an_open_case_has_posted_nothing(client: httpx.AsyncClient, db: Database) -> None:
    await _case(client, "X,2")
    change = "UPDATE reconciliation_case SET transaction_id = gen_random_uuid()"
    with pytest.raises(IntegrityError) as refused:
        async with db.transaction() as tx:
            await tx.execute(text(change))
    assert constraint_of(refused.value) == "ck_reconciliation_case_posted_when_closed"
