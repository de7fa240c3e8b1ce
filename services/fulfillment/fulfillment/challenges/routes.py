"""For the risk service: whoever else holds these scopes learns nothing it does not know."""

from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from fulfillment.challenges.domain import Asked
from fulfillment.challenges.schemas import (
    ChallengeCodeCheck,
    ChallengeCodeChecked,
    ChallengeCodeRead,
    ChallengeCodeSend,
)
from fulfillment.challenges.service import ChallengeService
from kit.db import Database
from kit.http import Caller, caller

router = APIRouter(prefix="/v1/challenge-codes/{challenge_id}", tags=["challenges"])


def _challenges(request: Request) -> ChallengeService:
    return cast(ChallengeService, request.app.state.challenges)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _life(request: Request) -> timedelta:
    return cast(timedelta, request.app.state.one_time_code_life)


Challenges = Annotated[ChallengeService, Depends(_challenges)]
Db = Annotated[Database, Depends(_db)]


@router.post("/send", status_code=202, summary="Send a challenged buyer another code")
async def send_code(
    challenge_id: UUID,
    body: ChallengeCodeSend,
    challenges: Challenges,
    db: Db,
    life: Annotated[timedelta, Depends(_life)],
    who: Caller = caller("messages:write"),
) -> ChallengeCodeRead:
    """By SMS or mail, within limits; asking too soon sends nothing and is answered the same."""
    async with db.transaction() as tx:
        asked = Asked(challenge_id, who.merchant, body.order_id, body.reference)
        await challenges.send_again(tx, asked)
    return ChallengeCodeRead(valid_seconds=int(life.total_seconds()))


@router.post("/check", summary="Whether this is the code that was sent last")
async def check_code(
    challenge_id: UUID,
    body: ChallengeCodeCheck,
    challenges: Challenges,
    db: Db,
    who: Caller = caller("messages:write"),
) -> ChallengeCodeChecked:
    """Each try is counted; after some the code is void. It decides nothing: risk does."""
    async with db.transaction() as tx:
        verified = await challenges.verify(tx, who.merchant, challenge_id, body.code)
    return ChallengeCodeChecked(verdict=verified.verdict)
