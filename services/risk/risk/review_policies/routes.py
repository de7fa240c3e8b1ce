from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from risk.review_policies.schemas import ReviewPolicyBody
from risk.review_policies.service import ReviewPolicyService

router = APIRouter(prefix="/v1/review-policy", tags=["reviews"])


def _policies(request: Request) -> ReviewPolicyService:
    return cast(ReviewPolicyService, request.app.state.review_policies)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Policies = Annotated[ReviewPolicyService, Depends(_policies)]
Db = Annotated[Database, Depends(_db)]


@router.get("", summary="What happens when nobody decides")
async def get_policy(
    policies: Policies, db: Db, who: Caller = caller("risk:read")
) -> ReviewPolicyBody:
    async with db.read() as tx:
        return ReviewPolicyBody.from_domain(await policies.get(tx, who.merchant))


@router.put(
    "",
    response_model=ReviewPolicyBody,
    summary="Change what happens when nobody decides",
    description="Reviews that wait already keep the time they were given.",
)
async def put_policy(
    body: ReviewPolicyBody,
    policies: Policies,
    run: Once = once(),
    who: Caller = caller("risk:write"),
) -> Response:
    async def work(tx: Transaction) -> ReviewPolicyBody:
        await policies.put(tx, body.to_domain(who.merchant), author=who.id)
        return body

    return await run(who, work, status=200)
