"""SQL of what buyers hold."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from fulfillment.holdings.domain import EXPIRING_DAYS, Holder, Holding, HoldingState
from kit.db import Transaction

_FIELDS = tuple(field.name for field in fields(Holding))


async def list_of(
    tx: Transaction,
    holder: Holder,
    *,
    state: str | None,
    after: tuple[UUID, int, int] | None,
    limit: int,
) -> list[Holding]:
    """What a buyer holds, what was delivered last first."""
    values: dict[str, Any] = {
        "merchant_id": holder.merchant_id,
        "customer_id": holder.customer_id,
        "state": state,
        "delivery_id": after[0] if after else None,
        "position": after[1] if after else None,
        "copy_no": after[2] if after else None,
        "soon": EXPIRING_DAYS,
        "limit": limit,
    }
    found = []
    for row in await tx.execute(_LIST, values):
        named = {name: getattr(row, name) for name in _FIELDS}
        found.append(Holding(**{**named, "state": HoldingState(row.state)}))
    return found


async def page_of(tx: Transaction, page_id: UUID, holder: Holder, *, end_others: bool) -> UUID:
    """The id of the buyer's page: the one there is, or `page_id` when there is none, or when the
    earlier links shall end.
    """
    values = {
        "id": page_id,
        "merchant_id": holder.merchant_id,
        "customer_id": holder.customer_id,
        "end_others": end_others,
    }
    found: UUID = (await tx.execute(_PAGE_OF, values)).scalar_one()
    return found


async def find_holder(tx: Transaction, page_id: UUID) -> Holder | None:
    row = (await tx.execute(_FIND_HOLDER, {"id": page_id})).one_or_none()
    return Holder(row.merchant_id, row.customer_id) if row else None


async def note_opened(tx: Transaction, seen: Sequence[tuple[UUID, datetime]]) -> None:
    """(unit, when it was seen first). The earliest counts."""
    values = {"ids": [it for it, _ in seen], "at": [at for _, at in seen]}
    await tx.execute(_NOTE_OPENED, values)


async def note_redeemed(tx: Transaction, changed: Sequence[tuple[UUID, datetime | None]]) -> None:
    """(unit, since when nothing is left of it; None: something is)."""
    values = {"ids": [it for it, _ in changed], "at": [at for _, at in changed]}
    await tx.execute(_NOTE_REDEEMED, values)


_STATE = """
    CASE
      WHEN u.redeemed_at IS NOT NULL THEN 'redeemed'
      WHEN u.expires_at <= clock_timestamp() THEN 'expired'
      WHEN u.expires_at <= clock_timestamp() + make_interval(days => CAST(:soon AS int))
        AND (u.is_redeemable OR (u.opened_at IS NULL AND u.views = 0)) THEN 'expiring'
      WHEN u.opened_at IS NOT NULL OR u.views > 0 THEN 'opened'
      ELSE 'unopened' END
"""
_LIST = text(
    f"""
    SELECT * FROM (
      SELECT u.unit_id, u.mask, d.sku, d.name, u.lot_id, d.order_id, r.reference, u.delivery_id,
        {_STATE} AS state, u.position, CAST(u.copy_no AS int) AS copy_no, r.page_id,
        r.page_ends_at, d.settled_at AS delivered_at, u.expires_at, u.opened_at, u.redeemed_at
      FROM request r JOIN delivery d ON d.order_id = r.order_id
      JOIN delivered_unit u ON u.delivery_id = d.id
      WHERE r.merchant_id = :merchant_id AND r.customer_id = :customer_id
        AND u.out_of_use_at IS NULL
        AND (CAST(:delivery_id AS uuid) IS NULL OR (u.delivery_id, u.position, u.copy_no)
          < (CAST(:delivery_id AS uuid), CAST(:position AS int), CAST(:copy_no AS int)))
    ) held
    WHERE CAST(:state AS text) IS NULL OR state = :state
    ORDER BY delivery_id DESC, position DESC, copy_no DESC LIMIT :limit
    """  # noqa: S608 - constant parts
)
_PAGE_OF = text(
    """
    INSERT INTO holding_page AS p (id, merchant_id, customer_id)
    VALUES (:id, :merchant_id, :customer_id)
    ON CONFLICT (merchant_id, customer_id) DO UPDATE SET
      id = CASE WHEN CAST(:end_others AS boolean) THEN excluded.id ELSE p.id END
    RETURNING id
    """
)
_FIND_HOLDER = text("SELECT merchant_id, customer_id FROM holding_page WHERE id = :id")
_NOTE_OPENED = text(
    """
    UPDATE delivered_unit u SET opened_at = least(u.opened_at, seen.at)
    FROM (
      SELECT id, min(at) AS at
      FROM unnest(CAST(:ids AS uuid[]), CAST(:at AS timestamptz[])) AS s(id, at) GROUP BY id
    ) seen
    WHERE u.unit_id = seen.id
    """
)
# The last word of a batch counts: events of a unit come in their order.
_NOTE_REDEEMED = text(
    """
    UPDATE delivered_unit u SET redeemed_at = last.at
    FROM (
      SELECT DISTINCT ON (id) id, at
      FROM unnest(CAST(:ids AS uuid[]), CAST(:at AS timestamptz[])) WITH ORDINALITY AS s(id, at, no)
      ORDER BY id, no DESC
    ) last
    WHERE u.unit_id = last.id
    """
)
