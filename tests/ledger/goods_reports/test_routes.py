from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    NOON,
    a_completion,
    a_cost,
    a_line,
    an_event,
    an_import,
    cny,
)
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read")


async def _rows(client: httpx.AsyncClient, report: str, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/reports/{report}", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_stock_is_worth_what_its_postings_say_and_ages(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    now = datetime.now(UTC)
    old, young = new_id(), new_id()
    await deliver(replace(an_import(lot_id=old, total=cny(9000)), time=now - timedelta(days=100)))
    expiring = an_import(lot_id=young, total=cny(500), supplier="B")
    expiring.message.expires_at.FromDatetime(now + timedelta(days=10, hours=1))
    await deliver(replace(expiring, time=now - timedelta(days=3)))
    await deliver(a_completion(new_id(), a_line(cny(300), a_cost(old, cny(100), 2))))

    rows = await _rows(client, "stock")
    soon = await _rows(client, "stock", within_days=30)
    ageing = await _rows(client, "stock-ageing")

    assert [(it["groups"]["lot"], it["figures"]["value"]) for it in rows] == [
        (str(old), 8800),
        (str(young), 500),
    ]
    assert rows[0]["figures"]["age_days"] == 100
    assert [(it["groups"]["supplier"], it["figures"]["expires_days"]) for it in soon] == [("B", 10)]
    assert {
        (it["groups"]["kind"], it["groups"]["days"]): it["figures"]["value"] for it in ageing
    } == {
        ("age", "30"): 500,
        ("age", "180"): 8800,
        ("expires", "30"): 500,
        ("expires", "over"): 8800,
    }


async def test_a_lot_that_was_taken_back_is_no_stock(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(an_import(total=cny(0)))

    assert await _rows(client, "stock") == []


async def test_dead_codes_are_told_by_supplier(client: httpx.AsyncClient, deliver: Deliver) -> None:
    bad, good = new_id(), new_id()
    await deliver(an_import(lot_id=bad, supplier="BAD"), an_import(lot_id=good, supplier="GOOD"))
    await deliver(
        a_completion(
            new_id(),
            a_line(cny(300), a_cost(bad, cny(1), 4), quantity=4),
            a_line(cny(300), a_cost(good, cny(1), 5), quantity=5),
        )
    )
    granted = _claim(bad, ClaimDecided.Outcome.OUTCOME_REFUNDED)
    await deliver(granted, granted, _claim(good, ClaimDecided.Outcome.OUTCOME_REFUSED))

    rows = await _rows(client, "dead-codes")

    assert [(it["groups"]["supplier"], it["figures"]) for it in rows] == [
        ("BAD", {"sold": 4, "dead": 1, "dead_rate": 0.25}),
        ("GOOD", {"sold": 5, "dead": 0, "dead_rate": 0.0}),
    ]


async def test_baskets_tell_what_is_bought_together(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    game, card, rare = sorted(new_id() for _ in range(3))
    for products in ([game, card], [game, card], [game, rare], [card], [game, game]):
        lines = [a_line(cny(100), product_id=product) for product in products]
        await deliver(a_completion(new_id(), *lines))
    period = {"from": (NOON - timedelta(days=1)).isoformat(), "to": NOON.isoformat()}

    rows = await _rows(client, "baskets", **period)

    assert [(it["groups"]["product"], it["groups"]["with"]) for it in rows] == [
        (str(game), str(card)),
        (str(game), str(rare)),
    ]
    assert rows[0]["figures"] == {
        "orders": 2,
        "first_orders": 4,
        "second_orders": 3,
        "confidence": 0.5,
        "lift": 0.83,
    }
    assert len(await _rows(client, "baskets", product_id=str(rare), **period)) == 1


async def test_of_a_huge_order_only_some_products_are_paired(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lines = [a_line(cny(100), product_id=new_id()) for _ in range(40)]
    await deliver(a_completion(new_id(), *lines))
    period = {"from": (NOON - timedelta(days=1)).isoformat(), "to": NOON.isoformat()}

    assert len(await _rows(client, "baskets", limit=200, **period)) == 66


def _claim(lot_id: Any, outcome: ClaimDecided.Outcome) -> Any:
    return an_event(
        ClaimDecided(
            claim_id=str(new_id()),
            order_id=str(new_id()),
            merchant_id=str(MERCHANT),
            channel_id=str(CHANNEL),
            lot_id=str(lot_id),
            sku="STEAM-50",
            outcome=outcome,
        ),
        "order",
    )
