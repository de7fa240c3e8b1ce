"""The order API as a process of its own, and the door through which a provider says that money is
there: it calls what every provider's callback calls.

python -m tests.order.money.api_process DATABASE_URL PORT
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response

from kit.combine import Combiner
from kit.db import Database
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


def teller(db: Database) -> Combiner[PayCall, Receipt]:
    """Says that money has come, as providers' callbacks do: many calls in one transaction."""
    payments = PaymentService({}, late_within=timedelta(days=1))

    async def serve(calls: Sequence[PayCall]) -> Sequence[Receipt | DomainError]:
        async with db.transaction([call.merchant_id for call in calls]) as tx:
            return await payments.pay_many(tx, calls)

    return Combiner(serve, batch_max=64, lanes=2)


def money_came(
    merchant_id: UUID, order_id: UUID, reference: str, amount: int, currency: str
) -> PayCall:
    word = PaymentWord("demo", reference, Money(amount, currency))
    return PayCall(merchant_id, order_id, word, "provider:demo", has_come=True)


def _door(db: Database) -> APIRouter:
    router, tell = APIRouter(), teller(db)

    @router.post("/money-came")
    async def on_money_came(request: Request) -> Response:
        told = orjson.loads(await request.body())
        merchant_id, order_id = UUID(told.pop("merchant_id")), UUID(told.pop("order_id"))
        receipt = await tell(money_came(merchant_id, order_id, **told))
        return Response(model_bytes(PaymentRead.from_domain(receipt)), status_code=201)

    return router


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2])))
