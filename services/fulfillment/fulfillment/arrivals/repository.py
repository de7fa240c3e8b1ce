"""SQL of arrivals. A box is written with the row that says what it is, and goes with its word
that the vault has it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from fulfillment.arrivals.domain import (
    Arrival,
    ArrivalState,
    Arrived,
    Origin,
    Sealed,
    SealedLot,
    SealedUnit,
    Standing,
    Stored,
)
from kit.db import Transaction
from kit.money import Money


class ArrivalRepository:
    async def add(self, tx: Transaction, sealed: Sequence[Sealed]) -> set[UUID]:
        """Writes lots with their boxes; of a purchase whose codes are here already nothing is
        written. Answers the purchases that were written.
        """
        rows = await tx.execute(_ADD, {**_lots(sealed), **_boxes(sealed)})
        return {row.purchase_id for row in rows}

    async def take(
        self, tx: Transaction, lease_id: UUID, lease: timedelta, limit: int
    ) -> list[Arrival]:
        """Due lots with their boxes, this caller's alone until the lease ends."""
        rows = await tx.execute(_TAKE, {"lease_id": lease_id, "lease": lease, "limit": limit})
        return [_arrival(list(own)) for _, own in groupby(rows, key=lambda row: row.id)]

    async def end(
        self, tx: Transaction, arrival: Arrival, state: ArrivalState, stored: Stored
    ) -> bool:
        """Writes what the vault made of it and drops the boxes; False when it is ended already."""
        rows = await tx.execute(
            _END,
            {
                "id": arrival.lot.lot_id,
                "state": state.value,
                "accepted": stored.accepted,
                "rejected": stored.rejected,
                "duplicates": stored.duplicates,
            },
        )
        return rows.one_or_none() is not None

    async def postpone(
        self, tx: Transaction, arrival: Arrival, pause: timedelta, refused_as: str = ""
    ) -> None:
        """`refused_as`: what the vault said of the whole lot, where it said anything."""
        await tx.execute(
            _POSTPONE,
            {
                "id": arrival.lot.lot_id,
                "lease_id": arrival.lease_id,
                "pause": pause,
                "refused_as": refused_as,
            },
        )

    async def reseal(self, tx: Transaction, arrival: Arrival) -> bool:
        """The key its boxes are for is gone: they are dropped, the codes must come again. False
        when somebody else is at it by now.
        """
        values = {"id": arrival.lot.lot_id, "lease_id": arrival.lease_id}
        return (await tx.execute(_RESEAL, values)).one_or_none() is not None

    async def take_resealing(self, tx: Transaction, pause: timedelta, limit: int) -> list[Arrival]:
        """Those whose codes must be asked for again now, without boxes; once per pause."""
        rows = await tx.execute(_TAKE_RESEALING, {"pause": pause, "limit": limit})
        return [
            Arrival(
                _origin(row),
                SealedLot(row.id, row.key_id, row.public_key, ()),
                ArrivalState(row.state),
                row.tries,
            )
            for row in rows
        ]

    async def lose(self, tx: Transaction, purchase_ids: Sequence[UUID]) -> set[UUID]:
        """Nobody can say these codes again. Answers the purchases for which that is news."""
        rows = await tx.execute(_LOSE, {"purchase_id": list(purchase_ids)})
        return {row.purchase_id for row in rows}

    async def place(
        self, tx: Transaction, merchant_id: UUID, lot_id: UUID, pool_id: UUID, who: str
    ) -> bool:
        """Names the pool of a lot that has none, or that was refused; False where it may not."""
        rows = await tx.execute(
            _PLACE, {"merchant_id": merchant_id, "id": lot_id, "pool_id": pool_id, "who": who}
        )
        return rows.one_or_none() is not None

    async def find(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> Standing | None:
        row = (await tx.execute(_GET, {"merchant_id": merchant_id, "id": lot_id})).one_or_none()
        return _standing(row) if row else None

    async def list_arrivals(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: str | None,
        is_homeless: bool | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[Standing]:
        """The newest first."""
        created_at, lot_id = after or (None, None)
        values = {
            "merchant_id": merchant_id,
            "state": state,
            "is_homeless": is_homeless,
            "created_at": created_at,
            "id": lot_id,
            "limit": limit,
        }
        return [_standing(row) for row in await tx.execute(_LIST, values)]

    async def find_for_procurements(
        self, tx: Transaction, procurement_ids: Sequence[UUID]
    ) -> list[tuple[UUID, Arrived]]:
        """By procurement: what became of the codes that were bought for it."""
        rows = await tx.execute(_OF_PROCUREMENTS, {"id": list(procurement_ids)})
        return [
            (
                row.procurement_id,
                Arrived(row.purchase_id, ArrivalState(row.state), row.accepted),
            )
            for row in rows
        ]


def _lots(sealed: Sequence[Sealed]) -> dict[str, list[Any]]:
    origins = [each.origin for each in sealed]
    return {
        **{name: [getattr(origin, name) for origin in origins] for name in _ORIGIN},
        "id": [each.lot.lot_id for each in sealed],
        "key_id": [each.lot.key_id for each in sealed],
        "public_key": [each.lot.public_key for each in sealed],
        "kind": [each.lot.kind for each in sealed],
        "quantity": [len(each.lot.units) for each in sealed],
        "cost_minor": [origin.cost.amount_minor for origin in origins],
        "currency": [origin.cost.currency for origin in origins],
    }


def _boxes(sealed: Sequence[Sealed]) -> dict[str, list[Any]]:
    boxes = [
        (each.lot.lot_id, line, unit)
        for each in sealed
        for line, unit in enumerate(each.lot.units, 1)
    ]
    units = [unit for _, _, unit in boxes]
    return {
        "b_arrival_id": [lot_id for lot_id, _, _ in boxes],
        "b_line": [line for _, line, _ in boxes],
        **{f"b_{name}": [getattr(unit, name) for unit in units] for name in _UNIT},
    }


def _arrival(rows: Sequence[Row[Any]]) -> Arrival:
    first = rows[0]
    units = tuple(
        SealedUnit(row.unit_id, row.nonce, row.ciphertext, row.unit_cost_minor, row.expires_at)
        for row in rows
    )
    return Arrival(
        _origin(first),
        SealedLot(first.id, first.key_id, first.public_key, units, first.kind),
        ArrivalState(first.state),
        first.tries,
        first.lease_id,
    )


def _origin(row: Row[Any]) -> Origin:
    return Origin(
        **{name: getattr(row, name) for name in _ORIGIN},
        cost=Money(row.cost_minor, row.currency),
    )


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        **{name: getattr(row, name) for name in _STANDING},
        origin=_origin(row),
        state=ArrivalState(row.state),
    )


_ORIGIN = (
    "purchase_id",
    "merchant_id",
    "pool_id",
    "waiter_id",
    "supplier",
    "supplier_sku",
    "wanted",
    "procurement_id",
    "order_id",
    "is_late",
)
_STANDING = (
    "id",
    "quantity",
    "kind",
    "accepted",
    "rejected",
    "duplicates",
    "refused_as",
    "placed_by",
    "created_at",
    "ended_at",
)
_UNIT = ("unit_id", "nonce", "ciphertext", "cost_minor", "expires_at")
_ADD = text(
    """
    WITH lot AS (
        INSERT INTO arrival (id, merchant_id, purchase_id, procurement_id, order_id, pool_id,
            waiter_id, supplier, supplier_sku, wanted, quantity, cost_minor, currency, is_late,
            key_id, public_key, kind)
        SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]),
            CAST(:purchase_id AS uuid[]), CAST(:procurement_id AS uuid[]),
            CAST(:order_id AS uuid[]), CAST(:pool_id AS uuid[]), CAST(:waiter_id AS uuid[]),
            CAST(:supplier AS text[]), CAST(:supplier_sku AS text[]), CAST(:wanted AS int[]),
            CAST(:quantity AS int[]), CAST(:cost_minor AS bigint[]), CAST(:currency AS text[]),
            CAST(:is_late AS boolean[]), CAST(:key_id AS uuid[]), CAST(:public_key AS bytea[]),
            CAST(:kind AS text[]))
        ORDER BY 1
        ON CONFLICT (id) DO UPDATE SET state = 'sealed', key_id = excluded.key_id,
            public_key = excluded.public_key, quantity = excluded.quantity,
            kind = excluded.kind, tries = 0, due_at = clock_timestamp()
        WHERE arrival.state = 'resealing'
        RETURNING id, purchase_id
    ), box AS (
        INSERT INTO arrival_box (arrival_id, line, unit_id, nonce, ciphertext, cost_minor,
                                 expires_at)
        SELECT b.* FROM unnest(CAST(:b_arrival_id AS uuid[]), CAST(:b_line AS int[]),
            CAST(:b_unit_id AS uuid[]), CAST(:b_nonce AS bytea[]), CAST(:b_ciphertext AS bytea[]),
            CAST(:b_cost_minor AS bigint[]), CAST(:b_expires_at AS timestamptz[]))
            AS b (arrival_id, line, unit_id, nonce, ciphertext, cost_minor, expires_at)
        JOIN lot ON lot.id = b.arrival_id
    )
    SELECT purchase_id FROM lot
    """
)
# MATERIALIZED: the planner must not run the locking part twice and take more than :limit.
_TAKE = text(
    """
    WITH pick AS MATERIALIZED (
        SELECT id FROM arrival
        WHERE state = 'sealed' AND pool_id IS NOT NULL AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE arrival a SET lease_id = :lease_id, tries = a.tries + 1,
               due_at = clock_timestamp() + CAST(:lease AS interval)
        FROM pick WHERE a.id = pick.id RETURNING a.*
    )
    SELECT taken.*, b.line, b.unit_id, b.nonce, b.ciphertext, b.cost_minor AS unit_cost_minor,
           b.expires_at
    FROM taken JOIN arrival_box b ON b.arrival_id = taken.id
    ORDER BY taken.id, b.line
    """
)
_END = text(
    """
    WITH ended AS (
        UPDATE arrival SET state = :state, accepted = :accepted, rejected = :rejected,
               duplicates = :duplicates, lease_id = NULL, ended_at = clock_timestamp()
        WHERE id = :id AND state = 'sealed' RETURNING id
    ), dropped AS (
        DELETE FROM arrival_box b USING ended WHERE b.arrival_id = ended.id
    )
    SELECT id FROM ended
    """
)
_POSTPONE = text(
    """
    UPDATE arrival SET lease_id = NULL, due_at = clock_timestamp() + CAST(:pause AS interval),
           refused_as = :refused_as
    WHERE id = :id AND lease_id = :lease_id AND state = 'sealed'
    """
)
_RESEAL = text(
    """
    WITH lot AS (
        UPDATE arrival SET state = 'resealing', lease_id = NULL, tries = 0,
               due_at = clock_timestamp()
        WHERE id = :id AND lease_id = :lease_id AND state = 'sealed' RETURNING id
    ), dropped AS (
        DELETE FROM arrival_box b USING lot WHERE b.arrival_id = lot.id
    )
    SELECT id FROM lot
    """
)
_TAKE_RESEALING = text(
    """
    WITH pick AS MATERIALIZED (
        SELECT id FROM arrival WHERE state = 'resealing' AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE arrival a SET tries = a.tries + 1,
           due_at = clock_timestamp() + CAST(:pause AS interval)
    FROM pick WHERE a.id = pick.id RETURNING a.*
    """
)
_LOSE = text(
    """
    UPDATE arrival SET state = 'lost', ended_at = clock_timestamp()
    WHERE purchase_id = ANY(CAST(:purchase_id AS uuid[])) AND state = 'resealing'
    RETURNING purchase_id
    """
)
# While a worker is at it, the pool it brings the lot to may be the one that takes it.
_PLACE = text(
    """
    UPDATE arrival SET pool_id = :pool_id, placed_by = :who, refused_as = '',
           due_at = clock_timestamp()
    WHERE merchant_id = :merchant_id AND id = :id AND state IN ('sealed', 'resealing')
      AND (pool_id IS NULL OR (refused_as <> '' AND lease_id IS NULL))
    RETURNING id
    """
)
_GET = text("SELECT * FROM arrival WHERE merchant_id = :merchant_id AND id = :id")
_LIST = text(
    """
    SELECT * FROM arrival
    WHERE merchant_id = :merchant_id
      AND (CAST(:state AS text) IS NULL OR state = CAST(:state AS text))
      AND (CAST(:is_homeless AS boolean) IS NULL
           OR (pool_id IS NULL) = CAST(:is_homeless AS boolean))
      AND (CAST(:created_at AS timestamptz) IS NULL
           OR (created_at, id) < (CAST(:created_at AS timestamptz), CAST(:id AS uuid)))
    ORDER BY created_at DESC, id DESC LIMIT :limit
    """
)
_OF_PROCUREMENTS = text(
    """
    SELECT procurement_id, purchase_id, state, accepted FROM arrival
    WHERE procurement_id = ANY(CAST(:id AS uuid[]))
    """
)
