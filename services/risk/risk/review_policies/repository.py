from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from risk.review_policies.domain import AfterTime, FallBack, ReviewPolicy

_FIND = text("""
    SELECT merchant_id, review_minutes, after_time, challenge_fall_back FROM review_policy
    WHERE merchant_id = ANY(CAST(:merchants AS uuid[]))
""")
_PUT = text("""
    INSERT INTO review_policy (merchant_id, review_minutes, after_time, challenge_fall_back, author)
    VALUES (:merchant_id, :review_minutes, :after_time, :challenge_fall_back, :author)
    ON CONFLICT (merchant_id) DO UPDATE SET review_minutes = excluded.review_minutes,
        after_time = excluded.after_time, challenge_fall_back = excluded.challenge_fall_back,
        author = excluded.author, changed_at = excluded.changed_at
    RETURNING old.review_minutes, old.after_time, old.challenge_fall_back, old.author,
        old.changed_at
""")


class ReviewPolicyRepository:
    async def find_many(
        self, tx: Transaction, merchants: Sequence[UUID]
    ) -> dict[UUID, ReviewPolicy]:
        """Merchant -> its policy, of those that have one of their own."""
        rows = await tx.execute(_FIND, {"merchants": list(merchants)})
        return {row.merchant_id: _to_domain(row) for row in rows}

    async def put(
        self, tx: Transaction, policy: ReviewPolicy, *, author: str
    ) -> Mapping[str, Any] | None:
        """What it was, and who had said so when; None when the merchant had none of its own."""
        row = await tx.execute(
            _PUT,
            {
                "merchant_id": policy.merchant_id,
                "review_minutes": policy.review_minutes,
                "after_time": policy.after_time.value,
                "challenge_fall_back": policy.challenge_fall_back.value,
                "author": author,
            },
        )
        was = row.mappings().one()
        return None if was["author"] is None else dict(was)


def _to_domain(row: Any) -> ReviewPolicy:  # a row has no static type
    return ReviewPolicy(
        row.merchant_id,
        row.review_minutes,
        AfterTime(row.after_time),
        FallBack(row.challenge_fall_back),
    )
