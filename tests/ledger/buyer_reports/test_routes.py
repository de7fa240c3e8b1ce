from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from kit.ids import new_id
from tests.ledger.conftest import Deliver
from tests.ledger.factories import CHANNEL, a_payment, an_order, cny
from tests.stack.api import ApiClient

YEAR = {"from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read")


async def _bought(deliver: Deliver, buyer: str, *times: datetime) -> None:
    for at in times:
        order = new_id()
        await deliver(an_order(order, cny(100), buyer=buyer, at=at))
        await deliver(replace(a_payment(order, cny(100)), time=at))


async def test_cohorts_follow_buyers_month_by_month(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    january, february = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 2, 10, tzinfo=UTC)
    await _bought(deliver, "ann", january, january + timedelta(days=2), february)
    await _bought(deliver, "bob", january)
    await _bought(deliver, "eve", february)

    rows = (await client.get("/v1/reports/cohorts", params=YEAR)).json()["items"]

    assert [
        (it["at"][:7], it["groups"]["month"], it["figures"]["buyers"], it["figures"]["orders"])
        for it in rows
    ] == [("2026-01", "0", 2, 3), ("2026-01", "1", 1, 1), ("2026-02", "0", 1, 1)]
    assert rows[1]["figures"]["retention"] == 0.5
    assert rows[0]["figures"]["spent"] == 300


async def test_a_cohort_is_of_the_month_of_the_zone(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    # In Shanghai it is February already.
    await _bought(deliver, "ann", datetime(2026, 1, 31, 17, tzinfo=UTC))

    async def month(zone: str) -> str:
        params = {**YEAR, "zone": zone}
        (row,) = (await client.get("/v1/reports/cohorts", params=params)).json()["items"]
        return str(row["at"])

    assert await month("UTC") == "2026-01-01T00:00:00Z"
    assert await month("Asia/Shanghai") == "2026-01-31T16:00:00Z"


async def test_repurchase_counts_the_second_order_of_new_buyers(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for buyer, days in (("a", 30), ("b", 31), ("c", 90), ("d", 91)):
        await _bought(deliver, buyer, start, start + timedelta(days=days))
    await _bought(deliver, "once", start)

    (row,) = (await client.get("/v1/reports/repurchase", params=YEAR)).json()["items"]
    params = {**YEAR, "group_by": "channel"}
    (by_channel,) = (await client.get("/v1/reports/repurchase", params=params)).json()["items"]

    assert row["figures"] == {
        "new_buyers": 5,
        "again_30": 1,
        "rate_30": 0.2,
        "again_60": 2,
        "rate_60": 0.4,
        "again_90": 3,
        "rate_90": 0.6,
    }
    assert by_channel["groups"] == {"channel": str(CHANNEL)}
    later = {"from": "2026-04-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}
    assert (await client.get("/v1/reports/repurchase", params=later)).json()["items"] == []


async def test_a_first_order_that_is_told_late_moves_its_buyer(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await _bought(deliver, "ann", datetime(2026, 5, 10, tzinfo=UTC))
    await _bought(deliver, "ann", datetime(2026, 4, 20, tzinfo=UTC))

    rows = (await client.get("/v1/reports/cohorts", params=YEAR)).json()["items"]
    (again,) = (await client.get("/v1/reports/repurchase", params=YEAR)).json()["items"]

    assert [(it["at"][:7], it["groups"]["month"]) for it in rows] == [
        ("2026-04", "0"),
        ("2026-04", "1"),
    ]
    assert again["figures"]["again_30"] == 1
