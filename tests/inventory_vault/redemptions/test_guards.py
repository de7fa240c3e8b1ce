"""What somebody with a database session and bad intentions is refused by the database itself."""

import re
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.tills import Till, money

INSERT = """
    INSERT INTO redemption (id, merchant_id, merchant_reference, unit_id, lot_id, seq, amount,
      currency, balance_after, is_whole, state_before, redeemed_by)
    SELECT :id, merchant_id, :reference, unit_id, lot_id, seq, {amount}, {currency}, 0, true,
      {state}, 'thief' FROM unit WHERE unit_id = :unit
"""


async def _refused(db: Database, statement: str, rule: str, **values: Any) -> None:
    with pytest.raises(Exception, match=rule):
        async with db.transaction() as tx:
            await tx.execute(text(statement), values)


def _insert(amount: str = "1", currency: str = "'CNY'", state: str = "'sold'") -> str:
    return INSERT.format(amount=amount, currency=currency, state=state)


async def test_more_than_the_balance_cannot_be_written(till: Till, db: Database):
    [unit] = await till.sold()
    await till.redeemed(unit, amount=money(50))
    row = {"id": new_id(), "reference": str(new_id()), "unit": UUID(unit)}

    await _refused(db, _insert("11"), "ck_unit_balance_redeemed", **row)
    await _refused(db, _insert("-5"), "ck_redemption_amount", **row)
    await _refused(db, _insert("0"), "ck_redemption_amount", **row)
    await _refused(db, _insert("1", "'USD'"), "only a sold unit is redeemed", **row)
    await _refused(db, _insert("1", "NULL"), "ck_redemption_money", **row)
    await _refused(db, _insert("1", state="'opened'"), "only a sold unit is redeemed", **row)
    assert await till.left(unit) == 10


async def test_what_is_not_sold_or_used_up_cannot_be_redeemed(till: Till, db: Database):
    _, lot_id = await till.stocked(1)
    async with db.read() as tx:
        found = await tx.execute(
            text("SELECT unit_id FROM unit WHERE lot_id = :lot"), {"lot": UUID(lot_id)}
        )
        unsold = found.one().unit_id
    [used_up] = await till.sold()
    await till.redeemed(used_up)

    for unit in (unsold, UUID(used_up)):
        row = {"id": new_id(), "reference": str(new_id()), "unit": unit}
        await _refused(db, _insert(), "only a sold unit is redeemed", **row)


async def test_a_second_rollback_and_one_of_nothing_cannot_be_written(till: Till, db: Database):
    [unit] = await till.sold()
    done = await till.redeemed(unit)
    await till.roll_back(done["id"])
    statement = (
        "INSERT INTO redemption_rollback (redemption_id, merchant_id, reason, rolled_back_by) "
        "VALUES (:id, :merchant, 'again', 'thief')"
    )
    merchant = till.vault.merchant

    again = {"id": UUID(done["id"]), "merchant": merchant}
    await _refused(db, statement, "pk_redemption_rollback", **again)
    await _refused(db, statement, "rolled back|fk_", id=new_id(), merchant=merchant)
    assert await till.left(unit) == 60


@pytest.mark.parametrize("state", ["sold", "opened"])
async def test_a_used_up_unit_cannot_be_called_sold(till: Till, db: Database, state: str):
    [unit] = await till.sold()
    await till.redeemed(unit)

    statement = (
        f"UPDATE allocation a SET state = '{state}' FROM unit u "  # noqa: S608 - our states
        "WHERE u.unit_id = :unit AND a.lot_id = u.lot_id AND a.seq = u.seq"
    )
    await _refused(db, statement, "leave nothing of it", unit=UUID(unit))
    assert (await till.balance(unit))["state"] == "redeemed"


async def test_a_unit_of_which_something_is_left_cannot_be_called_redeemed(
    till: Till, db: Database
):
    fresh, part = await till.sold(2)
    await till.redeemed(part, amount=money(59))

    for unit in (fresh, part):
        await _refused(
            db,
            "UPDATE allocation a SET state = 'redeemed' FROM unit u "
            "WHERE u.unit_id = :unit AND a.lot_id = u.lot_id AND a.seq = u.seq",
            "leave nothing of it",
            unit=UUID(unit),
        )


@pytest.mark.parametrize("move", ["reserved", "redeemed"])
async def test_the_other_ways_back_stay_closed(till: Till, db: Database, move: str):
    [unit] = await till.sold()
    await till.code_of(unit)
    states = {"reserved": "reserved", "redeemed": "sold"}

    await _refused(
        db,
        f"UPDATE allocation a SET state = '{states[move]}' FROM unit u "  # noqa: S608 - our states
        "WHERE u.unit_id = :unit AND a.lot_id = u.lot_id AND a.seq = u.seq",
        "goes forward only",
        unit=UUID(unit),
    )


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE redemption SET amount = 1", "redemption is append-only"),
        ("DELETE FROM redemption", "redemption is append-only"),
        ("TRUNCATE redemption CASCADE", "append-only"),
        ("UPDATE redemption_rollback SET reason = 'x'", "redemption_rollback is append-only"),
        ("DELETE FROM redemption_rollback", "redemption_rollback is append-only"),
        ("UPDATE unit_balance SET redeemed = 0", "moved by redemptions and rollbacks only"),
        ("DELETE FROM unit_balance", "moved by redemptions and rollbacks only"),
        ("TRUNCATE unit_balance", "moved by redemptions and rollbacks only"),
        (
            "INSERT INTO unit_balance SELECT lot_id, seq, merchant_id, 5, 'CNY', 0, 0, 'sold' "
            "FROM unit",
            "moved by redemptions and rollbacks only",
        ),
        ("UPDATE voucher_use SET vouchers = -1", "ck_voucher_use_vouchers"),
        ("UPDATE voucher_terms SET face_value = face_value + 1", "the terms of a lot stay"),
    ],
)
async def test_history_is_not_rewritten(till: Till, db: Database, statement: str, rule: str):
    [unit] = await till.sold(limits={"per_buyer": 1})
    done = await till.redeemed(unit, buyer_id="b", amount=money(5))
    await till.roll_back(done["id"])
    assert re.match(r"[A-Z]+ ", statement)

    await _refused(db, statement, rule)

    assert await till.left(unit) == 60
