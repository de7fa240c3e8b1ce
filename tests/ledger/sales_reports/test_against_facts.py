"""Whichever rows of the roll-ups a report is read from: it is what facts and postings add up to."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from kit.db import Database, Transaction
from kit.ids import new_id
from ledger.buyer_reports.domain import LADDER
from ledger.buyer_reports.repository import BuyerRepository
from ledger.periods import Bucket, Period
from ledger.sales_reports.domain import Dimension, Question, Sum
from ledger.sales_reports.repository import SalesRepository
from tests.ledger.bought import START, ZONES, bought_orders, events_of
from tests.ledger.conftest import Deliver

GROUPS = (
    (),
    (Dimension.CHANNEL,),
    (Dimension.PRODUCT,),
    (Dimension.PRODUCT, Dimension.CHANNEL),
    (Dimension.LOT,),
    (Dimension.LOT, Dimension.PRODUCT),
)
NOWHERE = str(UUID(int=0))


@pytest.mark.parametrize("seed", range(4))
async def test_reports_are_what_the_facts_add_up_to(
    db: Database, deliver: Deliver, seed: int
) -> None:
    dice = random.Random(seed)
    merchant = new_id()
    events = [event for order in bought_orders(dice, 40) for event in events_of(merchant, order)]
    for kind in {type(event.message) for event in events}:
        await deliver(*(event for event in events if type(event.message) is kind))

    await _reports_agree_with_facts(db, merchant, dice)


async def _reports_agree_with_facts(db: Database, merchant: UUID, dice: random.Random) -> None:
    """Of periods, zones, buckets and groups by chance: whichever rows were read for them."""
    since = START + timedelta(minutes=15 * dice.randrange(20 * 96))
    until = since + timedelta(minutes=15 * dice.randrange(1, 80 * 96))
    async with db.read() as tx:
        for zone in dice.sample(ZONES, 2):
            period = Period.of(since, until, ZoneInfo(zone))
            for bucket in (None, Bucket.DAY, Bucket.WEEK, Bucket.MONTH):
                for group in GROUPS:
                    question = Question(
                        merchant_id=merchant, period=period, dimensions=group, bucket=bucket
                    )
                    found = await SalesRepository().list_sums(tx, question, limit=100_000)
                    assert _units_and_cost(found, question) == await _of_facts(tx, question)
        spans = period.spans(LADDER)
        new = await BuyerRepository().list_returning(tx, merchant, spans, by_channel=True)
        values = {"merchant_id": merchant, "since": since, "until": until}
        rows = await tx.execute(_NEW_BUYERS, values)
        assert {(it.channel_id, it.buyers, *it.again) for it in new} == {tuple(row) for row in rows}


def _units_and_cost(found: Sequence[Sum], question: Question) -> dict[tuple[Any, ...], Any]:
    starts = question.period.starts(question.bucket) if question.bucket else [START]
    return {
        (starts[it.bucket], *it.groups): (it.sums["units"], it.sums["cost"])
        for it in found
        if it.sums["units"] or it.sums["cost"]
    }


async def _of_facts(tx: Transaction, question: Question) -> dict[tuple[Any, ...], Any]:
    columns = [f"{it.value}_id::text" for it in question.dimensions]
    keys = ", ".join(["start", *columns])
    zone = "AT TIME ZONE CAST(:zone AS text)"
    start = f"date_trunc(CAST(:bucket AS text), at {zone}) {zone}"
    sql = f"""
        SELECT {keys}, sum(units)::int AS units, sum(cost)::int AS cost FROM (
            SELECT *, {start if question.bucket else "CAST(:start AS timestamptz)"} AS start FROM (
                SELECT delivered_at AS at, channel_id, product_id, lot_id, quantity AS units,
                    0 AS cost FROM unit_fact WHERE merchant_id = :merchant_id
                UNION ALL SELECT at, posting.channel_id, product_id, lot_id, 0, amount_minor
                FROM posting JOIN account ON account.id = account_id AND code = 'cost-of-goods'
                WHERE posting.merchant_id = :merchant_id
            ) AS told WHERE at >= CAST(:since AS timestamptz)
                AND at < CAST(:until AS timestamptz)
        ) AS cut GROUP BY {keys} HAVING sum(units) <> 0 OR sum(cost) <> 0
    """  # noqa: S608 - names of this file
    values = {
        "merchant_id": question.merchant_id,
        "since": question.period.since,
        "until": question.period.until,
    }
    if question.bucket:
        values |= {"bucket": question.bucket.value, "zone": question.period.zone.key}
    else:
        values |= {"start": START}
    found: dict[tuple[Any, ...], Any] = {}
    for row in await tx.execute(text(sql), values):
        *key, units, cost = tuple(row)
        known = tuple(None if it == NOWHERE else it for it in key)
        had = found.get(known, (0, 0))
        found[known] = (had[0] + units, had[1] + cost)
    return found


_NEW_BUYERS = text("""
    SELECT channel_id::text, count(*),
        count(*) FILTER (WHERE second_at <= first_at + interval '30 days'),
        count(*) FILTER (WHERE second_at <= first_at + interval '60 days'),
        count(*) FILTER (WHERE second_at <= first_at + interval '90 days')
    FROM buyer_fact WHERE merchant_id = :merchant_id AND first_at >= CAST(:since AS timestamptz)
        AND first_at < CAST(:until AS timestamptz)
    GROUP BY 1
""")
