"""Writes that are left for later: with what they go, and what becomes of them."""

from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.exc import IntegrityError

from kit.db import Database, Transaction
from kit.statements import ForRows
from tests.kit.statements.items import ADD, ADD_ONE, COUNT, NAME, count, statements_of

ADD_PARTS = text(
    "WITH made AS (SELECT * FROM unnest(CAST(:ids AS int[])) AS i(id)), "
    "parts AS (INSERT INTO part (item_id) SELECT id FROM made) "
    "INSERT INTO item (id, size) SELECT id, 7 FROM made"
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
