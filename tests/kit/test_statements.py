"""The database as services see it: both ways of running statements, errors, how they end."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, TextClause, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from kit.db import Database, Transaction, Unstorable, constraint_of
from kit.errors import Unavailable
from kit.statements import ForRows, Read
from onebox import databases

_numbers = itertools.count(1)
ITEM = Table("item", MetaData(), Column("id", Integer, primary_key=True), Column("size", Integer))
ADD = text("INSERT INTO item (id, size) SELECT * FROM unnest(CAST(:ids AS int[]), :sizes ::int[])")
COUNT = text("SELECT count(*) FROM item")
_TABLES = """
    CREATE TABLE item (
      id int PRIMARY KEY, size int CONSTRAINT ck_item_size CHECK (size > 0), name text);
    CREATE TABLE part (
      item_id int CONSTRAINT fk_part_item REFERENCES item DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture
async def database_url(postgres: str) -> AsyncIterator[str]:
    name = f"statements_{next(_numbers)}"
    admin = await databases.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = f"{postgres.rsplit('/', 1)[0]}/{name}"
    there = await asyncpg.connect(url)
    await there.execute(_TABLES)
    await there.close()
    yield url
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")
    made = Database(url, application_name="statements", pool_size=1)
    yield made
    await made.close()


async def count(db: Database) -> int:
    async with db.read() as tx:
        return int((await tx.execute(COUNT)).scalar_one())


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

    with pytest.raises(DBAPIError):
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


ADD_ONE = text("INSERT INTO item (id, size) VALUES (CAST(:id AS int), CAST(:size AS int))")
NAME = text("UPDATE item SET name = :name WHERE id = :id")
ADD_PARTS = text(
    "WITH made AS (SELECT * FROM unnest(CAST(:ids AS int[])) AS i(id)), "
    "parts AS (INSERT INTO part (item_id) SELECT id FROM made) "
    "INSERT INTO item (id, size) SELECT id, 7 FROM made"
)


async def statements_of(db: Database) -> list[str]:
    async with db.read() as tx:
        return list(
            (await tx.execute(text("SELECT statement FROM pg_prepared_statements"))).scalars()
        )


async def test_writes_left_for_later_are_one_statement_at_the_commit(db: Database):
    async with db.transaction() as tx:
        tx.later(ADD_ONE, {"id": 1, "size": 5})
        tx.later(ADD_PARTS, {"ids": [2, 3]})
        tx.later(ADD, {"ids": [4], "sizes": [6]})
    assert await count(db) == 4
    writing = [sql for sql in await statements_of(db) if "INSERT" in sql]
    assert len(writing) == 1
    assert writing[0].count("INSERT INTO item") == 3


async def test_the_next_statement_sees_what_was_left_for_later(db: Database):
    async with db.transaction() as tx:
        tx.later(ADD_ONE, {"id": 1, "size": 5})
        assert (await tx.execute(COUNT)).scalar_one() == 1
        tx.later(NAME, {"id": 1, "name": "one"})
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT name FROM item"))).scalar_one() == "one"


async def test_a_write_for_the_commit_keeps_no_statement_waiting(db: Database):
    async with db.transaction() as tx:
        tx.at_commit(ADD_ONE, {"id": 1, "size": 5})
        tx.later(ADD, {"ids": [2], "sizes": [6]})
        assert (await tx.execute(COUNT)).scalar_one() == 1
        tx.later(ADD, {"ids": [3], "sizes": [7]})
        tx.at_commit(ADD_PARTS, {"ids": [4]})
    assert await count(db) == 4
    together = [sql for sql in await statements_of(db) if sql.count("INSERT INTO item") == 3]
    assert len(together) == 1


async def test_a_write_for_the_commit_is_undone_with_its_part(db: Database):
    async with db.transaction() as tx:
        tx.at_commit(ADD_ONE, {"id": 1, "size": 5})
        with pytest.raises(LookupError):
            await at_commit_in_a_part(tx, 2, then=LookupError)
        await at_commit_in_a_part(tx, 3)
    assert await count(db) == 2


async def at_commit_in_a_part(
    tx: Transaction, id_: int, *, then: type[Exception] | None = None
) -> None:
    async with tx.savepoint():
        tx.at_commit(ADD_ONE, {"id": id_, "size": 5})
        if then is not None:
            raise then


async def test_the_same_write_twice_is_written_twice(db: Database):
    async with db.transaction() as tx:
        for id_ in (1, 2):
            tx.later(ADD_ONE, {"id": id_, "size": 5})
            tx.later(ADD_PARTS, {"ids": [10 + id_]})
    assert await count(db) == 4


async def test_a_write_left_for_later_counts_its_rows(db: Database):
    counted: list[int] = []
    async with db.transaction() as tx:
        tx.later(ADD, {"ids": [1, 2, 3], "sizes": [5, 5, 5]}, check=counted.append)
        tx.later(ADD_ONE, {"id": 4, "size": 5})
        await tx.write()
        assert counted == [3]
        await tx.write()
    assert counted == [3]


SMALL = text("SELECT id, name FROM item WHERE size < :size ORDER BY id")
SIZES = text("SELECT sum(size) FROM item WHERE id = ANY(CAST(:ids AS int[])) AND size < :size")


async def test_reads_that_go_together_are_one_statement(db: Database):
    async with db.transaction() as tx:
        tx.later(ADD, {"ids": [1, 2, 3], "sizes": [5, 6, 7]})
        tx.later(NAME, {"id": 1, "name": "one"})
        await tx.write()
        tx.later(NAME, {"id": 1, "name": "first"})
        small, sizes, nothing = await tx.read_together(
            [
                Read(SMALL, {"size": 7}),
                Read(SIZES, {"ids": [2, 3], "size": 100}),
                Read(SMALL, {"size": 0}),
            ]
        )
    assert list(small) == [(1, "first"), (2, None)]
    assert list(sizes) == [(13,)]
    assert list(nothing) == []
    assert len([sql for sql in await statements_of(db) if "ROW(one" in sql]) == 1


async def test_reads_that_go_together_say_what_is_wrong(db: Database):
    with pytest.raises(DBAPIError):
        async with db.read() as tx:
            await tx.read_together([Read(SMALL, {"size": 7}), Read(text("SELECT 1 / 0"), {})])


async def write(db: Database, *writes: tuple[TextClause, dict[str, Any], dict[str, Any]]) -> None:
    async with db.transaction() as tx:
        for statement, parameters, more in writes:
            tx.later(statement, parameters, **more)


def refuse(_: int) -> None:
    raise LookupError


class Known(Exception):
    """What a repository makes of a violated constraint."""


async def test_what_a_check_refuses_is_undone(db: Database):
    with pytest.raises(LookupError):
        await write(
            db,
            (ADD_ONE, {"id": 1, "size": 5}, {}),
            (ADD, {"ids": [2], "sizes": [5]}, {"check": refuse}),
        )
    assert await count(db) == 0


async def test_a_violated_constraint_is_the_error_of_the_write_that_names_it(db: Database):
    bad = {"id": 1, "size": 0}
    other = (ADD, {"ids": [2], "sizes": [5]}, {"violations": {"pk_item": KeyError}})
    with pytest.raises(Known):
        await write(db, (ADD_ONE, bad, {"violations": {"ck_item_size": Known}}), other)
    with pytest.raises(IntegrityError):
        await write(db, (ADD_ONE, bad, {}), other)
    assert await count(db) == 0


async def later_in_a_part(tx: Transaction, *, size: int, then: type[Exception] | None) -> None:
    async with tx.savepoint():
        tx.later(ADD_ONE, {"id": size, "size": size})
        if then is not None:
            raise then


async def test_a_savepoint_undoes_what_was_left_for_later_in_it_alone(db: Database):
    async with db.transaction() as tx:
        tx.later(ADD_ONE, {"id": 1, "size": 5})
        with pytest.raises(LookupError):
            await later_in_a_part(tx, size=2, then=LookupError)
        with pytest.raises(IntegrityError):
            await later_in_a_part(tx, size=0, then=None)
        await later_in_a_part(tx, size=4, then=None)
    assert await count(db) == 2


ROWS = ForRows(
    "INSERT INTO item (id, size, name) SELECT id, size, name FROM {given}",
    id="int",
    size="int",
    name="text",
)


@pytest.mark.parametrize(
    "rows", [[], [(1, 5, "a")], [(1, None, None)], [(1, 5, "a"), (2, None, "b"), (3, 7, None)]]
)
async def test_rows_are_written_alike_one_or_many(
    db: Database, rows: list[tuple[int, int | None, str | None]]
):
    async with db.transaction() as tx:
        await tx.execute(*ROWS.of(rows))
        tx.later(*ROWS.of([(number + 10, size, name) for number, size, name in rows]))

    async with db.read() as tx:
        found = await tx.execute(text("SELECT id, size, name FROM item ORDER BY id"))
    more = [(number + 10, size, name) for number, size, name in rows]
    assert [tuple(row) for row in found] == [*rows, *more]
