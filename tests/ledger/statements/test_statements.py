"""What a merchant reads: opening balance + lines = closing balance = its account."""

import csv
import re
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from sqlalchemy import text

from kit.db import Database
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
    settle,
    terms,
)
from tests.stack.api import ApiClient

PATH = f"/v1/statements/{MERCHANT}"


@pytest.fixture
async def settled(service: Service, deliver: Deliver, api: ApiClient) -> Any:
    """A settlement with twenty sales, a refund, and a payout that came back."""
    await agree(service, terms())
    sales = [a_sale(1_000 + place) for place in range(20)]
    await deliver(*sales)
    await let_time_pass(service)
    await deliver(money_back(sales[0], 400), money_back(sales[1], 1_001))
    await put_payee(api)
    body = {"merchant_id": str(MERCHANT), "currency": "CNY", "amount": 5_000}
    payout = (await (await platform(api)).post("/v1/payouts", json=body)).json()["id"]
    operator = await platform(api)
    for step in ("approve", "fail"):
        await operator.post(f"/v1/payouts/{payout}/{step}", json={"reason": "closed"})
    return (await settle(service, api))[0]


async def test_opening_balance_and_lines_are_the_closing_balance_and_the_account(
    settled: Any, api: ApiClient, balances: Balances
) -> None:
    statement = (await (await api("ledger:read")).get(PATH, params={"limit": 200})).json()

    lines = statement["lines"]
    assert statement["settlement"] == settled
    assert settled["opening"] + sum(line["amount"] for line in lines) == settled["closing"]
    assert settled["closing"] == (await balances())["settlement:available", "CNY"]
    assert sum(it["amount"] for it in statement["totals"]) == settled["closing"]
    assert [it["kind"] for it in statement["totals"]] == ["sale", "refund", "payout"]
    running = settled["opening"]
    for line in lines:
        running += line["amount"]
        assert line["balance"] == running


async def test_every_line_is_a_posting_of_the_merchants_account(
    settled: Any, api: ApiClient, db: Database
) -> None:
    lines = (await (await api("ledger:read")).get(PATH, params={"limit": 200})).json()["lines"]

    async with db.read() as tx:
        rows = await tx.execute(_POSTINGS, {"merchant_id": MERCHANT})
        postings = {(str(row.transaction_id), row.line_no): row.amount_minor for row in rows}
    assert {(it["transaction_id"], it["posting"]): it["amount"] for it in lines} == postings


async def test_a_sale_says_what_its_price_was_parted_into(settled: Any, api: ApiClient) -> None:
    lines = (await (await api("ledger:read")).get(PATH, params={"limit": 200})).json()["lines"]

    sales = [it for it in lines if it["kind"] == "sale"]
    assert len(sales) == 20
    for sale in sales:
        assert sale["gross"] == sale["channel_fee"] + sale["platform_fee"] + sale["amount"]
        assert sale["sku"] == "STEAM-50"
        assert sale["order_id"]


async def test_pages_of_lines_join_without_a_gap(settled: Any, api: ApiClient) -> None:
    merchant = await api("ledger:read")
    positions: list[int] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 7, **({"cursor": cursor} if cursor else {})}
        page = (await merchant.get(PATH, params=params)).json()
        positions += [line["position"] for line in page["lines"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert positions == list(range(1, settled["lines"] + 1))


async def test_the_csv_has_all_lines_and_adds_up(settled: Any, api: ApiClient) -> None:
    answer = await (await api("ledger:read")).get(PATH, params={"format": "csv"})

    rows = list(csv.DictReader(StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert rows[0]["kind"] == "opening"
    assert len(rows) == settled["lines"] + 1
    total = int(rows[0]["balance"]) + sum(int(row["amount"]) for row in rows[1:])
    assert total == settled["closing"] == int(rows[-1]["balance"])


async def test_the_pdf_is_the_same_each_time_and_has_its_fonts_in_the_reader(
    settled: Any, api: ApiClient
) -> None:
    merchant = await api("ledger:read")

    answers = [await merchant.get(PATH, params={"format": "pdf"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].headers["content-type"] == "application/pdf"
    assert answers[0].content == answers[1].content
    assert answers[0].content.startswith(b"%PDF-")
    assert b"STSong-Light" in answers[0].content
    assert b"FontFile" not in answers[0].content
    assert len(re.findall(rb"/Type /Page\b", answers[0].content)) >= 1


async def test_a_settled_statement_never_changes(
    settled: Any, service: Service, deliver: Deliver, api: ApiClient
) -> None:
    merchant = await api("ledger:read")
    params = {"settlement_id": settled["id"], "limit": 200}
    before = (await merchant.get(PATH, params=params)).json()

    late = a_sale(7_777)
    await deliver(late)
    await deliver(money_back(late, 1))
    await let_time_pass(service)
    await settle(service, api)

    after = (await merchant.get(PATH, params=params)).json()
    assert (after["lines"], after["totals"]) == (before["lines"], before["totals"])
    newest = (await merchant.get(PATH)).json()["settlement"]
    assert (newest["opening"], newest["lines"]) == (settled["closing"], 1)


async def test_what_was_posted_by_hand_is_in_the_statement_too(
    settled: Any, service: Service, api: ApiClient
) -> None:
    keeper = await api("ledger:write", "ledger:read")
    await keeper.post(
        "/v1/accounts", json={"code": "goodwill", "currency": "CNY", "kind": "expense"}
    )
    amount = {"amount": 250, "currency": "CNY"}
    postings = [
        {"account": "settlement:available", "side": "debit", "amount": amount},
        {"account": "goodwill", "side": "credit", "amount": amount},
    ]
    posted = await keeper.post(
        "/v1/transactions", json={"description": "Goodwill", "postings": postings}
    )
    assert posted.status_code == 201, posted.text

    await settle(service, api)
    statement = (await keeper.get(PATH)).json()

    assert [(it["kind"], it["amount"]) for it in statement["lines"]] == [("other", 250)]
    assert statement["settlement"]["closing"] == settled["closing"] + 250


async def test_nobody_else_reads_it(settled: Any, api: ApiClient) -> None:
    other = await api("ledger:read", merchant_id=OTHER_MERCHANT)

    answers = [
        await other.get(PATH),
        await other.get(PATH, params={"format": "csv"}),
        await other.get(PATH, params={"format": "pdf"}),
        await other.get(
            f"/v1/statements/{OTHER_MERCHANT}", params={"settlement_id": settled["id"]}
        ),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert (await (await platform(api)).get(PATH)).status_code == 200


async def test_without_a_settlement_there_is_no_statement(api: ApiClient) -> None:
    answer = await (await api("ledger:read")).get(PATH, params={"settlement_id": str(new_id())})

    assert (answer.status_code, answer.json()["code"]) == (404, "settlement_not_found")


async def test_an_open_settlement_has_no_statement_yet(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await agree(service, terms())
    await deliver(a_sale(1_000))
    await let_time_pass(service)
    end = datetime.now(UTC).isoformat()
    run = await (await platform(api)).post("/v1/settlements", json={"period_end": end})
    params = {"settlement_id": run.json()["items"][0]["id"]}

    answer = await (await api("ledger:read")).get(PATH, params=params)

    assert (answer.status_code, answer.json()["code"]) == (404, "statement_not_ready")


_POSTINGS = text("""
    SELECT posting.transaction_id, posting.line_no, posting.amount_minor
    FROM posting JOIN account ON account.id = posting.account_id
    WHERE account.code = 'settlement:available' AND posting.merchant_id = :merchant_id
""")
