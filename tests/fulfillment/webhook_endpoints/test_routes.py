"""Endpoints over HTTP: set up, shown, changed, rotated, pinged, and nobody else's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError

from fulfillment.settings import Settings
from kit.service import Service
from tests.fulfillment.conftest import ApiClient
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.fulfillment.receiver import always, running_receiver
from tests.fulfillment.webhooks import completed, count, execute, rows, tell, until_sent

SCOPES = ("webhooks:read", "webhooks:write")
PATH = "/v1/webhook-endpoints"


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"supplier_private_addresses": True, "webhook_pace": 0.00001})


@pytest.fixture
async def shop(api: ApiClient) -> httpx.AsyncClient:
    return await api(*SCOPES)


async def created(shop: httpx.AsyncClient, url: str, **given: Any) -> dict[str, Any]:
    answer = await shop.post(PATH, json={"url": url, **given})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_its_secret_is_shown_once_and_lies_sealed(service: Service, shop: httpx.AsyncClient):
    headers = {"Idempotency-Key": "one"}
    body = {"url": "https://shop.example/hooks", "signatures": ["v1", "v1a"]}

    first = await shop.post(PATH, json=body, headers=headers)
    again = await shop.post(PATH, json=body, headers=headers)

    made = first.json()
    assert first.headers["Location"] == f"{PATH}/{made['id']}"
    assert made["secret"].startswith("whsec_")
    assert {it["scheme"]: bool(it["public_key"]) for it in made["keys"]} == {
        "v1": False,
        "v1a": True,
    }
    assert (again.json()["id"], again.json()["secret"]) == (made["id"], None)
    read = (await shop.get(f"{PATH}/{made['id']}")).json()
    assert read == made | {"secret": None}
    assert (await shop.get(PATH)).json()["items"] == [read]
    secret = Webhook(made["secret"])._whsecret
    assert len(secret) >= 24
    for row in await rows(service, "webhook_key"):
        assert secret not in bytes(row.secret)
    async with service.db.read() as tx:
        kept = await tx.execute(text("SELECT body FROM idempotency"))
        assert all(made["secret"].encode() not in bytes(row.body) for row in kept)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:word@shop.example/",
        "https://shop.example/#x",
        "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://shop.example./",
        "https://sh_op.example/",
    ],
)
async def test_a_url_that_must_not_be_called_is_refused_with_the_reason(
    shop: httpx.AsyncClient, url: str
):
    answer = await shop.post(PATH, json={"url": url})

    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_not_allowed")
    assert answer.json()["reason"]
    good = await created(shop, "https://shop.example/hooks")
    changed = await shop.patch(f"{PATH}/{good['id']}", json={"url": url})
    assert changed.json()["code"] == "webhook_url_not_allowed"


async def test_a_type_that_does_not_exist_is_refused_by_name(shop: httpx.AsyncClient):
    known = (await shop.get("/v1/webhook-event-types")).json()["items"]
    body = {"url": "https://shop.example/", "event_types": ["order.paid", "order.eaten"]}

    answer = await shop.post(PATH, json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_event_type")
    assert answer.json()["unknown"] == ["order.eaten"]
    assert "order.paid" in {it["name"] for it in known}


async def test_while_a_key_is_replaced_both_sign_and_then_the_new_one_alone(
    service: Service, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        endpoint = await created(shop, receiver.url)
        old = Webhook(endpoint["secret"])
        body = {"signature": "v1", "overlap_seconds": 3600}
        second = (await shop.post(f"{PATH}/{endpoint['id']}/keys", json=body)).json()
        new = Webhook(second["secret"])
        await tell(service, completed())
        await until_sent(service)
        [bodies] = receiver.bodies.values()
        for each in (old, new):
            each.verify(bodies[0], receiver.headers[0])
        assert [it["ends_at"] is None for it in second["keys"]] == [False, True]

        await execute(
            service,
            "UPDATE webhook_key SET ends_at = clock_timestamp() WHERE ends_at IS NOT NULL",
        )
        event = completed()
        await tell(service, event)
        await until_sent(service)

    new.verify(receiver.bodies[str(event.id)][0], receiver.headers[1])
    with pytest.raises(WebhookVerificationError):
        old.verify(receiver.bodies[str(event.id)][0], receiver.headers[1])
    third = (await shop.post(f"{PATH}/{endpoint['id']}/keys", json=body)).json()
    assert len(third["keys"]) == 2


async def test_switched_off_it_misses_and_switched_on_it_is_told_again_by_time(
    service: Service, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        endpoint = await created(shop, receiver.url)
        path = f"{PATH}/{endpoint['id']}"
        off = (await shop.patch(path, json={"is_enabled": False})).json()
        assert (off["is_enabled"], off["disabled_because"]) == (False, "by_request")
        missed = [completed() for _ in range(5)]
        await tell(service, *missed)
        assert await count(service, "webhook_delivery", "state = 'missed'") == 5
        day = timedelta(days=1)
        now = datetime.now(UTC)
        body = {"since": (now - day).isoformat(), "until": (now + day).isoformat()}
        refused = await shop.post(f"{path}/redeliveries", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_endpoint_off")

        on = (await shop.patch(path, json={"is_enabled": True})).json()
        assert (on["is_enabled"], on["disabled_because"], on["failures"]) == (True, None, 0)
        early = {"since": (now - 2 * day).isoformat(), "until": (now - day).isoformat()}
        nothing = await shop.post(f"{path}/redeliveries", json=early)
        assert nothing.json() == {"queued": 0, "continue_since": None}
        again = await shop.post(f"{path}/redeliveries", json=body)
        assert (again.status_code, again.json()["queued"]) == (202, 5)
        await until_sent(service)

    assert receiver.accepted == {str(event.id) for event in missed}


async def test_a_webhook_is_listed_with_its_attempts_and_sent_again_under_its_id(
    service: Service, shop: httpx.AsyncClient
):
    async with running_receiver() as receiver:
        await created(shop, receiver.url)
        receiver.answering = always("500 X")
        await tell(service, completed())
        await until_sent(service)
        [listed] = (await shop.get("/v1/webhook-deliveries?state=failed")).json()["items"]
        detail = (await shop.get(f"/v1/webhook-deliveries/{listed['id']}")).json()
        assert [it["attempt_no"] for it in detail["tried"]] == list(range(10, 0, -1))
        assert {it["status"] for it in detail["tried"]} == {500}
        assert (await shop.get("/v1/webhook-deliveries?state=delivered")).json()["items"] == []
        assert (await shop.get("/v1/webhook-deliveries?type=stock.low")).json()["items"] == []

        receiver.answering = always("204 OK")
        answer = await shop.post(f"/v1/webhook-deliveries/{listed['id']}/redeliver")
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        await until_sent(service)

    [bodies] = receiver.bodies.values()
    assert len(bodies) == 11
    assert len(set(bodies)) == 1
    detail = (await shop.get(f"/v1/webhook-deliveries/{listed['id']}")).json()
    assert (detail["state"], detail["attempts"], detail["last_status"]) == ("delivered", 11, 204)


async def test_a_ping_shows_whether_an_endpoint_works(service: Service, shop: httpx.AsyncClient):
    async with running_receiver() as receiver:
        endpoint = await created(shop, receiver.url, event_types=["stock.low"])
        receiver.secrets = [endpoint["secret"]]
        answer = await shop.post(f"{PATH}/{endpoint['id']}/ping")
        await until_sent(service)

    assert answer.status_code == 202
    [bodies] = receiver.bodies.values()
    assert b'"type":"webhook.ping"' in bodies[0]
    assert receiver.forged == []
    found = (await shop.get(f"/v1/webhook-deliveries/{answer.json()['delivery_id']}")).json()
    assert found["state"] == "delivered"


async def test_a_deleted_endpoint_is_told_nothing_more(service: Service, shop: httpx.AsyncClient):
    async with running_receiver() as receiver:
        endpoint = await created(shop, receiver.url)
        await tell(service, completed())
        assert (await shop.delete(f"{PATH}/{endpoint['id']}")).status_code == 204
        await tell(service, completed())
        await until_sent(service, left=1)

    assert receiver.headers == []
    assert (await shop.get(PATH)).json()["items"] == []
    assert (await shop.delete(f"{PATH}/{endpoint['id']}")).status_code == 404


async def test_a_merchant_has_50_endpoints_and_no_more(shop: httpx.AsyncClient):
    for number in range(50):
        await created(shop, f"https://shop.example/{number}")

    answer = await shop.post(PATH, json={"url": "https://shop.example/51"})

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhook_endpoints")


async def test_another_merchants_endpoint_is_not_there(
    service: Service, shop: httpx.AsyncClient, api: ApiClient
):
    async with running_receiver() as receiver:
        endpoint = await created(shop, receiver.url)
        await tell(service, completed())
        await until_sent(service)
    other = await api(*SCOPES, merchant_id=OTHER_MERCHANT)
    [delivery] = (await shop.get("/v1/webhook-deliveries")).json()["items"]
    path, told = f"{PATH}/{endpoint['id']}", f"/v1/webhook-deliveries/{delivery['id']}"
    day = {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}

    answers = [
        await other.get(path),
        await other.patch(path, json={"is_enabled": False}),
        await other.delete(path),
        await other.post(f"{path}/ping"),
        await other.post(f"{path}/keys", json={}),
        await other.post(f"{path}/redeliveries", json=day),
        await other.get(told),
        await other.post(f"{told}/redeliver"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert (await other.get("/v1/webhook-deliveries")).json()["items"] == []
    assert (await other.get(PATH)).json()["items"] == []


async def test_reading_needs_one_scope_and_writing_another(api: ApiClient):
    reader = await api("webhooks:read")

    assert (await reader.get(PATH)).status_code == 200
    answer = await reader.post(PATH, json={"url": "https://shop.example/"})
    assert (answer.status_code, answer.json()["scope"]) == (403, "webhooks:write")
