from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import new_id
from risk.reviews.domain import Review, ReviewOpening, ReviewStatus

_COLUMNS = """id, merchant_id, order_id, assessment_id, status, reason, opened_at, decided_at,
    decided_by, note"""

_INSERT = text("""
    INSERT INTO review (id, merchant_id, order_id, assessment_id, status, reason)
    SELECT id, merchant_id, order_id, assessment_id, 'open', reason
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:orders AS uuid[]),
        CAST(:assessments AS uuid[]), CAST(:reasons AS text[]))
        AS given(id, merchant_id, order_id, assessment_id, reason)
    ON CONFLICT (assessment_id) DO NOTHING
""")
# The condition on the status is what makes one decision of many that come at once.
_DECIDE = text(f"""
    UPDATE review SET status = :status, decided_at = clock_timestamp(), decided_by = :decided_by,
        note = :note
    WHERE merchant_id = :merchant_id AND id = :id AND status = 'open'
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_LAPSE = text("""
    UPDATE review SET status = 'lapsed', decided_at = clock_timestamp()
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND status = 'open'
""")
_REOPEN = text("""
    UPDATE review SET status = 'open', decided_at = NULL
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND status = 'lapsed'
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM review WHERE merchant_id = :merchant_id AND id = :id
""")  # noqa: S608 - made of constants above
_LIST = text(f"""
    SELECT {_COLUMNS} FROM review
    WHERE merchant_id = :merchant_id AND (CAST(:status AS text) IS NULL OR status = :status)
        AND (CAST(:order_id AS uuid) IS NULL OR order_id = :order_id)
        AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit
""")  # noqa: S608 - made of constants above


class ReviewRepository:
    async def add_reviews(self, tx: Transaction, openings: Sequence[ReviewOpening]) -> None:
        await tx.execute(
            _INSERT,
            {
                "ids": [new_id() for _ in openings],
                "merchants": [it.merchant_id for it in openings],
                "orders": [it.order_id for it in openings],
                "assessments": [it.assessment_id for it in openings],
                "reasons": [it.reason for it in openings],
            },
        )

    async def decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        review_id: UUID,
        status: ReviewStatus,
        *,
        decided_by: str,
        note: str,
    ) -> Review | None:
        """The review as decided now; None when it is not open."""
        result = await tx.execute(
            _DECIDE,
            {
                "merchant_id": merchant_id,
                "id": review_id,
                "status": status.value,
                "decided_by": decided_by,
                "note": note,
            },
        )
        row = result.one_or_none()
        return None if row is None else _to_domain(row)

    async def lapse(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """Closes what is open for these orders."""
        await tx.execute(_LAPSE, {"orders": list(orders)})

    async def reopen(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """Opens what lapsed for these orders."""
        await tx.execute(_REOPEN, {"orders": list(orders)})

    async def find_review(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID
    ) -> Review | None:
        result = await tx.execute(_GET, {"merchant_id": merchant_id, "id": review_id})
        row = result.one_or_none()
        return None if row is None else _to_domain(row)

    async def list_reviews(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        status: ReviewStatus | None,
        order_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Review]:
        """Newest first."""
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "status": status.value if status else None,
                "order_id": order_id,
                "before": before,
                "limit": limit,
            },
        )
        return [_to_domain(row) for row in rows]


def _to_domain(row: Any) -> Review:
    return Review(
        row.id,
        row.merchant_id,
        row.order_id,
        row.assessment_id,
        ReviewStatus(row.status),
        row.reason,
        row.opened_at,
        row.decided_at,
        row.decided_by,
        row.note,
    )
