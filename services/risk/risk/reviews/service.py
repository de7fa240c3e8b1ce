from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging import outbox
from risk.reviews import events
from risk.reviews.domain import Review, ReviewClosed, ReviewNotFound, ReviewOpening, ReviewStatus
from risk.reviews.repository import ReviewRepository


class ReviewService:
    def __init__(self, repository: ReviewRepository) -> None:
        self._repository = repository

    async def open(self, tx: Transaction, openings: Sequence[ReviewOpening]) -> None:
        """One review per assessment that needs a person."""
        if openings:
            await self._repository.add_reviews(tx, openings)

    async def lapse(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """The orders are over: nobody need decide any more."""
        await self._repository.lapse(tx, orders)

    async def reopen(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """The orders wait for a person after all: they were paid after they had ended."""
        await self._repository.reopen(tx, orders)

    async def approve(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID, *, reviewer: str, note: str
    ) -> Review:
        """The order goes on. Raises ReviewNotFound, ReviewClosed."""
        return await self._decide(
            tx, merchant_id, review_id, ReviewStatus.APPROVED, reviewer=reviewer, note=note
        )

    async def decline(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID, *, reviewer: str, note: str
    ) -> Review:
        """The order ends, its money goes back. Raises ReviewNotFound, ReviewClosed."""
        return await self._decide(
            tx, merchant_id, review_id, ReviewStatus.DECLINED, reviewer=reviewer, note=note
        )

    async def get_review(self, tx: Transaction, merchant_id: UUID, review_id: UUID) -> Review:
        """Raises ReviewNotFound."""
        review = await self._repository.find_review(tx, merchant_id, review_id)
        if review is None:
            raise ReviewNotFound(review_id=str(review_id))
        return review

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
        return await self._repository.list_reviews(
            tx, merchant_id, status=status, order_id=order_id, before=before, limit=limit
        )

    async def _decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        review_id: UUID,
        status: ReviewStatus,
        *,
        reviewer: str,
        note: str,
    ) -> Review:
        review = await self._repository.decide(
            tx, merchant_id, review_id, status, decided_by=reviewer, note=note
        )
        if review is None:
            closed = await self.get_review(tx, merchant_id, review_id)
            raise ReviewClosed(status_of_review=closed.status.value, decided_by=closed.decided_by)
        outbox.add(tx, events.order_reviewed(review), key=review.order_id, merchant_id=merchant_id)
        return review
