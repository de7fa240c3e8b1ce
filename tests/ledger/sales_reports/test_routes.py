import csv
import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from kit.ids import new_id
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    CHANNEL,
    NOON,
    OTHER_MERCHANT,
    PRODUCT,
    a_completion,
    a_cost,
    a_line,
    a_partial_completion,
    a_payment,
    a_refund,
    a_refund_made,
    an_import,
    an_order,
    cny,
    usd,
)
from tests.stack.api import ApiClient

DAY = timedelta(days=1)
SINCE, UNTIL = NOON - 10 * DAY, NOON + 10 * DAY
ALL = {"from": SINCE.isoformat(), "to": UNTIL.isoformat()}


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read")


async def _rows(client: httpx.AsyncClient, report: str, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/reports/{report}", params={**ALL, **params})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_margin_is_sales_less_the_cost_of_the_lots(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lot, other_product = new_id(), new_id()
    await deliver(
        a_completion(
            new_id(),
            a_line(cny(3000), a_cost(lot, cny(1000), 2), quantity=2),
            a_line(cny(500), a_cost(lot, cny(400)), sku="QQ-10", product_id=other_product),
        )
    )
    await deliver(
        a_partial_completion(
            new_id(),
            cny(9),
            a_line(cny(1000), a_cost(lot, cny(1000))),
            a_line(cny(9), delivered=False),
        )
    )

    async def margin(group: str) -> list[tuple[Any, ...]]:
        rows = await _rows(client, "margin", group_by=group)
        names = ("units", "sales", "cost", "margin")
        return [(*it["groups"].values(), *(it["figures"][name] for name in names)) for it in rows]

    assert await margin("sku") == [("STEAM-50", 3, 4000, 3000, 1000), ("QQ-10", 1, 500, 400, 100)]
    assert await margin("product,sku") == [
        (str(PRODUCT), "STEAM-50", 3, 4000, 3000, 1000),
        (str(other_product), "QQ-10", 1, 500, 400, 100),
    ]
    assert await margin("channel") == [(str(CHANNEL), 4, 4500, 3400, 1100)]
    assert await margin("") == [(4, 4500, 3400, 1100)]


async def test_sales_are_shared_among_the_lots_of_their_line_to_the_cent(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    first, second = sorted([new_id(), new_id()])
    await deliver(an_import(lot_id=first, supplier="A"), an_import(lot_id=second, supplier="B"))
    line = a_line(cny(1000), a_cost(first, cny(100), 1), a_cost(second, cny(200), 2), quantity=3)
    await deliver(a_completion(new_id(), line))

    by_lot = await _rows(client, "margin", group_by="lot")
    by_supplier = await _rows(client, "margin", group_by="supplier")

    def found(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int, int]]:
        return {
            next(iter(row["groups"].values())): (
                row["figures"]["units"], row["figures"]["sales"], row["figures"]["margin"]
            )
            for row in rows
        }  # fmt: skip

    assert found(by_lot) == {str(first): (1, 333, 233), str(second): (2, 667, 267)}
    assert found(by_supplier) == {"A": (1, 333, 233), "B": (2, 667, 267)}


async def test_currencies_are_never_added_up(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await deliver(
        a_completion(new_id(), a_line(cny(3000))), a_completion(new_id(), a_line(usd(70)))
    )

    answer = (await client.get("/v1/reports/sales", params=ALL)).json()

    assert [(it["currency"], it["figures"]["sales"]) for it in answer["totals"]] == [
        ("CNY", 3000),
        ("USD", 70),
    ]


async def test_a_report_covers_the_asked_time_from_its_start_to_before_its_end(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(a_completion(new_id(), a_line(cny(3000), a_cost(new_id(), cny(1000)))))

    async def found(start: timedelta, end: timedelta) -> int:
        period = {"from": (NOON + start).isoformat(), "to": (NOON + end).isoformat()}
        return len(await _rows(client, "margin", **period))

    assert await found(timedelta(0), timedelta(minutes=15)) == 1
    assert await found(timedelta(minutes=-15), timedelta(0)) == 0
    assert await found(-3 * DAY, 3 * DAY) == 1
    assert await found(-40 * DAY, 40 * DAY) == 1


async def test_trends_stand_beside_the_period_before(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    for days, price in ((0, 500), (1, 300), (-6, 200)):
        done = a_completion(new_id(), a_line(cny(price)))
        await deliver(replace(done, time=NOON + days * DAY))

    rows = await _rows(
        client,
        "trends",
        **{"from": (NOON - DAY).isoformat(), "to": (NOON + 4 * DAY).isoformat()},
        zone="Asia/Shanghai",
    )

    assert [(it["at"], it["figures"]["sales"], it["previous"]["sales"]) for it in rows] == [
        ("2026-11-21T16:00:00Z", 500, 0),
        ("2026-11-22T16:00:00Z", 300, 0),
    ]
    (total,) = (
        await client.get(
            "/v1/reports/trends",
            params={"from": (NOON - DAY).isoformat(), "to": (NOON + 4 * DAY).isoformat()},
        )
    ).json()["totals"]
    assert (total["figures"]["sales"], total["previous"]["sales"]) == (800, 200)


async def test_a_day_of_a_half_hour_zone_ends_at_its_own_midnight(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    # 18:15 UTC is midnight in Kathmandu.
    for minutes in (14, 16):
        done = a_completion(new_id(), a_line(cny(100)))
        await deliver(replace(done, time=NOON.replace(hour=18, minute=minutes)))

    rows = await _rows(client, "sales", bucket="day", zone="Asia/Kathmandu")

    assert [(it["at"], it["figures"]["sales"]) for it in rows] == [
        ("2026-11-21T18:15:00Z", 100),
        ("2026-11-22T18:15:00Z", 100),
    ]


async def test_best_sellers_come_by_units_or_by_sales(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(
        a_completion(
            new_id(),
            a_line(cny(900), sku="FEW"),
            a_line(cny(500), sku="MANY", quantity=4, product_id=new_id()),
        )
    )

    async def skus(**params: str) -> list[str]:
        return [it["groups"]["sku"] for it in await _rows(client, "best-sellers", **params)]

    assert await skus() == ["MANY", "FEW"]
    assert await skus(sort="sales") == ["FEW", "MANY"]


async def test_conversion_follows_the_placed_orders(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    orders = [new_id() for _ in range(4)]
    await deliver(*(an_order(each, cny(100)) for each in orders))
    later = [replace(a_payment(each, cny(100)), time=NOON + 20 * DAY) for each in orders[:3]]
    await deliver(*later)
    await deliver(replace(a_completion(orders[0], a_line(cny(100))), time=NOON + 20 * DAY))
    await deliver(replace(a_refund(orders[1], cny(100)), time=NOON + 20 * DAY))

    (row,) = await _rows(client, "conversion")

    assert row["groups"] == {"channel": str(CHANNEL)}
    assert row["figures"]["placed"] == 4
    assert row["figures"]["paid"] == 0, "they were paid after the period"
    assert row["figures"]["paid_rate"] == 0.75
    assert row["figures"]["delivered_rate"] == row["figures"]["refunded_rate"] == 0.25
    refused = await client.get("/v1/reports/conversion", params={"group_by": "product"})
    assert refused.json()["code"] == "only_by_channel"


async def test_peak_hours_are_those_of_the_zone(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(a_payment(new_id(), cny(100)), a_payment(new_id(), cny(100)))

    utc = await _rows(client, "peak-hours")
    shanghai = await _rows(client, "peak-hours", zone="Asia/Shanghai")

    # NOON is a Sunday.
    assert [(it["groups"], it["figures"]["paid"]) for it in utc] == [
        ({"weekday": "7", "hour": "12"}, 2)
    ]
    assert [it["groups"] for it in shanghai] == [{"weekday": "7", "hour": "20"}]


async def test_every_figure_of_money_is_the_sum_of_the_postings_it_names(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lot = new_id()
    for number in range(7):
        line = a_line(cny(100 + number), a_cost(lot, cny(30)), sku=f"SKU-{number % 2}")
        done = a_completion(new_id(), line, a_line(cny(5), product_id=new_id()))
        await deliver(replace(done, time=NOON + number * DAY))

    rows = await _rows(client, "margin", group_by="product,sku", bucket="week")

    assert len(rows) > 5
    for row in rows:
        for figure in ("sales", "cost"):
            found = await _sum(client, f"{row['postings']}&figure={figure}&limit=2")
            assert found == row["figures"][figure]


async def _sum(client: httpx.AsyncClient, path: str) -> int:
    total, cursor = 0, ""
    while cursor is not None:
        page = (await client.get(path + (f"&cursor={cursor}" if cursor else ""))).json()
        total += sum(it["value"] for it in page["items"])
        cursor = page["next_cursor"]
    return total


async def test_pages_of_a_report_show_each_row_once(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lines = [a_line(cny(100 + number), sku=f"SKU-{number}") for number in range(7)]
    await deliver(a_completion(new_id(), *lines))

    seen, cursor = [], ""
    while cursor is not None:
        params = {**ALL, "group_by": "sku", "limit": "3", **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/v1/reports/sales", params=params)).json()
        seen += [it["groups"]["sku"] for it in page["items"]]
        cursor = page["next_cursor"]

    assert seen == [f"SKU-{number}" for number in reversed(range(7))]


async def test_csv_has_all_rows_and_no_formula(client: httpx.AsyncClient, deliver: Deliver) -> None:
    lines = [a_line(cny(100 + number), sku=f"SKU-{number}") for number in range(250)]
    await deliver(a_completion(new_id(), *lines, a_line(cny(1), sku="=HYPERLINK(1)")))

    params = {**ALL, "group_by": "sku", "format": "csv", "compare": "previous"}
    answer = await client.get("/v1/reports/margin", params=params)

    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 251
    assert rows[0]["sales"] == "349"
    assert rows[0]["previous_sales"] == "0"
    assert rows[-1]["sku"] == "'=HYPERLINK(1)"


async def test_another_merchant_sees_nothing(
    api: ApiClient, client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(a_completion(new_id(), a_line(cny(3000), a_cost(new_id(), cny(1000)))))
    stranger = await api("ledger:read", merchant_id=OTHER_MERCHANT)

    assert await _rows(client, "sales", group_by="product")
    for report in ("sales", "margin", "trends", "best-sellers", "conversion", "peak-hours"):
        assert await _rows(stranger, report) == []
    assert (await stranger.get("/v1/postings", params=ALL)).json()["items"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"group_by": "moon"}, "validation_failed"),
        ({"group_by": "sku,sku"}, "grouped_twice"),
        ({"zone": "Mars/Olympus"}, "unknown_zone"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "period_empty"),
        ({"group_by": "product", "sort": "paid"}, "sort_unknown"),
        ({"bucket": "hour", "from": "2020-01-01T00:00:00Z"}, "too_many_buckets"),
        ({"channel_id": "moon"}, "validation_failed"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    client: httpx.AsyncClient, params: dict[str, str], code: str
) -> None:
    refused = await client.get("/v1/reports/sales", params=params)

    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_what_has_no_product_can_be_looked_at(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(a_completion(new_id(), a_line(cny(3000)), a_line(cny(7), sku="GONE")))
    line = a_line(cny(11), sku="NO-PRODUCT")
    line.product_id = ""
    await deliver(a_completion(new_id(), line))

    rows = await _rows(client, "sales", group_by="sku", product_id="none")

    assert [(it["groups"]["sku"], it["figures"]["sales"]) for it in rows] == [("NO-PRODUCT", 11)]


async def test_discounts_fees_and_refunds_lower_the_margin_of_their_group(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    order = new_id()
    line = a_line(cny(900), a_cost(new_id(), cny(400)))
    line.coupon_discount.CopyFrom(cny(100))
    done, paid = a_completion(order, line), a_payment(order, cny(900))
    paid.message.lines.add(
        line_id=line.line_id, product_id=str(PRODUCT), total=cny(900)
    ).fee.CopyFrom(cny(30))
    for event in (done, paid):
        event.message.buyer_group = "vip"
    await deliver(paid)
    await deliver(done)
    kind = RefundMade.Kind.KIND_DELIVERED_LINE
    await deliver(a_refund_made(order, cny(200), kind=kind))

    (total,) = (await client.get("/v1/reports/margin", params=ALL)).json()["totals"]
    rows = await _rows(client, "margin", group_by="buyer_group")

    assert total["figures"] == {
        "units": 1,
        "sales": 1000,
        "discounts": 100,
        "refunds": 200,
        "cost": 400,
        "fees": 30,
        "margin": 270,
        "margin_rate": 0.3857,
    }
    assert [(it["groups"]["buyer_group"], it["figures"]["margin"]) for it in rows] == [
        ("vip", 470),
        (None, -200),
    ]
