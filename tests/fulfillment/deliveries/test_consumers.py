import asyncio

import pytest
from sqlalchemy import text

from fulfillment.deliveries.domain import UnknownKind
from kit.db import Database
from kit.errors import Unavailable
from kit.service import Service
from tests.fulfillment.conftest import Accept, ApiClient
from tests.fulfillment.factories import a_line, a_request
from tests.stack.statements import noted_statements


async def _count(db: Database, table: str) -> int:
    async with db.read() as tx:
        statement = text(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of this file
        return int((await tx.execute(statement)).scalar_one())


async def test_a_paid_order_becomes_one_pending_delivery_per_line(
    accept: Accept, api: ApiClient
) -> None:
    event = a_request(lines=[a_line(line_no=1, sku="A"), a_line(line_no=2, sku="B", quantity=3)])
    await accept(event)
    client = await api("deliveries:read")
    answer = await client.get("/v1/deliveries", params={"order_id": event.message.order_id})
    found = sorted(answer.json()["items"], key=lambda item: item["line_no"])
    assert [(it["sku"], it["quantity"], it["status"]) for it in found] == [
        ("A", 1, "pending"),
        ("B", 3, "pending"),
    ]


async def test_the_same_request_again_changes_nothing(accept: Accept, db: Database) -> None:
    event = a_request()
    await accept(event, event)
    await accept(event)
    assert await _count(db, "request") == 1
    assert await _count(db, "task") == 1
    assert await _count(db, "delivery") == 1


async def test_the_same_request_twice_at_once_is_stored_once(accept: Accept, db: Database) -> None:
    event = a_request()
    await asyncio.gather(*(accept(event) for _ in range(8)))
    assert await _count(db, "task") == 1
    assert await _count(db, "delivery") == 1


async def test_a_batch_is_stored_by_a_constant_number_of_statements(
    accept: Accept, db: Database
) -> None:
    with noted_statements() as one:
        await accept(a_request())
    with noted_statements() as many:
        await accept(*(a_request() for _ in range(120)))
    assert len(many) == len(one)
    assert await _count(db, "delivery") == 121


async def test_only_who_has_work_now_is_woken(service: Service, accept: Accept) -> None:
    await accept(a_request(lines=[a_line(), a_line(line_no=2)]))
    assert [job.name for job in service.jobs if await job._alarm.wait(0)] == ["dispatch-pool"]


async def test_a_line_nobody_here_delivers_is_refused_with_its_kind_named(accept: Accept) -> None:
    with pytest.raises(UnknownKind, match="teleport"):
        await accept(a_request(lines=[a_line(kind="teleport")]))


async def test_an_id_that_is_no_id_is_refused(accept: Accept) -> None:
    with pytest.raises(ValueError, match="UUID"):
        await accept(a_request(reservation_id="not an id"))


async def test_contacts_are_not_kept(accept: Accept, db: Database) -> None:
    await accept(a_request(email="someone@shop.example", phone="+8613800138000"))
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT to_jsonb(r)::text FROM request r"))).scalar_one()
    assert "someone@" not in row
    assert "13800138000" not in row


async def test_a_key_of_the_wrong_size_is_refused(accept: Accept) -> None:
    with pytest.raises(Exception, match="recipient_key_size") as caught:
        await accept(a_request(recipient_public_key=b"short"))
    assert not isinstance(caught.value, Unavailable)
