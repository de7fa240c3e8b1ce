"""Old purchases leave the counts; what is young stays."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from risk.velocity.domain import KEPT
from risk.windows.domain import Outcome
from tests.risk.conftest import Assess
from tests.risk.factories import MERCHANT, a_rule, an_order

YOUNG = timedelta(days=96)
OLD = KEPT + timedelta(days=2)


async def forget(service: Service) -> None:
    (job,) = (job for job in service.jobs if job.name == "forget-old-purchases")
    while await job._run():
        pass


async def count(db: Database, statement: str) -> int:
    async with db.read() as tx:
        return int((await tx.execute(text(statement))).scalar_one())


async def test_what_no_window_reaches_is_forgotten_and_a_buyers_number_stays(
    service: Service, assess: Assess, db: Database
) -> None:
    async with db.transaction() as tx:
        rule = a_rule("devices_by_ip_90d > 500 || purchases_by_product_90d > 500")
        await service.state["rules"].create(tx, MERCHANT, rule, author="t", is_enabled=True)
    now = datetime.now(UTC)
    await assess([an_order(at=now - OLD, customer_id="anna", device_id="a") for _ in range(120)])
    await assess([an_order(at=now - YOUNG, customer_id="bob", device_id="b", ip="198.51.100.1")])
    await assess([an_order(at=now - OLD, customer_id="anna", device_id="a")])
    assert await count(db, "SELECT count(*) FROM velocity_bucket") > 0
    assert await count(db, "SELECT count(*) FROM velocity_pair") > 0

    await forget(service)

    assert await count(db, "SELECT count(*) FROM purchase WHERE is_forgotten") == 121
    assert await count(db, "SELECT count(*) FROM purchase WHERE ip_key IS NOT NULL") == 1
    assert await count(db, "SELECT count(*) FROM purchase_product") == 1
    assert await count(db, "SELECT count(*) FROM velocity_pair") == 0
    assert await count(db, "SELECT count(*) FROM assessment") == 122
    kept = "SELECT count(*) FROM velocity_key WHERE kind = 'customer'"
    assert await count(db, kept) == 2
    old_ip = "SELECT count(*) FROM velocity_key WHERE kind = 'ip' AND is_rolled"
    assert await count(db, old_ip) == 0


async def test_a_repeat_of_a_forgotten_order_changes_nothing(
    service: Service, assess: Assess, db: Database
) -> None:
    order = an_order(at=datetime.now(UTC) - OLD)
    await assess([order])
    await forget(service)

    assert await assess([order]) == []
    assert await count(db, "SELECT count(*) FROM assessment") == 1


async def test_more_failed_payments_of_one_order_than_its_column_holds_count_no_more(
    service: Service, assess: Assess, db: Database
) -> None:
    order_id = new_id()
    await assess([an_order(order_id=order_id)])
    velocity = service.state["velocity"]
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE purchase SET failed = 32766"))
    for _ in range(2):
        async with db.transaction() as tx:
            await velocity.settle(tx, [(order_id, Outcome.FAILED)] * 2)

    assert await count(db, "SELECT failed FROM purchase") == 32767
