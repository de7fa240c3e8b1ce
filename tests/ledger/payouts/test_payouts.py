"""Money that leaves: four eyes, never more than there is, once, and back again."""

import asyncio
import csv
from io import StringIO
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from kit.service import Service
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import MERCHANT, OTHER_MERCHANT
from tests.ledger.settling import (
    a_sale,
    agree,
    let_time_pass,
    money_back,
    platform,
    put_payee,
    settlement,
    terms,
)
from tests.stack.api import ApiClient

PATH = "/v1/payouts"
REASON = {"reason": "the bank says no"}


@pytest.fixture
async def sale(service: Service, deliver: Deliver, api: ApiClient) -> Any:
    """10,000 are available."""
    await agree(service, terms(basis_points=0))
    sale = a_sale(10_000)
    await deliver(sale)
    await let_time_pass(service)
    await put_payee(api)
    return sale


def proposal(amount: int) -> dict[str, Any]:
    return {"merchant_id": str(MERCHANT), "currency": "CNY", "amount": amount}


async def propose(api: ApiClient, amount: int) -> str:
    made = await (await platform(api)).post(PATH, json=proposal(amount))
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def step(api: ApiClient, payout_id: str, name: str) -> httpx.Response:
    operator = await platform(api)
    body = REASON if name in ("reject", "fail", "return") else None
    return await operator.post(f"{PATH}/{payout_id}/{name}", json=body)


async def test_a_payout_is_proposed_approved_sent_and_paid(
    sale: Any, api: ApiClient, balances: Balances
) -> None:
    payout = await propose(api, 4_000)
    seen = [settlement(await balances())]
    for name in ("approve", "sent", "paid"):
        answer = await step(api, payout, name)
        assert answer.status_code == 200, answer.text
        seen.append(settlement(await balances()))

    assert seen == [
        {"settlement:available": 10_000},
        {"settlement:available": 6_000, "payouts-under-way": 4_000},
        {"settlement:available": 6_000, "payouts-under-way": 4_000},
        {"settlement:available": 6_000, "bank": 4_000},
    ]


async def test_who_proposed_it_does_not_approve_it(sale: Any, api: ApiClient) -> None:
    operator = await platform(api)
    payout = (await operator.post(PATH, json=proposal(4_000))).json()["id"]

    own = await operator.post(f"{PATH}/{payout}/approve")
    other = await step(api, payout, "approve")

    assert (own.status_code, own.json()["code"]) == (403, "same_person")
    assert other.json()["approved_by"] != other.json()["created_by"]


async def test_no_more_than_what_is_available_is_proposed(sale: Any, api: ApiClient) -> None:
    operator = await platform(api)

    too_much = await operator.post(PATH, json=proposal(10_001))
    await propose(api, 6_000)
    again = await operator.post(PATH, json=proposal(4_001))

    assert (too_much.status_code, too_much.json()["available"]) == (409, 10_000)
    assert (again.json()["code"], again.json()["available"]) == ("payout_exceeds_available", 4_000)


async def test_proposals_at_once_take_no_more_than_there_is(sale: Any, api: ApiClient) -> None:
    operators = [await platform(api) for _ in range(12)]

    answers = await asyncio.gather(*(it.post(PATH, json=proposal(3_000)) for it in operators))

    assert sorted(it.status_code for it in answers) == [201] * 3 + [409] * 9


async def test_a_refund_after_the_proposal_stops_the_approval(
    sale: Any, api: ApiClient, deliver: Deliver
) -> None:
    payout = await propose(api, 10_000)
    await deliver(money_back(sale, 1))

    refused = await step(api, payout, "approve")

    assert (refused.status_code, refused.json()["available"]) == (409, 9_999)
    assert (await step(api, payout, "reject")).json()["state"] == "rejected"


async def test_approvals_at_once_post_once(sale: Any, api: ApiClient, balances: Balances) -> None:
    payout = await propose(api, 4_000)
    operators = [await platform(api) for _ in range(10)]

    answers = await asyncio.gather(*(it.post(f"{PATH}/{payout}/approve") for it in operators))

    assert {it.status_code for it in answers} == {200}
    assert len({it.json()["approved_by"] for it in answers}) == 1
    assert (await balances())["payouts-under-way", "CNY"] == 4_000


async def test_approval_and_rejection_at_once_end_in_one_of_them(
    sale: Any, api: ApiClient, balances: Balances
) -> None:
    payout = await propose(api, 4_000)

    answers = await asyncio.gather(*(step(api, payout, name) for name in ("approve", "reject") * 4))

    state = (await (await platform(api)).get(f"{PATH}/{payout}")).json()["state"]
    won = {"approved": "approve", "rejected": "reject"}[state]
    for place, answer in enumerate(answers):
        is_winner = ("approve", "reject")[place % 2] == won
        assert answer.status_code == (200 if is_winner else 409)
    under_way = (await balances()).get(("payouts-under-way", "CNY"), 0)
    assert under_way == (4_000 if won == "approve" else 0)


@pytest.mark.parametrize(
    "steps",
    [("approve", "fail"), ("approve", "sent", "fail"), ("approve", "sent", "paid", "return")],
    ids="-".join,
)
async def test_a_payout_that_does_not_arrive_makes_the_money_available_again(
    sale: Any, api: ApiClient, balances: Balances, steps: tuple[str, ...]
) -> None:
    payout = await propose(api, 4_000)

    for name in steps:
        for _ in range(2):
            assert (await step(api, payout, name)).status_code == 200

    assert settlement(await balances()) == {"settlement:available": 10_000}
    assert await propose(api, 10_000)


@pytest.mark.parametrize("name", ["sent", "paid", "fail", "return"])
async def test_what_is_not_approved_goes_nowhere(sale: Any, api: ApiClient, name: str) -> None:
    payout = await propose(api, 4_000)

    refused = await step(api, payout, name)

    assert (refused.status_code, refused.json()["code"]) == (409, "payout_closed")
    assert refused.json()["state"] == "proposed"


async def test_without_a_payee_nothing_is_approved(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await agree(service, terms())
    await deliver(a_sale(10_000))
    await let_time_pass(service)
    payout = await propose(api, 100)

    refused = await step(api, payout, "approve")
    await put_payee(api)
    approved = await step(api, payout, "approve")

    assert (refused.status_code, refused.json()["code"]) == (404, "payee_not_found")
    assert approved.json()["account"] == "6222020200112233445"


async def test_another_payee_later_changes_no_payout(sale: Any, api: ApiClient) -> None:
    payout = await propose(api, 4_000)

    await put_payee(api, account="6666666666666666")
    approved = await step(api, payout, "approve")

    assert approved.json()["account"] == "6222020200112233445"


async def test_the_export_is_what_a_bank_takes(sale: Any, api: ApiClient) -> None:
    await put_payee(api, name="=HYPERLINK(1)")
    payout = await propose(api, 4_050)
    await propose(api, 10)
    await step(api, payout, "approve")

    answer = await (await platform(api)).get(f"{PATH}/export.csv")

    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [(row["payout_id"], row["amount"], row["currency"]) for row in rows] == [
        (payout, "40.50", "CNY")
    ]
    assert rows[0]["payee"] == "'=HYPERLINK(1)"
    assert rows[0]["account"] == "6222020200112233445"


async def test_a_merchant_sees_its_own_payouts_and_moves_none(sale: Any, api: ApiClient) -> None:
    payout = await propose(api, 4_000)
    own = await api("ledger:read", "ledger:write")
    other = await api("ledger:read", merchant_id=OTHER_MERCHANT)

    assert [it["id"] for it in (await own.get(PATH)).json()["items"]] == [payout]
    assert (await own.post(f"{PATH}/{payout}/approve")).status_code == 403
    assert (await other.get(f"{PATH}/{payout}")).status_code == 404
    assert (await other.get(PATH)).json()["items"] == []
    assert (await other.get(f"/v1/payees/{MERCHANT}")).status_code == 404


async def test_a_repeated_proposal_is_one(sale: Any, api: ApiClient) -> None:
    operator = await platform(api)
    once = {"Idempotency-Key": "payout-1"}

    made = [await operator.post(PATH, json=proposal(1), headers=once) for _ in range(2)]

    assert made[0].json() == made[1].json()
    assert len((await operator.get(PATH)).json()["items"]) == 1


async def test_nobodys_payout_is_not_found(api: ApiClient) -> None:
    assert (await step(api, str(new_id()), "approve")).status_code == 404
