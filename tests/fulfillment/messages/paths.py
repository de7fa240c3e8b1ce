"""What became of a message, and orders to tell about."""

from typing import Any

from kit.service import Service
from tests.fulfillment.factories import a_request
from tests.fulfillment.messages.conftest import BUYER, PHONE
from tests.fulfillment.tellings import (
    accept,
)


def path_of(message: Any) -> list[tuple[str, str, str]]:
    return [(it.channel.value, it.state.value, it.reason) for it in message.attempts]


async def ordered(service: Service, **given: Any) -> str:
    order = a_request(**{"phone": PHONE, "email": BUYER, **given})
    await accept(service, order)
    return str(order.message.order_id)


TAKEN = (201, b'{"sid":"4711","status":"queued"}')
