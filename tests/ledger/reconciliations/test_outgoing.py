"""Lines of money that went out: refunds, the channel's fees, payouts; and what is none of them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    NOON,
    OTHER_MERCHANT,
    a_line,
    a_partial_completion,
    a_payment,
    a_refund,
    a_refund_made,
    an_order,
    cny,
)
from tests.ledger.posting_rules.samples import paid_with_fee
from tests.ledger.settling import a_sale, agree, let_time_pass, platform, put_payee, terms
from tests.stack.api import ApiClient

AT = "2026-11-22T12:00:00Z"


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read", "ledger:write")


def _paid(reference: str, order_id: UUID, amount: int = 1000, provider: str = "alipay") -> Any:
    event = a_payment(order_id, cny(amount))
    event.message.provider, event.message.provider_reference = provider, reference
    return event


async def _send(client: httpx.AsyncClient, *lines: str, **form: str) -> dict[str, int]:
    given = {"provider": "alipay", "currency": "CNY", "time": "time", **form}
    content = "reference,amount,time\n" + "".join(f"{line},{AT}\n" for line in lines)
    answer = await client.post(
        "/v1/reconciliations",
        data={name: value for name, value in given.items() if value},
        files={"file": ("s.csv", content.encode(), "text/csv")},
    )
    assert answer.status_code == 201, answer.text
    results: dict[str, int] = answer.json()["results"]
    return results


async def _cases(client: httpx.AsyncClient) -> set[tuple[Any, ...]]:
    items = (await client.get("/v1/reconciliation-cases")).json()["items"]
    return {(it["kind"], it["reference"], it["there"], it["here"], it["state"]) for it in items}


async def test_refunds_of_every_kind_and_the_fee_are_matched_one_by_one(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    whole, partly, line = new_id(), new_id(), new_id()
    with_fee = paid_with_fee(66, order_id=line)
    with_fee.message.provider, with_fee.message.provider_reference = "alipay", "C"
    await deliver(_paid("A", whole), _paid("B", partly), with_fee)
    await deliver(a_refund(whole, cny(1000)))
    await deliver(a_partial_completion(partly, cny(400), a_line(cny(600))))
    kind = RefundMade.Kind.KIND_DELIVERED_LINE
    # Two alike are two refunds.
    await deliver(*(a_refund_made(line, cny(50), kind=kind) for _ in range(2)))

    results = await _send(
        client,
        *("A,10.00", "B,10.00", "C,100.00"),
        *("A,-10.00", "B,-4.00", "C,-0.50", "C,-0.50", "C,-0.66"),
    )

    assert results == {"matched": 3, "outgoing": 5, "outgoing_matched": 5}
    assert await _cases(client) == set()


async def test_refunds_of_several_lines_that_one_event_tells_agree_as_a_sum(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    whole, partly, other = new_id(), new_id(), new_id()
    await deliver(_paid("A", whole), _paid("B", partly), _paid("C", other))
    await deliver(a_refund(whole, cny(1000)))
    await deliver(a_partial_completion(partly, cny(700), a_line(cny(300))))
    await deliver(a_refund_made(partly, cny(50)))
    await deliver(a_partial_completion(other, cny(700), a_line(cny(300))))
    came = ["A,10.00", "B,10.00", "C,10.00"]
    lines = [*came, "A,-4.00", "A,-6.00", "B,-3.00", "B,-4.00", "B,-0.50", "C,-3.00", "C,-4.01"]

    results = await _send(client, *lines)
    again = await _send(client, *lines, "A,-4.00", "A,-6.00")

    assert (results["outgoing"], results["outgoing_matched"]) == (7, 5)
    assert again.get("outgoing_matched") is None
    assert {it for it in await _cases(client) if it[1] == "C"} == {
        ("outgoing_missing_here", "C", -701, None, "open"),
        ("outgoing_missing_there", "C", None, -700, "open"),
    }


async def test_a_third_line_another_amount_and_what_is_not_listed_are_cases(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    order, other = new_id(), new_id()
    await deliver(_paid("A", order), _paid("B", other))
    await deliver(a_refund_made(order, cny(50)), a_refund_made(other, cny(70)))

    results = await _send(client, "A,10.00", "B,10.00", "A,-0.50", "A,-0.50", "X,-3.00")

    assert (results["outgoing"], results["outgoing_matched"]) == (3, 1)
    assert await _cases(client) == {
        ("outgoing_missing_here", "A", -50, None, "open"),
        ("outgoing_missing_here", "X", -300, None, "open"),
        ("outgoing_missing_there", "B", None, -70, "open"),
    }


async def test_a_refund_listed_later_closes_its_case_and_is_listed_once(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    order = new_id()
    await deliver(_paid("A", order))
    await deliver(a_refund_made(order, cny(50)))
    await _send(client, "A,10.00", "Z,-1.00")
    assert ("outgoing_missing_there", "A", None, -50, "open") in await _cases(client)

    later = await _send(client, "A,10.00", "A,-0.50")
    again = await _send(client, "A,-0.50", "A,10.00")

    assert (later["outgoing_matched"], again.get("outgoing_matched")) == (1, None)
    assert await _cases(client) == {
        ("outgoing_missing_here", "Z", -100, None, "open"),
        ("outgoing_missing_there", "A", None, -50, "closed"),
        ("outgoing_missing_here", "A", -50, None, "open"),
    }


async def test_a_statement_without_outgoing_lines_is_asked_for_no_refund(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    order = new_id()
    await deliver(_paid("A", order))
    await deliver(a_refund_made(order, cny(50)))
    assert await _send(client, "A,10.00") == {"matched": 1}
    assert await _cases(client) == set()


async def test_a_refund_outside_the_period_or_perhaps_of_another_provider_is_not_missed(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    late, both = new_id(), new_id()
    await deliver(_paid("A", late), _paid("B", both), _paid("W", both, provider="wechat"))
    await deliver(
        replace(a_refund_made(late, cny(50)), time=NOON + timedelta(days=3)),
        a_refund_made(both, cny(70)),
    )
    await _send(client, "A,10.00", "B,10.00", "Z,-1.00")
    assert await _cases(client) == {("outgoing_missing_here", "Z", -100, None, "open")}


async def test_the_channels_and_the_providers_statement_list_the_same_refund(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    order = new_id()
    placed = an_order(order, cny(1000))
    placed.message.reference = "TB-1"
    await deliver(placed)
    await deliver(_paid("A", order))
    await deliver(a_refund_made(order, cny(50)))
    of_channel = {"provider": "", "channel_id": str(CHANNEL), "match_by": "order"}

    first = await _send(client, "A,10.00", "A,-0.50")
    second = await _send(client, "TB-1,10.00", "TB-1,-0.50", **of_channel)

    assert first == second == {"matched": 1, "outgoing": 1, "outgoing_matched": 1}


async def test_a_payout_is_matched_by_its_id_and_amount_and_by_nobody_else(
    client: httpx.AsyncClient, deliver: Deliver, service: Service, api: ApiClient
) -> None:
    await agree(service, terms())
    await deliver(a_sale(10_000))
    await let_time_pass(service)
    await put_payee(api)
    body = {"merchant_id": str(MERCHANT), "currency": "CNY", "amount": 5_000}
    payout = (await (await platform(api)).post("/v1/payouts", json=body)).json()["id"]
    other = await api("ledger:read", "ledger:write", merchant_id=OTHER_MERCHANT)

    proposed = await _send(client, f"{payout},-50.00", provider="bank")
    await (await platform(api)).post(f"/v1/payouts/{payout}/approve")
    paid = await _send(client, f"{payout.upper()},-50.00", provider="bank")
    less = await _send(client, f"{payout},-49.00", provider="bank-2")
    not_theirs = await _send(other, f"{payout},-50.00", provider="bank")

    assert "outgoing_matched" not in proposed
    assert paid == {"outgoing": 1, "outgoing_matched": 1}
    assert less == not_theirs == {"outgoing": 1}


async def test_of_another_merchant_no_refund_is_matched(
    client: httpx.AsyncClient, deliver: Deliver, api: ApiClient
) -> None:
    order = new_id()
    await deliver(_paid("A", order))
    await deliver(a_refund_made(order, cny(50)))
    other = await api("ledger:read", "ledger:write", merchant_id=OTHER_MERCHANT)
    assert await _send(other, "A,-0.50") == {"outgoing": 1}
    assert await _send(client, "A,-0.50", "A,10.00") == {
        "matched": 1,
        "outgoing": 1,
        "outgoing_matched": 1,
    }
