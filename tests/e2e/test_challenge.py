"""The brief's rule: the first purchase of a new account needs an SMS code. All services together,
and an SMS gateway of the test's own that speaks Twilio's protocol.
"""

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from onebox.supervisor import Onebox
from tests.e2e.test_purchase import codes
from tests.fulfillment.gateway import Gateway, running_gateway
from tests.stack.shop import Shop, fresh

pytestmark = pytest.mark.e2e
SECONDS_MAX = 60.0
PHONE = "+8613800138001"


@pytest.fixture
async def gateway(shop: Shop) -> AsyncIterator[Gateway]:
    """The demo merchant's SMS gateway, for the length of a test."""
    async with running_gateway() as gateway:
        settings = {"account_sid": "AC1", "from_number": "+15005550006", "endpoint": gateway.url}
        account = {"sender": "twilio", "settings": settings, "secret": "nothing-secret"}
        sender = await shop.post("fulfillment", "/v1/senders", account)
        gateway.answers += [
            (201, json.dumps({"sid": f"SM{number}", "status": "queued"}).encode())
            for number in range(10)
        ]
        yield gateway
        off = {"is_enabled": False}
        gone = await shop.call("PATCH", "fulfillment", f"/v1/senders/{sender['id']}", json=off)
        assert gone.is_success, gone.text


@pytest.fixture
async def channel_id(shop: Shop) -> AsyncIterator[str]:
    """A channel of its own, whose buyers' first purchases need a code."""
    channel = await shop.post("order", "/v1/channels", {"name": fresh("app"), "trusted": True})
    rule = {
        "name": "First purchase of an account",
        "priority": 10,
        "condition": f'first_purchase && channel_id == "{channel["id"]}"',
        "action": "challenge",
    }
    made = await shop.post("risk", "/v1/rules", rule)
    yield channel["id"]
    await shop.post("risk", f"/v1/rules/{made['id']}/disable", {})


async def sent_code(gateway: Gateway, nth: int = 1) -> str:
    """The code of the nth SMS."""
    deadline = time.monotonic() + SECONDS_MAX
    while len(gateway.calls) < nth:
        assert time.monotonic() < deadline, "no SMS came"
        await asyncio.sleep(0.05)
    [code] = re.findall(rb"Body=([0-9]{6})", gateway.calls[nth - 1].body)
    return str(code.decode())


async def order_that(shop: Shop, order_id: str, is_so: Callable[[Any], bool]) -> Any:
    """The order once it is as it should be."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        order = await shop.order(order_id)
        if is_so(order):
            return order
        assert time.monotonic() < deadline, order
        await asyncio.sleep(0.05)


async def test_a_first_purchase_is_challenged_its_code_verified_and_it_is_delivered(
    shop: Shop, gateway: Gateway, channel_id: str
) -> None:
    product = await shop.stocked_product(codes(2))
    buyer = {"id": fresh("buyer"), "phone": PHONE, "ip": "198.51.100.77"}
    given: dict[str, Any] = {"channel_id": channel_id, "customer": buyer}
    order = await shop.place([(product.sku, 1)], **given)
    await shop.pay(order)

    held = await shop.settled(order["id"], "on_hold")
    assert (held["verdict"], held["reason"][:11]) == ("challenge", "challenge: ")
    code = await sent_code(gateway)
    sent = await order_that(shop, order["id"], lambda it: it["challenge"]["target"] is not None)
    shown = sent["challenge"]
    assert (shown["channel"], shown["target"][-4:]) == ("sms", PHONE[-4:])
    assert PHONE not in str(shown)
    url = f"/v1/challenges/{shown['id']}/verify"
    wrong = {"code": f"{(int(code) + 1) % 10**6:06}"}
    refused = await shop.call("POST", "risk", url, json=wrong)
    assert (refused.status_code, refused.json()["code"]) == (403, "challenge_code_wrong")

    passed = await shop.post("risk", url, {"code": code})

    assert passed["status"] == "passed"
    done = await shop.settled(order["id"], "completed")
    [unit] = done["deliveries"][0]["units"]
    assert (await shop.reveal(unit["unit_id"]))["code"] in product.codes
    timeline = await shop.get("order", f"/v1/orders/{order['id']}/timeline?limit=100")
    kinds = [entry["kind"] for entry in timeline["items"]]
    assert [it for it in kinds if it in ("challenged", "challenge_sent", "released")] == [
        "challenged",
        "challenge_sent",
        "released",
    ]
    assert not {PHONE, code} & set(re.findall(r"[+0-9]+", json.dumps(timeline)))

    again = await shop.place([(product.sku, 1)], **given)
    await shop.pay(again)
    assert (await shop.settled(again["id"], "completed"))["challenge"] is None


async def test_while_risk_is_silent_the_channels_default_counts_and_is_marked(
    shop: Shop, box: Onebox
) -> None:
    product = await shop.stocked_product(codes(1))
    channel = await shop.post(
        "order",
        "/v1/channels",
        {"name": fresh("app"), "trusted": True, "risk_default": "allow", "risk_wait_seconds": 1},
    )
    decline = {
        "name": "Nothing of this channel",
        "priority": 1,
        "condition": f'channel_id == "{channel["id"]}"',
        "action": "decline",
    }
    rule = await shop.post("risk", "/v1/rules", decline)
    # Silent first, so that the supervisor does not start it again meanwhile; then killed.
    box.signal("risk", signal.SIGSTOP)
    order = await shop.place([(product.sku, 1)], channel_id=channel["id"])
    await shop.pay(order)
    done = await shop.settled(order["id"], "completed")
    await box.kill("risk")
    await box.ready("risk")
    late = await order_that(shop, order["id"], lambda it: it["late_verdict"] == "decline")

    assert (done["verdict"], done["verdict_by"]) == ("allow", "default")
    assert (late["status"], late["verdict"]) == ("completed", "allow")
    timeline = await shop.get("order", f"/v1/orders/{order['id']}/timeline?limit=100")
    kinds = [entry["kind"] for entry in timeline["items"]]
    assert {"risk_default", "let_go_wrongly"} <= set(kinds)
    await shop.post("risk", f"/v1/rules/{rule['id']}/disable", {})
