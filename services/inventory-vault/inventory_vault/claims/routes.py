from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Response

from inventory_vault.claims.domain import Claim
from inventory_vault.claims.schemas import (
    ClaimBatch,
    ClaimBatchItem,
    ClaimBatchRead,
    ClaimCreate,
    ClaimRead,
    ClaimResultJson,
    claim_batch_bytes,
    claim_bytes,
    refused_claim,
    sold_claim,
)
from inventory_vault.claims.service import ClaimService, Sale
from inventory_vault.custody.domain import HandedBox, checked_recipient_key
from inventory_vault.custody.service import CustodyService
from inventory_vault.reservations.routes import actor_of, each_answer, json_response, merchant_of
from kit.combine import Combiner
from kit.db import Database
from kit.errors import DomainError, Unavailable
from kit.http import Caller, LeanRoute, caller
from kit.standby import Standby


@dataclass(frozen=True, slots=True)
class HandedSale:
    """A claim's answer with the boxes, where a recipient's key was given."""

    sale: Sale
    boxes: dict[str, HandedBox]


Claiming = Combiner[Claim, HandedSale]


def claim_together(
    db: Database, claiming: ClaimService, custody: CustodyService
) -> Callable[[Sequence[Claim]], Awaitable[list[HandedSale | DomainError]]]:
    """The work of the claiming combiner: the sale is committed before the opener is asked."""

    standby = Standby(db)

    async def work(claims: Sequence[Claim]) -> list[HandedSale | DomainError]:
        answers: list[HandedSale | DomainError] = []
        while len(answers) < len(claims):
            async with standby.transaction() as tx:
                sales = await claiming.claim(tx, claims[len(answers) :])
            answers += await _hand_out(custody, sales)
        return answers

    return work


async def _hand_out(
    custody: CustodyService, sales: Sequence[Sale | DomainError]
) -> list[HandedSale | DomainError]:
    named = [s.handout_id for s in sales if isinstance(s, Sale) and s.handout_id is not None]
    boxes: dict[UUID, dict[str, HandedBox] | DomainError] = {}
    if named:
        try:
            boxes = await custody.hand_out(named)
        except Unavailable as error:
            # The units are sold; the same claim again hands them out when the opener is back.
            boxes = dict.fromkeys(named, error)
    answers: list[HandedSale | DomainError] = []
    for sale in sales:
        if isinstance(sale, DomainError):
            answers.append(sale)
            continue
        found = boxes[sale.handout_id] if sale.handout_id is not None else {}
        answers.append(found if isinstance(found, DomainError) else HandedSale(sale, found))
    return answers


def claim_routes(claiming: Claiming) -> APIRouter:
    router = APIRouter(prefix="/v1/reservations", tags=["reservations"], route_class=LeanRoute)

    @router.post("/claims", response_model=ClaimBatchRead)
    async def claim_many(body: ClaimBatch, who: Caller = caller("reservations:write")) -> Response:
        """Many independent claims. 200 with one result per item, in order: `sold` with its units,
        or the code of its problem. A repeat answers the same units.
        """

        async def claim_item(item: ClaimBatchItem) -> HandedSale:
            merchant_id = merchant_of(who, item.merchant_id)
            return await claiming(_claim(who, merchant_id, item.reservation_id, item))

        answers = await each_answer(claim_item, body.items)
        results = [
            _claim_result(item.reservation_id, answer)
            for item, answer in zip(body.items, answers, strict=True)
        ]
        return json_response(claim_batch_bytes(results), 200)

    @router.post("/{reservation_id}/claim", response_model=ClaimRead)
    async def claim(
        reservation_id: UUID,
        body: ClaimCreate,
        who: Caller = caller("reservations:write"),
    ) -> Response:
        """held -> sold. The same units on repeat. With `recipient_public_key` each unit comes in a
        box that only its owner opens. With `lines` so many units of each named line are sold and
        the rest goes back. Too late: 409 `reservation_expired` or `reservation_released`; sold in
        other quantities: 409 `reservation_sold`; more than held: 422 `claim_exceeds_hold`. A repeat
        that asks for boxes once a unit was revoked: 409 `unit_revoked`; reveal the others singly.
        """
        handed = await claiming(_claim(who, who.merchant, reservation_id, body))
        return json_response(claim_bytes(reservation_id, handed.sale.units, handed.boxes), 200)

    return router


def _claim(who: Caller, merchant_id: UUID, reservation_id: UUID, body: ClaimCreate) -> Claim:
    named = body.recipient_public_key
    key = checked_recipient_key(named) if named is not None else None
    return Claim(reservation_id, merchant_id, key, actor_of(who), body.wanted())


def _claim_result(reservation_id: UUID, answer: HandedSale | DomainError) -> ClaimResultJson:
    if isinstance(answer, DomainError):
        return refused_claim(reservation_id, answer)
    return sold_claim(reservation_id, answer.sale.units, answer.boxes)
