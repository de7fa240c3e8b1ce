"""SQL of purchases: a constant number of statements, whatever the batch."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.purchases.domain import (
    GIVEN_UP,
    RECHECK_PAUSE,
    RECHECKS_MAX,
    Purchase,
    PurchaseState,
)
from kit.db import Transaction
from kit.money import Money


class PurchaseRepository:
    async def add(self, tx: Transaction, purchases: Sequence[Purchase]) -> None:
        """Writes intents; one that is there already stays as it is."""
        fields = (*_IDS, "generation", "supplier", "supplier_sku", "quantity")
        values = {field: [getattr(each, field) for each in purchases] for field in fields}
        limits = [each.cost_max for each in purchases]
        await tx.execute(
            _ADD,
            {
                **values,
                "cost_max_minor": [limit.amount_minor for limit in limits],
                "currency": [limit.currency for limit in limits],
                "choice": [_json(each.choice) for each in purchases],
            },
        )

    async def lock_many(self, tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Purchase]:
        """By id, locked in the order of their ids, with their ages."""
        rows = await tx.execute(_LOCK, {"id": list(ids)})
        return {row.id: _purchase(row) for row in rows}

    async def mark_sent(self, tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Purchase]:
        """A call under these references may begin once this is committed."""
        rows = await tx.execute(_MARK_SENT, {"id": list(ids)})
        return {row.id: _purchase(row) for row in rows}

    async def save(
        self, tx: Transaction, changes: Sequence[tuple[Purchase, Purchase]]
    ) -> set[UUID]:
        """Writes what calls made of purchases, (as it was before the call, as it is now); answers
        the ids of those it is true of.

        A success is written whoever reports it. Anything else only if nobody has come to know more
        meanwhile: the row must still be as it was before the call.
        """
        was = [before for before, _ in changes]
        now = [after for _, after in changes]
        rows = await tx.execute(
            _SAVE,
            {
                "id": [each.id for each in now],
                "was_state": [each.state.value for each in was],
                "was_sends": [each.sends for each in was],
                "was_asks": [each.asks for each in was],
                "state": [each.state.value for each in now],
                "unsent": [each.unsent for each in now],
                "asks": [each.asks for each in now],
                "cost_minor": [each.cost.amount_minor if each.cost else None for each in now],
                "supplier_reference": [each.supplier_reference for each in now],
                "receipt": [each.receipt for each in now],
                "reason": [each.reason for each in now],
                "is_dearer": [each.is_dearer for each in now],
                "given_up": list(GIVEN_UP),
                "recheck": RECHECK_PAUSE,
            },
        )
        return {row.id for row in rows}

    async def note_late_successes(
        self, tx: Transaction, purchases: Sequence[Purchase]
    ) -> list[Purchase]:
        """Those of them that had failed for certain: the supplier went back on its word. Answers
        the ones that nobody knew of before, as they had failed.
        """
        rows = await tx.execute(
            _NOTE_LATE,
            {
                "id": [each.id for each in purchases],
                "supplier_reference": [each.supplier_reference for each in purchases],
            },
        )
        return [_purchase(row) for row in rows]

    async def take_given_up(self, tx: Transaction, limit: int) -> list[UUID]:
        """Purchases that were given up without the supplier's word, and are to be asked for once
        more now.
        """
        values = {"limit": limit, "recheck": RECHECK_PAUSE, "rechecks_max": RECHECKS_MAX}
        return [row.id for row in await tx.execute(_TAKE_GIVEN_UP, values)]

    async def recheck_now(self, tx: Transaction, purchase_id: UUID) -> None:
        """It failed, and the supplier hints that it did not: it is asked for once more."""
        await tx.execute(_RECHECK_NOW, {"id": purchase_id})

    async def find_refusals(
        self, tx: Transaction, owners: Sequence[UUID]
    ) -> Mapping[UUID, tuple[tuple[str, str], ...]]:
        """By what it was for: each supplier that definitely refused, with its code, in order."""
        found: dict[UUID, tuple[tuple[str, str], ...]] = {}
        for row in await tx.execute(_REFUSALS, {"owner": list(owners)}):
            found[row.owner] = (*found.get(row.owner, ()), (row.supplier, row.reason))
        return found

    async def find_for_procurements(
        self, tx: Transaction, procurement_ids: Sequence[UUID]
    ) -> Mapping[UUID, Sequence[Purchase]]:
        """By procurement: its purchases in the order they were begun."""
        found: dict[UUID, list[Purchase]] = {}
        for row in await tx.execute(_OF_PROCUREMENTS, {"id": list(procurement_ids)}):
            found.setdefault(row.procurement_id, []).append(_purchase(row))
        return found

    async def find_for_deliveries(
        self, tx: Transaction, delivery_ids: Sequence[UUID]
    ) -> Mapping[UUID, Sequence[Purchase]]:
        """By delivery: its purchases in the order they were begun."""
        found: dict[UUID, list[Purchase]] = {}
        for row in await tx.execute(_OF_DELIVERIES, {"id": list(delivery_ids)}):
            found.setdefault(row.delivery_id, []).append(_purchase(row))
        return found

    async def find(self, tx: Transaction, merchant_id: UUID, purchase_id: UUID) -> Purchase | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": purchase_id})
        row = rows.one_or_none()
        return _purchase(row) if row else None

    async def list_purchases(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        state: str | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[Purchase]:
        """The newest first."""
        created_at, purchase_id = after or (None, None)
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "order_id": order_id,
                "state": state,
                "created_at": created_at,
                "id": purchase_id,
                "limit": limit,
            },
        )
        return [_purchase(row) for row in rows]


_IDS = (
    "id",
    "merchant_id",
    "order_id",
    "line_id",
    "delivery_id",
    "task_id",
    "procurement_id",
    "pool_id",
)
_PLAIN = (
    *_IDS,
    "generation",
    "supplier",
    "supplier_sku",
    "quantity",
    "sends",
    "unsent",
    "asks",
    "supplier_reference",
    "receipt",
    "reason",
    "is_dearer",
    "sent_at",
    "settled_at",
    "late_success_at",
    "created_at",
    "age",
    "waited",
)


def _purchase(row: Any) -> Purchase:  # a row has no static type
    cost = None if row.cost_minor is None else Money(row.cost_minor, row.currency)
    return Purchase(
        **{field: getattr(row, field) for field in _PLAIN},
        cost_max=Money(row.cost_max_minor, row.currency),
        cost=cost,
        state=PurchaseState(row.state),
        choice=None if row.choice_json is None else tuple(orjson.loads(row.choice_json)),
    )


def _json(choice: Sequence[Mapping[str, Any]] | None) -> str | None:
    return None if choice is None else orjson.dumps(choice).decode()


_COLUMNS = """
    p.*, CAST(p.choice AS text) AS choice_json,
    coalesce(clock_timestamp() - p.sent_at, interval '0') AS age,
    clock_timestamp() - p.created_at AS waited
"""
_ADD = text(
    """
    INSERT INTO purchase (id, merchant_id, order_id, line_id, delivery_id, task_id,
                          procurement_id, pool_id, generation, supplier, supplier_sku, quantity,
                          cost_max_minor, currency, choice)
    SELECT id, merchant_id, order_id, line_id, delivery_id, task_id, procurement_id, pool_id,
           generation, supplier, supplier_sku, quantity, cost_max_minor, currency,
           CAST(choice AS jsonb)
    FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:order_id AS uuid[]), CAST(:line_id AS uuid[]), CAST(:delivery_id AS uuid[]),
        CAST(:task_id AS uuid[]), CAST(:procurement_id AS uuid[]), CAST(:pool_id AS uuid[]),
        CAST(:generation AS int[]), CAST(:supplier AS text[]),
        CAST(:supplier_sku AS text[]), CAST(:quantity AS int[]), CAST(:cost_max_minor AS bigint[]),
        CAST(:currency AS text[]), CAST(:choice AS text[]))
        AS own (id, merchant_id, order_id, line_id, delivery_id, task_id, procurement_id, pool_id,
                generation, supplier, supplier_sku, quantity, cost_max_minor, currency, choice)
    ORDER BY 1
    ON CONFLICT (id) DO NOTHING
    """
)
_READ = f"SELECT {_COLUMNS} FROM purchase p"  # noqa: S608 - column names of this file
_LOCK = text(_READ + " WHERE p.id = ANY(CAST(:id AS uuid[])) ORDER BY p.id FOR UPDATE")
# By ids and `settled_at`: by its state a purchase would be looked for among all open ones, in the
# index of those, which is as long as all suppliers together are behind.
_MARK_SENT = text(
    f"""
    UPDATE purchase p SET state = 'sent', sends = p.sends + 1, sent_at = clock_timestamp()
    WHERE p.id = ANY(CAST(:id AS uuid[])) AND p.settled_at IS NULL AND p.state <> 'manual'
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_SAVE = text(
    """
    UPDATE purchase p
    SET state = own.state, unsent = own.unsent, asks = own.asks, cost_minor = own.cost_minor,
        supplier_reference = own.supplier_reference, receipt = own.receipt, reason = own.reason,
        is_dearer = own.is_dearer,
        settled_at = CASE WHEN own.state IN ('done', 'failed') THEN clock_timestamp() END,
        recheck_at = CASE WHEN own.state = 'failed' AND p.sends > own.unsent
                           AND own.reason = ANY(CAST(:given_up AS text[]))
                          THEN clock_timestamp() + CAST(:recheck AS interval) END
    FROM unnest(CAST(:id AS uuid[]), CAST(:was_state AS text[]), CAST(:was_sends AS int[]),
        CAST(:was_asks AS int[]), CAST(:state AS text[]), CAST(:unsent AS int[]),
        CAST(:asks AS int[]),
        CAST(:cost_minor AS bigint[]), CAST(:supplier_reference AS text[]),
        CAST(:receipt AS text[]), CAST(:reason AS text[]), CAST(:is_dearer AS boolean[]))
        AS own (id, was_state, was_sends, was_asks, state, unsent, asks, cost_minor,
                supplier_reference, receipt, reason, is_dearer)
    WHERE p.id = ANY(CAST(:id AS uuid[])) AND p.id = own.id AND p.settled_at IS NULL
      AND (own.state = 'done'
           OR (p.state = own.was_state AND p.sends = own.was_sends AND p.asks = own.was_asks))
    RETURNING p.id
    """
)
_NOTE_LATE = text(
    f"""
    UPDATE purchase p SET late_success_at = clock_timestamp(), recheck_at = NULL,
        supplier_reference = own.supplier_reference
    FROM unnest(CAST(:id AS uuid[]), CAST(:supplier_reference AS text[]))
        AS own (id, supplier_reference)
    WHERE p.id = own.id AND p.state = 'failed' AND p.late_success_at IS NULL
    RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_RECHECK_NOW = text(
    """
    UPDATE purchase SET recheck_at = clock_timestamp()
    WHERE id = :id AND state = 'failed' AND late_success_at IS NULL
    """
)
_TAKE_GIVEN_UP = text(
    """
    WITH pick AS MATERIALIZED (
        SELECT id FROM purchase WHERE recheck_at <= clock_timestamp()
        ORDER BY recheck_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE purchase p SET rechecks = p.rechecks + 1,
           recheck_at = CASE WHEN p.rechecks + 1 < :rechecks_max THEN clock_timestamp()
               + CAST(:recheck AS interval) * power(4, p.rechecks + 1) END
    FROM pick WHERE p.id = pick.id RETURNING p.id
    """
)
_REFUSALS = text(
    """
    SELECT coalesce(delivery_id, procurement_id) AS owner, supplier, reason FROM purchase
    WHERE state = 'failed' AND (delivery_id = ANY(CAST(:owner AS uuid[]))
          OR procurement_id = ANY(CAST(:owner AS uuid[])))
    ORDER BY 1, generation
    """
)
_OF_PROCUREMENTS = text(
    _READ + " WHERE p.procurement_id = ANY(CAST(:id AS uuid[])) ORDER BY p.generation"
)
_OF_DELIVERIES = text(
    _READ + " WHERE p.delivery_id = ANY(CAST(:id AS uuid[])) ORDER BY p.delivery_id, p.generation"
)
_GET = text(_READ + " WHERE p.merchant_id = :merchant_id AND p.id = :id")
_LIST = text(
    _READ
    + """
    WHERE p.merchant_id = :merchant_id
      AND (CAST(:order_id AS uuid) IS NULL OR p.order_id = CAST(:order_id AS uuid))
      AND (CAST(:state AS text) IS NULL OR p.state = CAST(:state AS text))
      AND (CAST(:created_at AS timestamptz) IS NULL
           OR (p.created_at, p.id) < (CAST(:created_at AS timestamptz), CAST(:id AS uuid)))
    ORDER BY p.created_at DESC, p.id DESC LIMIT :limit
    """
)
