from datetime import datetime
from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from kit.db import Database
from kit.http import Caller, CurrencyCode, caller
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.figures import value_of
from ledger.postings.domain import Figure, MeasuredPosting, Place, Wanted
from ledger.postings.schemas import MeasuredPostingRead
from ledger.postings.service import PostingService
from ledger.report_answers import Periods

router = APIRouter(tags=["postings"])
IdOrNone = UUID | Literal["none"]
Words = Annotated[str, Query(max_length=202, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _postings(request: Request) -> PostingService:
    return cast(PostingService, request.app.state.postings)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


class Filters:
    """Query parameters; `none`: those that have no such dimension, `"none"`: what is called so."""

    def __init__(
        self,
        channel_id: IdOrNone | None = None,
        product_id: IdOrNone | None = None,
        lot_id: IdOrNone | None = None,
        order_id: IdOrNone | None = None,
        sku: Words | None = None,
        supplier: Words | None = None,
        buyer_group: Words | None = None,
    ) -> None:
        given: dict[str, UUID | str | None] = {
            "channel_id": channel_id,
            "product_id": product_id,
            "lot_id": lot_id,
            "order_id": order_id,
            "sku": sku,
            "supplier": supplier,
            "buyer_group": buyer_group,
        }
        self.where = {
            name: value if isinstance(value, UUID) else value_of(value)
            for name, value in given.items()
            if value is not None
        }


@router.get("/v1/postings", summary="Postings one by one, newest first")
async def list_postings(
    request: Request,
    period: Periods,
    where: Annotated[Filters, Depends()],
    page: Annotated[PageRequest, Depends(page_request)],
    figure: Annotated[Figure | None, Query(description="only what this figure is made of")] = None,
    currency: CurrencyCode | None = None,
    who: Caller = caller("ledger:read"),
) -> Page[MeasuredPostingRead]:
    """What a report's figure is made of: the `value`s add up to it. A report's rows name the
    address with its filters.
    """
    wanted = Wanted(
        merchant_id=who.merchant,
        since=period.since,
        until=period.until,
        figure=figure,
        currency=currency,
        where=where.where,
    )
    after = page.after_as(_moment, UUID, int)
    async with _db(request).read() as tx:
        found = await _postings(request).list_postings(
            tx, wanted, after=Place(*after) if after else None, limit=page.limit + 1
        )
    return page_of(found, page, read=MeasuredPostingRead.from_domain, position=_position)


def _position(posting: MeasuredPosting) -> list[object]:
    place = posting.place
    return [place.at, place.transaction_id, place.line_no]


def _moment(value: str) -> datetime:
    """Raises ValueError for a time without a zone: no list of ours gave it out."""
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at
