from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.messaging import outbox
from risk.review_policies.service import ReviewPolicyService
from risk.reviews import events
from risk.reviews.domain import (
    TIME_LIMIT,
    Act,
    BulkResult,
    Review,
    ReviewAct,
    ReviewClosed,
    ReviewFilter,
    ReviewNotFound,
    ReviewOpening,
    ReviewStatus,
)
from risk.reviews.repository import ReviewRepository

ORDER = "order"
"""Who lapses and reopens reviews: what becomes of the order itself."""


class ReviewService:
    """Each act is in the log of acts, in the transaction that makes it."""

    def __init__(self, repository: ReviewRepository, policies: ReviewPolicyService) -> None:
        self._repository = repository
        self._policies = policies

    async def open(self, tx: Transaction, openings: Sequence[ReviewOpening]) -> None:
        """One review per assessment that needs a person, with its merchant's time limit."""
        if not openings:
            return
        policies = await self._policies.find_many(tx, {it.merchant_id for it in openings})
        await self._repository.add_reviews(tx, [(it, policies[it.merchant_id]) for it in openings])

    async def lapse(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """The orders are over: nobody need decide any more."""
        if lapsed := await self._repository.lapse(tx, orders):
            await self._repository.log(tx, lapsed, Act.LAPSED, actor=ORDER)

    async def reopen(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """The orders wait for a person after all: they were paid after they had ended."""
        if reopened := await self._repository.reopen(tx, orders):
            await self._repository.log(tx, reopened, Act.REOPENED, actor=ORDER)

    async def approve(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID, *, reviewer: str, note: str
    ) -> Review:
        """The order goes on. Raises ReviewNotFound, ReviewClosed."""
        return await self._decide_one(
            tx, merchant_id, review_id, ReviewStatus.APPROVED, reviewer=reviewer, note=note
        )

    async def decline(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID, *, reviewer: str, note: str
    ) -> Review:
        """The order ends, its money goes back. Raises ReviewNotFound, ReviewClosed."""
        return await self._decide_one(
            tx, merchant_id, review_id, ReviewStatus.DECLINED, reviewer=reviewer, note=note
        )

    async def decide_many(
        self,
        tx: Transaction,
        merchant_id: UUID,
        reviews: Sequence[UUID],
        status: ReviewStatus,
        *,
        reviewer: str,
        note: str,
    ) -> dict[UUID, BulkResult]:
        """The same decision for many; those that are closed or unknown stay as they are."""
        known = await self._repository.find_known(tx, merchant_id, reviews)
        decided = await self._decide(tx, merchant_id, reviews, status, reviewer, note)
        now = {review.id for review in decided}
        others = {
            each: BulkResult.CLOSED if each in known else BulkResult.NOT_FOUND for each in reviews
        }
        return {each: BulkResult.DECIDED if each in now else others[each] for each in reviews}

    async def decide_due(self, tx: Transaction, limit: int) -> int:
        """Decides at most `limit` that waited for too long; answers how many."""
        decided = await self._repository.decide_due(tx, limit)
        await self._tell(tx, decided, TIME_LIMIT)
        return len(decided)

    async def assign(
        self,
        tx: Transaction,
        merchant_id: UUID,
        review_id: UUID,
        assignee: str | None,
        *,
        actor: str,
    ) -> Review:
        """To a person, or to nobody again. Raises ReviewNotFound, ReviewClosed."""
        review = await self._repository.assign(tx, merchant_id, review_id, assignee)
        if review is None:
            raise await self._closed(tx, merchant_id, review_id)
        act = Act.ASSIGNED if assignee else Act.UNASSIGNED
        await self._repository.log(
            tx, [(review_id, merchant_id)], act, actor=actor, note=assignee or ""
        )
        return review

    async def add_note(
        self, tx: Transaction, merchant_id: UUID, review_id: UUID, note: str, *, actor: str
    ) -> Review:
        """Also to a review that is closed. Raises ReviewNotFound."""
        review = await self.get_review(tx, merchant_id, review_id)
        await self._repository.log(
            tx, [(review_id, merchant_id)], Act.NOTED, actor=actor, note=note
        )
        return review

    async def list_acts(
        self,
        tx: Transaction,
        merchant_id: UUID,
        review_id: UUID,
        *,
        after: UUID | None,
        limit: int,
    ) -> list[ReviewAct]:
        """Who did what, oldest first. Raises ReviewNotFound."""
        await self.get_review(tx, merchant_id, review_id)
        return await self._repository.list_acts(tx, review_id, after=after, limit=limit)

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
        wanted: ReviewFilter,
        *,
        before: UUID | None,
        limit: int,
    ) -> list[Review]:
        """Newest first."""
        return await self._repository.list_reviews(
            tx, merchant_id, wanted, before=before, limit=limit
        )

    async def _decide_one(
        self,
        tx: Transaction,
        merchant_id: UUID,
        review_id: UUID,
        status: ReviewStatus,
        *,
        reviewer: str,
        note: str,
    ) -> Review:
        decided = await self._decide(tx, merchant_id, [review_id], status, reviewer, note)
        if not decided:
            raise await self._closed(tx, merchant_id, review_id)
        return decided[0]

    async def _decide(
        self,
        tx: Transaction,
        merchant_id: UUID,
        reviews: Sequence[UUID],
        status: ReviewStatus,
        reviewer: str,
        note: str,
    ) -> list[Review]:
        decided = await self._repository.decide(
            tx, merchant_id, reviews, status, decided_by=reviewer, note=note
        )
        await self._tell(tx, decided, reviewer)
        return decided

    async def _tell(self, tx: Transaction, decided: Sequence[Review], actor: str) -> None:
        for status, act in (
            (ReviewStatus.APPROVED, Act.APPROVED),
            (ReviewStatus.DECLINED, Act.DECLINED),
        ):
            those = [review for review in decided if review.status is status]
            if those:
                whose = [(review.id, review.merchant_id) for review in those]
                await self._repository.log(tx, whose, act, actor=actor, note=those[0].note)
        for review in decided:
            outbox.add(
                tx,
                events.order_reviewed(review),
                key=review.order_id,
                merchant_id=review.merchant_id,
            )

    async def _closed(self, tx: Transaction, merchant_id: UUID, review_id: UUID) -> ReviewClosed:
        """What to raise for a review that is not open. Raises ReviewNotFound."""
        closed = await self.get_review(tx, merchant_id, review_id)
        return ReviewClosed(status_of_review=closed.status.value, decided_by=closed.decided_by)
