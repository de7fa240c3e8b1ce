"""A supplier's statement, held against what we bought."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from fulfillment.settings import Settings
from fulfillment.supplier_statements import domain
from kit.ids import new_id
from kit.service import Service, create_app
from lockstock.fulfillment.v1.purchase_events_pb2 import CaseOpened, StatementReconciled
from tests.fulfillment.buying import buying, rows
from tests.fulfillment.conftest import a_client, published
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.top_ups import with_supplier

LINES = int(os.environ.get("PROCURE_STATEMENT_LINES", "5000"))
SOME = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a99"
HEAD = "reference,number,amount,status,time"
_INSERT = text(
    """
    WITH pool AS (
        INSERT INTO procurement (id, merchant_id, pool_id, quantity, currency, budget_minor, state,
                                 requested_by)
        SELECT id, :merchant_id, id, 1, 'CNY', 1, 'planned', 'test'
        FROM unnest(CAST(:id AS uuid[])) AS t (id)
        RETURNING id
    )
    INSERT INTO purchase (id, merchant_id, procurement_id, pool_id, generation, supplier,
        supplier_sku, quantity, cost_max_minor, currency, state, sends, cost_minor, reason,
        supplier_reference, sent_at, settled_at)
    SELECT id, :merchant_id, id, id, 0, 'shop', 'A', 1, 5000, 'CNY', CAST(:state AS text), 1,
           CASE WHEN CAST(:state AS text) = 'done' THEN 4500 END,
           CASE WHEN CAST(:state AS text) = 'done' THEN '' ELSE 'no_answer' END, 'CS-' || id,
           CAST(:sent_at AS timestamptz),
           CASE WHEN CAST(:state AS text) IN ('done', 'failed') THEN clock_timestamp() END
    FROM pool
    """
)


@pytest.fixture
async def service(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    async with buying(settings, vault) as service:
        await with_supplier(service, None, "shop", connector="demo")
        yield service


@pytest.fixture
async def api(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(service, create_app(service), "suppliers:read", "suppliers:write") as api:
        yield api


async def with_purchases(
    service: Service, number: int, state: str = "done", day: str = "2026-11-10"
) -> list[UUID]:
    ids = [new_id() for _ in range(number)]
    moment = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    async with service.db.transaction() as tx:
        values = {"id": ids, "merchant_id": MERCHANT, "state": state, "sent_at": moment}
        await tx.execute(_INSERT, values)
    return ids


def a_line(reference: object, amount: str = "45.00", status: str = "success", **given: str) -> str:
    number, moment = given.get("number", ""), given.get("time", "2026-11-10 12:00:00")
    return f"{reference},{number},{amount},{status},{moment}"


async def upload(api: httpx.AsyncClient, *lines: str, **fields: Any) -> httpx.Response:
    body = "\n".join([HEAD, *lines]).encode()
    form = {"supplier": "shop", "currency": "CNY", "supplier_reference": "number", "time": "time"}
    return await api.post(
        "/v1/supplier-statements", files={"file": ("november.csv", body)}, data={**form, **fields}
    )


async def test_what_agrees_is_matched_by_our_reference_or_by_theirs(
    service: Service, api: httpx.AsyncClient
) -> None:
    first, second = await with_purchases(service, 2)
    [failed] = await with_purchases(service, 1, "failed")

    answer = await upload(
        api,
        a_line(first),
        a_line("", number=f"CS-{second}"),
        a_line(failed, status="refunded"),
        a_line(new_id(), status="in progress"),
    )

    assert answer.status_code == 201, answer.text
    assert answer.json()["results"] == {"matched": 3, "pending": 1}
    assert await rows(service, "supplier_case") == []


async def test_each_difference_is_a_case_of_its_kind(
    service: Service, api: httpx.AsyncClient
) -> None:
    dearer, twice, forgotten, unrefunded = await with_purchases(service, 4)
    [unknown] = await with_purchases(service, 1, "unknown")
    before = await with_purchases(service, 1, day="2026-10-31")
    stranger = new_id()

    answer = await upload(
        api,
        a_line(dearer, "45.01"),
        a_line(twice),
        a_line(twice),
        a_line(unrefunded, status="refunded"),
        a_line(unknown),
        a_line(stranger),
        period_from="2026-11-01T00:00:00Z",
        period_to="2026-11-30T23:59:59Z",
    )

    assert answer.json()["results"] == {
        "matched": 1,
        "amount_differs": 1,
        "listed_twice": 1,
        "state_differs": 2,
        "missing_here": 1,
        "missing_there": 1,
    }
    cases = {(it.kind, it.purchase_id) for it in await rows(service, "supplier_case")}
    assert cases == {
        ("statement_amount_differs", dearer),
        ("statement_listed_twice", twice),
        ("statement_state_differs", unrefunded),
        ("statement_state_differs", unknown),
        ("statement_missing_here", None),
        ("statement_missing_there", forgotten),
    }
    assert before[0] not in {purchase for _, purchase in cases}
    told = await published(service)
    assert [it.differences for it in told if isinstance(it, StatementReconciled)] == [6]
    assert not [it for it in told if isinstance(it, CaseOpened)]


async def test_the_same_file_again_and_a_closed_case_open_nothing_new(
    service: Service, api: httpx.AsyncClient
) -> None:
    [bought] = await with_purchases(service, 1)
    lines = [a_line(bought, "44.00"), a_line(new_id())]
    first = (await upload(api, *lines)).json()
    cases = (await api.get("/v1/cases?state=open")).json()["items"]
    assert len(cases) == 2
    for case in cases:
        closed = await api.post(f"/v1/cases/{case['id']}/close", json={"resolution": "credited"})
        assert closed.json()["state"] == "closed"
        again = await api.post(f"/v1/cases/{case['id']}/close", json={"resolution": "x"})
        assert again.json()["code"] == "case_closed"

    second = (await upload(api, *lines)).json()
    longer = (await upload(api, *lines, a_line(bought, status="pending"))).json()

    assert second == first
    assert longer["id"] != first["id"]
    assert (await api.get("/v1/cases?state=open")).json()["items"] == []


async def test_an_upload_that_was_cut_off_is_read_again_from_its_beginning(
    service: Service, api: httpx.AsyncClient
) -> None:
    [bought] = await with_purchases(service, 1)
    first = (await upload(api, a_line(bought))).json()
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE supplier_statement SET state = 'reading', ended_at = NULL"))

    second = (await upload(api, a_line(bought))).json()

    assert (second["id"], second["lines"], second["results"]) == (first["id"], 1, {"matched": 1})


async def test_the_same_file_many_times_at_once_counts_each_line_once(
    service: Service, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "CHUNK_LINES", 2)
    ids = await with_purchases(service, 9)
    lines = [*(a_line(it) for it in ids), a_line("", amount="1.00")]

    answers = await asyncio.gather(*(upload(api, *lines) for _ in range(6)))

    assert {it.status_code for it in answers} == {201}
    [statement] = await rows(service, "supplier_statement")
    assert (statement.lines, statement.refused, statement.state) == (10, 1, "completed")
    assert {str(it.json()["results"]) for it in answers} == {str(answers[0].json()["results"])}
    told = [it for it in await published(service) if isinstance(it, StatementReconciled)]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        (",,45.00,success,2026-11-10", 1),
        (f"{SOME},,forty,success,2026-11-10", 1),
        (f"{SOME},,45.001,success,2026-11-10", 1),
        (f"{SOME},,NaN,success,2026-11-10", 1),
        (f"{SOME},,1e99,success,2026-11-10", 1),
        (f"{SOME},,9e999999,success,2026-11-10", 1),
        (f"{SOME},,1e999990,success,2026-11-10", 1),
        (f"{SOME},,45.00,success,yesterday", 1),
        (SOME, 1),
        ("", 0),
    ],
)
async def test_a_line_that_cannot_be_read_is_counted_and_the_rest_is_read(
    service: Service, api: httpx.AsyncClient, line: str, refused: int
) -> None:
    [bought] = await with_purchases(service, 1)

    answer = (await upload(api, line, a_line(bought))).json()

    assert (answer["refused"], answer["results"]) == (refused, {"matched": 1})


async def test_a_mark_of_byte_order_may_stand_before_a_quoted_head(
    service: Service, api: httpx.AsyncClient
) -> None:
    [bought] = await with_purchases(service, 1)
    head = ",".join(f'"{name}"' for name in HEAD.split(","))

    answer = await api.post(
        "/v1/supplier-statements",
        files={"file": ("november.csv", f"\ufeff{head}\n{a_line(bought)}".encode())},
        data={"supplier": "shop", "currency": "CNY", "time": "time"},
    )

    assert answer.json().get("results") == {"matched": 1}, answer.text


async def test_files_that_are_no_statement_are_refused_with_their_reason(
    service: Service, api: httpx.AsyncClient
) -> None:
    wrong = await upload(api, a_line(new_id()), amount="Betrag")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "statement_column_missing")
    assert wrong.json()["missing"] == ["Betrag"]
    nobody = await upload(api, a_line(new_id()), supplier="nobody")
    assert nobody.json()["code"] == "statement_of_unknown_supplier"
    for body in (b"", b"\xff\xfe\x00bad", b'"' + b"x" * 200_000):
        answer = await api.post(
            "/v1/supplier-statements",
            files={"file": ("x.csv", body)},
            data={"supplier": "shop", "currency": "CNY"},
        )
        assert answer.status_code == 422, answer.text
    failed = (await api.get("/v1/supplier-statements")).json()["items"]
    assert {it["state"] for it in failed} == {"failed"}


async def test_another_merchants_purchases_are_not_looked_at(
    service: Service, api: httpx.AsyncClient
) -> None:
    [theirs] = await with_purchases(service, 1)
    async with service.db.transaction() as tx:
        await tx.execute(
            text("UPDATE purchase SET merchant_id = :other"), {"other": OTHER_MERCHANT}
        )

    answer = (await upload(api, a_line(theirs))).json()

    assert answer["results"] == {"missing_here": 1}
    [case] = await rows(service, "supplier_case")
    assert (case.purchase_id, case.merchant_id) == (None, MERCHANT)


async def test_a_long_statement_is_read_in_pieces_and_every_difference_is_found(
    service: Service, api: httpx.AsyncClient, record_property: Callable[[str, object], None]
) -> None:
    ids = await with_purchases(service, LINES)
    wrong = set(ids[:: max(LINES // 50, 1)])
    lines = [a_line(it, "44.99" if it in wrong else "45.00") for it in ids]
    began = time.monotonic()

    for _ in range(5):  # a machine that stands still for seconds is a busy database: 503
        answered = await upload(api, *lines)
        if answered.status_code != 503:
            break
    answer = answered.json()

    seconds = time.monotonic() - began
    record_property("lines_per_second", round(LINES / seconds))
    assert (answer["lines"], answer["refused"]) == (LINES, 0)
    assert answer["results"] == {"matched": LINES - len(wrong), "amount_differs": len(wrong)}
    assert {it.purchase_id for it in await rows(service, "supplier_case")} == wrong
