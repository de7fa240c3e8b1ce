from uuid import UUID

from fastapi import APIRouter, Response

from inventory_vault.lots.schemas import LotRead
from inventory_vault.units.schemas import UnitRead
from inventory_vault.withdrawals.domain import Action
from inventory_vault.withdrawals.schemas import WithdrawalCreate
from inventory_vault.withdrawals.service import WithdrawalService
from kit.db import Transaction
from kit.http import Caller, Once, caller, once

_SUMMARIES = {
    Action.QUARANTINE: "Freezes what is on the shelf: not sold until it is restored.",
    Action.RESTORE: "Puts the quarantined back on the shelf.",
    Action.VOID: "Takes what is on the shelf, quarantined or inactive off for good.",
    Action.ACTIVATE: "Puts what is not yet active on the shelf; it never becomes inactive again.",
}


def withdrawal_routes(withdrawals: WithdrawalService) -> APIRouter:
    """The same acts for a unit and for a lot; what is held or sold is never touched."""
    router = APIRouter(prefix="/v1", tags=["withdrawals"])
    for action in Action:
        _add_unit_route(router, withdrawals, action)
        _add_lot_route(router, withdrawals, action)
    return router


def _add_unit_route(router: APIRouter, withdrawals: WithdrawalService, action: Action) -> None:
    @router.post(
        f"/units/{{unit_id}}/{action.value}",
        name=f"{action.value}_unit",
        description=_SUMMARIES[action] + " 409 `not_on_shelf` names the unit's state.",
        response_model=UnitRead,
    )
    async def act(
        unit_id: UUID,
        body: WithdrawalCreate,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        async def work(tx: Transaction) -> UnitRead:
            unit = await withdrawals.act_on_unit(
                tx,
                who.merchant,
                unit_id,
                action,
                reason=body.reason,
                requested_by=f"{who.kind}:{who.id}",
            )
            return UnitRead.from_domain(unit)

        return await run(who, work, status=200)


def _add_lot_route(router: APIRouter, withdrawals: WithdrawalService, action: Action) -> None:
    @router.post(
        f"/lots/{{lot_id}}/{action.value}",
        name=f"{action.value}_lot",
        description=_SUMMARIES[action] + " 409 `not_on_shelf` names the lot's state.",
        response_model=LotRead,
    )
    async def act(
        lot_id: UUID,
        body: WithdrawalCreate,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        async def work(tx: Transaction) -> LotRead:
            lot = await withdrawals.act_on_lot(
                tx,
                who.merchant,
                lot_id,
                action,
                reason=body.reason,
                requested_by=f"{who.kind}:{who.id}",
            )
            return LotRead.from_domain(lot)

        return await run(who, work, status=200)
