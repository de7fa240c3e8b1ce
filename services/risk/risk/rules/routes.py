from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from risk.rules.schemas import (
    FactsRead,
    LimitsRead,
    OutcomeRead,
    RuleCreate,
    RuleRead,
    RuleTest,
    RuleTestRead,
    RuleUpdate,
    TemplateRead,
    TemplatesRead,
    to_facts,
)
from risk.rules.service import RuleService

router = APIRouter(tags=["rules"])


def _rules(request: Request) -> RuleService:
    return cast(RuleService, request.app.state.rules)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Rules = Annotated[RuleService, Depends(_rules)]
Db = Annotated[Database, Depends(_db)]
Paging = Annotated[PageRequest, Depends(page_request)]


@router.get("/v1/facts", summary="The facts conditions may ask about")
async def list_facts(rules: Rules, _: Caller = caller("risk:read")) -> FactsRead:
    return FactsRead.of(rules.catalogue)


@router.get("/v1/rule-templates", summary="Rules to begin with")
async def list_templates(rules: Rules, _: Caller = caller("risk:read")) -> TemplatesRead:
    """`POST /v1/rules` with `template` makes a rule of one, changed where something is given."""
    return TemplatesRead(items=[TemplateRead.from_domain(it) for it in rules.list_templates()])


@router.get("/v1/rules", summary="The merchant's rules, the platform's included")
async def list_rules(
    rules: Rules, db: Db, page: Paging, who: Caller = caller("risk:read")
) -> Page[RuleRead]:
    after = page.after_as(UUID)
    async with db.transaction() as tx:
        found = await rules.list_rules(
            tx, who.merchant, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(found, page, read=RuleRead.from_domain, position=lambda rule: [rule.id])


@router.post(
    "/v1/rules",
    status_code=201,
    response_model=RuleRead,
    summary="Write a rule (version 1)",
    description="The condition is checked against the facts: 422 names its line and column.",
)
async def create_rule(
    body: RuleCreate, rules: Rules, run: Once = once(), who: Caller = caller("risk:write")
) -> Response:
    template = rules.get_template(body.template).text if body.template else None
    wanted = body.to_domain(template)

    async def work(tx: Transaction) -> RuleRead:
        rule = await rules.create(
            tx, who.merchant, wanted, author=who.id, is_enabled=body.is_enabled
        )
        return RuleRead.from_domain(rule)

    return await run(who, work, location=lambda rule: f"/v1/rules/{rule.id}")


@router.post("/v1/rules/test", summary="Try rules on given facts; records nothing")
async def try_rules(
    body: RuleTest, rules: Rules, db: Db, who: Caller = caller("risk:read")
) -> RuleTestRead:
    facts = to_facts(rules.catalogue, body.facts)
    async with db.transaction() as tx:
        trial = await rules.test(tx, who.merchant, facts, body.condition)
    return RuleTestRead(
        condition_holds=trial.condition_holds,
        condition_failure=trial.condition_failure,
        decision=trial.decision,
        limits=LimitsRead.from_domain(trial.limits),
        rules=[OutcomeRead.from_domain(outcome) for outcome in trial.outcomes],
    )


@router.get("/v1/rules/{rule_id}", summary="A rule in its newest version")
async def get_rule(
    rule_id: UUID, rules: Rules, db: Db, who: Caller = caller("risk:read")
) -> RuleRead:
    async with db.read() as tx:
        return RuleRead.from_domain(await rules.get_rule(tx, who.merchant, rule_id))


@router.get("/v1/rules/{rule_id}/versions", summary="Every version of a rule, newest first")
async def list_versions(
    rule_id: UUID, rules: Rules, db: Db, page: Paging, who: Caller = caller("risk:read")
) -> Page[RuleRead]:
    before = page.after_as(_version)
    async with db.read() as tx:
        found = await rules.list_versions(
            tx, who.merchant, rule_id, before=before[0] if before else None, limit=page.limit + 1
        )
    return page_of(found, page, read=RuleRead.from_domain, position=lambda rule: [rule.version])


@router.put(
    "/v1/rules/{rule_id}",
    response_model=RuleRead,
    summary="Change a rule: a new version, in force from the next decision",
)
async def update_rule(
    rule_id: UUID,
    body: RuleUpdate,
    rules: Rules,
    run: Once = once(),
    who: Caller = caller("risk:write"),
) -> Response:
    async def work(tx: Transaction) -> RuleRead:
        rule = await rules.update(
            tx,
            who.merchant,
            rule_id,
            body.to_domain(),
            author=who.id,
            expected_version=body.expected_version,
        )
        return RuleRead.from_domain(rule)

    return await run(who, work, status=200)


@router.post("/v1/rules/{rule_id}/enable", response_model=RuleRead, summary="Put a rule in force")
async def enable_rule(
    rule_id: UUID, rules: Rules, run: Once = once(), who: Caller = caller("risk:write")
) -> Response:
    async def work(tx: Transaction) -> RuleRead:
        rule = await rules.set_enabled(tx, who.merchant, rule_id, author=who.id, is_enabled=True)
        return RuleRead.from_domain(rule)

    return await run(who, work, status=200)


@router.post(
    "/v1/rules/{rule_id}/disable", response_model=RuleRead, summary="Take a rule out of force"
)
async def disable_rule(
    rule_id: UUID, rules: Rules, run: Once = once(), who: Caller = caller("risk:write")
) -> Response:
    async def work(tx: Transaction) -> RuleRead:
        rule = await rules.set_enabled(tx, who.merchant, rule_id, author=who.id, is_enabled=False)
        return RuleRead.from_domain(rule)

    return await run(who, work, status=200)


def _version(value: Any) -> int:
    """A cursor's version; the cursor is the caller's text, so its number is checked."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise ValueError("not a version")
    return value
