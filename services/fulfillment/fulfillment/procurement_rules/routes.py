"""Procurement rules for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from fulfillment.procurement_rules.schemas import RuleChange, RuleCreate, RuleRead
from fulfillment.procurement_rules.service import RuleService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/procurement-rules", tags=["procurement"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _rules(request: Request) -> RuleService:
    return cast(RuleService, request.app.state.procurement_rules)


Db = Annotated[Database, Depends(_db)]
Rules = Annotated[RuleService, Depends(_rules)]


@router.post("", status_code=201, response_model=RuleRead, summary="Set up a rule")
async def create_procurement_rule(
    body: RuleCreate, rules: Rules, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """When a pool runs short, it is bought for by itself. One rule per pool, one open procurement
    per rule.
    """

    async def work(tx: Transaction) -> RuleRead:
        return RuleRead.from_domain(await rules.create(tx, body.to_domain(who.merchant)))

    return await run(who, work, location=lambda made: f"/v1/procurement-rules/{made.id}")


@router.get("", summary="List rules")
async def list_procurement_rules(
    db: Db,
    rules: Rules,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[RuleRead]:
    """The merchant's rules with what the last look at each came to, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await rules.list_rules(
            tx, who.merchant, after=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=RuleRead.from_domain, position=lambda it: [it.id])


@router.get("/{procurement_rule_id}", summary="Read a rule")
async def read_procurement_rule(
    procurement_rule_id: UUID, db: Db, rules: Rules, who: Caller = caller(READ)
) -> RuleRead:
    async with db.read() as tx:
        return RuleRead.from_domain(await rules.get(tx, who.merchant, procurement_rule_id))


@router.patch("/{procurement_rule_id}", summary="Change a rule")
async def change_procurement_rule(
    procurement_rule_id: UUID, body: RuleChange, db: Db, rules: Rules, who: Caller = caller(WRITE)
) -> RuleRead:
    """Its pool is looked at anew at once."""
    async with db.transaction() as tx:
        return RuleRead.from_domain(
            await rules.change(tx, who.merchant, procurement_rule_id, body.values())
        )


@router.delete("/{procurement_rule_id}", status_code=204, summary="Drop a rule")
async def drop_procurement_rule(
    procurement_rule_id: UUID, db: Db, rules: Rules, who: Caller = caller(WRITE)
) -> None:
    """What it has planned goes on; nothing new is."""
    async with db.transaction() as tx:
        await rules.drop(tx, who.merchant, procurement_rule_id)
