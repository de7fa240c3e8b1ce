"""One code at a time, good for a while, for a few tries, right once."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fulfillment.messages.domain import NoContact
from fulfillment.one_time_codes.domain import Challenge, TooManyCodes, Verdict, Verified
from fulfillment.settings import Settings
from kit.service import Service
from tests.fulfillment.dump import everything
from tests.fulfillment.factories import a_request
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.tellings import accept, running, send, smtp_account, telling_with

SUBJECT = "page:1"


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


@pytest.fixture
async def service(settings: Settings, box: Mailbox) -> AsyncIterator[Service]:
    given = telling_with(settings, [smtp_account(box)], one_time_code_again_seconds=0.0)
    async with running(given) as service:
        yield service


async def begin(service: Service, order_id: str, subject: str = SUBJECT) -> Challenge:
    async with service.db.transaction() as tx:
        found = await service.state["one_time_codes"].begin(tx, subject, UUID(order_id))
    assert isinstance(found, Challenge)
    return found


async def verify(service: Service, code: str, subject: str = SUBJECT) -> Verified:
    async with service.db.transaction() as tx:
        found = await service.state["one_time_codes"].verify(tx, subject, code)
    assert isinstance(found, Verified)
    return found


async def ordered(service: Service, **given: Any) -> str:
    order = a_request(**given)
    await accept(service, order)
    return order.message.order_id


async def code_of(service: Service, box: Mailbox) -> str:
    await send(service)
    [code] = re.findall(r"^([0-9]{6})$", box.mails[-1].text.replace("\r", ""), re.MULTILINE)
    return str(code)


async def test_the_code_that_was_mailed_is_right_once(service: Service, box: Mailbox):
    order_id = await ordered(service)

    challenge = await begin(service, order_id)
    code = await code_of(service, box)

    assert (challenge.channel, challenge.target) == ("mail", "b***@shop.example")
    assert (await verify(service, code)).verdict is Verdict.RIGHT
    assert (await verify(service, code)).verdict is Verdict.GONE


async def test_wrong_tries_are_counted_and_end_the_code(service: Service, box: Mailbox):
    order_id = await ordered(service)
    await begin(service, order_id)
    code = await code_of(service, box)
    wrong = f"{(int(code) + 1) % 10**6:06}"

    verdicts = [await verify(service, wrong) for _ in range(5)]

    assert [it.tries_left for it in verdicts] == [4, 3, 2, 1, 0]
    assert verdicts[-1].verdict is Verdict.GONE
    assert (await verify(service, code)).verdict is Verdict.GONE


async def test_a_code_opens_its_own_subject_only(service: Service, box: Mailbox):
    order_id = await ordered(service)
    await begin(service, order_id)
    code = await code_of(service, box)

    assert (await verify(service, code, "page:2")).verdict is Verdict.GONE


async def test_a_new_code_ends_the_one_before(service: Service, box: Mailbox):
    order_id = await ordered(service)
    await begin(service, order_id)
    first = await code_of(service, box)
    await begin(service, order_id)
    second = await code_of(service, box)

    if first != second:
        assert (await verify(service, first)).verdict is Verdict.WRONG
    assert (await verify(service, second)).verdict is Verdict.RIGHT


async def test_an_expired_code_is_gone(service: Service, box: Mailbox):
    order_id = await ordered(service)
    await begin(service, order_id)
    code = await code_of(service, box)
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE one_time_code SET expires_at = clock_timestamp()"))

    assert (await verify(service, code)).verdict is Verdict.GONE


async def test_only_so_many_are_sent_in_an_hour_even_at_once(service: Service):
    order_id = await ordered(service)

    async def one() -> bool:
        try:
            await begin(service, order_id)
        except TooManyCodes:
            return False
        return True

    begun = await asyncio.gather(*(one() for _ in range(32)))

    assert sum(begun) == 5


async def test_guesses_at_the_same_time_are_counted_exactly(service: Service, box: Mailbox):
    order_id = await ordered(service)
    await begin(service, order_id)
    code = await code_of(service, box)
    wrong = f"{(int(code) + 1) % 10**6:06}"

    verdicts = await asyncio.gather(*(verify(service, wrong) for _ in range(32)))

    assert sorted(it.tries_left for it in verdicts if it.verdict is Verdict.WRONG) == [1, 2, 3, 4]


async def test_without_an_address_nothing_can_be_sent(service: Service):
    order_id = await ordered(service, email="", phone="")

    with pytest.raises(NoContact):
        await begin(service, order_id)


async def test_the_code_is_nowhere_once_it_was_sent(service: Service, box: Mailbox):
    order_id = await ordered(service)
    await begin(service, order_id)
    code = await code_of(service, box)

    async with service.db.read() as tx:
        left = await tx.execute(text("SELECT count(message_values) FROM message"))
        assert left.scalar_one() == 0
    assert f'"{code}"'.encode() not in await everything(service.db)
