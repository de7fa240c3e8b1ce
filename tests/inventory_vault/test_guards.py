"""What no program can do, whoever writes it: the database refuses by name, its owner too."""

from typing import Any, NoReturn

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Database, constraint_of
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.raw_lots import add_raw_lot

LOT_STATES = ("importing", "inactive", "on_shelf", "quarantined", "void", "undone")
LOT_WAYS = {
    ("importing", "inactive"),
    ("importing", "on_shelf"),
    ("importing", "undone"),
    ("inactive", "on_shelf"),
    ("inactive", "void"),
    ("inactive", "undone"),
    ("on_shelf", "quarantined"),
    ("on_shelf", "void"),
    ("on_shelf", "undone"),
    ("quarantined", "on_shelf"),
    ("quarantined", "void"),
    ("quarantined", "undone"),
}
UNIT_STATES = ("inactive", "expired", "quarantined", "void")
UNIT_WAYS = {("quarantined", "void"), ("inactive", "void")}


async def _try(db: Database, *statements: str, **values: Any) -> str | None:
    """The name of what refused the last statement; None when nothing did. Nothing is kept."""
    try:
        async with db.transaction() as tx:
            for statement in statements:
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                await tx.execute(text(statement), used)
            undo()
    except _UndoneError:
        return None
    except IntegrityError as error:
        return constraint_of(error)


class _UndoneError(Exception):
    pass


def undo() -> NoReturn:
    raise _UndoneError


# As the owner would cheat: with the guard off for a moment.
_SET_LOT = (
    "ALTER TABLE lot DISABLE TRIGGER lot_state_goes_its_way",
    "UPDATE lot SET state = :before WHERE id = :lot",
    "ALTER TABLE lot ENABLE TRIGGER lot_state_goes_its_way",
)
_WITHDRAW = (
    "INSERT INTO withdrawn_unit (lot_id, seq, merchant_id, state, reason) "
    "SELECT lot_id, seq, merchant_id, :before, 'a test' FROM unit WHERE lot_id = :lot"
)


@pytest.mark.parametrize("before", LOT_STATES)
@pytest.mark.parametrize("after", LOT_STATES)
async def test_a_lot_goes_its_way_and_no_other(vault: Vault, db: Database, before: str, after: str):
    lot_id = await add_raw_lot(db, vault.merchant, await vault.pool(), 1)
    change = "UPDATE lot SET state = :after WHERE id = :lot"
    refused = await _try(db, *_SET_LOT, change, lot=lot_id, before=before, after=after)
    is_legal = before == after or (before, after) in LOT_WAYS
    assert refused == (None if is_legal else "lot_state_goes_its_way")


@pytest.mark.parametrize("state", LOT_STATES)
async def test_a_lot_that_was_for_sale_is_not_deleted(vault: Vault, db: Database, state: str):
    lot_id = await add_raw_lot(db, vault.merchant, await vault.pool(), 1)
    refused = await _try(db, *_SET_LOT, "DELETE FROM lot WHERE id = :lot", lot=lot_id, before=state)
    assert refused == (None if state in ("importing", "undone") else "lot_stays")


@pytest.mark.parametrize("before", UNIT_STATES)
@pytest.mark.parametrize("after", UNIT_STATES)
async def test_a_withdrawn_unit_becomes_void_or_nothing(
    vault: Vault, db: Database, before: str, after: str
):
    lot_id = await add_raw_lot(db, vault.merchant, await vault.pool(), 1)
    change = "UPDATE withdrawn_unit SET state = :after WHERE lot_id = :lot"
    refused = await _try(db, _WITHDRAW, change, lot=lot_id, before=before, after=after)
    is_legal = (before, after) in UNIT_WAYS
    assert refused == (None if is_legal else "withdrawn_unit_goes_its_way")


@pytest.mark.parametrize("state", UNIT_STATES)
async def test_void_and_expired_units_never_come_back(vault: Vault, db: Database, state: str):
    lot_id = await add_raw_lot(db, vault.merchant, await vault.pool(), 1)
    back = "DELETE FROM withdrawn_unit WHERE lot_id = :lot"
    refused = await _try(db, _WITHDRAW, back, lot=lot_id, before=state)
    is_living = state in ("quarantined", "inactive")
    assert refused == (None if is_living else "withdrawn_unit_comes_back_living")


async def test_a_withdrawn_unit_is_not_another_one(vault: Vault, db: Database):
    lot_id = await add_raw_lot(db, vault.merchant, await vault.pool(), 1)
    change = "UPDATE withdrawn_unit SET seq = 9, state = 'void' WHERE lot_id = :lot"
    refused = await _try(db, _WITHDRAW, change, lot=lot_id, before="quarantined")
    assert refused == "withdrawn_unit_goes_its_way"


@pytest.mark.parametrize("is_sold", [False, True])
async def test_what_is_held_or_sold_is_not_withdrawn(vault: Vault, db: Database, is_sold: bool):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 1)
    held = await vault.held(pool_id)
    if is_sold:
        await vault.claim(held)
    refused = await _try(db, _WITHDRAW, lot=lot_id, before="quarantined")
    assert refused == "withdrawn_unit_is_not_taken"


@pytest.mark.parametrize(
    ("table", "guard"),
    [
        ("lot", "lot_is_not_emptied"),
        ("withdrawn_unit", "withdrawn_unit_is_not_emptied"),
        ("allocation", "allocation_is_not_emptied"),
        ("unit_sale", "unit_sale_append_only"),
        ("stock_action", "stock_action_append_only"),
    ],
)
async def test_the_books_are_not_emptied(vault: Vault, db: Database, table: str, guard: str):
    assert await _try(db, f"TRUNCATE {table} CASCADE") == guard


@pytest.mark.parametrize(
    ("statement", "guard"),
    [
        ("UPDATE allocation SET state = 'reserved' WHERE lot_id = :lot", "allocation_goes_forward"),
        ("UPDATE allocation SET seq = 2 WHERE lot_id = :lot", "allocation_goes_forward"),
        ("DELETE FROM allocation WHERE lot_id = :lot", "allocation_lets_go_of_reserved"),
        ("DELETE FROM unit_sale WHERE lot_id = :lot", "unit_sale_append_only"),
        ("UPDATE lot SET next_seq = 1 WHERE id = :lot", "lot_cursor_goes_forward"),
        ("UPDATE lot SET size = 7 WHERE id = :lot", "lot_cursor_goes_forward"),
        (
            "UPDATE reservation SET status = 'held' WHERE merchant_id = :m",
            "reservation_ends_once",
        ),
    ],
)
async def test_a_sale_is_never_taken_back(vault: Vault, db: Database, statement: str, guard: str):
    pool_id = await vault.pool()
    lot_id = await add_raw_lot(db, vault.merchant, pool_id, 2)
    await vault.sold(pool_id)
    assert await _try(db, statement, lot=lot_id, m=vault.merchant) == guard
