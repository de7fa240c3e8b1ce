import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from inventory_vault.claims.domain import Claim
from inventory_vault.claims.service import ClaimService, Sale
from inventory_vault.custody.domain import HandedBox, checked_recipient_key
from inventory_vault.custody.service import CustodyService
from inventory_vault.reservations.domain import ReferenceTaken, Reservation, Wish
from inventory_vault.reservations.schemas import (
    ClaimBatch,
    ClaimBatchItem,
    ClaimBatchRead,
    ClaimCreate,
    ClaimRead,
    ClaimResultJson,
    ExtensionCreate,
    ReleaseCreate,
    ReservationBatch,
    ReservationBatchItem,
    ReservationBatchRead,
    ReservationCreate,
    ReservationRead,
    ReservationResult,
    claim_batch_bytes,
    claim_bytes,
    refused_claim,
    sold_claim,
)
from inventory_vault.reservations.service import ReservationService
from kit.combine import Combiner
from kit.db import Database, Transaction
from kit.errors import Denied, DomainError, Unavailable
from kit.http import Caller, LeanRoute, Once, caller, once
from kit.http.once import model_bytes

REFERENCE_RACES_MAX = 3

T = TypeVar("T")
Reserve = Callable[[Wish], Awaitable[Reservation]]
Together = Callable[[Sequence[T]], Awaitable[Sequence[object]]]


@dataclass(frozen=True, slots=True)
class HandedSale:
    """A claim's answer with the boxes, where a recipient's key was given."""

    sale: Sale
    boxes: dict[str, HandedBox]


Reserving = Combiner[Wish, Reservation]
Claiming = Combiner[Claim, HandedSale]


def reserve_together(
    db: Database, reservations: ReservationService
) -> Callable[[Sequence[Wish]], Awaitable[list[Reservation | DomainError]]]:
    """The work of the reserving combiner: all that wait, in one transaction."""

    async def work(wishes: Sequence[Wish]) -> list[Reservation | DomainError]:
        answers: list[Reservation | DomainError] = []
        while len(answers) < len(wishes):
            answers += await reserve_some(wishes[len(answers) :])
        return answers

    async def reserve_some(wishes: Sequence[Wish]) -> list[Reservation | DomainError]:
        for attempt in range(REFERENCE_RACES_MAX):
            try:
                async with db.transaction() as tx:
                    return await reservations.reserve(tx, wishes, expects_repeats=attempt > 0)
            except ReferenceTaken:
                continue
        raise Unavailable("another call uses the same reference with other lines; try again")

    return work


def claim_together(
    db: Database, claiming: ClaimService, custody: CustodyService
) -> Callable[[Sequence[Claim]], Awaitable[list[HandedSale | DomainError]]]:
    """The work of the claiming combiner: the sale is committed before the opener is asked."""

    async def work(claims: Sequence[Claim]) -> list[HandedSale | DomainError]:
        answers: list[HandedSale | DomainError] = []
        while len(answers) < len(claims):
            async with db.transaction() as tx:
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


def reservation_routes(
    db: Database, reservations: ReservationService, reserving: Reserving, claiming: Claiming
) -> APIRouter:
    router = APIRouter(prefix="/v1/reservations", tags=["reservations"], route_class=LeanRoute)
    _add_holding(router, reservations, reserving)
    _add_claiming(router, claiming)
    _add_ending(router, db, reservations)
    return router


def _add_holding(router: APIRouter, reservations: ReservationService, reserving: Reserving) -> None:
    @router.post("", status_code=201, response_model=ReservationRead)
    async def reserve(
        body: ReservationCreate, who: Caller = caller("reservations:write"), run: Once = once()
    ) -> Response:
        """Holds units: every line or nothing. `reference` makes it idempotent: the same lines
        again answer the same hold, other lines are refused. Not enough: 409 `out_of_stock` names
        the short lines.
        """
        wish = body.to_domain(who.merchant, _actor(who))
        if not run.has_key:
            return _json(ReservationRead.from_domain(await reserving(wish)), 201)

        async def work(tx: Transaction) -> ReservationRead:
            try:
                [answer] = await reservations.reserve(tx, [wish])
            except ReferenceTaken as error:
                raise Unavailable("the same reference is being reserved; try again") from error
            if isinstance(answer, DomainError):
                raise answer
            return ReservationRead.from_domain(answer)

        return await run(who, work, location=lambda held: f"/v1/reservations/{held.id}")

    @router.post("/batch", response_model=ReservationBatchRead)
    async def reserve_many(
        body: ReservationBatch, who: Caller = caller("reservations:write")
    ) -> Response:
        """Many independent reservations. 200 with one result per item, in order: `held`, or the
        code of its problem. Idempotent by each item's reference.
        """

        async def reserve_item(item: ReservationBatchItem) -> Reservation:
            merchant_id = _merchant(who, item.merchant_id)
            return await reserving(item.to_domain(merchant_id, _actor(who)))

        answers = await _each(reserve_item, body.items)
        return _json(
            ReservationBatchRead(items=[ReservationResult.of(answer) for answer in answers]), 200
        )


def _add_claiming(router: APIRouter, claiming: Claiming) -> None:
    @router.post("/claims", response_model=ClaimBatchRead)
    async def claim_many(body: ClaimBatch, who: Caller = caller("reservations:write")) -> Response:
        """Many independent claims. 200 with one result per item, in order: `sold` with its units,
        or the code of its problem. A repeat answers the same units.
        """

        async def claim_item(item: ClaimBatchItem) -> HandedSale:
            merchant_id = _merchant(who, item.merchant_id)
            return await claiming(_claim(who, merchant_id, item.reservation_id, item))

        answers = await _each(claim_item, body.items)
        results = [
            _claim_result(item.reservation_id, answer)
            for item, answer in zip(body.items, answers, strict=True)
        ]
        return _response(claim_batch_bytes(results), 200)

    @router.post("/{reservation_id}/claim", response_model=ClaimRead)
    async def claim(
        reservation_id: UUID,
        body: ClaimCreate,
        who: Caller = caller("reservations:write"),
    ) -> Response:
        """held -> sold. The same units on repeat. With `recipient_public_key` each unit comes in a
        box that only its owner opens. With `lines` so many units of each named line are sold and
        the rest goes back. Too late: 409 `reservation_expired` or `reservation_released`; sold in
        other quantities: 409 `reservation_sold`; more than held: 422 `claim_exceeds_hold`.
        """
        handed = await claiming(_claim(who, who.merchant, reservation_id, body))
        return _response(claim_bytes(reservation_id, handed.sale.units, handed.boxes), 200)


def _add_ending(router: APIRouter, db: Database, reservations: ReservationService) -> None:
    @router.post("/{reservation_id}/release", response_model=ReservationRead)
    async def release(
        reservation_id: UUID,
        body: ReleaseCreate,
        who: Caller = caller("reservations:write"),
        run: Once = once(),
    ) -> Response:
        """Gives the units back; again changes nothing. 409 `reservation_sold` if too late."""

        async def work(tx: Transaction) -> ReservationRead:
            reason = body.reason or "released by the caller"
            return ReservationRead.from_domain(
                await reservations.release(
                    tx, who.merchant, reservation_id, reason, requested_by=_actor(who)
                )
            )

        return await run(who, work, status=200)

    @router.post("/{reservation_id}/extend", response_model=ReservationRead)
    async def extend(
        reservation_id: UUID,
        body: ExtensionCreate,
        who: Caller = caller("reservations:write"),
        run: Once = once(),
    ) -> Response:
        """Held for `hold_seconds` from now on, at most 24 hours from its beginning (409
        `hold_too_long`). What is not held: 409 `reservation_secured`, `_sold`, `_expired`,
        `_released`.
        """

        async def work(tx: Transaction) -> ReservationRead:
            return ReservationRead.from_domain(
                await reservations.extend(
                    tx,
                    who.merchant,
                    reservation_id,
                    body.hold_seconds,
                    requested_by=_actor(who),
                )
            )

        return await run(who, work, status=200)

    @router.get("/{reservation_id}")
    async def get_reservation(
        reservation_id: UUID, who: Caller = caller("stock:read")
    ) -> ReservationRead:
        async with db.read() as tx:
            return ReservationRead.from_domain(
                await reservations.get(tx, who.merchant, reservation_id)
            )


def _merchant(who: Caller, named: UUID | None) -> UUID:
    if named is None:
        return who.merchant
    if who.kind != "service" and named != who.merchant_id:
        raise Denied("only services act for other merchants")
    return named


def _claim(who: Caller, merchant_id: UUID, reservation_id: UUID, body: ClaimCreate) -> Claim:
    named = body.recipient_public_key
    key = checked_recipient_key(named) if named is not None else None
    return Claim(reservation_id, merchant_id, key, _actor(who), body.wanted())


def _actor(who: Caller) -> str:
    return f"{who.kind}:{who.id}"


Item = TypeVar("Item")


async def _each(
    work: Callable[[Item], Awaitable[T]], items: Sequence[Item]
) -> list[T | DomainError]:
    """Each item's answer or its own problem; trouble that is nobody's fault ends the whole call."""
    answers = await asyncio.gather(*(work(item) for item in items), return_exceptions=True)
    found: list[T | DomainError] = []
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, DomainError):
            raise answer
        found.append(answer)
    return found


def _claim_result(reservation_id: UUID, answer: HandedSale | DomainError) -> ClaimResultJson:
    if isinstance(answer, DomainError):
        return refused_claim(reservation_id, answer)
    return sold_claim(reservation_id, answer.sale.units, answer.boxes)


def _json(model: BaseModel, status: int) -> Response:
    return _response(model_bytes(model), status)


def _response(body: bytes, status: int) -> Response:
    return Response(body, status_code=status, media_type="application/json")
