"""The platform makes the rules; a merchant reads those that concern it and tries them out."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.clock import Clock
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from ledger.access import merchant_seen_by
from ledger.settlement_rules.schemas import (
    SettlementRuleCreate,
    SettlementRuleRead,
    SettlementRuleTest,
    SettlementRuleTested,
)
from ledger.settlement_rules.service import SettlementRuleService

router = APIRouter(prefix="/v1/settlement-rules", tags=["settlement rules"])


def _rules(request: Request) -> SettlementRuleService:
    return cast(SettlementRuleService, request.app.state.settlement_rules)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _clock(request: Request) -> Clock:
    return cast(Clock, request.app.state.clock)


Rules = Annotated[SettlementRuleService, Depends(_rules)]
Db = Annotated[Database, Depends(_db)]
Time = Annotated[Clock, Depends(_clock)]


@router.post(
    "",
    status_code=201,
    response_model=SettlementRuleRead,
    summary="Make a rule, or the next version of one",
)
async def create_settlement_rule(
    body: SettlementRuleCreate,
    rules: Rules,
    clock: Time,
    run: Once = once(),
    who: Caller = caller("platform:write"),
) -> Response:
    """Product before channel before merchant before everybody; sales before `valid_from` keep the
    version that was valid then.
    """

    async def work(tx: Transaction) -> SettlementRuleRead:
        rule = await rules.add(tx, body.to_domain(f"{who.kind}:{who.id}", clock.now()))
        return SettlementRuleRead.from_domain(rule)

    return await run(who, work, location=lambda rule: f"/v1/settlement-rules/{rule.id}")


@router.post("/test", summary="What a sale would be shared out into, and why")
async def try_settlement_rule(
    body: SettlementRuleTest, rules: Rules, db: Db, who: Caller = caller("ledger:read")
) -> SettlementRuleTested:
    """Nothing is posted, so it takes no Idempotency-Key. 404 `no_settlement_rule` when nothing
    covers it.
    """
    line = body.to_domain(merchant_seen_by(who, body.merchant_id) or who.merchant)
    async with db.read() as tx:
        rule, parts = await rules.try_out(tx, line, body.month_volume)
    return SettlementRuleTested.from_domain(rule, line, parts)


@router.get("", summary="Rules with their versions, newest first")
async def list_settlement_rules(
    rules: Rules,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    who: Caller = caller("ledger:read"),
) -> Page[SettlementRuleRead]:
    """Those of the caller's merchant and those for every merchant."""
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await rules.list_rules(
            tx,
            merchant_seen_by(who),
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=SettlementRuleRead.from_domain, position=lambda it: [it.id])


@router.get("/{rule_id}", summary="One version of a rule")
async def get_settlement_rule(
    rule_id: UUID, rules: Rules, db: Db, who: Caller = caller("ledger:read")
) -> SettlementRuleRead:
    async with db.read() as tx:
        rule = await rules.get_rule(tx, merchant_seen_by(who), rule_id)
        return SettlementRuleRead.from_domain(rule)
