"""What partners paid in advance: exact with many callers, never below the credit limit."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_id
from kit.service import Service
from ledger.prepaid.domain import Hold, HoldState
from tests.ledger.conftest import Balances
from tests.ledger.factories import CHANNEL, MERCHANT, OTHER_MERCHANT
from tests.stack.api import ApiClient

PATH = "/v1/prepaid/ACME"
CALLERS = 64
TRIES_MAX = 50


@pytest.fixture
async def merchant(api: ApiClient) -> httpx.AsyncClient:
    """With a partner who paid 1,000 in advance."""
    client = await api("ledger:read", "ledger:write")
    await client.put(PATH, json={"currency": "CNY"})
    topped_up = await client.post(f"{PATH}/top-ups", json=payment(1_000, "P-1"))
    assert topped_up.status_code == 201, topped_up.text
    return client


def payment(amount: int, reference: str) -> dict[str, Any]:
    return {"currency": "CNY", "amount": amount, "reference": reference}


def a_hold(amount: int, reference: str) -> dict[str, Any]:
    return {**payment(amount, reference), "channel_id": str(CHANNEL), "order_id": str(new_id())}


def held(given: dict[str, Any]) -> Hold:
    """What the route makes of it."""
    return Hold(
        id=new_id(),
        merchant_id=MERCHANT,
        partner="ACME",
        currency=given["currency"],
        channel_id=CHANNEL,
        order_id=None,
        reference=given["reference"],
        amount_minor=given["amount"],
        captured_minor=0,
        state=HoldState.HELD,
        created_at=datetime.now(UTC),
    )


async def figures(merchant: httpx.AsyncClient) -> tuple[int, int, int]:
    """(balance, held, available)."""
    found = (await merchant.get(PATH)).json()
    return found["balance"], found["held"], found["available"]


async def test_what_is_held_is_kept_and_what_is_captured_is_gone(
    merchant: httpx.AsyncClient, balances: Balances
) -> None:
    hold = (await merchant.post(f"{PATH}/holds", json=a_hold(400, "O-1"))).json()
    assert await figures(merchant) == (1_000, 400, 600)

    captured = await merchant.post(f"{PATH}/holds/{hold['id']}/capture", json={})

    assert (captured.json()["state"], captured.json()["captured"]) == ("captured", 400)
    assert await figures(merchant) == (600, 0, 600)
    found = await balances()
    assert found["prepaid:ACME", "CNY"] == -600
    assert found[f"channel-clearing:{CHANNEL}", "CNY"] == -400
    assert found["bank", "CNY"] == 1_000


async def test_a_part_may_be_captured_and_the_rest_is_free(merchant: httpx.AsyncClient) -> None:
    hold = (await merchant.post(f"{PATH}/holds", json=a_hold(400, "O-1"))).json()
    path = f"{PATH}/holds/{hold['id']}"

    too_much = await merchant.post(f"{path}/capture", json={"amount": 401})
    part = [await merchant.post(f"{path}/capture", json={"amount": 150}) for _ in range(2)]
    other = await merchant.post(f"{path}/capture", json={"amount": 149})

    assert (too_much.status_code, too_much.json()["code"]) == (422, "capture_exceeds_hold")
    assert part[0].json() == part[1].json()
    assert (other.status_code, other.json()["code"]) == (409, "prepaid_hold_closed")
    assert await figures(merchant) == (850, 0, 850)


async def test_what_is_released_is_free_and_is_not_captured(merchant: httpx.AsyncClient) -> None:
    hold = (await merchant.post(f"{PATH}/holds", json=a_hold(400, "O-1"))).json()
    path = f"{PATH}/holds/{hold['id']}"

    released = [await merchant.post(f"{path}/release") for _ in range(2)]
    captured = await merchant.post(f"{path}/capture", json={})

    assert [it.status_code for it in released] == [200, 200]
    assert captured.status_code == 409
    assert await figures(merchant) == (1_000, 0, 1_000)


async def test_more_than_there_is_is_not_held(merchant: httpx.AsyncClient) -> None:
    refused = await merchant.post(f"{PATH}/holds", json=a_hold(1_001, "O-1"))
    held = await merchant.post(f"{PATH}/holds", json=a_hold(1_000, "O-2"))

    assert (refused.status_code, refused.json()["code"]) == (409, "prepaid_too_low")
    assert refused.json()["available"] == 1_000
    assert held.status_code == 201


async def test_a_credit_limit_lets_the_balance_go_below_zero_and_no_further(
    merchant: httpx.AsyncClient,
) -> None:
    await merchant.put(PATH, json={"currency": "CNY", "credit_limit": 500})
    hold = (await merchant.post(f"{PATH}/holds", json=a_hold(1_500, "O-1"))).json()
    await merchant.post(f"{PATH}/holds/{hold['id']}/capture", json={})

    refused = await merchant.post(f"{PATH}/holds", json=a_hold(1, "O-2"))
    lower = await merchant.put(PATH, json={"currency": "CNY", "credit_limit": 499})

    assert await figures(merchant) == (-500, 0, 0)
    assert refused.status_code == 409
    assert (lower.json()["code"], lower.json()["used"]) == ("credit_limit_too_low", 500)


async def test_many_callers_at_once_hold_exactly_what_there_is(
    merchant: httpx.AsyncClient, balances: Balances
) -> None:
    async def buy(number: int) -> int:
        held = await merchant.post(f"{PATH}/holds", json=a_hold(30, f"O-{number}"))
        if held.status_code == 201:
            name = "capture" if number % 2 else "release"
            path = f"{PATH}/holds/{held.json()['id']}/{name}"
            ended = await merchant.post(path, json={} if number % 2 else None)
            assert ended.status_code == 200, ended.text
            return 30 * (number % 2)
        assert held.json()["code"] == "prepaid_too_low"
        return 0

    taken = await asyncio.gather(*(buy(number) for number in range(CALLERS)))

    assert await figures(merchant) == (1_000 - sum(taken), 0, 1_000 - sum(taken))
    assert -(await balances())["prepaid:ACME", "CNY"] == 1_000 - sum(taken)


async def test_many_holds_at_once_never_hold_more_than_there_is(
    merchant: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(
        *(merchant.post(f"{PATH}/holds", json=a_hold(30, f"O-{it}")) for it in range(CALLERS))
    )

    assert sorted(it.status_code for it in answers) == [201] * 33 + [409] * 31
    assert await figures(merchant) == (1_000, 990, 10)


async def test_capture_and_release_at_once_end_in_one_of_them(
    merchant: httpx.AsyncClient,
) -> None:
    hold = (await merchant.post(f"{PATH}/holds", json=a_hold(400, "O-1"))).json()
    path = f"{PATH}/holds/{hold['id']}"

    answers = await asyncio.gather(
        *(merchant.post(f"{path}/capture", json={}) for _ in range(8)),
        *(merchant.post(f"{path}/release") for _ in range(8)),
    )

    state = (await merchant.get(path)).json()["state"]
    left = 600 if state == "captured" else 1_000
    assert sorted(it.status_code for it in answers) == [200] * 8 + [409] * 8
    assert await figures(merchant) == (left, 0, left)


async def test_the_same_reference_is_the_same_hold(merchant: httpx.AsyncClient) -> None:
    hold = a_hold(400, "O-1")

    same = await asyncio.gather(*(merchant.post(f"{PATH}/holds", json=hold) for _ in range(8)))
    other = await merchant.post(f"{PATH}/holds", json={**hold, "amount": 401})

    assert len({it.json()["id"] for it in same}) == 1
    assert (other.status_code, other.json()["code"]) == (409, "prepaid_reference_reused")
    assert await figures(merchant) == (1_000, 400, 600)


async def test_one_reference_at_once_in_two_currencies_is_one_hold(
    merchant: httpx.AsyncClient, service: Service, db: Database
) -> None:
    await merchant.put(PATH, json={"currency": "USD", "credit_limit": 1_000})
    in_yuan, in_dollars = a_hold(400, "O-1"), {**a_hold(400, "O-1"), "currency": "USD"}

    async with db.transaction() as tx:
        await service.state["prepaid"].hold(tx, held(in_yuan))
        waiting = asyncio.create_task(merchant.post(f"{PATH}/holds", json=in_dollars))
        await asyncio.sleep(0.3)

    refused = await waiting
    assert (refused.status_code, refused.json()["code"]) == (409, "prepaid_reference_reused")
    assert await figures(merchant) == (1_000, 400, 600)
    dollars = (await merchant.get(PATH, params={"currency": "USD"})).json()
    assert (dollars["held"], dollars["available"]) == (0, 1_000)


async def test_a_payment_is_topped_up_once(merchant: httpx.AsyncClient) -> None:
    again = await merchant.post(f"{PATH}/top-ups", json=payment(1_000, "P-1"))

    assert (again.status_code, again.json()["code"]) == (409, "already_posted")
    assert await figures(merchant) == (1_000, 0, 1_000)


async def test_each_currency_is_a_balance_of_its_own(merchant: httpx.AsyncClient) -> None:
    dollars = {**payment(5, "P-2"), "currency": "USD"}

    before = await merchant.post(f"{PATH}/top-ups", json=dollars)
    await merchant.put(PATH, json={"currency": "USD"})
    after = await merchant.post(f"{PATH}/top-ups", json=dollars)

    assert (before.status_code, before.json()["code"]) == (404, "prepaid_partner_not_found")
    assert after.json()["balance"] == 5
    listed = (await merchant.get("/v1/prepaid")).json()["items"]
    assert [(it["currency"], it["balance"]) for it in listed] == [("CNY", 1_000), ("USD", 5)]


async def test_partners_of_others_are_not_seen(merchant: httpx.AsyncClient, api: ApiClient) -> None:
    hold = (await merchant.post(f"{PATH}/holds", json=a_hold(400, "O-1"))).json()
    other = await api("ledger:read", "ledger:write", merchant_id=OTHER_MERCHANT)

    answers = [
        await other.get(PATH),
        await other.get(f"{PATH}/holds/{hold['id']}"),
        await other.post(f"{PATH}/holds/{hold['id']}/release"),
        await other.post(f"{PATH}/top-ups", json=payment(1, "P-9")),
    ]

    assert [it.status_code for it in answers] == [404] * 4
    assert (await other.get("/v1/prepaid")).json()["items"] == []


async def test_a_hold_that_nobody_captures_expires_and_is_free_again(
    merchant: httpx.AsyncClient, service: Service, db: Database
) -> None:
    old = [
        (await merchant.post(f"{PATH}/holds", json=a_hold(100, f"O-{it}"))).json() for it in "12"
    ]
    await make_old(db)
    young = (await merchant.post(f"{PATH}/holds", json=a_hold(50, "O-3"))).json()

    # Many workers at once give it free once.
    await asyncio.gather(*(expire(service) for _ in range(4)))

    states = [(await merchant.get(f"{PATH}/holds/{it['id']}")).json() for it in (*old, young)]
    assert [it["state"] for it in states] == ["expired", "expired", "held"]
    assert (states[0]["ended_at"] is None, states[2]["ended_at"] is None) == (False, True)
    assert await figures(merchant) == (1_000, 50, 950)
    captured = await merchant.post(f"{PATH}/holds/{old[0]['id']}/capture", json={})
    released = await merchant.post(f"{PATH}/holds/{old[0]['id']}/release")
    assert (captured.status_code, captured.json()["code"]) == (409, "prepaid_hold_closed")
    assert (released.status_code, released.json()["state"]) == (200, "expired")


async def test_a_hold_says_when_it_expires(merchant: httpx.AsyncClient) -> None:
    hold = (await merchant.post(f"{PATH}/holds", json=a_hold(100, "O-1"))).json()

    created, expires = (datetime.fromisoformat(hold[it]) for it in ("created_at", "expires_at"))
    assert abs(expires - created - timedelta(hours=72)) < timedelta(minutes=1)


async def test_capture_and_expiry_at_once_end_in_one_of_them(
    merchant: httpx.AsyncClient, service: Service, db: Database
) -> None:
    holds = [
        (await merchant.post(f"{PATH}/holds", json=a_hold(100, f"O-{it}"))).json()
        for it in range(6)
    ]
    await make_old(db)

    answers = await asyncio.gather(
        *(capture(merchant, it["id"]) for it in holds), expire(service), expire(service)
    )

    left = 1_000 - 100 * sum(it == 200 for it in answers)
    assert await figures(merchant) == (left, 0, left)


async def capture(merchant: httpx.AsyncClient, hold_id: str) -> int:
    """Its status, as soon as the partner's lock could be had: a slow machine has a queue."""
    for _ in range(TRIES_MAX):
        answer = await merchant.post(f"{PATH}/holds/{hold_id}/capture", json={})
        if answer.status_code != 503:
            return answer.status_code
    raise AssertionError("the partner was busy too often")


async def make_old(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE prepaid_hold SET expires_at = clock_timestamp()"))


async def expire(service: Service) -> None:
    """As the job: again when a lock did not come in time."""
    for _ in range(TRIES_MAX):
        with suppress(Unavailable):
            async with service.db.transaction() as tx:
                await service.state["prepaid"].expire(tx)
            return
    raise AssertionError("the partner was busy too often")
