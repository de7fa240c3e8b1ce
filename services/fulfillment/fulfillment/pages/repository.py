"""SQL of the page's own doings: whose a unit is, how many codes were opened, who looked when."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from fulfillment.pages.domain import Buyer
from kit.db import Transaction


class PageRepository:
    async def find_buyer(self, tx: Transaction, page_id: UUID, unit_id: UUID) -> Buyer | None:
        """Whose page it is, if the unit was delivered on it."""
        rows = await tx.execute(_FIND_BUYER, {"page_id": page_id, "unit_id": unit_id})
        row = rows.one_or_none()
        return Buyer(row.merchant_id, row.customer_id, row.units, row.sku) if row else None

    async def has_ended(self, tx: Transaction, page_id: UUID) -> bool:
        """Whether the page was there and its link was ended by the shop."""
        return bool((await tx.execute(_HAS_ENDED, {"page_id": page_id})).scalar_one())

    async def spend_reveal(
        self, tx: Transaction, page_id: UUID, every: timedelta, burst: int
    ) -> bool:
        """Takes one reveal off the page's allowance: `burst` at once, then one per `every`.

        False when it is used up. One statement (GCRA), so callers at once cannot slip through.
        """
        rows = await tx.execute(
            _SPEND_REVEAL, {"page_id": page_id, "every": every, "burst": every * burst}
        )
        return rows.one_or_none() is not None

    async def count_view(self, tx: Transaction, unit_id: UUID) -> tuple[int, datetime]:
        """One more view of the unit; answers how many there are and when the last was."""
        row = (await tx.execute(_COUNT_VIEW, {"unit_id": unit_id})).one()
        return row.views, row.last_viewed_at


_FIND_BUYER = text(
    """
    SELECT r.merchant_id, r.customer_id, d.sku,
           (SELECT sum(own.quantity) FROM delivery own
            WHERE own.order_id = r.order_id AND own.state = 'delivered') AS units
    FROM delivered_unit u JOIN delivery d ON d.id = u.delivery_id
         JOIN request r ON r.order_id = d.order_id
    WHERE u.unit_id = :unit_id AND r.page_id = :page_id
    """
)

_HAS_ENDED = text("SELECT EXISTS (SELECT FROM ended_page WHERE page_id = :page_id)")

_SPEND_REVEAL = text(
    """
    UPDATE request SET reveals_paid_until =
        greatest(reveals_paid_until, clock_timestamp()) + CAST(:every AS interval)
    WHERE page_id = :page_id
      AND (reveals_paid_until IS NULL
           OR reveals_paid_until + CAST(:every AS interval)
              <= clock_timestamp() + CAST(:burst AS interval))
    RETURNING order_id
    """
)

_COUNT_VIEW = text(
    """
    UPDATE delivered_unit SET views = views + 1, last_viewed_at = clock_timestamp(),
        opened_at = coalesce(opened_at, clock_timestamp())
    WHERE unit_id = :unit_id
    RETURNING views, last_viewed_at
    """
)
