"""The order API as a process of its own, and the door through which a provider says that money is
there: it calls what every provider's callback calls.

python -m tests.order.money.api_process DATABASE_URL PORT
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response

from kit.combine import Combiner
from kit.errors import DomainError
from kit.http.once import model_bytes
from kit.loop import run
from kit.money import Money
from kit.service import running_api
from order.app import create_service
from order.payments.domain import PaymentWord, Receipt
from order.payments.schemas import PaymentRead
from order.payments.service import PayCall, PaymentService
from tests.order.conftest import settings_for
from tests.order.vaults import ScriptedVault


async def main(database_url: str, port: int) -> None:
    given = {"port": port, "log_level": "ERROR"}
    settings = settings_for(database_url).model_copy(update=given)
    service = create_service(settings, vault_transport=ScriptedVault())
    service.routers = [*service.routers, _door(service.db)]
    async with running_api(service):
        await asyncio.Event().wait()


def _door(db: Any) -> APIRouter:
    payments = PaymentService({}, late_within=timedelta(days=1))
    router = APIRouter()

    async def serve(calls: Sequence[PayCall]) -> Sequence[Receipt | DomainError]:
        async with db.transaction([call.merchant_id for call in calls]) as tx:
            return await payments.pay_many(tx, calls)

    combined = Combiner(serve, batch_max=64, lanes=2)

    @router.post("/money-came")
    async def money_came(request: Request) -> Response:
        told = orjson.loads(await request.body())
        word = PaymentWord("demo", told["reference"], Money(told["amount"], told["currency"]))
        call = PayCall(
            UUID(told["merchant_id"]), UUID(told["order_id"]), word, "provider:demo", has_come=True
        )
        receipt = await combined(call)
        return Response(model_bytes(PaymentRead.from_domain(receipt)), status_code=201)

    return router


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2])))
