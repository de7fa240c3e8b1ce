"""For whom a statement acts: the second wall behind the WHERE clauses (row-level security).

A service whose database is opened with `guards_merchants` says with every transaction and every
read which merchants it acts for; PostgreSQL shows and takes only their rows. Who says nothing is
refused by the database: `current_setting` of nothing is an error, not an empty answer.

A request acts for its caller's merchant, which `caller(scope)` says; a transaction that serves many
callers names all of them. Consumers, jobs and commands act for every merchant, within
`for_every_merchant(why)`, which is how to find them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Protocol
from uuid import UUID

SETTING = "lockstock.merchants"
NOBODY = ""
EVERY_MERCHANT = "*"
POLICY = "acting_merchants"

_acting: ContextVar[str | None] = ContextVar("acting_merchants", default=None)


def acting() -> str | None:
    """The setting's value for what runs here; None outside of every entrance."""
    return _acting.get()


def act_for(merchant_ids: Iterable[UUID | None]) -> Token[str | None]:
    """From here on this task acts for these merchants; None among them is the platform or a service
    of ours, which act for every one.
    """
    return _acting.set(setting_of(merchant_ids))


def act_for_nobody() -> Token[str | None]:
    """From here on this task has to say whom it acts for."""
    return _acting.set(NOBODY)


def forget(token: Token[str | None]) -> None:
    """As it was before `act_for` or `act_for_nobody` answered `token`."""
    _acting.reset(token)


@contextmanager
def for_every_merchant(why: str) -> Iterator[None]:
    """What runs in the block sees all rows. `why` names the entrance for who reads the code."""
    if not why:
        raise ValueError("say why")
    token = _acting.set(EVERY_MERCHANT)
    try:
        yield
    finally:
        _acting.reset(token)


def setting_of(merchant_ids: Iterable[UUID | None]) -> str:
    """An array's text, the same for the same merchants; `*` when None is among them."""
    found = set(merchant_ids)
    if None in found:
        return EVERY_MERCHANT
    return "{" + ",".join(sorted(map(str, found))) + "}"


class MigrationSteps(Protocol):
    """What Alembic's `op` offers here; the module itself fits."""

    def execute(self, sqltext: str) -> None: ...


def guard(op: MigrationSteps, table: str, *, column: str = "merchant_id") -> None:
    """Row-level security for a table, for its owner too; call it in the migration that creates the
    table. Dropping the table drops it.
    """
    # Sub-selects, so that the setting is read once per statement and not once per row.
    said = f"current_setting('{SETTING}')"
    every = f"(SELECT {said} = '{EVERY_MERCHANT}')"
    named = f"(SELECT (CASE {said} WHEN '{EVERY_MERCHANT}' THEN '{{}}' ELSE {said} END)::uuid[])"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY {POLICY} ON {table} USING ({every} OR {column} = ANY ({named}::uuid[]))"
    )


def unguard(op: MigrationSteps, table: str) -> None:
    """The way back of `guard`, for a table that stays."""
    op.execute(f"DROP POLICY {POLICY} ON {table}")
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
