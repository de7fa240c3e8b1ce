"""Channels are shown by name beside their id, as their orders told it last."""

import csv
import io
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from kit.ids import new_id
from kit.service import Service
from tests.ledger.conftest import Deliver
from tests.ledger.factories import (
    CHANNEL,
    MERCHANT,
    NOON,
    OTHER_MERCHANT,
    a_completion,
    a_line,
    a_payment,
    an_order,
    cny,
)
from tests.ledger.settling import a_sale, agree, let_time_pass, settle, terms
from tests.stack.api import ApiClient

DAY = timedelta(days=1)
ALL = {"from": (NOON - DAY).isoformat(), "to": (NOON + DAY).isoformat()}
TAOBAO = "淘宝 · 旗舰店"


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read")


def _named(name: str, minutes: int = 0, **given: Any) -> Any:
    at = NOON + timedelta(minutes=minutes)
    return an_order(new_id(), cny(100), channel_name=name, at=at, **given)


async def _names(service: Service, merchant_id: UUID = MERCHANT) -> dict[str, str]:
    async with service.db.read() as tx:
        found: dict[str, str] = await service.state["channels"].names(
            tx, merchant_id, [str(CHANNEL), None]
        )
        return found


async def test_a_channel_is_called_what_its_newest_order_says(
    service: Service, deliver: Deliver
) -> None:
    told = [_named(f"name {minutes}", minutes) for minutes in range(6)]
    random.Random(7).shuffle(told)
    for event in told:
        await deliver(event)
        await deliver(event, *told[:2])
    assert await _names(service) == {str(CHANNEL): "name 5"}


async def test_of_one_batch_the_newest_name_counts(service: Service, deliver: Deliver) -> None:
    await deliver(_named("new", 2), _named("old", 1), _named("", 3))
    assert await _names(service) == {str(CHANNEL): "new"}


async def test_another_merchant_neither_sees_nor_changes_a_name(
    service: Service, deliver: Deliver
) -> None:
    await deliver(_named("ours"))
    await deliver(_named("theirs", 5, merchant_id=OTHER_MERCHANT))
    assert await _names(service) == {str(CHANNEL): "ours"}
    assert await _names(service, OTHER_MERCHANT) == {}


async def test_reports_by_channel_name_it_beside_its_id(
    client: httpx.AsyncClient, deliver_and_follow: Deliver
) -> None:
    order, nameless = new_id(), new_id()
    await deliver_and_follow(
        an_order(order, cny(3000), channel_name="=cmd()"),
        an_order(new_id(), cny(1), channel_id=nameless),
    )
    await deliver_and_follow(a_completion(order, a_line(cny(3000))))

    for report in ("sales", "margin", "trends", "conversion"):
        params = {**ALL, "group_by": "channel"}
        rows = (await client.get(f"/v1/reports/{report}", params=params)).json()["items"]
        names = {it["groups"]["channel"]: it["channel_name"] for it in rows}
        assert names[str(CHANNEL)] == "=cmd()", report
        assert names.get(str(nameless)) is None
    whole = (await client.get("/v1/reports/sales", params=ALL)).json()
    assert [it["channel_name"] for it in (*whole["items"], *whole["totals"])] == [None, None]

    params = {**ALL, "group_by": "channel,sku", "format": "csv"}
    answer = await client.get("/v1/reports/sales", params=params)
    (row,) = [it for it in csv.DictReader(io.StringIO(answer.text)) if it["sku"]]
    assert list(row)[:3] == ["channel", "sku", "channel_name"]
    # What a spreadsheet would run begins with an apostrophe.
    assert (row["channel"], row["channel_name"]) == (str(CHANNEL), "'=cmd()")
    plain = await client.get("/v1/reports/sales", params={**ALL, "format": "csv"})
    assert "channel_name" not in plain.text


async def test_repurchase_by_channel_names_it(client: httpx.AsyncClient, deliver: Deliver) -> None:
    order = new_id()
    await deliver(an_order(order, cny(3000), channel_name=TAOBAO))
    await deliver(a_payment(order, cny(3000)))
    params = {**ALL, "group_by": "channel"}
    (row,) = (await client.get("/v1/reports/repurchase", params=params)).json()["items"]
    assert (row["groups"]["channel"], row["channel_name"]) == (str(CHANNEL), TAOBAO)


async def test_the_page_shows_the_name_and_the_id_when_pointed_at(
    api: ApiClient, deliver_and_follow: Deliver
) -> None:
    order, now = new_id(), datetime.now(UTC)
    await deliver_and_follow(an_order(order, cny(900), channel_name="<i>淘宝</i>", at=now))
    await deliver_and_follow(replace(a_completion(order, a_line(cny(900))), time=now))
    browser = await api("ledger:read")
    key = browser.headers.pop("authorization").removeprefix("Bearer ")
    await browser.post("/reports/session", data={"api_key": key})

    shown = (await browser.get("/reports")).text

    assert "&lt;i&gt;淘宝&lt;/i&gt;" in shown
    assert f'title="{CHANNEL}"' in shown


async def test_statements_name_the_channel_of_each_line(
    service: Service, deliver: Deliver, api: ApiClient, client: httpx.AsyncClient
) -> None:
    await agree(service, terms())
    await deliver(_named(TAOBAO))
    await deliver(a_sale(1_000), a_sale(2_000))
    await let_time_pass(service)
    await settle(service, api)
    path = f"/v1/statements/{MERCHANT}"

    lines = (await client.get(path)).json()["lines"]
    table = list(csv.DictReader(io.StringIO((await client.get(path, params=CSV)).text)))
    document = await client.get(path, params={"format": "pdf"})

    assert [(it["channel_id"], it["channel_name"]) for it in lines] == [(str(CHANNEL), TAOBAO)] * 2
    assert [it["channel_name"] for it in table] == ["", TAOBAO, TAOBAO]
    assert [it["channel_id"] for it in table] == ["", str(CHANNEL), str(CHANNEL)]
    assert document.content.startswith(b"%PDF-")


CSV = {"format": "csv"}
