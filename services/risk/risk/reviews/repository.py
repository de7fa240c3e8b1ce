"""SQL of reviews. The condition on the status makes one decision of many that come at once."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from kit.db import Transaction
from kit.ids import new_id
from risk.review_policies.domain import ReviewPolicy
from risk.reviews.domain import (
    TIME_LIMIT,
    Act,
    Review,
    ReviewAct,
    ReviewFilter,
    ReviewOpening,
    ReviewStatus,
)

_IS_OVERDUE = "(status = 'open' AND due_at IS NOT NULL AND due_at <= clock_timestamp())"
_COLUMNS = f"""id, merchant_id, order_id, assessment_id, status, reason, opened_at, decided_at,
    decided_by, note, assignee, due_at, {_IS_OVERDUE} AS is_overdue"""

_INSERT = text("""
    INSERT INTO review (id, merchant_id, order_id, assessment_id, status, reason, due_at,
        after_time, minutes)
    SELECT id, merchant_id, order_id, assessment_id, 'open', reason,
        clock_timestamp() + make_interval(mins => minutes),
        CASE WHEN minutes IS NULL THEN NULL ELSE after_time END, minutes
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:orders AS uuid[]),
        CAST(:assessments AS uuid[]), CAST(:reasons AS text[]), CAST(:minutes AS int[]),
        CAST(:after_times AS text[]))
        AS given(id, merchant_id, order_id, assessment_id, reason, minutes, after_time)
    ON CONFLICT (assessment_id) DO NOTHING
""")
_DECIDE = text(f"""
    UPDATE review SET status = :status, decided_at = clock_timestamp(), decided_by = :decided_by,
        note = :note
    WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS uuid[])) AND status = 'open'
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_DECIDE_DUE = text(f"""
    WITH pick AS MATERIALIZED (
        SELECT id FROM review WHERE status = 'open' AND after_time IN ('approve', 'decline')
            AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), decided AS (
        UPDATE review SET decided_at = clock_timestamp(), decided_by = :decided_by,
            status = CASE after_time WHEN 'approve' THEN 'approved' ELSE 'declined' END,
            note = 'nobody decided in time'
        FROM pick WHERE review.id = pick.id RETURNING review.*
    )
    SELECT {_COLUMNS} FROM decided
""")  # noqa: S608 - made of constants above
_ASSIGN = text(f"""
    UPDATE review SET assignee = :assignee
    WHERE merchant_id = :merchant_id AND id = :id AND status = 'open'
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_LAPSE = text("""
    UPDATE review SET status = 'lapsed', decided_at = clock_timestamp()
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND status = 'open'
    RETURNING id, merchant_id
""")
# One that a process of the last release opens meanwhile says no minutes.
_REOPEN = text("""
    UPDATE review SET status = 'open', decided_at = NULL, due_at = clock_timestamp()
        + coalesce(make_interval(mins => minutes), due_at - opened_at)
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND status = 'lapsed'
    RETURNING id, merchant_id
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM review WHERE merchant_id = :merchant_id AND id = :id
""")  # noqa: S608 - made of constants above
_KNOWN = text("""
    SELECT id FROM review WHERE merchant_id = :merchant_id AND id = ANY(CAST(:ids AS uuid[]))
""")
_WANTED = {
    "order_id": "order_id = CAST(:order_id AS uuid)",
    "assignee": "assignee = CAST(:assignee AS text)",
    "is_overdue": f"{_IS_OVERDUE} = CAST(:is_overdue AS boolean)",
    "opened_from": "opened_at >= CAST(:opened_from AS timestamptz)",
    "opened_to": "opened_at < CAST(:opened_to AS timestamptz)",
    "before": "id < CAST(:before AS uuid)",
}
_LOG = text("""
    INSERT INTO review_act (id, review_id, merchant_id, actor, act, note)
    SELECT id, review_id, merchant_id, :actor, :act, :note
    FROM unnest(CAST(:ids AS uuid[]), CAST(:reviews AS uuid[]), CAST(:merchants AS uuid[]))
        AS given(id, review_id, merchant_id)
""")
_ACTS = text("""
    SELECT id, review_id, at, actor, act, note FROM review_act
    WHERE review_id = :review_id AND (CAST(:after AS uuid) IS NULL OR id > :after)
    ORDER BY id LIMIT :limit
""")


class ReviewRepository:
    async def add_reviews(
        self, tx: Transaction, openings: Sequence[tuple[ReviewOpening, ReviewPolicy]]
    ) -> None:
        await tx.execute(
            _INSERT,
            {
                "ids": [new_id() for _ in openings],
                "merchants": [it.merchant_id for it, _ in openings],
                "orders": [it.order_id for it, _ in openings],
                "assessments": [it.assessment_id for it, _ in openings],
                "reasons": [it.reason for it, _ in openings],
                "minutes": [policy.review_minutes for _, policy in openings],
                "after_times": [policy.after_time.value for _, policy in openings],
            },
        )

    async def decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        reviews: Sequence[UUID],
        status: ReviewStatus,
        *,
        decided_by: str,
        note: str,
    ) -> list[Review]:
        """Those of them that were open, as decided now."""
        result = await tx.execute(
            _DECIDE,
            {
                "merchant_id": merchant_id,
                "ids": list(reviews),
                "status": status.value,
                "decided_by": decided_by,
                "note": note,
            },
        )
        return [_to_domain(row) for row in result]

    async def decide_due(self, tx: Transaction, limit: int) -> list[Review]:
        """At most `limit` that nobody decided in time, as their merchants' policies decide."""
        rows = await tx.execute(_DECIDE_DUE, {"limit": limit, "decided_by": TIME_LIMIT})
        return [_to_domain(row) for row in rows]

    async def assign(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID, assignee: str | None
    ) -> Review | None:
        """None when it is not open."""
        values = {"merchant_id": merchant_id, "id": review_id, "assignee": assignee}
        row = (await tx.execute(_ASSIGN, values)).one_or_none()
        return None if row is None else _to_domain(row)

    async def lapse(self, tx: Transaction, orders: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
        """Closes what is open for these orders; answers review and merchant of each."""
        rows = await tx.execute(_LAPSE, {"orders": list(orders)})
        return [(row.id, row.merchant_id) for row in rows]

    async def reopen(self, tx: Transaction, orders: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
        """Opens what lapsed for these orders; answers review and merchant of each."""
        rows = await tx.execute(_REOPEN, {"orders": list(orders)})
        return [(row.id, row.merchant_id) for row in rows]

    async def log(
        self,
        tx: Transaction,
        reviews: Sequence[tuple[UUID, UUID]],
        act: Act,
        *,
        actor: str,
        note: str = "",
    ) -> None:
        """The same act on each of these reviews (with its merchant)."""
        await tx.execute(
            _LOG,
            {
                "ids": [new_id() for _ in reviews],
                "reviews": [review_id for review_id, _ in reviews],
                "merchants": [merchant_id for _, merchant_id in reviews],
                "act": act.value,
                "actor": actor,
                "note": note,
            },
        )

    async def list_acts(
        self, tx: Transaction, review_id: UUID, *, after: UUID | None, limit: int
    ) -> list[ReviewAct]:
        """Oldest first."""
        values = {"review_id": review_id, "after": after, "limit": limit}
        return [
            ReviewAct(row.id, row.review_id, row.at, row.actor, Act(row.act), row.note)
            for row in await tx.execute(_ACTS, values)
        ]

    async def find_review(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID
    ) -> Review | None:
        result = await tx.execute(_GET, {"merchant_id": merchant_id, "id": review_id})
        row = result.one_or_none()
        return None if row is None else _to_domain(row)

    async def find_known(
        self, tx: Transaction, merchant_id: UUID, reviews: Sequence[UUID]
    ) -> set[UUID]:
        """Those of them that are the merchant's."""
        rows = await tx.execute(_KNOWN, {"merchant_id": merchant_id, "ids": list(reviews)})
        return set(rows.scalars())

    async def list_reviews(
        self,
        tx: Transaction,
        merchant_id: UUID,
        wanted: ReviewFilter,
        *,
        before: UUID | None,
        limit: int,
    ) -> list[Review]:
        """Newest first."""
        given = {
            "order_id": wanted.order_id,
            "assignee": wanted.assignee,
            "is_overdue": wanted.is_overdue,
            "opened_from": wanted.opened_from,
            "opened_to": wanted.opened_to,
            "before": before,
        }
        said = {name: value for name, value in given.items() if value is not None}
        rows = await tx.execute(
            _listing(wanted.status, tuple(said)),
            {"merchant_id": merchant_id, "limit": limit, **said},
        )
        return [_to_domain(row) for row in rows]


@lru_cache
def _listing(status: ReviewStatus | None, names: tuple[str, ...]) -> TextClause:
    """Only what is asked for is said, the status as it is: plans are generic, so they find the
    open ones, or those of one order, by their index only then.
    """
    conditions = [*([f"status = '{status}'"] if status else []), *(_WANTED[it] for it in names)]
    return text(f"""
        SELECT {_COLUMNS} FROM review
        WHERE {" AND ".join(["merchant_id = :merchant_id", *conditions])}
        ORDER BY id DESC LIMIT :limit
    """)  # noqa: S608 - made of constants above


def _to_domain(row: Any) -> Review:  # a row has no static type
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
        row.assignee,
        row.due_at,
        row.is_overdue,
    )
