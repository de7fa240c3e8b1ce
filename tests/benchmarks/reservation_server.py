"""The vault's API with two more routes beside it, in one process: the ceiling and the old design.

    POST /bench/empty         the same body in and out, nothing done: what this stack can do at all
    POST /bench/skip-locked   one row per unit, FOR UPDATE SKIP LOCKED, a transaction per request
    POST /bench/audit/off     from now on nothing is written into the audit log; .../on: as always

Settings come from the environment, as for the real service.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy import text

from inventory_vault.app import create_service
from inventory_vault.audit import service as audit_service
from inventory_vault.reservations.schemas import (
    ReservationCreate,
    ReservationLineRead,
    ReservationRead,
)
from inventory_vault.settings import Settings
from kit.clock import SystemClock
from kit.db import Database
from kit.errors import Conflict
from kit.http import Caller, caller
from kit.http.once import model_bytes
from kit.ids import new_id
from kit.logging import configure_logging
from kit.loop import run
from kit.service import running_api, running_jobs
from tests.benchmarks.vault import MERCHANT


def routes(db: Database) -> APIRouter:
    router = APIRouter(prefix="/bench", include_in_schema=False)

    @router.post("/empty", status_code=201, response_model=ReservationRead)
    async def empty(body: ReservationCreate) -> Response:
        return _answer(body, new_id())

    @router.post("/skip-locked", status_code=201, response_model=ReservationRead)
    async def skip_locked(
        body: ReservationCreate, who: Caller = caller("reservations:write")
    ) -> Response:
        reservation_id = new_id()
        async with db.transaction() as tx:
            await tx.execute(
                _INSERT, {"id": reservation_id, "merchant": who.merchant, "ref": body.reference}
            )
            for line in body.lines:
                taken = await tx.execute(
                    _PICK, {"pool": line.pool_id, "n": line.quantity, "id": reservation_id}
                )
                if taken.rowcount != line.quantity:
                    raise Conflict("out of stock")
        return _answer(body, reservation_id)

    @router.post("/audit/{state}")
    async def switch_audit(state: Literal["on", "off"]) -> dict[str, str]:
        hooks = [hook for hook in db.before_commit if hook is not audit_service.flush]
        db.before_commit[:] = [*hooks, audit_service.flush] if state == "on" else hooks
        return {"audit": state}

    return router


def _answer(body: ReservationCreate, reservation_id: UUID) -> Response:
    now = SystemClock().now()
    lines: Sequence[ReservationLineRead] = [
        ReservationLineRead(
            line_no=number,
            pool_id=line.pool_id,
            quantity=line.quantity,
            sold_quantity=0,
            min_valid_seconds=line.min_valid_seconds,
        )
        for number, line in enumerate(body.lines, 1)
    ]
    read = ReservationRead(
        id=reservation_id,
        merchant_id=MERCHANT,
        reference=body.reference,
        status="held",
        expires_at=now,
        created_at=now,
        lines=list(lines),
    )
    return Response(model_bytes(read), status_code=201, media_type="application/json")


async def main() -> None:
    settings = Settings.from_env()
    configure_logging("bench", level="WARNING")
    service = create_service(settings)
    service.routers = [*service.routers, routes(service.db)]
    async with running_jobs(service), running_api(service):
        await asyncio.Event().wait()


_INSERT = text(
    "INSERT INTO bench_reservation (id, merchant_id, reference) VALUES (:id, :merchant, :ref)"
)
_PICK = text(
    """
    WITH pick AS MATERIALIZED (
      SELECT id FROM bench_unit WHERE pool_id = :pool AND state = 'available'
      ORDER BY id LIMIT :n FOR UPDATE SKIP LOCKED)
    UPDATE bench_unit u SET state = 'reserved', reservation_id = :id
    FROM pick WHERE u.id = pick.id
    """
)

if __name__ == "__main__":
    run(main())
