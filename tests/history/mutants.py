"""Seeded bugs: a real vault with one thing wrong. The checker must find each.

A mutant is a patch of the running process, some SQL that takes the database's own guards away, or
both: with the guards in place most of these bugs would end in an error instead of a wrong answer.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from uuid import UUID

from sqlalchemy import text

import inventory_vault.app
from inventory_vault.claims.routes import _hand_out as hand_out
from inventory_vault.claims.service import Sale
from inventory_vault.custody.service import CustodyService
from inventory_vault.gaps import repository as gap_rows
from inventory_vault.opener import repository as opener_rows
from inventory_vault.opener.resealing import Boxes
from inventory_vault.opener.server import Opener
from inventory_vault.reservations import repository as reservation_rows
from inventory_vault.reservations.service import ReservationService
from inventory_vault.settings import Settings
from inventory_vault.shelves import repository as shelf_rows
from inventory_vault.shelves import service as shelf_service
from inventory_vault.shelves.domain import Allotted, allot
from inventory_vault.shelves.service import ShelfService
from inventory_vault.units import repository as unit_rows
from kit.db import Database
from tests.history.violations import Invariant

TOO_LATE_SECONDS = 0.15
"""How long a mutant looks away between reading and writing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`sql` runs as the database's administrator before the vault starts."""

    what: str
    flagged_by: frozenset[Invariant]
    patch: Callable[[], None]
    sql: Sequence[str] = ()


MUTANTS: dict[str, Mutant] = {}


def mutant(
    what: str, *flagged_by: Invariant, sql: Sequence[str] = ()
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """The patch's name is the mutant's."""

    def keep(patch: Callable[[], None]) -> Callable[[], None]:
        MUTANTS[patch.__name__] = Mutant(what, frozenset(flagged_by), patch, sql)
        return patch

    return keep


def replace(owner: Any, name: str, new: Any) -> None:
    """Puts `new` in the place of something that is really there."""
    assert hasattr(owner, name), f"{owner} has no {name} any more"
    setattr(owner, name, new)


def rewrite(module: ModuleType, name: str, *changes: tuple[str, str]) -> None:
    """Replaces pieces of a repository's statement."""
    sql = str(getattr(module, name))
    for old, new in changes:
        assert old in sql, f"{name} has no {old!r} any more"
        sql = sql.replace(old, new)
    setattr(module, name, text(sql))


NO_STATE_GUARDS = (
    "DROP TRIGGER allocation_goes_forward ON allocation",
    "DROP TRIGGER allocation_lets_go_of_reserved ON allocation",
    "DROP TRIGGER reservation_ends_once ON reservation",
)


@mutant(
    "the cursor stays, and no key of the database minds a second sale",
    Invariant.UNIQUE,
    sql=(
        "ALTER TABLE allocation DROP CONSTRAINT pk_allocation",
        "ALTER TABLE unit_sale DROP CONSTRAINT pk_unit_sale",
        "DROP TRIGGER unit_sale_of_reserved ON unit_sale",
    ),
)
def sells_twice() -> None:
    rewrite(shelf_rows, "_ALLOCATE", ("next_seq = m.to_seq,", "next_seq = l.next_seq,"))


@mutant(
    "release reads the reservation without locking it, and writes later",
    Invariant.DEFINITE,
    Invariant.LINEARIZABLE,
    sql=NO_STATE_GUARDS,
)
def releases_without_lock() -> None:
    locking = ReservationService.release

    async def release(self: Any, tx: Any, merchant_id: UUID, id_: UUID, *rest: Any, **more: Any):
        found = await self.get(tx, merchant_id, id_)
        await asyncio.sleep(TOO_LATE_SECONDS)
        if not found.status.holds_units:
            return await locking(self, tx, merchant_id, id_, *rest, **more)
        await self._release(tx, [(found, "released")], "mutant")
        return await self.get(tx, merchant_id, id_)

    replace(ReservationService, "release", release)


@mutant("the sweeper takes back what is sold", Invariant.DEFINITE, sql=NO_STATE_GUARDS)
def sweeps_the_sold() -> None:
    old = "created_at < clock_timestamp() - interval '1 second'"
    due = "status = 'held' AND expires_at < clock_timestamp()"
    rewrite(
        reservation_rows,
        "_LOCK_DUE",
        (due, f"({due}) OR (status = 'sold' AND {old})"),
        ("ORDER BY expires_at LIMIT", "ORDER BY created_at LIMIT"),
    )
    rewrite(shelf_rows, "_PUT_BACK", ("AND state = 'reserved'", "AND state <> 'opened'"))


@mutant("a claim answers before its commit, which sometimes fails", Invariant.DEFINITE)
def answers_before_commit() -> None:
    def claim_together(db: Any, claiming: Any, custody: Any) -> Any:
        async def work(claims: Any) -> Any:
            sales: list[Any] = []
            with contextlib.suppress(ZeroDivisionError):
                async with db.transaction() as tx:
                    sales = await claiming.claim(tx, claims)
                    handed = [s for s in sales if isinstance(s, Sale) and s.handout_id]
                    1 / int(bool(handed) or random.random() < 0.6)
            return await hand_out(custody, sales)

        return work

    replace(inventory_vault.app, "claim_together", claim_together)


@mutant("a unit is shown before it is sold", Invariant.NO_EARLY_REVEAL)
def shows_the_unsold() -> None:
    lock = unit_rows.lock

    async def lock_any(tx: Any, merchant_id: UUID, unit_id: UUID) -> Any:
        found = await lock(tx, merchant_id, unit_id)
        if found is None or found.state in ("sold", "opened"):
            return found
        return type(found)(found.lot_id, found.seq, found.reservation_id or unit_id, "sold")

    replace(unit_rows, "lock", lock_any)
    sql = str(opener_rows._VIEWS)
    no_matter = "LEFT JOIN unit_sale us ON us.unit_id = u.unit_id"
    begin, end = sql.index("JOIN unit_sale us"), sql.index("JOIN lot_seal")
    opener_rows._VIEWS = text(f"{sql[:begin]} {no_matter} {sql[end:]}")


@mutant(
    "a unit is shown and the view struck from the log",
    Invariant.NO_EARLY_REVEAL,
    sql=("DROP TRIGGER unit_view_append_only ON unit_view",),
)
def strikes_views() -> None:
    show = CustodyService.show
    url = Settings.from_env().database_url.get_secret_value()
    db = Database(url, application_name="mutant", pool_size=2)

    async def show_and_strike(self: Any, unit_id: UUID, view_id: UUID) -> Any:
        box = await show(self, unit_id, view_id)
        async with db.transaction() as tx:
            await tx.execute(text("DELETE FROM unit_view WHERE id = :id"), {"id": view_id})
        return box

    replace(CustodyService, "show", show_and_strike)


@mutant(
    "a wish is refused while somebody else holds the lot's lock",
    Invariant.NO_FALSE_SELL_OUT,
    sql=(
        """
        DO $$ BEGIN
          EXECUTE replace(
            pg_get_functiondef('vault_open_shelves'::regproc), 'LEFT JOIN lot l', 'LEFT JOIN
            (SELECT * FROM lot k WHERE k.pool_id = ANY(wanted) FOR UPDATE SKIP LOCKED) l');
        END $$
        """,
    ),
)
def refuses_the_locked() -> None:
    async def put_back(self: Any, tx: Any, _: Any, reservation_ids: Any) -> None:
        if reservation_ids:
            await shelf_rows.put_back(tx, reservation_ids)
            await asyncio.sleep(TOO_LATE_SECONDS)

    replace(ShelfService, "put_back", put_back)


@mutant("giving back forgets one unit", Invariant.CONSERVED)
def loses_a_unit() -> None:
    rewrite(
        shelf_rows, "_PUT_BACK", ("FROM gone g JOIN", "FROM (SELECT * FROM gone OFFSET 1) g JOIN")
    )


@mutant("the opener mixes up two boxes of one sale", Invariant.UNIQUE)
def swaps_boxes() -> None:

    boxes_of = Opener._boxes

    async def swapped(*args: Any) -> Boxes:
        found = await boxes_of(*args)
        for boxes in found.values():
            units = list(boxes)
            if len(units) > 1:
                boxes[units[0]], boxes[units[1]] = boxes[units[1]], boxes[units[0]]
        return found

    replace(Opener, "_boxes", swapped)


@mutant("the cursor moves one too far", Invariant.CONSERVED)
def skips_a_unit() -> None:
    rewrite(
        shelf_rows, "_ALLOCATE", ("next_seq = m.to_seq,", "next_seq = least(m.to_seq, l.size) + 1,")
    )


@mutant(
    "a repeated reference holds again",
    Invariant.DEFINITE,
    sql=("ALTER TABLE reservation DROP CONSTRAINT uq_reservation_merchant_id_reference",),
)
def forgets_references() -> None:
    async def find_nothing(*_: Any) -> dict[Any, Any]:
        return {}

    replace(reservation_rows, "find_by_reference", find_nothing)


@mutant("of several lines the last is not allocated", Invariant.CONSERVED)
def commits_a_part() -> None:
    def allot_less(*args: Any) -> list[Allotted]:
        return [run for run in allot(*args) if run.line.line_no < 3]

    replace(shelf_service, "allot", allot_less)


@mutant("a hold runs out and its units stay away", Invariant.CONSERVED)
def loses_the_expired() -> None:
    async def put_nothing_back(*_: Any) -> None:
        return None

    expire = ReservationService._expire

    async def _expire(self: Any, tx: Any, batch: Any) -> None:
        self._put_back = put_nothing_back
        try:
            await expire(self, tx, batch)
        finally:
            del self._put_back

    replace(ReservationService, "_expire", _expire)


@mutant("the sweeper never comes", Invariant.LIVE)
def never_expires() -> None:
    rewrite(reservation_rows, "_LOCK_DUE", ("status = 'held' AND", "status = 'gone' AND"))


@mutant("the sweeper comes before the time", Invariant.LINEARIZABLE)
def expires_early() -> None:
    rewrite(
        reservation_rows,
        "_LOCK_DUE",
        ("expires_at < clock_timestamp()", "expires_at < clock_timestamp() + interval '1 hour'"),
    )


@mutant("frozen units are sold with the others", Invariant.CONSERVED, Invariant.LINEARIZABLE)
def sells_the_frozen() -> None:
    withdrawn = "withdrawn_unit w WHERE w.lot_id = u.lot_id AND w.seq = u.seq"
    rewrite(gap_rows, "_PICK", (withdrawn, f"{withdrawn} AND w.state = 'void'"))
