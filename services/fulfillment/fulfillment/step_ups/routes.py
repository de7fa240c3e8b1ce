"""The one-time code that a shop may want at its buyers' pages."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response

from fulfillment.misses import COUNTING
from fulfillment.step_ups.schemas import ProofRead, StepUpConfirm, StepUpRead
from fulfillment.step_ups.service import StepUpService
from kit.db import Database

router = APIRouter(prefix="/d/{token}/step-up", tags=["buyer's page"], dependencies=COUNTING)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _step_ups(request: Request) -> StepUpService:
    return cast(StepUpService, request.app.state.step_ups)


Db = Annotated[Database, Depends(_db)]
StepUps = Annotated[StepUpService, Depends(_step_ups)]


@router.post("", status_code=202, summary="Send a one-time code to the order's buyer")
async def begin_step_up(token: str, db: Db, step_ups: StepUps, response: Response) -> StepUpRead:
    """By mail or SMS, to what the buyer entered when they bought. The answer tells nothing about
    whether there is an address; asking again within a minute sends nothing.
    """
    response.headers["Cache-Control"] = "no-store"
    life = await step_ups.begin(db, token)
    return StepUpRead(valid_seconds=int(life.total_seconds()))


@router.post("/confirm", summary="Show the one-time code")
async def confirm_step_up(
    token: str, body: StepUpConfirm, db: Db, step_ups: StepUps, response: Response
) -> ProofRead:
    """A proof for this page. Each wrong try counts; after some the code is void."""
    response.headers["Cache-Control"] = "no-store"
    return ProofRead.from_domain(await step_ups.confirm(db, token, body.code))
