from datetime import datetime, timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from risk.backtests.domain import Question
from risk.backtests.schemas import BacktestRead, DraftBacktest, RuleBacktest
from risk.backtests.service import BacktestService
from risk.rules.domain import Rule
from risk.rules.service import RuleService

router = APIRouter(tags=["back-tests"])

DAYS = timedelta(days=30)


def _backtests(request: Request) -> BacktestService:
    return cast(BacktestService, request.app.state.backtests)


def _rules(request: Request) -> RuleService:
    return cast(RuleService, request.app.state.rules)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Backtests = Annotated[BacktestService, Depends(_backtests)]
Rules = Annotated[RuleService, Depends(_rules)]
Db = Annotated[Database, Depends(_db)]
Now = Annotated[Clock, Depends(_clock)]


@router.post(
    "/v1/rules/{rule_id}/backtest",
    status_code=202,
    response_model=BacktestRead,
    summary="Try a rule, or a draft of it, on past orders",
    description="It runs in the background: read `GET /v1/backtests/{id}` for its progress.",
)
async def backtest_rule(
    rule_id: UUID,
    body: RuleBacktest,
    backtests: Backtests,
    rules: Rules,
    clock: Now,
    run: Once = once(),
    who: Caller = caller("risk:write"),
) -> Response:
    now = clock.now()

    async def work(tx: Transaction) -> BacktestRead:
        rule = await rules.get_rule(tx, who.merchant, rule_id)
        asked = await backtests.ask(tx, who.merchant, _of_rule(rule, body, now), author=who.id)
        return BacktestRead.from_domain(asked)

    return await run(who, work, status=202, location=_location)


@router.post(
    "/v1/backtests",
    status_code=202,
    response_model=BacktestRead,
    summary="Try a condition that is no rule yet on past orders",
    description="It runs in the background: read `GET /v1/backtests/{id}` for its progress.",
)
async def backtest_draft(
    body: DraftBacktest,
    backtests: Backtests,
    clock: Now,
    run: Once = once(),
    who: Caller = caller("risk:write"),
) -> Response:
    since, until = _period(body, clock.now())

    async def work(tx: Transaction) -> BacktestRead:
        question = Question(body.condition, body.action, since, until)
        asked = await backtests.ask(tx, who.merchant, question, author=who.id)
        return BacktestRead.from_domain(asked)

    return await run(who, work, status=202, location=_location)


@router.get("/v1/backtests", summary="Back-tests, newest first")
async def list_backtests(
    backtests: Backtests,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    who: Caller = caller("risk:read"),
) -> Page[BacktestRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await backtests.list_backtests(
            tx, who.merchant, before=before[0] if before else None, limit=page.limit + 1
        )
    return page_of(found, page, read=BacktestRead.from_domain, position=lambda it: [it.id])


@router.get("/v1/backtests/{backtest_id}", summary="A back-test: its progress, then its report")
async def get_backtest(
    backtest_id: UUID, backtests: Backtests, db: Db, who: Caller = caller("risk:read")
) -> BacktestRead:
    async with db.read() as tx:
        return BacktestRead.from_domain(await backtests.get(tx, who.merchant, backtest_id))


def _of_rule(rule: Rule, body: RuleBacktest, now: datetime) -> Question:
    is_draft = body.condition is not None
    return Question(
        body.condition or rule.text.condition,
        body.action or rule.text.action,
        *_period(body, now),
        rule_id=rule.id,
        rule_version=None if is_draft else rule.version,
    )


def _period(body: RuleBacktest | DraftBacktest, now: datetime) -> tuple[datetime, datetime]:
    until = body.until or now
    return body.since or until - DAYS, until


def _location(asked: BacktestRead) -> str:
    return f"/v1/backtests/{asked.id}"
