"""An order's story explains its price, risk's word, the stock, the money and the end, in order."""

import json
from datetime import datetime
from uuid import UUID

from lockstock.fulfillment.v1.delivery_events_pb2 import DeliveredUnit
from lockstock.risk.v1.assessment_events_pb2 import FiredRule
from order.orders import service as orders
from tests.order.factories import MERCHANT, POOL, SHOP, assessed, delivered

EMAIL, PHONE = "anna@example.com", "+8613800001234"
PRODUCT = {
    "sku": "GAME-100",
    "name": "Game card",
    "fulfillment": {"kind": "pool", "pool_id": str(POOL)},
    "price": {"amount": 1990, "currency": "CNY"},
}
ORDER = {
    "channel_id": str(SHOP),
    "reference": "shop-1",
    "customer": {"id": "b", "email": EMAIL, "phone": PHONE, "ip": "203.0.113.7"},
    "lines": [{"sku": "GAME-100", "quantity": 2}],
}


async def sold(api, consume, db):
    """Held by a rule, let go by a person, paid and delivered; the order as it was placed."""
    await api.post("/v1/products", json=PRODUCT)
    placed = (await api.post("/v1/orders", json=ORDER)).json()
    async with db.read() as tx:
        [view] = await orders.list_views(tx, [UUID(placed["id"])])
    order, [line] = view.order, view.order.lines
    rule = FiredRule(rule_id="r-7", version=3, name="one IP", explanation="one IP, 6 orders")
    await consume(assessed(order, "HOLD", rules=[rule]))
    paid = {"provider": "shop", "provider_reference": "pay-1", "amount": placed["total"]}
    answer = await api.post(f"/v1/orders/{placed['id']}/payments", json=paid)
    assert answer.status_code == 201, answer.text
    await consume(assessed(order, "ALLOW", reviewer="alice", note="a school class"))
    units = [DeliveredUnit(unit_id=f"u-{n}", mask=f"12****8{n}", lot_id="lot-1") for n in (1, 2)]
    await consume(delivered(order, line, units=units))
    return placed


async def story_of(api, order_id: str):
    answer = await api.get(f"/v1/orders/{order_id}/timeline", params={"limit": 200})
    return answer.json()["items"]


async def test_every_decision_is_told_with_its_figures_its_cause_and_its_time(api, consume, db):
    order = await sold(api, consume, db)

    story = await story_of(api, order["id"])

    assert [entry["kind"] for entry in story] == [
        "priced",
        "reserved",
        "placed",
        "assessed",
        "paid",
        "held",
        "assessed",
        "released",
        "fulfillment_requested",
        "line_delivered",
        "completed",
    ]
    times = [datetime.fromisoformat(entry["at"]) for entry in story]
    assert times == sorted(times)
    causes = [entry["cause"].partition(":")[0] for entry in story]
    assert causes == ["key"] * 3 + ["event"] + ["key"] * 2 + ["event"] * 5


async def test_the_story_says_which_rule_which_lot_and_what_it_cost(api, consume, db):
    order = await sold(api, consume, db)

    told = {entry["kind"]: entry["details"] for entry in reversed(await story_of(api, order["id"]))}

    assert told["priced"]["total"] == 3980
    assert len(told["priced"]["lines"]) == 1
    assert told["reserved"]["pools"] == [{"sku": "GAME-100", "pool_id": str(POOL), "quantity": 2}]
    [rule] = told["assessed"]["rules"]
    assert (rule["rule_id"], rule["version"], rule["explanation"]) == ("r-7", 3, "one IP, 6 orders")
    assert told["released"]["note"] == "a school class"
    assert (told["paid"]["amount"], told["paid"]["provider_reference"]) == (3980, "pay-1")
    assert told["line_delivered"]["lots"] == {"lot-1": 2}
    assert told["line_delivered"]["costs"] == [
        {"lot_id": "lot-1", "quantity": 2, "unit_cost": 1200, "currency": "CNY"}
    ]
    assert told["line_delivered"]["units"] == ["u-1", "u-2"]


async def test_the_story_holds_no_contact(api, consume, db):
    order = await sold(api, consume, db)

    text = json.dumps(await story_of(api, order["id"]))

    assert EMAIL not in text
    assert PHONE not in text
    assert "203.0.113.7" not in text


async def test_another_merchant_reads_no_story(api, other_api, consume, db):
    order = await sold(api, consume, db)

    answer = await other_api.get(f"/v1/orders/{order['id']}/timeline")

    assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")
    assert str(MERCHANT) not in answer.text
