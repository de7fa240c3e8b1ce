"""From sale to what can be paid out, and back: repeats, reorderings, races."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_id
from kit.messaging.events import Event
from kit.service import Service
from ledger.app import create_service
from ledger.settings import Settings
from ledger.settlement_rules.domain import Bearer, Tier
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import MERCHANT, OTHER_MERCHANT
from tests.ledger.settling import (
    LONG_AGO,
    a_claim,
    a_decision,
    a_part_sale,
    a_sale,
    agree,
    let_time_pass,
    money_back,
    settlement,
    terms,
)

TRIES_MAX = 100


async def test_without_a_rule_nothing_is_shared_out(deliver: Deliver, balances: Balances) -> None:
    await deliver(a_sale(10_000))

    assert settlement(await balances()) == {}


async def test_a_sale_is_pending_for_the_merchant_and_the_platform_has_its_share(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(warranty_days=3_650))

    await deliver(a_sale(10_000, 1_990))
    await let_time_pass(service)

    assert settlement(await balances()) == {"settlement:pending": 11_390, "platform-fees": 600}


async def test_a_line_that_was_not_delivered_or_cost_nothing_is_not_shared_out(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms())

    await deliver(a_part_sale(1_000, 5_000))
    await deliver(a_sale(0))

    assert settlement(await balances()) == {"settlement:pending": 950, "platform-fees": 50}


async def test_after_the_warranty_it_is_available(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(warranty_days=7))
    now = datetime.now(UTC)
    await deliver(
        a_sale(10_000, at=now - timedelta(days=8)), a_sale(1_000, at=now - timedelta(days=6))
    )

    await let_time_pass(service)
    await let_time_pass(service)

    assert settlement(await balances()) == {
        "settlement:available": 9_500,
        "settlement:pending": 950,
        "platform-fees": 550,
    }


async def test_a_reserve_is_held_back_and_released_in_its_time(
    service: Service, deliver: Deliver, balances: Balances, db: Database
) -> None:
    await agree(service, terms(reserve_basis_points=1_000, reserve_days=30))
    await deliver(a_sale(10_000))

    await let_time_pass(service)
    assert settlement(await balances()) == {
        "settlement:available": 8_550,
        "settlement:reserved": 950,
        "platform-fees": 500,
    }
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE split SET reserved_until = clock_timestamp()"))
    await let_time_pass(service)

    assert settlement(await balances()) == {"settlement:available": 9_500, "platform-fees": 500}


async def test_a_whole_refund_while_pending_leaves_nothing(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(warranty_days=3_650))
    sale = a_sale(1_990)
    await deliver(sale)

    await deliver(money_back(sale, 663))
    await deliver(money_back(sale, 663), money_back(sale, 664))

    assert settlement(await balances()) == {}


async def test_a_refund_after_the_release_may_leave_a_debt(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(refund_bearer=Bearer.MERCHANT))
    sale = a_sale(1_000)
    await deliver(sale)
    await let_time_pass(service)

    await deliver(money_back(sale, 1_000))

    assert settlement(await balances()) == {"settlement:available": -50, "platform-fees": 50}


async def test_a_refund_takes_what_is_pending_then_held_back_then_available(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(
        service,
        terms(refund_bearer=Bearer.MERCHANT, reserve_basis_points=1_000, reserve_days=9),
    )
    sale = a_sale(1_000)
    await deliver(sale)
    pending = money_back(sale, 500)
    await deliver(pending)
    assert settlement(await balances()) == {"settlement:pending": 450, "platform-fees": 50}
    await let_time_pass(service)

    await deliver(money_back(sale, 30))
    assert settlement(await balances()) == {
        "settlement:available": 405,
        "settlement:reserved": 15,
        "platform-fees": 50,
    }
    await deliver(money_back(sale, 470))

    assert settlement(await balances()) == {"settlement:available": -50, "platform-fees": 50}


async def test_a_refund_that_the_platform_bears_leaves_the_merchants_part(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(refund_bearer=Bearer.PLATFORM))
    sale = a_sale(1_000)
    await deliver(sale)

    await deliver(money_back(sale, 1_000))

    assert settlement(await balances()) == {"settlement:pending": 950, "platform-fees": -950}


async def test_every_event_counts_once_in_whatever_order(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(warranty_days=3_650))
    sale, other = a_sale(10_000, 3_000), a_sale(777)
    refunds = [money_back(sale, 1_000), money_back(sale, 3_000, place=1), money_back(other, 777)]

    await deliver(*refunds)
    await deliver(sale, other, sale)
    await deliver(*refunds[::-1])
    await deliver(other)

    assert settlement(await balances()) == {"settlement:pending": 8_550, "platform-fees": 450}


async def test_sale_and_refund_at_the_very_same_moment_meet(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(warranty_days=3_650))
    sales = [a_sale(1_000) for _ in range(6)]

    await asyncio.gather(
        *(patiently(deliver, sale) for sale in sales),
        *(patiently(deliver, money_back(sale, 1_000)) for sale in sales),
    )

    assert settlement(await balances()) == {}


async def test_many_workers_release_each_line_once(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms())
    await deliver(*(a_sale(1_000) for _ in range(120)))

    await asyncio.gather(*(let_time_pass(service) for _ in range(8)))

    assert settlement(await balances()) == {
        "settlement:available": 120 * 950,
        "platform-fees": 120 * 50,
    }


async def test_refunds_and_releases_at_once_leave_each_line_whole(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms())
    sales = [a_sale(1_000) for _ in range(40)]
    await deliver(*sales)

    await asyncio.gather(
        *(patiently(deliver, money_back(sale, 1_000)) for sale in sales),
        *(let_time_pass(service) for _ in range(6)),
    )
    await let_time_pass(service)

    assert settlement(await balances()) == {}


async def test_a_line_with_an_open_claim_stays_pending_until_it_is_decided(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms())
    sale, claim = a_sale(1_000), new_id()
    await deliver(sale)
    await deliver(a_claim(sale, claim))

    await let_time_pass(service)
    assert settlement(await balances()) == {"settlement:pending": 950, "platform-fees": 50}
    await deliver(a_decision(sale, claim))
    await deliver(a_claim(sale, claim))
    await let_time_pass(service)

    assert settlement(await balances()) == {"settlement:available": 950, "platform-fees": 50}


async def test_tiers_count_each_line_once_whoever_tells_it(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(basis_points=1_000, tiers=(Tier(10_000, 500), Tier(20_000, 0))))
    sales = [a_sale(1_000) for _ in range(30)]

    await asyncio.gather(*(patiently(deliver, *sales[place::3], *sales[:5]) for place in range(3)))
    await deliver(*sales)

    assert settlement(await balances())["platform-fees"] == 1_000 + 500


async def test_each_month_has_a_volume_of_its_own(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(basis_points=1_000, tiers=(Tier(1_000, 0),)))

    await deliver(a_sale(1_000), a_sale(1_000))
    await deliver(a_sale(1_000, at=LONG_AGO + timedelta(days=31)))

    assert settlement(await balances())["platform-fees"] == 200


async def test_a_rule_for_everybody_counts_for_each_merchant_alone(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(basis_points=1_000, tiers=(Tier(1_000, 0),)), merchant_id=None)

    await deliver(a_sale(1_000), a_sale(1_000, merchant_id=OTHER_MERCHANT))

    for merchant in (MERCHANT, OTHER_MERCHANT):
        assert settlement(await balances(merchant))["platform-fees"] == 100


async def test_what_the_channel_collected_is_parted_to_nothing(
    service: Service, deliver: Deliver, db: Database
) -> None:
    await agree(service, terms())
    sale = a_sale(1_990)

    await deliver(sale)
    await deliver(money_back(sale, 90))

    async with db.read() as tx:
        rows = await tx.execute(
            text("""SELECT sum(amount_minor) AS total FROM posting
                    WHERE transaction_id IN (SELECT id FROM transaction
                        WHERE source LIKE 'line-split:%' OR source LIKE 'split-refunded:%')
                    GROUP BY transaction_id""")
        )
        assert [row.total for row in rows] == [0, 0]


async def test_the_platforms_books_have_the_same_the_other_way_round(
    ledger_database: str, service: Service, deliver: Deliver, balances: Balances
) -> None:
    platform = new_id()
    await agree(service, terms())
    settings = Settings(
        database_url=ledger_database,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret="s" * 32,
        platform_merchant_id=platform,
    )
    both = create_service(settings)
    sale = a_sale(1_000)
    message_class = type(sale.message)

    async with both.db.transaction() as tx:
        for handler in both.handlers:
            if handler.message_class is message_class:
                await handler.fn(tx, [sale])
    await let_time_pass(both)
    await both.db.close()

    found = await balances(platform)
    assert found["platform-revenue", "CNY"] == -50
    assert found[f"merchant-payable:{MERCHANT}:available", "CNY"] == -950
    assert sum(found.values()) == 0


async def test_a_replayed_event_under_another_id_changes_nothing(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms(warranty_days=3_650))
    sale = a_sale(1_000)
    refund = money_back(sale, 100)

    await deliver(sale, replace(sale, id=new_id()))
    await deliver(refund, replace(refund, id=new_id()))

    assert settlement(await balances()) == {"settlement:pending": 855, "platform-fees": 45}


async def patiently(deliver: Deliver, *events: Event[Any]) -> None:
    """As the consumer does: who meets another one in the books waits and tries again."""
    for _ in range(TRIES_MAX):
        with suppress(Unavailable):
            return await deliver(*events)
    raise AssertionError("the books were busy too often")
