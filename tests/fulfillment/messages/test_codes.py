"""A code in a message: only where a template says so, from a real vault, and nowhere else."""

from collections.abc import AsyncIterator
from io import StringIO

import pytest

from fulfillment.settings import Settings
from fulfillment.templates.domain import Channel, Draft, Place
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered
from tests.fulfillment.conftest import published
from tests.fulfillment.dump import everything
from tests.fulfillment.factories import MERCHANT, a_line, a_request
from tests.fulfillment.mailbox import Mailbox, running_mailbox
from tests.fulfillment.real_vault import RealVault
from tests.fulfillment.tellings import (
    accept,
    run_jobs,
    running,
    smtp_account,
    telling_with,
    until,
)

BODY = "{% for line in lines %}{{ line.name }}: {{ line.codes|join(', ') }}\n{% endfor %}{{ url }}"


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as box:
        yield box


@pytest.fixture
async def service(settings: Settings, box: Mailbox, vault: RealVault) -> AsyncIterator[Service]:
    given = telling_with(settings, [smtp_account(box)])
    async with running(given, vault_transport=vault.line) as service:
        yield service


async def write_template(service: Service, *, with_codes: bool, name: str = "") -> None:
    body = BODY if with_codes else "{{ url }}"
    async with service.db.transaction() as tx:
        await service.state["templates"].create(
            tx,
            MERCHANT,
            Place(name, "delivered", "en", Channel.MAIL),
            Draft("Yours", body, with_codes=with_codes),
            "test",
        )


async def sell(service: Service, vault: RealVault, codes: list[str], template: str = "") -> str:
    pool = await vault.stock(codes)
    order = a_request(
        reservation_id=await vault.hold((pool, len(codes))),
        lines=[a_line(pool_id=str(pool), quantity=len(codes), template=template)],
    )
    await accept(service, order)
    await run_jobs(service, "dispatch-pool")
    return str(order.message.order_id)


async def unit_of(service: Service) -> str:
    """The unit that was delivered."""
    [told] = [it for it in await published(service) if isinstance(it, LineDelivered)]
    return told.units[0].unit_id


async def test_codes_are_in_the_mail_and_nowhere_else(
    service: Service, box: Mailbox, vault: RealVault, logged: StringIO
):
    codes = ["CANARY-AAAA-1111", "CANARY-BBBB-2222"]
    await write_template(service, with_codes=True)

    await sell(service, vault, codes)
    await until(service, "sent")

    assert sorted(codes) == sorted(box.mails[0].text.splitlines()[0].split(": ")[1].split(", "))
    stored = await everything(service.db)
    told = str(await published(service))
    for code in codes:
        assert code.encode() not in stored
        assert code not in logged.getvalue()
        assert code not in told


async def test_each_opening_is_logged_by_the_vault(
    service: Service, box: Mailbox, vault: RealVault
):
    await write_template(service, with_codes=True)

    await sell(service, vault, ["LOGGED-AAAA-1111"])
    [message] = await until(service, "sent")

    views = await vault.views(await unit_of(service))
    [reveal] = [view for view in views if view["kind"] == "reveal"]
    assert (reveal["viewer_kind"], reveal["viewer_id"], reveal["reason"]) == (
        "service",
        f"message:{message.id}",
        "message",
    )


async def test_without_the_flag_no_code_is_opened(service: Service, box: Mailbox, vault: RealVault):
    await write_template(service, with_codes=False)

    await sell(service, vault, ["UNSEEN-AAAA-1111"])
    await until(service, "sent")

    views = await vault.views(await unit_of(service))
    assert [view for view in views if view["kind"] == "reveal"] == []
    assert "UNSEEN" not in box.mails[0].raw.decode()


async def test_only_the_product_that_says_so_gets_codes(
    service: Service, box: Mailbox, vault: RealVault
):
    await write_template(service, with_codes=True, name="steam")

    await sell(service, vault, ["STEAM-AAAA-1111"], template="steam")
    await sell(service, vault, ["OTHER-AAAA-1111"])
    await until(service, "sent")

    texts = sorted(mail.text for mail in box.mails)
    assert any("STEAM-AAAA-1111" in text for text in texts)
    assert not any("OTHER-AAAA-1111" in text for text in texts)


async def test_while_the_vault_is_silent_the_message_waits(
    service: Service, box: Mailbox, vault: RealVault
):
    await write_template(service, with_codes=True)
    await sell(service, vault, ["WAITED-AAAA-1111"])
    vault.line.is_cut = True

    await run_jobs(service, "tell", "send-messages")
    assert box.mails == []
    vault.line.mend()
    [message] = await until(service, "sent")

    assert "WAITED-AAAA-1111" in box.mails[0].text
    assert message.attempts[0].reason == "vault_unavailable"


async def test_too_many_codes_are_left_to_the_page(
    service: Service, box: Mailbox, vault: RealVault
):
    await write_template(service, with_codes=True)

    await sell(service, vault, [f"TOO-MANY-{number:04}-XYZ" for number in range(21)])
    await until(service, "sent")

    assert "MANY-" not in box.mails[0].raw.decode()
    assert "http://fulfillment/d/" in box.mails[0].text
