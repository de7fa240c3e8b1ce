from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from inventory_vault.redemptions.domain import Asker, VoucherNotSold
from inventory_vault.redemptions.schemas import (
    BalanceRead,
    RedemptionCreate,
    RedemptionRead,
    RollbackCreate,
)
from inventory_vault.redemptions.service import CodeGuard, RedemptionService, digest_of
from kit.db import Database, Transaction
from kit.http import Caller, Once, Reference, caller, once
from kit.paging import Page, PageRequest, page_of, page_request


def redemption_routes(db: Database, redemptions: RedemptionService, guard: CodeGuard) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["redemptions"])

    @router.post("/redemptions", status_code=201, response_model=RedemptionRead)
    async def redeem(
        body: RedemptionCreate, who: Caller = caller("redemptions:write"), run: Once = once()
    ) -> Response:
        """Redeems a sold unit, wholly or in part: never more than is left, once per
        `merchant_reference`. By code or by id; codes that do not exist are limited per key and
        shop (429), and a wrong check symbol is answered like an unknown code.
        """
        asker = _asker(who, body)
        unit_id = await _unit_of(guard, asker, body)
        wish = body.to_domain(who.merchant, unit_id, asker.caller)

        async def work(tx: Transaction) -> RedemptionRead:
            return RedemptionRead.from_domain(await redemptions.redeem(tx, wish))

        try:
            return await run(
                who,
                work,
                location=lambda done: f"/v1/redemptions/{done.id}",
                fingerprint=_fingerprint(guard, who, body),
            )
        except VoucherNotSold:
            if body.code is not None:
                await guard.count_unsold(asker, unit_id)
            raise

    @router.post("/redemptions/{redemption_id}/rollback", response_model=RedemptionRead)
    async def roll_back(
        redemption_id: UUID,
        body: RollbackCreate,
        who: Caller = caller("redemptions:write"),
        run: Once = once(),
    ) -> Response:
        """Gives a redemption's amount back, once; the same again changes nothing. A unit that was
        used up is sold or opened again, as it was before.
        """

        async def work(tx: Transaction) -> RedemptionRead:
            done = await redemptions.roll_back(
                tx,
                who.merchant,
                redemption_id,
                reason=body.reason,
                requested_by=f"{who.kind}:{who.id}",
            )
            return RedemptionRead.from_domain(done)

        return await run(who, work, status=200)

    _add_reads(router, db, redemptions)
    return router


def _add_reads(router: APIRouter, db: Database, redemptions: RedemptionService) -> None:
    @router.get("/redemptions/{redemption_id}")
    async def get_redemption(
        redemption_id: UUID, who: Caller = caller("redemptions:read")
    ) -> RedemptionRead:
        """A redemption, and whether it was taken back."""
        async with db.read() as tx:
            return RedemptionRead.from_domain(
                await redemptions.get(tx, who.merchant, redemption_id)
            )

    @router.get("/redemptions")
    async def list_redemptions(
        page: Annotated[PageRequest, Depends(page_request)],
        who: Caller = caller("redemptions:read"),
        unit_id: UUID | None = None,
        merchant_reference: Annotated[Reference | None, Query()] = None,
    ) -> Page[RedemptionRead]:
        """Your redemptions, the oldest first."""
        after = page.after_as(UUID)
        async with db.read() as tx:
            found = await redemptions.list_of(
                tx,
                who.merchant,
                unit_id=unit_id,
                reference=merchant_reference,
                after=after[0] if after else None,
                limit=page.limit + 1,
            )
        return page_of(
            found, page, read=RedemptionRead.from_domain, position=lambda done: [done.id]
        )

    @router.get("/units/{unit_id}/balance")
    async def get_balance(unit_id: UUID, who: Caller = caller("redemptions:read")) -> BalanceRead:
        """What is left of a unit."""
        async with db.read() as tx:
            return BalanceRead.from_domain(await redemptions.balance(tx, who.merchant, unit_id))


def _asker(who: Caller, body: RedemptionCreate) -> Asker:
    return Asker(who.merchant, f"{who.kind}:{who.id}", body.shop_id)


async def _unit_of(guard: CodeGuard, asker: Asker, body: RedemptionCreate) -> UUID:
    """Raises CodeNotFound, TooManyWrongCodes."""
    if body.code is None:
        assert body.unit_id is not None  # the schema takes one of both
        return body.unit_id
    return await guard.find(asker, body.code.get_secret_value(), is_own=body.own_code)


def _fingerprint(guard: CodeGuard, who: Caller, body: RedemptionCreate) -> bytes | None:
    """The code goes into no idempotency record, not even as a plain hash."""
    if body.code is None:
        return None
    rest = body.model_dump_json(exclude={"code"}).encode()
    return digest_of(rest, guard.digest(who.merchant, body.code.get_secret_value()))
