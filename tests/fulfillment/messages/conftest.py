"""A mail server, an SMS gateway, and a service that uses both before the inbox."""

from collections.abc import AsyncIterator

import pytest

from fulfillment.settings import Settings
from kit.service import Service
from tests.fulfillment.gateway import Gateway, running_gateway
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.tellings import (
    running,
    smtp_account,
    telling_with,
)

BUYER = "buyer@shop.example"
PHONE = "+8613812345678"
INBOX = {"sender": "inbox"}


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
async def service(settings: Settings, box: Mailbox, gateway: Gateway) -> AsyncIterator[Service]:
    twilio = {
        "sender": "twilio",
        "secret": "token-of-twilio",
        "settings": {
            "account_sid": "AC1",
            "from_number": "+15005550006",
            "endpoint": gateway.url,
            "timeout_seconds": 2,
        },
    }
    given = telling_with(
        settings,
        [smtp_account(box), twilio, INBOX],
        supplier_private_addresses=True,
        message_contact_per_hour=5,
        message_resends_per_day=3,
        message_channel_minutes_max=2_880,
    )
    async with running(given) as service:
        yield service
