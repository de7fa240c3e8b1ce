from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, Timestamp, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from risk.reviews.domain import ReviewFilter, ReviewStatus
from risk.reviews.schemas import (
    Assignee,
    DecisionsRead,
    ReviewActRead,
    ReviewAssign,
    ReviewDecision,
    ReviewDecisions,
    ReviewNote,
    ReviewRead,
)
from risk.reviews.service import ReviewService

router = APIRouter(tags=["reviews"])


def _reviews(request: Request) -> ReviewService:
    return cast(ReviewService, request.app.state.reviews)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Reviews = Annotated[ReviewService, Depends(_reviews)]


def _wanted(
    status: Annotated[ReviewStatus | None, Query(description="only these")] = None,
    order_id: Annotated[UUID | None, Query(description="only of this order")] = None,
    assignee: Annotated[Assignee | None, Query(description="only of this person")] = None,
    is_overdue: Annotated[bool | None, Query(description="waits longer than it may")] = None,
    opened_from: Annotated[Timestamp | None, Query(description="opened then or later")] = None,
    opened_to: Annotated[Timestamp | None, Query(description="opened before")] = None,
) -> ReviewFilter:
    return ReviewFilter(status, order_id, assignee, is_overdue, opened_from, opened_to)


Db = Annotated[Database, Depends(_db)]
Paging = Annotated[PageRequest, Depends(page_request)]


@router.get("/v1/reviews", summary="Orders that wait (or waited) for a person, newest first")
async def list_reviews(
    reviews: Reviews,
    db: Db,
    page: Paging,
    wanted: Annotated[ReviewFilter, Depends(_wanted)],
    who: Caller = caller("risk:read"),
) -> Page[ReviewRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await reviews.list_reviews(
            tx, who.merchant, wanted, before=before[0] if before else None, limit=page.limit + 1
        )
    return page_of(found, page, read=ReviewRead.from_domain, position=lambda review: [review.id])


@router.post(
    "/v1/reviews/decisions",
    response_model=DecisionsRead,
    summary="Approve or decline many reviews together",
    description="Each is decided once; those that are closed or unknown are left, and named.",
)
async def decide_reviews(
    body: ReviewDecisions,
    reviews: Reviews,
    run: Once = once(),
    who: Caller = caller("reviews:write"),
) -> Response:
    async def work(tx: Transaction) -> DecisionsRead:
        results = await reviews.decide_many(
            tx, who.merchant, body.review_ids, body.status, reviewer=who.id, note=body.note
        )
        return DecisionsRead.from_domain(results)

    return await run(who, work, status=200)


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


@router.post(
    "/v1/reviews/{review_id}/assign",
    response_model=ReviewRead,
    summary="Give a review to a person, or to nobody again",
)
async def assign_review(
    review_id: UUID,
    body: ReviewAssign,
    reviews: Reviews,
    run: Once = once(),
    who: Caller = caller("reviews:write"),
) -> Response:
    async def work(tx: Transaction) -> ReviewRead:
        review = await reviews.assign(tx, who.merchant, review_id, body.assignee, actor=who.id)
        return ReviewRead.from_domain(review)

    return await run(who, work, status=200)


@router.post(
    "/v1/reviews/{review_id}/notes",
    response_model=ReviewRead,
    summary="Note something about a review, open or not",
)
async def add_note(
    review_id: UUID,
    body: ReviewNote,
    reviews: Reviews,
    run: Once = once(),
    who: Caller = caller("reviews:write"),
) -> Response:
    async def work(tx: Transaction) -> ReviewRead:
        review = await reviews.add_note(tx, who.merchant, review_id, body.note, actor=who.id)
        return ReviewRead.from_domain(review)

    return await run(who, work, status=200)


@router.get("/v1/reviews/{review_id}/acts", summary="Who did what with a review, oldest first")
async def list_acts(
    review_id: UUID, reviews: Reviews, db: Db, page: Paging, who: Caller = caller("risk:read")
) -> Page[ReviewActRead]:
    after = page.after_as(UUID)
    async with db.read() as tx:
        found = await reviews.list_acts(
            tx, who.merchant, review_id, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(found, page, read=ReviewActRead.from_domain, position=lambda act: [act.id])
