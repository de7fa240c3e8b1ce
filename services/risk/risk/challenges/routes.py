from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from risk.challenges.schemas import ChallengeRead, CodeShown, ResendRead
from risk.challenges.service import ChallengeService

router = APIRouter(prefix="/v1/challenges/{challenge_id}", tags=["challenges"])


def _challenges(request: Request) -> ChallengeService:
    return cast(ChallengeService, request.app.state.challenges)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Challenges = Annotated[ChallengeService, Depends(_challenges)]
Db = Annotated[Database, Depends(_db)]


@router.get("", summary="A challenge: whether its code was shown, where it was sent")
async def get_challenge(
    challenge_id: UUID, challenges: Challenges, db: Db, who: Caller = caller("orders:read")
) -> ChallengeRead:
    async with db.read() as tx:
        found = await challenges.get(tx, who.merchant, challenge_id)
    return ChallengeRead.from_domain(found, challenges.tries_left(found))


@router.post(
    "/verify",
    response_model=ChallengeRead,
    summary="Show the buyer's code: the order goes on at once",
    description="A wrong code, a challenge that has ended and one that never was are answered "
    "alike: 403 `challenge_code_wrong`. Each try counts; after some the order's fall-back decides.",
)
async def verify_challenge(
    challenge_id: UUID,
    body: CodeShown,
    challenges: Challenges,
    db: Db,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    if (replayed := await run.replay(who)) is not None:
        return replayed
    await challenges.check(db, who.merchant, challenge_id, body.code)

    async def work(tx: Transaction) -> ChallengeRead:
        passed = await challenges.pass_on(tx, who.merchant, challenge_id)
        return ChallengeRead.from_domain(passed, challenges.tries_left(passed))

    return await run(who, work, status=200)


@router.post(
    "/resend",
    status_code=202,
    response_model=ResendRead,
    summary="Send the buyer another code",
    description="The one before works no longer. Within limits, and not at once after the last; "
    "the answer is the same when nothing was sent.",
)
async def resend_challenge(
    challenge_id: UUID,
    challenges: Challenges,
    db: Db,
    run: Once = once(),
    who: Caller = caller("orders:write"),
) -> Response:
    if (replayed := await run.replay(who)) is not None:
        return replayed
    seconds = await challenges.resend(db, who.merchant, challenge_id)

    async def work(_: Transaction) -> ResendRead:
        return ResendRead(valid_seconds=seconds)

    return await run(who, work, status=202)
