"""SQL of arrivals. A box is written with the row that says what it is, and goes with its word
that the vault has it."""

from collections.abc import Sequence
from datetime import timedelta
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

    async def postpone(self, tx: Transaction, arrival: Arrival, pause: timedelta) -> None:
        await tx.execute(
            _POSTPONE,
            {"id": arrival.lot.lot_id, "lease_id": arrival.lease_id, "pause": pause},
        )

    async def reseal(self, tx: Transaction, lot_id: UUID) -> bool:
        """The key its boxes are for is gone: they are dropped, the codes must come again."""
        rows = await tx.execute(_RESEAL, {"id": lot_id})
        return rows.one_or_none() is not None

    async def take_resealing(self, tx: Transaction, pause: timedelta, limit: int) -> list[UUID]:
        """The purchases whose codes must be asked for again now; once per pause."""
        rows = await tx.execute(_TAKE_RESEALING, {"pause": pause, "limit": limit})
        return [row.purchase_id for row in rows]

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
    origin = Origin(
        **{name: getattr(first, name) for name in _ORIGIN},
        cost=Money(first.cost_minor, first.currency),
    )
    return Arrival(
        origin,
        SealedLot(first.id, first.key_id, first.public_key, units),
        ArrivalState(first.state),
        first.tries,
        first.lease_id,
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
_UNIT = ("unit_id", "nonce", "ciphertext", "cost_minor", "expires_at")
_ADD = text(
    """
    WITH lot AS (
        INSERT INTO arrival (id, merchant_id, purchase_id, procurement_id, order_id, pool_id,
            waiter_id, supplier, supplier_sku, wanted, quantity, cost_minor, currency, is_late,
            key_id, public_key)
        SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]),
            CAST(:purchase_id AS uuid[]), CAST(:procurement_id AS uuid[]),
            CAST(:order_id AS uuid[]), CAST(:pool_id AS uuid[]), CAST(:waiter_id AS uuid[]),
            CAST(:supplier AS text[]), CAST(:supplier_sku AS text[]), CAST(:wanted AS int[]),
            CAST(:quantity AS int[]), CAST(:cost_minor AS bigint[]), CAST(:currency AS text[]),
            CAST(:is_late AS boolean[]), CAST(:key_id AS uuid[]), CAST(:public_key AS bytea[]))
        ORDER BY 1
        ON CONFLICT (id) DO UPDATE SET state = 'sealed', key_id = excluded.key_id,
            public_key = excluded.public_key, quantity = excluded.quantity,
            due_at = clock_timestamp()
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
    UPDATE arrival SET lease_id = NULL, due_at = clock_timestamp() + CAST(:pause AS interval)
    WHERE id = :id AND lease_id = :lease_id AND state = 'sealed'
    """
)
_RESEAL = text(
    """
    WITH lot AS (
        UPDATE arrival SET state = 'resealing', lease_id = NULL, due_at = clock_timestamp()
        WHERE id = :id AND state = 'sealed' RETURNING id
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
    UPDATE arrival a SET due_at = clock_timestamp() + CAST(:pause AS interval)
    FROM pick WHERE a.id = pick.id RETURNING a.purchase_id
    """
)
_OF_PROCUREMENTS = text(
    """
    SELECT procurement_id, purchase_id, state, accepted FROM arrival
    WHERE procurement_id = ANY(CAST(:id AS uuid[]))
    """
)
