"""Merchants' own senders: set up, switched, used, and their secrets never shown."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fulfillment.settings import Settings
from kit.service import Service, create_app
from tests.fulfillment.conftest import ApiClient, a_client
from tests.fulfillment.dump import everything
from tests.fulfillment.factories import OTHER_MERCHANT, a_request
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.tellings import (
    accept,
    running,
    smtp_account,
    tell,
    telling_with,
    until,
)

SMTP: dict[str, Any] = {
    "sender": "smtp",
    "settings": {
        "host": "mail.shop.example",
        "username": "shop",
        "from_address": "orders@shop.example",
    },
    "secret": "very-secret-password",
}


@pytest.fixture
async def operator(api: ApiClient) -> httpx.AsyncClient:
    return await api("messages:read", "messages:write")


async def test_a_sender_is_set_up_without_its_secret_being_shown(
    operator: httpx.AsyncClient, service: Service
):
    made = await operator.post("/v1/senders", json=SMTP)
    read = await operator.get(made.headers["Location"])
    listed = await operator.get("/v1/senders")

    assert made.status_code == 201
    assert read.json() == made.json() == listed.json()["items"][0]
    assert read.json()["settings"]["security"] == "starttls"
    assert "very-secret" not in made.text + read.text + listed.text
    assert b"very-secret" not in await everything(service.db)


async def test_one_sender_of_a_channel_is_enabled_at_a_time(operator: httpx.AsyncClient):
    first = (await operator.post("/v1/senders", json=SMTP)).json()
    taken = await operator.post("/v1/senders", json=SMTP)
    off = await operator.patch(f"/v1/senders/{first['id']}", json={"is_enabled": False})
    second = await operator.post("/v1/senders", json=SMTP)
    on = await operator.patch(f"/v1/senders/{first['id']}", json={"is_enabled": True})

    assert (taken.status_code, taken.json()["code"]) == (409, "channel_taken")
    assert off.json()["is_enabled"] is False
    assert second.status_code == 201
    assert on.status_code == 409


@pytest.mark.parametrize("sender", ["spool", "inbox", "nobody", "__init__"])
async def test_what_writes_on_this_machine_is_no_merchants(
    operator: httpx.AsyncClient, sender: str
):
    wanted = {"sender": sender, "settings": {"folder": "/etc"}}

    answer = await operator.post("/v1/senders", json=wanted)

    assert answer.json()["code"] == "unknown_sender"
    assert answer.json()["known"] == ["aliyun", "smtp", "tencent", "twilio"]


async def test_a_shops_own_address_may_be_as_long_as_any(operator: httpx.AsyncClient):
    longest = f"{'e' * 64}@{'a' * 63}.{'b' * 63}.{'c' * 53}.example"
    settings = {**SMTP["settings"], "from_address": longest, "reply_to": longest}

    answer = await operator.post("/v1/senders", json={**SMTP, "settings": settings})

    assert len(longest) == 254
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "mail.shop.example/x"},
        {"security": "none"},
        {"from_address": "x\r\nBcc: y@shop.example"},
        {"from_name": "a\nb"},
        {"port": 0},
        {"other": 1},
    ],
)
async def test_settings_are_checked_when_they_are_given(
    operator: httpx.AsyncClient, wrong: dict[str, object]
):
    settings = {**SMTP["settings"], **wrong}

    answer = await operator.post("/v1/senders", json={**SMTP, "settings": settings})

    assert answer.status_code == 422
    assert answer.json()["code"] == "sender_settings_refused"
    assert "very-secret" not in answer.text


@pytest.mark.parametrize(
    ("account", "place"),
    [
        (SMTP, {"host": "mail.elsewhere.example"}),
        (
            {
                "sender": "twilio",
                "settings": {"account_sid": "AC1", "from_number": "+15005550006"},
                "secret": "very-secret-token",
            },
            {"endpoint": "https://sms.elsewhere.example"},
        ),
    ],
)
async def test_a_secret_that_is_kept_goes_to_no_other_host(
    operator: httpx.AsyncClient, account: dict[str, Any], place: dict[str, str]
):
    path = (await operator.post("/v1/senders", json=account)).headers["Location"]
    moved = {"settings": {**account["settings"], **place}}

    refused = await operator.patch(path, json=moved)
    taken = await operator.patch(path, json={**moved, "secret": "another-password"})
    stays = await operator.patch(path, json=moved)

    assert (refused.status_code, refused.json()["code"]) == (422, "sender_settings_refused")
    assert refused.json()["problem"].startswith("secret")
    assert (taken.status_code, stays.status_code) == (200, 200)


async def test_another_merchant_finds_nothing(operator: httpx.AsyncClient, api: ApiClient):
    made = (await operator.post("/v1/senders", json=SMTP)).json()
    other = await api("messages:read", "messages:write", merchant_id=OTHER_MERCHANT)

    assert (await other.get(f"/v1/senders/{made['id']}")).status_code == 404
    answer = await other.patch(f"/v1/senders/{made['id']}", json={"is_enabled": False})
    assert answer.status_code == 404


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


async def test_a_merchants_own_sender_comes_before_the_default(settings: Settings, box: Mailbox):
    async with running_mailbox() as own:
        given = telling_with(settings, [smtp_account(box)], supplier_private_addresses=True)
        async with running(given) as service:
            account = smtp_account(own, from_address="own@shop.example")
            async with a_client(service, create_app(service), "messages:write") as api:
                assert (await api.post("/v1/senders", json=account)).status_code == 201
            order = a_request()
            await accept(service, order)
            await tell(service, order.message.order_id)
            await until(service, "sent")

    assert box.mails == []
    assert own.mails[0].message["From"] == "The Shop <own@shop.example>"


async def test_a_merchants_mail_server_inside_our_network_is_not_called(
    settings: Settings, box: Mailbox
):
    async with running(telling_with(settings, [])) as service:
        async with a_client(service, create_app(service), "messages:write") as api:
            assert (await api.post("/v1/senders", json=smtp_account(box))).status_code == 201
        order = a_request()
        await accept(service, order)
        await tell(service, order.message.order_id)
        [message] = await until(service, "failed")

    assert message.reason == "address_not_allowed"
    assert box.mails == []
