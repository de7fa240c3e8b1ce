import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database, constraint_of
from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    NOON,
    OTHER_MERCHANT,
    a_payment,
    an_arrival,
    an_event,
    cny,
)
from tests.stack.api import ApiClient

LINES = int(os.environ.get("LOCKSTOCK_STATEMENT_LINES", "5000"))
FORM = {"provider": "alipay", "currency": "CNY", "time": "time"}
HEAD = "reference,amount,time\n"
CHINESE = """账单明细
#开始
订单号\t金额(元)\t付款时间
`TB-1001\t¥9.90\t2026/11/22 12:00:00
"""
AT = "2026-11-22T12:00:00Z"


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read", "ledger:write")


def _paid(reference: str, amount: int, *, provider: str = "alipay", days: int = 0) -> Any:
    event = a_payment(new_id(), cny(amount))
    event.message.provider, event.message.provider_reference = provider, reference
    return replace(event, time=NOON + timedelta(days=days))


async def _send(client: httpx.AsyncClient, content: str | bytes, **form: str) -> httpx.Response:
    raw = content.encode() if isinstance(content, str) else content
    files = {"file": ("statement.csv", raw, "text/csv")}
    return await client.post("/v1/reconciliations", data={**FORM, **form}, files=files)


async def _cases(client: httpx.AsyncClient, **params: str) -> dict[str, tuple[Any, ...]]:
    items = (await client.get("/v1/reconciliation-cases", params=params)).json()["items"]
    return {it["reference"]: (it["kind"], it["there"], it["here"], it["state"]) for it in items}


async def test_each_difference_is_a_case(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await deliver(_paid("A", 1990), _paid("B", 500), _paid("C", 700), _paid("Z", 1, days=9))

    answer = await _send(
        client,
        HEAD + f'A,19.90,{AT}\nB,"5,000.00",{AT}\nD,3.00,{AT}\nA,-19.90,{AT}\n,1,{AT}\nE,x,{AT}\n',
    )

    found = answer.json()
    assert answer.status_code == 201, answer.text
    assert found["state"] == "completed"
    assert (found["lines"], found["refused"]) == (6, 2)
    assert found["results"] == {
        "matched": 1,
        "amount_differs": 1,
        "missing_here": 1,
        "missing_there": 1,
        "outgoing": 1,
    }
    assert await _cases(client) == {
        "A": ("outgoing_missing_here", -1990, None, "open"),
        "B": ("amount_differs", 500_000, 500, "open"),
        "C": ("missing_there", None, 700, "open"),
        "D": ("missing_here", 300, None, "open"),
    }
    one = (await client.get(f"/v1/reconciliations/{found['id']}")).json()
    assert one == found


async def test_the_same_file_twice_is_the_same_statement(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(_paid("A", 1990))
    content = HEAD + f"A,1,{AT}\nX,2,{AT}\n"

    first, second = (await _send(client, content)).json(), (await _send(client, content)).json()

    assert first == second
    assert len((await client.get("/v1/reconciliations")).json()["items"]) == 1
    assert len(await _cases(client)) == 2


async def test_the_same_file_sent_at_once_counts_its_lines_once(
    client: httpx.AsyncClient,
) -> None:
    content = HEAD + f"A,1,{AT}\n,2,{AT}\n"

    answers = await asyncio.gather(*(_send(client, content) for _ in range(4)))

    assert {answer.status_code for answer in answers} == {201}
    (one,) = (await client.get("/v1/reconciliations")).json()["items"]
    assert (one["lines"], one["refused"]) == (2, 1)


async def test_the_same_difference_in_another_file_is_the_same_case(
    client: httpx.AsyncClient,
) -> None:
    await _send(client, HEAD + f"X,2,{AT}\n")
    await _send(client, HEAD + f"X,2,{AT}\nY,3,{AT}\n")

    assert len(await _cases(client)) == 2


async def test_a_payment_told_in_parts_is_one_by_its_reference(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    order = new_id()
    part = an_arrival(order, new_id(), cny(300))
    part.message.provider, part.message.provider_reference = "alipay", "P"
    await deliver(part)
    await deliver(_paid("P", 700))

    answer = await _send(client, HEAD + f"P,10.00,{AT}\n")

    assert answer.json()["results"] == {"matched": 1}


@pytest.mark.parametrize("form", [{}, {"encoding": "utf-8"}])
async def test_a_mark_of_byte_order_may_stand_before_a_quoted_head(
    client: httpx.AsyncClient, deliver: Deliver, form: dict[str, str]
) -> None:
    await deliver(_paid("A", 1990))

    answer = await _send(client, f'\ufeff"reference","amount","time"\n"A","19.90","{AT}"\n', **form)

    assert answer.json().get("results") == {"matched": 1}, answer.text


async def test_a_file_read_in_another_encoding_is_another_statement(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(_paid("单A", 1990))
    content = HEAD + f"单A,19.90,{AT}\n"

    wrong = (await _send(client, content, encoding="gb18030")).json()
    right = (await _send(client, content)).json()
    same = (await _send(client, content, encoding="utf-8")).json()

    assert wrong["results"] == {"missing_here": 1, "missing_there": 1}
    assert right["results"] == {"matched": 1}
    assert same == right


async def test_a_file_without_other_letters_is_the_same_in_every_encoding(
    client: httpx.AsyncClient,
) -> None:
    content = HEAD + f"A,19.90,{AT}\n"

    answers = [await _send(client, content, **it) for it in ({}, *_ENCODINGS)]

    assert len({it.json()["id"] for it in answers}) == 1


_ENCODINGS = ({"encoding": "utf-8"}, {"encoding": "gb18030"})


async def test_a_payment_whose_order_has_no_name_yet_is_held_against_no_list_of_orders(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(_paid("whatever", 990))

    answer = await _send(client, HEAD + f"TB-1001,9.90,{AT}\n", match_by="order")

    assert answer.status_code == 201, answer.text
    assert answer.json()["results"] == {"missing_here": 1}
    assert await _cases(client) == {"TB-1001": ("missing_here", 990, None, "open")}


async def test_sums_of_two_currencies_are_never_added(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(_paid("A", 1500))

    answer = await _send(
        client,
        "reference,amount,time,currency\n" + f"A,10.00,{AT},CNY\nA,5.00,{AT},USD\n",
        currency_column="currency",
    )

    assert answer.json()["results"] == {"amount_differs": 1}, answer.text


async def test_a_case_closes_by_itself_when_a_later_statement_agrees(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await _send(client, HEAD + f"L,7.00,{AT}\n")
    await deliver(_paid("L", 700))
    await _send(client, HEAD + f"L,7.00,{AT}\nM,1,{AT}\n")

    assert (await _cases(client))["L"] == ("missing_here", 700, None, "closed")


async def test_a_channels_statement_names_its_orders(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    payment = _paid("whatever", 990, provider="shop")
    placed = OrderPlaced(
        order_id=payment.message.order_id,
        merchant_id=str(MERCHANT),
        channel_id=str(CHANNEL),
        reference="TB-1001",
        total=cny(990),
    )
    await deliver(an_event(placed, payment.message.order_id))
    await deliver(payment)

    answer = await client.post(
        "/v1/reconciliations",
        data={
            "channel_id": str(CHANNEL),
            "currency": "CNY",
            "match_by": "order",
            "reference": "订单号",
            "amount": "金额(元)",
            "time": "付款时间",
            "separator": "tab",
        },
        files={
            "file": (
                "账单.csv",
                CHINESE.encode("gb18030"),
            )
        },
    )

    assert answer.status_code == 201, answer.text
    assert answer.json()["results"] == {"matched": 1}


async def test_a_person_closes_a_case_once_with_a_reason(
    client: httpx.AsyncClient,
) -> None:
    await _send(client, HEAD + f"X,2,{AT}\n")
    (case,) = (await client.get("/v1/reconciliation-cases")).json()["items"]
    path = f"/v1/reconciliation-cases/{case['id']}/close"

    async def close(reason: str) -> httpx.Response:
        return await client.post(
            path, json={"reason": reason}, headers={"Idempotency-Key": str(new_id())}
        )

    closed, again = await close("a test payment"), await close("another reason")

    assert closed.json()["reason"] == "a test payment"
    assert closed.json()["closed_by"].startswith("key:")
    assert closed.json()["closed_at"]
    assert (again.status_code, again.json()["code"]) == (409, "reconciliation_case_closed")
    assert (await close("   ")).status_code == 422
    assert await _cases(client, state="open") == {}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reconciliation_case SET reason = 'another'",
        "UPDATE reconciliation_case SET closed_by = 'somebody'",
        "UPDATE reconciliation_case SET closed_at = clock_timestamp()",
        "UPDATE reconciliation_case SET state = 'open', closed_at = NULL, closed_by = '',"
        " reason = ''",
        "UPDATE reconciliation_case SET there_minor = 3",
        "DELETE FROM reconciliation_case",
        "TRUNCATE reconciliation_case",
    ],
)
async def test_the_database_keeps_who_closed_a_case_when_and_why(
    client: httpx.AsyncClient, db: Database, change: str
) -> None:
    await _send(client, HEAD + f"X,2,{AT}\n")
    (case,) = (await client.get("/v1/reconciliation-cases")).json()["items"]
    path = f"/v1/reconciliation-cases/{case['id']}/close"
    closed = (await client.post(path, json={"reason": "a test payment"})).json()

    with pytest.raises(IntegrityError) as refused:
        async with db.transaction() as tx:
            await tx.execute(text(change))

    assert constraint_of(refused.value) == "ledger_case_closed"
    assert (await client.get("/v1/reconciliation-cases")).json()["items"] == [closed]


async def test_what_no_statement_lists_for_days_is_a_case(
    client: httpx.AsyncClient, deliver: Deliver, service: Service, db: Database
) -> None:
    run = service.state["reconciliations"].find_late
    await deliver(_paid("OLD", 100, days=1), _paid("ELSE", 100, provider="cash"))
    await run(db)
    assert await _cases(client) == {}, "nothing was reconciled yet"

    await _send(client, HEAD + f"X,2,{AT}\n")
    fresh = replace(_paid("FRESH", 100), time=await _now(db))
    await deliver(fresh)
    old = [replace(_paid(f"O{it}", 100), time=await _now(db) - timedelta(days=4)) for it in "12"]
    await db_back(db)
    await deliver(*old)
    await run(db)
    await run(db)

    cases = await _cases(client, state="open")
    assert {name for name, case in cases.items() if case[0] == "missing_there"} == {"O1", "O2"}


async def db_back(db: Database) -> None:
    """As if the first statement had been of long ago."""
    async with db.transaction() as tx:
        await tx.execute(text("DELETE FROM payment_fact WHERE reference = 'OLD'"))
        await tx.execute(
            text("UPDATE reconciliation SET period_from = clock_timestamp() - interval '9 days'")
        )


async def _now(db: Database) -> Any:
    async with db.read() as tx:
        return (await tx.execute(text("SELECT clock_timestamp() AS now"))).one().now


async def test_others_see_nothing(
    api: ApiClient, client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(_paid("A", 100))
    one = (await _send(client, HEAD + f"X,2,{AT}\n")).json()
    (case, *_) = (await client.get("/v1/reconciliation-cases")).json()["items"]
    stranger = await api("ledger:read", "ledger:write", merchant_id=OTHER_MERCHANT)

    assert (await stranger.get(f"/v1/reconciliations/{one['id']}")).status_code == 404
    assert (await stranger.get("/v1/reconciliation-cases")).json()["items"] == []
    refused = await stranger.post(
        f"/v1/reconciliation-cases/{case['id']}/close",
        json={"reason": "x"},
        headers={"Idempotency-Key": str(new_id())},
    )
    assert refused.status_code == 404
    theirs = (await _send(stranger, HEAD + f"A,1.00,{AT}\n")).json()
    assert theirs["results"] == {"missing_here": 1}


@pytest.mark.parametrize(
    ("content", "form", "code"),
    [
        (HEAD, {"channel_id": str(CHANNEL)}, "source_unclear"),
        ("a,b\n1,2\n", {}, "statement_columns_missing"),
        ("", {}, "statement_columns_missing"),
        (HEAD.encode() + b"\xff\xff\xff,1,2\n", {"encoding": "utf-8"}, "statement_unreadable"),
        (HEAD, {"currency": "yuan"}, "validation_failed"),
    ],
)
async def test_what_is_no_statement_is_refused(
    client: httpx.AsyncClient, content: str | bytes, form: dict[str, str], code: str
) -> None:
    refused = await _send(client, content, **form)

    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_a_long_statement_is_read_in_chunks_and_shows_how_far_it_is(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    for start in range(0, LINES, 1_000):
        await deliver(*(_paid(f"R{start + it}", 100 + it) for it in range(1_000)))
    rows = "".join(f"R{it},{(100 + it % 1_000) / 100:.2f},{AT}\n" for it in range(LINES))
    sending = asyncio.create_task(_send(client, HEAD + rows))

    seen: set[int] = set()
    while not sending.done():
        items = (await client.get("/v1/reconciliations")).json()["items"]
        seen |= {it["lines"] for it in items}
        await asyncio.sleep(0.01)

    assert (await sending).json()["results"] == {"matched": LINES}
    assert seen
