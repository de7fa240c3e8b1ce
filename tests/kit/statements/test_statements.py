"""The database as services see it: both ways of running statements, errors, how they end."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from kit.db import Database, constraint_of
from kit.db_errors import Unstorable
from kit.errors import Unavailable
from tests.kit.statements.items import ADD, COUNT, count

ITEM = Table("item", MetaData(), Column("id", Integer, primary_key=True), Column("size", Integer))


async def test_rows_are_read_by_name_place_and_whole(db: Database):
    async with db.transaction() as tx:
        await tx.execute(ADD, {"ids": [1, 2], "sizes": [5, 6]})
        statement = text("SELECT id, size FROM item WHERE size > :least OR id = :least ORDER BY id")
        rows = (await tx.execute(statement, {"least": 1})).all()
        named = (await tx.execute(statement, {"least": 5})).mappings().one()
        ids = (await tx.execute(statement, {"least": 1})).scalars().all()
        none = (await tx.execute(statement, {"least": 9})).one_or_none()

    assert [(row.id, row.size, tuple(row)) for row in rows] == [(1, 5, (1, 5)), (2, 6, (2, 6))]
    assert (dict(named), ids, none) == ({"id": 2, "size": 6}, [1, 2], None)


async def test_changed_rows_are_counted(db: Database):
    async with db.transaction() as tx:
        added = await tx.execute(ADD, {"ids": [1, 2, 3], "sizes": [5, 6, 7]})
        updated = await tx.execute(text("UPDATE item SET size = 1 WHERE id < :id"), {"id": 3})
        deleted = await tx.execute(text("DELETE FROM item WHERE id = 99"))
        locked = await tx.execute(text("LOCK TABLE item"))

    assert [each.rowcount for each in (added, updated, deleted, locked)] == [3, 2, 0, -1]


async def test_statements_of_both_kinds_share_the_transaction(db: Database):
    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.execute(insert(ITEM).values(id=1, size=1))
            assert (await tx.execute(COUNT)).scalar_one() == 1
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    assert await count(db) == 0


async def test_a_violation_names_its_constraint_and_not_its_values(db: Database):
    with pytest.raises(IntegrityError) as refused:
        async with db.transaction() as tx:
            await tx.execute(ADD, {"ids": [777_001], "sizes": [-1]})

    assert constraint_of(refused.value) == "ck_item_size"
    assert "777001" not in repr(refused.value.params)


async def test_a_violation_by_a_table_built_statement_is_told_alike(db: Database):
    with pytest.raises(IntegrityError) as refused:
        async with db.transaction() as tx:
            await tx.execute(insert(ITEM).values(id=1, size=-1))

    assert constraint_of(refused.value) == "ck_item_size"


async def test_a_violation_found_at_the_commit_is_told_alike(db: Database):
    with pytest.raises(IntegrityError) as refused:
        async with db.transaction() as tx:
            await tx.execute(text("INSERT INTO part VALUES (:id)"), {"id": 1})

    assert constraint_of(refused.value) == "fk_part_item"
    assert await count(db) == 0


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("UPDATE item SET name = :value", "a\x00b"),
        ("SELECT CAST(:value AS int)", 2**40),
        ("SELECT CAST(:value AS int) + 1", 2**31 - 1),
    ],
)
async def test_what_cannot_be_stored_is_the_callers_mistake(
    db: Database, statement: str, value: object
):
    with pytest.raises(Unstorable):
        async with db.transaction() as tx:
            await tx.execute(text(statement), {"value": value})


async def test_a_wrong_statement_is_a_bug_and_leaves_the_connection_usable(db: Database):
    with pytest.raises(DBAPIError, match="nowhere"):
        async with db.transaction() as tx:
            await tx.execute(text("SELECT * FROM nowhere"))

    assert await count(db) == 0


async def test_a_savepoint_fails_alone(db: Database):
    async with db.transaction() as tx:
        await tx.execute(ADD, {"ids": [1], "sizes": [1]})
        with pytest.raises(IntegrityError):
            async with tx.savepoint():
                await tx.execute(ADD, {"ids": [2, 1], "sizes": [1, 1]})
        async with tx.savepoint():
            await tx.execute(ADD, {"ids": [3], "sizes": [1]})

    assert await count(db) == 2


async def test_a_lock_that_is_held_too_long_is_trouble_that_passes(db: Database, database_url: str):
    async with db.transaction() as tx:
        await tx.execute(ADD, {"ids": [1], "sizes": [1]})
    other = await asyncpg.connect(database_url)

    async def wait_in_vain() -> None:
        async with db.transaction() as tx:
            await tx.execute(text("SET LOCAL lock_timeout = 50"))
            await tx.execute(text("UPDATE item SET size = 2"))

    async with other.transaction():
        await other.execute("SELECT * FROM item FOR UPDATE")
        with pytest.raises(Unavailable):
            await wait_in_vain()
    await other.close()


async def test_a_session_that_was_ended_is_replaced_without_an_error(
    db: Database, database_url: str
):
    assert await count(db) == 0
    await _end_sessions(database_url)
    await asyncio.sleep(0.1)

    assert await count(db) == 0


async def test_a_session_that_ends_in_a_transaction_is_trouble_that_passes(
    db: Database, database_url: str
):
    async def lose_the_session() -> None:
        async with db.transaction() as tx:
            await tx.execute(ADD, {"ids": [1], "sizes": [1]})
            await _end_sessions(database_url)
            await tx.execute(COUNT)

    with pytest.raises(Unavailable):
        await lose_the_session()

    assert await count(db) == 0


async def test_a_caller_that_gives_up_in_a_statement_leaves_nothing_behind(db: Database):
    async def slow() -> None:
        async with db.transaction() as tx:
            await tx.execute(ADD, {"ids": [1], "sizes": [1]})
            await tx.execute(text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(slow())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await count(db) == 0


async def test_a_caller_that_gives_up_in_the_commit_cuts_nothing(db: Database, database_url: str):
    """The commit waits in a trigger, so that the cancelled task is sure to be inside it."""
    there = await asyncpg.connect(database_url)
    await there.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    await there.close()
    told: list[str] = []

    async def sell() -> None:
        async with db.transaction() as tx:
            await tx.execute(ADD, {"ids": [1], "sizes": [1]})
            tx.on_commit(lambda: told.append("durable"))

    task = asyncio.create_task(sell())
    await asyncio.sleep(0.25)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await count(db) == 1


async def test_a_changed_table_costs_one_error_and_not_the_connection(
    db: Database, database_url: str
):
    everything = text("SELECT * FROM item")
    async with db.read() as tx:
        await tx.execute(everything)
    there = await asyncpg.connect(database_url)
    await there.execute("ALTER TABLE item ALTER COLUMN size TYPE bigint")
    await there.close()

    with pytest.raises(Unavailable):
        async with db.read() as tx:
            await tx.execute(everything)
    async with db.read() as tx:
        assert (await tx.execute(everything)).all() == []


async def _end_sessions(database_url: str) -> None:
    there = await asyncpg.connect(database_url)
    await there.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'statements'"
    )
    await there.close()
