"""How many statements a decision takes, and that they are the same ones for every purchase."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from kit.db import Database
from kit.service import Service
from risk.velocity.domain import Purchase, PurchasedLine, PurchaseSource
from risk.velocity.service import VelocityService
from risk.watches.domain import Watch, Watched
from tests.risk.conftest import Assess
from tests.risk.factories import MERCHANT, NOON, a_rule, an_order, recorded
from tests.stack.statements import noted_statements

CONDITION = """purchases_by_ip_90d > 900 && amount_by_customer_1m > 5 && devices_by_ip_1d > 900
    && ips_by_device_1d > 900 && quantity_by_contact_7d > 900"""


async def add_rule(service: Service, condition: str) -> None:
    async with service.db.transaction() as tx:
        await service.state["rules"].create(
            tx, MERCHANT, a_rule(condition), author="t", is_enabled=True
        )


async def test_a_lone_decision_takes_two_statements_and_a_batch_three(
    service: Service, assess: Assess
) -> None:
    await add_rule(service, CONDITION)
    for _ in range(3):  # its keys are known, and rolled up
        await assess([an_order(customer_id="anna", device_id="a") for _ in range(60)])

    with noted_statements() as one:
        await assess([an_order(customer_id="anna", device_id="a", ip="203.0.113.8")])
    with noted_statements() as many:
        await assess([an_order(customer_id="bob", ip=f"198.51.100.{n}") for n in range(1, 51)])

    # Keys; counts, lists, labels and whether the rules are still those; everything that is written.
    # One that comes alone has keys and counts in one.
    assert (len(one), len(many)) == (2, 3)


async def test_every_purchase_is_counted_by_the_same_statements(
    service: Service, assess: Assess
) -> None:
    """Each text is prepared and planned once per connection, which takes longer than running it."""
    await add_rule(service, CONDITION)
    for _ in range(3):
        await assess([an_order(customer_id="anna", device_id="a") for _ in range(60)])

    with noted_statements() as noted:
        await assess([an_order(customer_id="anna", device_id="a")])
        await assess([an_order(customer_id="bob", device_id="b", ip="203.0.113.8")])
        await assess([an_order(customer_id="anna", device_id="c", ip="203.0.113.9")])
        await assess([an_order(ip="", device_id="d")])

    counting = [sql for sql in noted if ":past_first" in sql]
    locking = [sql for sql in noted if "INSERT INTO velocity_key" in sql]
    assert (len(counting), len(set(counting))) == (4, 1)
    assert (len(locking), len(set(locking))) == (4, 1)


async def test_what_a_rule_counts_by_is_locked_though_it_came_in_between(
    service: Service, db: Database
) -> None:
    """As for a batch that read what is counted, and then waited for the rule to be saved."""
    velocity: VelocityService = service.state["velocity"]
    before = Watched({MERCHANT: Watch()}, 0)
    await add_rule(service, CONDITION)

    async with db.transaction() as tx:
        await velocity.record(tx, [a_purchase(1)], {}, before, lambda _: [])

    async with db.read() as tx:
        rows = (await tx.execute(text("SELECT kind, purchases_total FROM velocity_key"))).all()
    assert {row.kind: row.purchases_total for row in rows} == dict.fromkeys(
        ["ip", "customer", "device", "contact"], 1
    )


async def test_what_was_recorded_before_its_kind_was_counted_is_in_the_totals(
    service: Service, db: Database
) -> None:
    velocity: VelocityService = service.state["velocity"]
    for number in range(1, 4):
        async with db.transaction() as tx:
            await recorded(velocity, tx, [a_purchase(number)])
    await add_rule(service, "purchases_by_device_1d > 5 && purchases_by_product_1d > 5")

    async with db.transaction() as tx:
        await recorded(velocity, tx, [a_purchase(4), a_purchase(5)])

    async with db.read() as tx:
        rows = (await tx.execute(text("SELECT kind, purchases_total FROM velocity_key"))).all()
    assert {row.kind: row.purchases_total for row in rows} == dict.fromkeys(
        ["ip", "customer", "device", "product"], 5
    )


def a_purchase(number: int) -> Purchase:
    return Purchase(
        id=UUID(int=number),
        merchant_id=MERCHANT,
        source=PurchaseSource.SHOP,
        at=NOON + timedelta(seconds=number),
        channel_id="channel",
        reference="",
        customer_id="anna",
        ip="203.0.113.7",
        device_id="device",
        contact_hash="contact",
        registered_at=None,
        amount_minor=5,
        currency="CNY",
        lines=(PurchasedLine("sku", 1),),
    )
