"""Complaints about delivered units: the buyer's way in, and the operators' desk."""

from collections.abc import Callable
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.claims.domain import Decision
from fulfillment.claims.schemas import (
    BuyerClaimCreate,
    BuyerClaimRead,
    ClaimCreate,
    ClaimDecide,
    ClaimRead,
    State,
)
from fulfillment.claims.service import ClaimService
from fulfillment.misses import COUNTING
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(tags=["claims"])
READ, WRITE = "claims:read", "claims:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _claims(request: Request) -> ClaimService:
    return cast(ClaimService, request.app.state.claims)


def _page_id_of(request: Request) -> Callable[[str], UUID]:
    return cast(Callable[[str], UUID], request.app.state.page_id_of)


Db = Annotated[Database, Depends(_db)]
Claims = Annotated[ClaimService, Depends(_claims)]
PageIdOf = Annotated[Callable[[str], UUID], Depends(_page_id_of)]


@router.post(
    "/d/{token}/claims",
    status_code=201,
    dependencies=COUNTING,
    tags=["buyer's page"],
    summary="Report a bad code",
)
async def report_unit(
    token: str,
    body: BuyerClaimCreate,
    db: Db,
    claims: Claims,
    page_id_of: PageIdOf,
    response: Response,
) -> BuyerClaimRead:
    """The unit's claim, a new one or the one it has: a repeat opens no second. What becomes of it
    is in `progress`. 409 `claim_refused` once the seller has said no.
    """
    response.headers["Cache-Control"] = "no-store"
    page_id = page_id_of(token)
    async with db.transaction() as tx:
        claim = await claims.open_on_page(tx, page_id, body.unit_id, body.why(), body.note or "")
    return BuyerClaimRead.from_domain(claim)


@router.post("/v1/claims", status_code=201, response_model=ClaimRead, summary="Open a claim")
async def open_claim(
    body: ClaimCreate, claims: Claims, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """For a buyer. A unit that has a claim which is open or was granted gets no second: that one is
    the answer.
    """

    async def work(tx: Transaction) -> ClaimRead:
        claim = await claims.open(
            tx,
            who.merchant,
            body.unit_id,
            body.why(),
            body.note or "",
            who=f"{who.kind}:{who.id}",
        )
        return ClaimRead.from_domain(claim)

    return await run(who, work)


@router.get("/v1/claims", summary="List claims")
async def list_claims(
    db: Db,
    claims: Claims,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    state: Annotated[State | None, Query(description="`opened`: not at its end yet.")] = None,
    lot_id: Annotated[UUID | None, Query(description="Of units of this lot only.")] = None,
    order_id: Annotated[UUID | None, Query(description="Of this order only.")] = None,
    waits: Annotated[bool | None, Query(description="Whether a person must decide.")] = None,
) -> Page[ClaimRead]:
    """Newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await claims.list_claims(
            tx,
            who.merchant,
            state=state,
            lot_id=lot_id,
            order_id=order_id,
            waits=waits,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=ClaimRead.from_domain, position=lambda claim: [claim.id])


@router.get("/v1/claims/{claim_id}", summary="Read a claim")
async def read_claim(
    claim_id: UUID, db: Db, claims: Claims, who: Caller = caller(READ)
) -> ClaimRead:
    """With its evidence and what became of it."""
    async with db.read() as tx:
        return ClaimRead.from_domain(await claims.get(tx, who.merchant, claim_id))


def _add_decision(path: str, decision: Decision, summary: str, explanation: str) -> None:
    @router.post(
        f"/v1/claims/{{claim_id}}/{path}",
        name=f"{path}_claim",
        status_code=200,
        response_model=ClaimRead,
        summary=summary,
        description=f"{explanation} One decision is made, by whoever comes first: then 409 "
        "`claim_decided`.",
    )
    async def decide(
        claim_id: UUID,
        body: ClaimDecide,
        claims: Claims,
        run: Once = once(),
        who: Caller = caller(WRITE),
    ) -> Response:
        async def work(tx: Transaction) -> ClaimRead:
            claim = await claims.decide(
                tx,
                who.merchant,
                claim_id,
                decision,
                reason=body.reason,
                who=f"{who.kind}:{who.id}",
            )
            return ClaimRead.from_domain(claim)

        return await run(who, work, status=200)


_add_decision(
    "replace",
    Decision.REPLACE,
    "Give another unit",
    "Of another lot; the bad unit is revoked. The state follows when it is done; with `waits` "
    "`out_of_stock` the decision is taken back.",
)
_add_decision(
    "refund",
    Decision.REFUND,
    "Give the money back",
    "The unit's share of its line; the bad unit is revoked. The state follows when it is done.",
)
_add_decision(
    "refuse",
    Decision.REFUSE,
    "Refuse a claim",
    "Not once its unit is revoked: 409 `claim_unit_revoked`.",
)
_add_decision(
    "withdraw",
    Decision.WITHDRAW,
    "Withdraw a claim",
    "The buyer no longer insists; another claim may be opened.",
)
