"""A refund that is being posted while a payout is approved."""

import asyncio

from sqlalchemy import text

from kit.service import Service
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.ledger.conftest import Deliver
from tests.ledger.payouts.test_payouts import propose, step
from tests.ledger.settling import a_sale, agree, let_time_pass, money_back, put_payee, terms
from tests.stack.api import ApiClient

LOOKS_MAX = 1_000
PATIENCE_SECONDS = 0.002
_WAITING = text("""
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE NOT granted AND datname = current_database()
""")


async def test_an_approval_waits_for_a_refund_under_way_and_pays_no_more_than_it_leaves(
    service: Service, deliver: Deliver, api: ApiClient
) -> None:
    await agree(service, terms(basis_points=0))
    sale = a_sale(10_000)
    await deliver(sale)
    await let_time_pass(service)
    await put_payee(api)
    payout = await propose(api, 10_000)

    refund = money_back(sale, 1)
    them = [it for it in service.handlers if it.message_class is RefundMade]
    async with service.db.transaction() as tx:
        for first in {handler.first for handler in them} - {None}:
            assert first is not None
            await first(tx, [refund])
        for handler in them:
            await handler.fn(tx, [refund])
        approving = asyncio.create_task(step(api, payout, "approve"))
        await _somebody_waits(service)

    refused = await approving
    assert (refused.status_code, refused.json()["code"]) == (409, "payout_exceeds_available")
    assert refused.json()["available"] == 9_999


async def _somebody_waits(service: Service) -> None:
    for _ in range(LOOKS_MAX):
        async with service.db.read() as tx:
            if (await tx.execute(_WAITING)).scalar_one():
                return
        await asyncio.sleep(PATIENCE_SECONDS)
    raise AssertionError("nobody waited for the refund")
