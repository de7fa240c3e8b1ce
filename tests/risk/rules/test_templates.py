"""Rules to begin with, and rules that limit."""

from typing import Any

import httpx
import pytest

from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderedLine
from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_DECLINE,
    DECISION_HOLD,
)
from risk.conditions import Conditions
from risk.rule_templates import TEMPLATES
from risk.rules.domain import Action
from tests.risk.conftest import Assess
from tests.risk.factories import CATALOGUE, an_order
from tests.stack.api import ApiClient


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


async def use(client: httpx.AsyncClient, template: str, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/rules", json={"template": template, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_a_rule_that_can_be_saved(name: str) -> None:
    text = TEMPLATES[name].text

    assert Conditions(CATALOGUE).compile(text.condition).mentions
    assert text.checked() is text
    assert TEMPLATES[name].why


async def test_templates_are_listed_as_rules_that_can_be_sent_back(
    client: httpx.AsyncClient,
) -> None:
    items = (await client.get("/v1/rule-templates")).json()["items"]

    assert [it["name"] for it in items] == list(TEMPLATES)
    for item in items:
        sent = await client.post("/v1/rules", json=item["rule"])
        assert sent.status_code == 201, sent.text
        assert sent.json()["condition"] == item["rule"]["condition"]


async def test_a_rule_is_made_of_a_template_and_changed_where_something_is_given(
    client: httpx.AsyncClient,
) -> None:
    as_it_is = await use(client, "first-purchase-code")
    changed = await use(
        client,
        "first-purchase-dear",
        condition="first_purchase && amount_minor > 5",
        mode="shadow",
        name="Dear for us",
        is_enabled=False,
    )

    assert (as_it_is["action"], as_it_is["mode"], as_it_is["version"]) == (
        "challenge",
        "enforce",
        1,
    )
    assert (changed["name"], changed["mode"], changed["is_enabled"], changed["action"]) == (
        "Dear for us",
        "shadow",
        False,
        "hold",
    )


async def test_a_template_that_is_not_there_and_a_rule_without_one_are_refused(
    client: httpx.AsyncClient,
) -> None:
    unknown = await client.post("/v1/rules", json={"template": "nope"})
    bare = await client.post("/v1/rules", json={"priority": 5})

    assert (unknown.status_code, unknown.json()["code"]) == (422, "template_not_found")
    assert (bare.status_code, bare.json()["code"]) == (422, "rule_incomplete")
    assert [it["pointer"] for it in bare.json()["errors"]] == ["/name", "/condition", "/action"]


async def test_one_address_that_buys_six_times_in_an_hour_is_held_by_a_template(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    await use(client, "network-burst", condition="purchases_by_ip_24_10m > 3", action="hold")
    orders = [an_order(ip=f"198.51.100.{number}") for number in range(5)]

    decided = [it.decision for it in await assess(orders)]

    assert decided == [DECISION_ALLOW] * 3 + [DECISION_HOLD] * 2


async def test_an_order_over_its_limit_is_declined_and_others_are_told_their_limits(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    limits = {"quantity_max": 2, "hold_seconds": 300}
    rule = {"name": "New", "condition": "first_purchase", "action": "limit", "limits": limits}
    made = (await client.post("/v1/rules", json=rule)).json()

    small, large = await assess(
        [
            an_order(lines=[OrderedLine(line_no=1, sku="A", quantity=2)]),
            an_order(lines=[OrderedLine(line_no=1, sku="A", quantity=3)]),
        ]
    )

    assert made["limits"] == limits
    assert (small.decision, large.decision) == (DECISION_ALLOW, DECISION_DECLINE)
    assert (small.limits.quantity_max, small.limits.hold_seconds) == (2, 300)
    assert small.rules[0].name == "New"


async def test_the_tightest_limits_count_and_those_behind_the_allow_list_do_not(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    for hold_seconds in (900, 300):
        await use(
            client,
            "unpaid-orders",
            condition="true",
            limits={"hold_seconds": hold_seconds, "quantity_max": 10},
        )
    entry = {"entries": [{"kind": "customer", "value": "anna"}]}
    await client.post("/v1/lists/allow/entries", json=entry)

    bound, free = await assess([an_order(), an_order(customer_id="anna")])

    assert (bound.limits.quantity_max, bound.limits.hold_seconds) == (10, 300)
    assert not free.HasField("limits")


@pytest.mark.parametrize(
    "change",
    [
        {"action": "limit"},
        {"action": "limit", "limits": {}},
        {"action": "hold", "limits": {"quantity_max": 1}},
    ],
)
async def test_limits_belong_to_rules_that_limit(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    body = {"name": "A rule", "condition": "true"} | change
    refused = await client.post("/v1/rules", json=body)

    assert (refused.status_code, refused.json()["code"]) == (422, "limits_refused")


async def test_a_shop_that_asks_is_told_the_limits(client: httpx.AsyncClient) -> None:
    await use(client, "unpaid-orders", condition="quantity > 1")
    ask = {
        "reference": "shop-1",
        "customer": {"id": "anna"},
        "total": {"amount": 1990, "currency": "CNY"},
        "lines": [{"sku": "STEAM-50", "quantity": 2}],
    }

    answer = (await client.post("/v1/assessments", json=ask)).json()

    assert (answer["asked"], answer["limits"]) == (
        "decline",
        {"quantity_max": 1, "hold_seconds": 300},
    )


async def test_unpaid_orders_of_a_buyer_tighten_what_is_held(
    client: httpx.AsyncClient, assess: Assess, service: Service
) -> None:
    await use(client, "unpaid-orders")
    orders = [an_order(customer_id="anna", ip="") for _ in range(3)]
    assert not any(it.HasField("limits") for it in await assess(orders))
    await expire(service, orders)

    (limited,) = await assess([an_order(customer_id="anna", ip="")])

    assert limited.limits.hold_seconds == 300
    assert Action.LIMIT.value == "limit"


async def expire(service: Service, orders: list[Any]) -> None:
    """The events that order publishes, twice, as the consumer gets them."""
    handlers = [it for it in service.handlers if it.type.endswith("order.v1.OrderExpired")]
    for _ in range(2):
        async with service.db.transaction() as tx:
            for handler in handlers:
                await handler.fn(tx, orders)
