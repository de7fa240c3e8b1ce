"""What was paid for codes that came into no stock is asked back; a person notes the answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fulfillment.cases.domain import Case
from fulfillment.settings import Settings
from kit.ids import new_id
from kit.money import Money
from kit.service import Service, create_app
from lockstock.fulfillment.v1.purchase_events_pb2 import SupplierAnswered
from tests.fulfillment.buying import buying, rows
from tests.fulfillment.conftest import a_client, published
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.real_vault import RealVault

CALLERS = 8


@pytest.fixture
async def service(settings: Settings, vault: RealVault) -> AsyncIterator[Service]:
    async with buying(settings, vault) as service:
        yield service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    scopes = ("suppliers:read", "suppliers:write")
    async with a_client(service, create_app(service), *scopes) as client:
        yield client


async def _open(service: Service, *, claimed: bool = True) -> Case:
    purchase = new_id()
    case = Case(
        MERCHANT,
        "codes_refused",
        str(purchase),
        "shop",
        purchase_id=purchase,
        amount=Money(4501, "CNY"),
        details={"lot_id": str(new_id()), **({"claimed": True} if claimed else {})},
    )
    async with service.db.transaction() as tx:
        await service.state["cases"].open_many(tx, [case])
    return case


async def _close(http: httpx.AsyncClient, case: Case, **more: Any) -> httpx.Response:
    return await http.post(
        f"/v1/cases/{case.id}/close",
        json={"resolution": "their mail of Friday", **more},
        headers={"Idempotency-Key": str(new_id())},
    )


async def _answers(service: Service) -> list[SupplierAnswered]:
    return [it for it in await published(service) if isinstance(it, SupplierAnswered)]


@pytest.mark.parametrize("pays", [True, False])
async def test_the_answer_is_told_with_what_was_claimed(
    service: Service, http: httpx.AsyncClient, pays: bool
) -> None:
    case = await _open(service)

    closed = await _close(http, case, supplier_pays=pays)

    assert closed.status_code == 200, closed.text
    [told] = await _answers(service)
    assert (told.case_id, told.purchase_id) == (str(case.id), case.subject)
    assert (told.supplier, told.lot_id) == ("shop", case.details["lot_id"])
    assert (told.amount.amount_minor, told.amount.currency, told.pays) == (4501, "CNY", pays)


@pytest.mark.parametrize(
    ("claimed", "answer"),
    [(True, {}), (True, {"supplier_pays": None}), (False, {"supplier_pays": True})],
)
async def test_a_claim_is_not_closed_without_an_answer_and_nothing_else_with_one(
    service: Service, http: httpx.AsyncClient, claimed: bool, answer: dict[str, Any]
) -> None:
    case = await _open(service, claimed=claimed)

    refused = await _close(http, case, **answer)

    assert (refused.status_code, refused.json()["code"]) == (422, "supplier_answer_unclear")
    assert [it.state for it in await rows(service, "supplier_case")] == ["open"]
    assert await _answers(service) == []


async def test_of_many_answers_at_once_one_counts(
    service: Service, http: httpx.AsyncClient
) -> None:
    case = await _open(service)
    answers = await asyncio.gather(
        *(_close(http, case, supplier_pays=bool(it % 2)) for it in range(CALLERS))
    )
    assert sorted(it.status_code for it in answers) == [200] + [409] * (CALLERS - 1)
    assert len(await _answers(service)) == 1
