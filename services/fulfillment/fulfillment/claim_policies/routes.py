"""Rules about claims, for merchants."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from fulfillment.claim_policies.domain import ClaimPolicy
from fulfillment.claim_policies.schemas import ClaimPolicyBody
from fulfillment.claim_policies.service import ClaimPolicyService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/claim-policies", tags=["claims"])


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _policies(request: Request) -> ClaimPolicyService:
    return cast(ClaimPolicyService, request.app.state.claim_policies)


Db = Annotated[Database, Depends(_db)]
Policies = Annotated[ClaimPolicyService, Depends(_policies)]


@router.put("", summary="Set what is done about claims")
async def put_claim_policy(
    body: ClaimPolicyBody, db: Db, policies: Policies, who: Caller = caller("claims:write")
) -> ClaimPolicyBody:
    """Of one product, or of every product that has no policy of its own; whole each time."""
    policy = body.to_domain(who.merchant)
    async with db.transaction() as tx:
        await policies.put(tx, policy)
    return ClaimPolicyBody.from_domain(policy)


@router.get("", summary="List what is done about claims")
async def list_claim_policies(
    db: Db,
    policies: Policies,
    who: Caller = caller("claims:read"),
    page: PageRequest = Depends(page_request),
) -> Page[ClaimPolicyBody]:
    """What was set. A product without any has the defaults: everything waits for a person."""
    position = page.after_as(str)
    async with db.read() as tx:
        found = await policies.list_policies(
            tx, who.merchant, after=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=ClaimPolicyBody.from_domain, position=_position)


def _position(policy: ClaimPolicy) -> list[str]:
    return [policy.sku]
