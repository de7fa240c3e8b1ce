"""Orders judged as they arrive: the platform's rule, repeats, batches, the edge of the window."""

import asyncio
import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from lockstock.order.v1.order_events_pb2 import OrderPlaced
from lockstock.risk.v1.assessment_events_pb2 import (
    DECISION_ALLOW,
    DECISION_DECLINE,
    DECISION_HOLD,
    OrderAssessed,
)
from risk.assessments.service import UNDECIDABLE
from risk.rules.domain import Action, Mode, RuleText
from tests.risk.conftest import Assess
from tests.risk.factories import IP, MERCHANT, NOON, OTHER_MERCHANT, a_rule, an_order

ALLOWED, HELD, DECLINED = DECISION_ALLOW, DECISION_HOLD, DECISION_DECLINE


def decisions(assessed: list[OrderAssessed]) -> list[int]:
    return [it.decision for it in assessed]


async def add_rule(service: Service, rule: RuleText) -> None:
    async with service.db.transaction() as tx:
        await service.state["rules"].create(tx, MERCHANT, rule, author="test", is_enabled=True)


async def test_five_purchases_by_one_address_pass_and_the_sixth_is_held(assess: Assess) -> None:
    assessed = [it for _ in range(6) for it in await assess([an_order()])]

    assert decisions(assessed) == [ALLOWED] * 5 + [HELD]
    assert assessed[5].rules[0].explanation == "purchases_by_ip_1h > 5 (purchases_by_ip_1h = 6)"


async def test_the_order_inside_a_batch_counts(assess: Assess) -> None:
    orders = [an_order() for _ in range(8)]

    assessed = await assess(orders)

    assert decisions(assessed) == [ALLOWED] * 5 + [HELD] * 3
    assert [it.order_id for it in assessed] == [it.message.order_id for it in orders]


@pytest.mark.parametrize(
    ("earlier", "decision"),
    [
        (timedelta(hours=1), ALLOWED),
        (timedelta(hours=1) - timedelta(microseconds=1), HELD),
    ],
)
async def test_a_purchase_leaves_the_window_at_exactly_one_hour(
    assess: Assess, earlier: timedelta, decision: int
) -> None:
    await assess([an_order(at=NOON - earlier)])
    await assess([an_order(at=NOON) for _ in range(4)])

    assert decisions(await assess([an_order(at=NOON)])) == [decision]


@pytest.mark.parametrize("seed", range(5))
async def test_of_six_purchases_within_an_hour_one_is_held_in_whatever_order_they_come(
    assess: Assess, seed: int
) -> None:
    orders = [an_order(at=NOON + timedelta(minutes=10 * number)) for number in range(6)]
    random.Random(seed).shuffle(orders)

    assessed = [it for order in orders for it in await assess([order])]

    assert decisions(assessed) == [ALLOWED] * 5 + [HELD]


async def test_inside_a_batch_the_sixth_that_happened_is_held(assess: Assess) -> None:
    orders = [an_order(at=NOON + timedelta(seconds=number)) for number in range(6)]

    assessed = await assess(orders[::-1])

    (held,) = (it for it in assessed if it.decision == HELD)
    assert held.order_id == orders[5].message.order_id


async def test_a_late_order_does_not_count_what_came_an_hour_after_it(assess: Assess) -> None:
    await assess([an_order(at=NOON) for _ in range(5)])

    assert decisions(await assess([an_order(at=NOON - timedelta(hours=1))])) == [ALLOWED]


async def test_the_same_order_twice_changes_nothing(assess: Assess) -> None:
    order = an_order()
    again = an_order(order_id=new_id())

    assert len(await assess([order, order])) == 1
    assert await assess([order]) == []
    assert decisions(await assess([an_order() for _ in range(4)] + [again])) == [ALLOWED] * 4 + [
        HELD
    ]


async def test_batches_that_run_at_once_see_each_other(assess: Assess) -> None:
    batches = [[an_order() for _ in range(5)] for _ in range(8)]

    answers = await asyncio.gather(*(assess(batch) for batch in batches))

    made = [decision for answer in answers for decision in decisions(answer)]
    assert made.count(ALLOWED) == 5
    assert made.count(HELD) == 35


async def test_two_batches_with_shared_orders_judge_each_order_once(assess: Assess) -> None:
    orders = [an_order(ip=f"203.0.113.{number % 3}") for number in range(30)]
    backwards = orders[::-1]

    answers = await asyncio.gather(assess(orders), assess(backwards))

    judged = [it.order_id for answer in answers for it in answer]
    assert sorted(judged) == sorted(it.message.order_id for it in orders)


async def test_an_address_counts_per_merchant(assess: Assess) -> None:
    await assess([an_order(merchant_id=OTHER_MERCHANT) for _ in range(5)])

    assert decisions(await assess([an_order()])) == [ALLOWED]


@pytest.mark.parametrize("ip", ["", "unknown", "0.0.0.0", "::"])  # noqa: S104 - a bad address
async def test_unknown_addresses_are_not_one_address(assess: Assess, ip: str) -> None:
    assert decisions(await assess([an_order(ip=ip) for _ in range(7)])) == [ALLOWED] * 7


@pytest.mark.parametrize("ip", [f"::ffff:{IP}", f" {IP} ", f"::ffff:{IP}".upper()])
async def test_an_address_has_one_identity_in_all_its_spellings(assess: Assess, ip: str) -> None:
    await assess([an_order(ip=IP) for _ in range(5)])

    assert decisions(await assess([an_order(ip=ip)])) == [HELD]


async def test_a_whole_ipv6_customer_network_counts_as_one(assess: Assess) -> None:
    orders = [an_order(ip=f"2001:db8:1:2::{number:x}") for number in range(1, 7)]

    assert decisions(await assess(orders)) == [ALLOWED] * 5 + [HELD]
    assert decisions(await assess([an_order(ip="2001:db8:1:3::1")])) == [ALLOWED]


async def test_a_shadow_rule_is_recorded_and_changes_nothing(
    service: Service, assess: Assess, db: Database
) -> None:
    await add_rule(service, a_rule("amount_minor > 0", mode=Mode.SHADOW, action=Action.DECLINE))

    (assessed,) = await assess([an_order()])

    assert assessed.decision == ALLOWED
    assert list(assessed.rules) == []
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT outcomes FROM assessment"))).one()
    assert [(it["mode"], it["action"]) for it in row.outcomes] == [("shadow", "decline")]


async def test_a_condition_that_cannot_be_decided_holds_the_order_and_is_counted(
    service: Service, assess: Assess
) -> None:
    await add_rule(service, a_rule("amount_minor / line_count > 1 && skus[7] == 'x'"))
    before = UNDECIDABLE.labels("enforce")._value.get()

    (assessed,) = await assess([an_order()])

    assert assessed.decision == HELD
    assert "not decidable" in assessed.rules[0].explanation
    assert UNDECIDABLE.labels("enforce")._value.get() == before + 1


async def test_a_saved_condition_that_no_longer_compiles_holds_the_order(
    service: Service, assess: Assess, db: Database
) -> None:
    await add_rule(service, a_rule("amount_minor > 1000000"))
    async with db.transaction() as tx:
        # Nobody but the owner of the table can do so: as a fact that a release took away.
        for statement in (
            "ALTER TABLE rule_version DISABLE TRIGGER USER",
            "UPDATE rule_version SET condition = 'gone > 1' WHERE author = 'test'",
            "ALTER TABLE rule_version ENABLE TRIGGER USER",
        ):
            await tx.execute(text(statement))

    (assessed,) = await assess([an_order()])

    assert assessed.decision == HELD
    assert "undeclared reference to 'gone'" in assessed.rules[0].explanation


async def test_long_conditions_of_many_rules_fit_into_the_event(
    service: Service, assess: Assess, db: Database
) -> None:
    long = "amount_minor > 0 || ip == '" + "x" * 2000 + "'"
    for _ in range(60):
        await add_rule(service, a_rule(long))

    (assessed,) = await assess([an_order()])

    assert len(assessed.rules) == 50
    assert assessed.ByteSize() < 50_000
    async with db.read() as tx:
        row = (
            await tx.execute(
                text(
                    "SELECT jsonb_array_length(outcomes) AS rules, reason FROM assessment "
                    "JOIN review ON review.assessment_id = assessment.id"
                )
            )
        ).one()
    assert (row.rules, len(row.reason)) == (60, 2000)


async def test_a_shadow_condition_that_cannot_be_decided_changes_nothing(
    service: Service, assess: Assess
) -> None:
    await add_rule(service, a_rule("skus[7] == 'x'", mode=Mode.SHADOW))

    assert decisions(await assess([an_order()])) == [ALLOWED]


async def test_a_challenge_without_a_contact_is_held_and_says_why(
    service: Service, assess: Assess, db: Database
) -> None:
    await add_rule(service, a_rule("first_purchase", action=Action.CHALLENGE))

    (assessed,) = await assess([an_order()])

    assert assessed.decision == HELD
    assert assessed.note == "a code is due and the buyer gave no contact to send it to"
    async with db.read() as tx:
        reason = (await tx.execute(text("SELECT reason FROM review"))).scalar_one()
    assert reason.startswith(assessed.note)


async def test_a_declined_order_opens_no_review(
    service: Service, assess: Assess, db: Database
) -> None:
    await add_rule(service, a_rule("amount_minor > 0", action=Action.DECLINE))

    assert decisions(await assess([an_order()])) == [DECLINED]
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM review"))).scalar_one() == 0


async def test_a_changed_rule_is_in_force_from_the_next_order(
    service: Service, assess: Assess
) -> None:
    rules = service.state["rules"]
    async with service.db.transaction() as tx:
        rule = await rules.create(tx, MERCHANT, a_rule(), author="test", is_enabled=True)
    assert decisions(await assess([an_order(ip="")])) == [HELD]

    async with service.db.transaction() as tx:
        await rules.update(
            tx,
            MERCHANT,
            rule.id,
            a_rule("amount_minor > 5000"),
            author="test",
            expected_version=1,
        )

    assert decisions(await assess([an_order(ip="")])) == [ALLOWED]


async def test_a_new_rule_counts_by_what_no_rule_counted_by_before(
    service: Service, assess: Assess
) -> None:
    """Rules and what is counted are remembered: what changed is seen, and the past is there."""
    await assess([an_order(ip="", device_id="d") for _ in range(3)])
    await add_rule(service, a_rule("purchases_by_device_1d >= 5"))

    assessed = [await assess([an_order(ip="", device_id="d")]) for _ in range(2)]

    assert [decisions(it) for it in assessed] == [[ALLOWED], [HELD]]


async def test_the_facts_tell_what_the_buyer_did_before(
    service: Service, assess: Assess, db: Database
) -> None:
    hours_ago = [NOON - timedelta(hours=hours) for hours in (30, 23, 0)]
    orders = [
        an_order(ip="", customer_id="anna", device_id="phone", contact_hash="ab", at=at)
        for at in hours_ago
    ]

    for kind in ("customer", "device", "contact"):
        for window in ("1h", "24h"):
            await add_rule(service, a_rule(f"purchases_by_{kind}_{window} > 99"))

    await assess(orders)

    async with db.read() as tx:
        rows = await tx.execute(
            text("SELECT facts FROM assessment WHERE purchase_id = :id"),
            {"id": orders[2].message.order_id},
        )
    facts = rows.scalar_one()
    assert facts["earlier_purchases"] == 2
    assert facts["first_purchase"] is False
    assert facts["has_ip"] is False
    assert facts["purchases_by_ip_1h"] == 0
    for kind in ("customer", "device", "contact"):
        assert facts[f"purchases_by_{kind}_1h"] == 1
        assert facts[f"purchases_by_{kind}_24h"] == 2


async def test_counts_equal_those_of_a_plain_walk_through_random_events(
    assess: Assess, db: Database
) -> None:
    seeded = random.Random(7)
    orders = [
        an_order(
            ip=seeded.choice(["203.0.113.1", "203.0.113.2", ""]),
            at=NOON + timedelta(minutes=seeded.randrange(180)),
        )
        for _ in range(200)
    ]
    delivered = orders + seeded.sample(orders, 40)
    walked: list[Event[OrderPlaced]] = []

    position = 0
    while position < len(delivered):
        size = seeded.choice([1, 7, 30])
        batch = sorted(delivered[position : position + size], key=lambda order: order.time)
        walked += batch
        await assess(batch)
        position += size

    async with db.read() as tx:
        rows = await tx.execute(text("SELECT purchase_id, facts FROM assessment"))
        counted = {str(row.purchase_id): row.facts["purchases_by_ip_1h"] for row in rows}
    assert counted == _plain_walk(walked)


def _plain_walk(orders: list[Event[OrderPlaced]]) -> dict[str, int]:
    seen: list[tuple[str, datetime]] = []
    counts: dict[str, int] = {}
    for order in orders:
        if order.message.order_id in counts:
            continue
        ip, at = order.message.customer.ip, order.time
        if ip:
            seen.append((ip, at))
        counts[order.message.order_id] = sum(
            1 for it, when in seen if it == ip and abs(when - at) < timedelta(hours=1)
        )
    return counts
