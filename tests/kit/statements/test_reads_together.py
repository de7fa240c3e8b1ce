"""Reads that go together."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.db import Database
from kit.statements import Read
from tests.kit.statements.items import ADD, NAME, statements_of

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


LOCKS = text("""
    given AS (SELECT CAST(:id AS int) AS id), locked AS (UPDATE item SET size = size RETURNING *)
""")
LOCKED = text("""
    SELECT locked.id, size FROM locked JOIN given ON given.id = locked.id
    WHERE CAST(:wanted AS boolean)
""")


async def test_a_read_selects_from_what_stands_before_all(db: Database):
    async with db.transaction() as tx:
        await tx.execute(ADD, {"ids": [1, 2], "sizes": [5, 6]})
        small, locked = await tx.read_together(
            [Read(SMALL, {"size": 6}), Read(LOCKED, {"wanted": True, "id": 2}, LOCKS)]
        )
    assert list(small) == [(1, None)]
    assert list(locked) == [(2, 6)]


async def test_what_stands_before_changes_nothing_of_what_is_read(db: Database):
    grow = text("grown AS (UPDATE item SET size = size + CAST(:by AS int) RETURNING id, size)")
    async with db.transaction() as tx:
        await tx.execute(ADD, {"ids": [1], "sizes": [5]})
        grown, before = await tx.read_together(
            [
                Read(text("SELECT * FROM grown"), {"by": 3}, grow),
                Read(SIZES, {"ids": [1], "size": 100}),
            ]
        )
        (after,) = await tx.read_together([Read(SIZES, {"ids": [1], "size": 100})])
    assert (list(grown), list(before), list(after)) == ([(1, 8)], [(5,)], [(8,)])
