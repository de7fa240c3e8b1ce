"""Whoever changes what was posted is found, with the posting named."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from lockstock.ledger.v1.chain_events_pb2 import LedgerChained
from tests.ledger.conftest import Deliver
from tests.ledger.factories import OTHER_MERCHANT, a_payment, cny
from tests.stack.api import ApiClient

PAYMENTS = 12


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read")


@pytest.fixture
async def chained(service: Service, deliver: Deliver) -> None:
    """Two batches of the merchant's transactions."""
    for _ in range(2):
        await deliver(*(a_payment(new_id(), cny(100)) for _ in range(PAYMENTS)))
        await chain(service)


async def chain(service: Service) -> None:
    while await service.state["chain"].chain_waiting():
        pass


async def tamper(db: Database, statement: str, *tables: str, **values: Any) -> Any:
    """As somebody would who owns the tables: the guards are off while it lasts."""
    async with db.transaction() as tx:
        for table in tables:
            await tx.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        rows = (await tx.execute(text(statement), values)).all()
        await tx.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        for table in tables:
            await tx.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
        return rows


async def proof(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await client.get("/v1/ledger-proof", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def named(found: dict[str, Any]) -> set[tuple[str, str | None, int | None]]:
    return {(it["kind"], it["transaction_id"], it["line_no"]) for it in found["findings"]}


async def test_books_that_nobody_touched_are_intact(
    client: httpx.AsyncClient, chained: None, deliver: Deliver
) -> None:
    await deliver(a_payment(new_id(), cny(5)))
    found = await proof(client)
    assert found["intact"]
    assert (found["checked_batches"], found["checked_transactions"]) == (2, 2 * PAYMENTS)
    assert (found["waiting"], found["next_batch"]) == (1, None)


@pytest.mark.parametrize(
    "change",
    [
        "amount_minor = amount_minor + 1",
        "quantity = 7",
        "sku = 'other'",
        "at = at + interval '1 microsecond'",
        "account_id = gen_random_uuid()",
        "buyer = ''",
    ],
)
async def test_a_changed_posting_is_found_and_named(
    client: httpx.AsyncClient, db: Database, chained: None, change: str
) -> None:
    (row,) = await tamper(
        db,
        f"UPDATE posting SET {change} WHERE line_no = 2 AND transaction_id = "  # noqa: S608 - above
        "(SELECT id FROM transaction ORDER BY id OFFSET 3 LIMIT 1) RETURNING transaction_id",
        "posting",
    )
    found = await proof(client)
    assert not found["intact"]
    assert named(found) == {("posting_changed", str(row.transaction_id), 2)}


async def test_a_posting_that_is_gone_and_one_that_was_added_are_named(
    client: httpx.AsyncClient, db: Database, chained: None
) -> None:
    (gone,) = await tamper(
        db,
        "DELETE FROM posting WHERE line_no = 1 AND transaction_id = "
        "(SELECT id FROM transaction ORDER BY id LIMIT 1) RETURNING transaction_id",
        "posting",
    )
    (added,) = await tamper(
        db,
        "INSERT INTO posting (transaction_id, line_no, merchant_id, account_id, currency, "
        "amount_minor, at) SELECT transaction_id, 3, merchant_id, account_id, currency, 5, at "
        "FROM posting WHERE line_no = 2 AND transaction_id = "
        "(SELECT id FROM transaction ORDER BY id DESC LIMIT 1) RETURNING transaction_id",
        "posting",
    )
    assert named(await proof(client)) == {
        ("posting_missing", str(gone.transaction_id), 1),
        ("posting_added", str(added.transaction_id), 3),
    }


async def test_a_changed_transaction_is_found(
    client: httpx.AsyncClient, db: Database, chained: None
) -> None:
    (row,) = await tamper(
        db,
        "UPDATE transaction SET description = 'other' WHERE id = "
        "(SELECT id FROM transaction ORDER BY id LIMIT 1) RETURNING id",
        "transaction",
    )
    assert named(await proof(client)) == {("transaction_changed", str(row.id), None)}


async def test_a_transaction_that_is_gone_is_found(
    client: httpx.AsyncClient, db: Database, chained: None
) -> None:
    (row,) = await tamper(
        db,
        "DELETE FROM transaction WHERE id = (SELECT id FROM transaction ORDER BY id LIMIT 1) "
        "RETURNING id",
        "transaction",
    )
    assert ("transaction_missing", str(row.id), None) in named(await proof(client))


async def test_a_transaction_that_was_slipped_in_is_found(
    client: httpx.AsyncClient, db: Database, chained: None
) -> None:
    (row,) = await tamper(
        db,
        "INSERT INTO transaction (id, merchant_id, source, at, description) "
        "SELECT gen_random_uuid(), merchant_id, 'slipped-in', at, 'x' FROM transaction "
        "ORDER BY id LIMIT 1 RETURNING id",
        "transaction",
    )
    assert named(await proof(client)) == {("transaction_unchained", str(row.id), None)}


async def test_whoever_mends_the_kept_digests_too_breaks_the_batch(
    client: httpx.AsyncClient, db: Database, chained: None
) -> None:
    await tamper(
        db,
        "UPDATE chained_transaction SET digest = sha256('x'), line_digests = line_digests "
        "WHERE batch_no = 1 AND position = 1 RETURNING 1",
        "chained_transaction",
    )
    found = await proof(client)
    assert ("batch_changed", None, None) in named(found)
    assert {it["batch_no"] for it in found["findings"]} == {1}


async def test_whoever_writes_a_batch_anew_breaks_the_next(
    client: httpx.AsyncClient, db: Database, chained: None
) -> None:
    await tamper(
        db,
        "UPDATE chain_batch SET digest = sha256('x') WHERE batch_no = 1 RETURNING 1",
        "chain_batch",
    )
    assert {it["batch_no"] for it in (await proof(client))["findings"]} == {1, 2}


async def test_heads_are_told_so_that_a_chain_written_anew_is_found(
    client: httpx.AsyncClient, db: Database, chained: None
) -> None:
    head = (await proof(client))["head"]
    batch = (await client.get(f"/v1/ledger-proof/batches/{head['batch_no']}")).json()
    assert batch["digest"] == head["digest"]
    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT payload FROM event_log WHERE type = :type ORDER BY id"),
            {"type": LedgerChained.DESCRIPTOR.full_name},
        )
        told = [LedgerChained.FromString(bytes(row.payload)) for row in rows]
    assert [it.digest.hex() for it in told][-1] == head["digest"]
    assert told[1].previous == told[0].digest
    missing = await client.get("/v1/ledger-proof/batches/99")
    assert (missing.status_code, missing.json()["code"]) == (404, "chain_head_not_found")


async def test_another_merchants_findings_are_not_told(
    api: ApiClient, db: Database, chained: None
) -> None:
    await tamper(db, "UPDATE posting SET amount_minor = 7 RETURNING 1", "posting")
    other = await api("ledger:read", merchant_id=OTHER_MERCHANT)
    found = await proof(other)
    assert (found["findings"], found["checked_transactions"], found["waiting"]) == ([], 0, 0)


async def test_many_chain_at_once_and_each_transaction_gets_one_place(
    client: httpx.AsyncClient, service: Service, deliver: Deliver, db: Database
) -> None:
    async def post() -> None:
        for _ in range(10):
            await deliver(a_payment(new_id(), cny(1)))

    await asyncio.gather(*(post() for _ in range(4)), *(chain(service) for _ in range(4)))
    await chain(service)
    found = await proof(client)
    assert (found["intact"], found["checked_transactions"], found["waiting"]) == (True, 40, 0)


async def test_a_check_goes_on_batch_by_batch(client: httpx.AsyncClient, chained: None) -> None:
    first = await proof(client, batches=1)
    assert (first["checked_batches"], first["next_batch"]) == (1, 2)
    second = await proof(client, batches=1, from_batch=first["next_batch"])
    assert (second["checked_batches"], second["next_batch"]) == (1, None)
