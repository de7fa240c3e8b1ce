from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from risk.reviews.domain import ReviewStatus
from risk.reviews.schemas import ReviewDecision, ReviewRead
from risk.reviews.service import ReviewService

router = APIRouter(tags=["reviews"])


def _reviews(request: Request) -> ReviewService:
    return cast(ReviewService, request.app.state.reviews)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Reviews = Annotated[ReviewService, Depends(_reviews)]
Db = Annotated[Database, Depends(_db)]


@router.get("/v1/reviews", summary="Orders that wait (or waited) for a person, newest first")
async def list_reviews(
    reviews: Reviews,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    status: Annotated[ReviewStatus | None, Query(description="only these")] = None,
    order_id: Annotated[UUID | None, Query(description="only of this order")] = None,
    who: Caller = caller("risk:read"),
) -> Page[ReviewRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await reviews.list_reviews(
            tx,
            who.merchant,
            status=status,
            order_id=order_id,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=ReviewRead.from_domain, position=lambda review: [review.id])


@router.get("/v1/reviews/{review_id}", summary="One review")
async def get_review(
    review_id: UUID, reviews: Reviews, db: Db, who: Caller = caller("risk:read")
) -> ReviewRead:
    async with db.read() as tx:
        return ReviewRead.from_domain(await reviews.get_review(tx, who.merchant, review_id))


@router.post(
    "/v1/reviews/{review_id}/approve",
    response_model=ReviewRead,
    summary="Let the order go on",
    description="Decided once: a later decision is refused with 409 `review_closed`.",
)
async def approve_review(
    review_id: UUID,
    body: ReviewDecision,
    reviews: Reviews,
    run: Once = once(),
    who: Caller = caller("reviews:write"),
) -> Response:
    async def work(tx: Transaction) -> ReviewRead:
        review = await reviews.approve(tx, who.merchant, review_id, reviewer=who.id, note=body.note)
        return ReviewRead.from_domain(review)

    return await run(who, work, status=200)


@router.post(
    "/v1/reviews/{review_id}/decline",
    response_model=ReviewRead,
    summary="End the order and give its money back",
    description="Decided once: a later decision is refused with 409 `review_closed`.",
)
async def decline_review(
    review_id: UUID,
    body: ReviewDecision,
    reviews: Reviews,
    run: Once = once(),
    who: Caller = caller("reviews:write"),
) -> Response:
    async def work(tx: Transaction) -> ReviewRead:
        review = await reviews.decline(tx, who.merchant, review_id, reviewer=who.id, note=body.note)
        return ReviewRead.from_domain(review)

    return await run(who, work, status=200)
