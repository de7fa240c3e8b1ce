"""Figures by supplier, and the postings that they name."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from lockstock.fulfillment.v1.delivery_events_pb2 import DeliveredUnit
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    NOON,
    OTHER_MERCHANT,
    a_completion,
    a_cost,
    a_line,
    an_import,
    cny,
)
from tests.ledger.posting_rules.samples import a_claim
from tests.stack.api import ApiClient

ALL = {
    "from": (NOON - timedelta(days=10)).isoformat(),
    "to": (NOON + timedelta(days=10)).isoformat(),
}


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read")


async def _costs(client: httpx.AsyncClient, **params: str) -> dict[str | None, int]:
    """By supplier, each the sum of the postings it names."""
    answer = await client.get(
        "/v1/reports/margin", params={**ALL, "group_by": "supplier", **params}
    )
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["items"]
    for row in rows:
        found = (await client.get(f"{row['postings']}&figure=cost")).json()["items"]
        assert sum(it["value"] for it in found) == row["figures"]["cost"], row
    return {row["groups"]["supplier"]: row["figures"]["cost"] for row in rows}


@pytest.mark.parametrize(
    ("name", "written"),
    [("none", '"none"'), ('"none"', '""none""'), ('"', '"'), ("a&b", "a&b")],
)
async def test_a_supplier_may_be_called_as_filters_call_what_has_none(
    client: httpx.AsyncClient, deliver: Deliver, name: str, written: str
) -> None:
    line = a_line(cny(300), a_cost(new_id(), cny(40)), a_cost(new_id(), cny(2)), quantity=2)
    line.costs[0].supplier, line.costs[1].supplier = name, ""
    await deliver(an_import(lot_id=new_id(), supplier=name))
    await deliver(a_completion(new_id(), line))

    assert (await _costs(client))[name] == 40
    assert (await _costs(client))[None] == 2
    assert (await _costs(client, supplier=written)) == {name: 40}
    assert (await _costs(client, supplier="none")) == {None: 2}


async def test_what_only_the_lot_knows_the_supplier_of_is_among_his_postings(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lot = new_id()
    await deliver(an_import(lot_id=lot, supplier="B"))
    unit = DeliveredUnit(unit_id=str(new_id()), mask="a*", lot_id=str(lot))
    await deliver(a_claim(replacement=unit))
    await deliver(a_claim())

    assert await _costs(client) == {"B": 1300, None: 1300}


async def test_another_merchants_lot_tells_nothing_of_its_supplier(
    api: ApiClient, client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lot = new_id()
    theirs = an_import(lot_id=lot, supplier="Their secret", merchant_id=OTHER_MERCHANT)
    await deliver(theirs)
    # Opens the accounts that a transaction by hand may name.
    await deliver(an_import(lot_id=new_id(), supplier="B"))
    await deliver(a_completion(new_id(), a_line(cny(300), a_cost(new_id(), cny(40)))))
    sides = (("cost-of-goods", "debit"), ("inventory", "credit"))
    postings = [
        {
            "account": account,
            "side": side,
            "amount": {"amount": 7, "currency": "CNY"},
            "dimensions": {"lot_id": str(lot)},
        }
        for account, side in sides
    ]
    writer = await api("ledger:write")
    body = {"description": "By hand", "at": NOON.isoformat(), "postings": postings}
    assert (await writer.post("/v1/transactions", json=body)).status_code == 201
    await deliver(a_completion(new_id(), a_line(cny(1))))

    assert await _costs(client) == {None: 47}
    stock = (await client.get("/v1/reports/stock")).text
    assert "Their secret" not in stock
