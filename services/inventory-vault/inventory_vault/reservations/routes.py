import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from inventory_vault.reservations.domain import ReferenceTaken, Reservation, Wish
from inventory_vault.reservations.schemas import (
    ExtensionCreate,
    ReleaseCreate,
    ReservationBatch,
    ReservationBatchItem,
    ReservationBatchRead,
    ReservationCreate,
    ReservationRead,
    ReservationResult,
)
from inventory_vault.reservations.service import ReservationService
from kit.chain import Chain
from kit.combine import Combiner
from kit.db import Database, Transaction
from kit.errors import Denied, DomainError, Unavailable
from kit.http import Caller, LeanRoute, Once, caller, once
from kit.http.once import model_bytes

REFERENCE_RACES_MAX = 3

T = TypeVar("T")
Reserving = Combiner[Wish, Reservation]


def reserve_together(
    db: Database, reservations: ReservationService, more_wait: Callable[[], bool]
) -> Callable[[Sequence[Wish]], Awaitable[list[Reservation | DomainError]]]:
    """The work of the reserving combiner: all that wait, in one transaction; the next one begins
    with its commit if `more_wait` by then.
    """
    chain = Chain(db)

    async def work(wishes: Sequence[Wish]) -> list[Reservation | DomainError]:
        answers: list[Reservation | DomainError] = []
        while len(answers) < len(wishes):
            answers += await reserve_some(wishes[len(answers) :])
        return answers

    async def reserve_some(wishes: Sequence[Wish]) -> list[Reservation | DomainError]:
        for attempt in range(REFERENCE_RACES_MAX):
            try:
                async with chain.transaction(more_wait) as tx:
                    return await reservations.reserve(tx, wishes, expects_repeats=attempt > 0)
            except ReferenceTaken:
                continue
        raise Unavailable("another call uses the same reference with other lines; try again")

    return work


def reservation_routes(
    db: Database, reservations: ReservationService, reserving: Reserving
) -> APIRouter:
    router = APIRouter(prefix="/v1/reservations", tags=["reservations"], route_class=LeanRoute)
    _add_holding(router, reservations, reserving)
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
        wish = body.to_domain(who.merchant, actor_of(who))
        if not run.has_key:
            return _json(ReservationRead.from_domain(await reserving(wish)), 201)

        async def work(tx: Transaction) -> ReservationRead:
            try:
                [answer] = await reservations.reserve(tx, [wish])
                await tx.write()
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
            merchant_id = merchant_of(who, item.merchant_id)
            return await reserving(item.to_domain(merchant_id, actor_of(who)))

        answers = await each_answer(reserve_item, body.items)
        return _json(
            ReservationBatchRead(items=[ReservationResult.of(answer) for answer in answers]), 200
        )


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
                    tx, who.merchant, reservation_id, reason, requested_by=actor_of(who)
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
                    requested_by=actor_of(who),
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


def merchant_of(who: Caller, named: UUID | None) -> UUID:
    """Whose stock an item of a batch is about. Raises Denied."""
    if named is None:
        return who.merchant
    if who.kind != "service" and named != who.merchant_id:
        raise Denied("only services act for other merchants")
    return named


def actor_of(who: Caller) -> str:
    """Of the log's entries."""
    return f"{who.kind}:{who.id}"


Item = TypeVar("Item")


async def each_answer(
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


def _json(model: BaseModel, status: int) -> Response:
    return json_response(model_bytes(model), status)


def json_response(body: bytes, status: int) -> Response:
    """Of JSON that is written already."""
    return Response(body, status_code=status, media_type="application/json")
