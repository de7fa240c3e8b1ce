"""A made-up past: purchases in the order of their recording, some late, and what became of them."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from tests.risk.factories import MERCHANT

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 30
CHUNK = 10_000
CONDITION = (
    "purchases_by_ip_1h > 3 || (amount_by_customer_7d > 40000 && devices_by_ip_1d >= 2) "
    "|| amount_minor > 9900"
)


@dataclass(slots=True)
class Bought:
    id: UUID
    at: datetime
    ip: str
    customer: str
    device: str
    amount: int
    currency: str
    labels: list[str] = field(default_factory=list)
    is_declined: bool = False


def a_past(count: int, seed: int = 7) -> list[Bought]:
    """One in ten comes up to a day late; some addresses and buyers come back again and again."""
    chance = random.Random(seed)
    step = timedelta(days=DAYS) / count
    past = []
    for number in range(count):
        at = BEGIN + number * step
        if chance.random() < 0.1:
            at -= timedelta(seconds=chance.randrange(86_400))
        ring = chance.random() < 0.02
        past.append(
            Bought(
                new_id(),
                max(at, BEGIN),
                f"198.51.100.{chance.randrange(4)}"
                if ring
                else f"10.{chance.randrange(8)}.{chance.randrange(count // 40 + 1) % 256}.9",
                f"buyer-{chance.randrange(count // 5 + 1)}",
                f"device-{chance.randrange(count // 10 + 1)}",
                chance.choice([500, 1_990, 9_900, 19_900]),
                chance.choice(["CNY", "CNY", "CNY", "USD"]),
                _labels(chance),
                chance.random() < 0.01,
            )
        )
    return past


def _labels(chance: random.Random) -> list[str]:
    labels = [] if chance.random() < 0.2 else ["completed"]
    if labels and chance.random() < 0.1:
        labels.append(chance.choice(["refund", "claim", "chargeback"]))
    return labels


async def write(db: Database, past: list[Bought]) -> None:
    """As the consumers would have left it."""
    for first in range(0, len(past), CHUNK):
        chunk = past[first : first + CHUNK]
        async with db.transaction() as tx:
            for statement in (_PURCHASES, _ASSESSMENTS):
                await tx.execute(text(statement), _columns(chunk))
            declined = [each.id for each in chunk if each.is_declined]
            await tx.execute(text(_REVIEWS), {"ids": declined, "merchant_id": MERCHANT})
            pairs = [(each.id, label) for each in chunk for label in each.labels]
            await tx.execute(
                text(_LABELS),
                {
                    "orders": [order_id for order_id, _ in pairs],
                    "kinds": [label for _, label in pairs],
                    "merchant_id": MERCHANT,
                },
            )


def _columns(chunk: list[Bought]) -> dict[str, Any]:
    return {
        "merchant_id": MERCHANT,
        "ids": [it.id for it in chunk],
        "ats": [it.at for it in chunk],
        "ips": [it.ip for it in chunk],
        "customers": [it.customer for it in chunk],
        "devices": [it.device for it in chunk],
        "amounts": [it.amount for it in chunk],
        "currencies": [it.currency for it in chunk],
        "facts": [orjson.dumps({"amount_minor": it.amount}).decode() for it in chunk],
    }


_GIVEN = """
    FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[]), CAST(:ips AS text[]),
        CAST(:customers AS text[]), CAST(:devices AS text[]), CAST(:amounts AS bigint[]),
        CAST(:currencies AS text[]), CAST(:facts AS text[])) WITH ORDINALITY
        AS given(id, at, ip, customer_id, device_id, amount, currency, facts, place)
    ORDER BY place
"""
_PURCHASES = f"""
    INSERT INTO purchase (id, merchant_id, source, at, channel_id, reference, customer_id, ip,
        device_id, contact_hash, amount_minor, currency, skus, quantities, quantity)
    SELECT id, :merchant_id, 'order', at, '', CAST(id AS text), customer_id, ip, device_id, '',
        amount, currency, '{{}}', '{{}}', 1 {_GIVEN}
"""
_ASSESSMENTS = f"""
    INSERT INTO assessment (id, merchant_id, purchase_id, order_id, reference, decision, asked,
        facts, outcomes, duration_us)
    SELECT id, :merchant_id, id, id, '', 'allow', 'allow', CAST(facts AS jsonb), '[]', 1 {_GIVEN}
"""
_REVIEWS = """
    INSERT INTO review (id, merchant_id, order_id, assessment_id, status, reason, decided_at,
        decided_by)
    SELECT id, :merchant_id, id, id, 'declined', '', clock_timestamp(), 'ann'
    FROM unnest(CAST(:ids AS uuid[])) AS given(id)
"""
_LABELS = """
    INSERT INTO order_label (order_id, kind, source, merchant_id, at, amount_minor, currency)
    SELECT order_id, kind, '', :merchant_id, clock_timestamp(), 0, ''
    FROM unnest(CAST(:orders AS uuid[]), CAST(:kinds AS text[])) AS given(order_id, kind)
"""


def brute_force(past: list[Bought], since: datetime, until: datetime) -> dict[str, int]:
    """Each order by itself, against all that were recorded before it: nothing clever."""
    by_ip, by_customer = defaultdict[str, list[Bought]](list), defaultdict[str, list[Bought]](list)
    found = dict.fromkeys(("judged", "fired", "bad", "false_alarms", "bad_missed"), 0)
    for order in past:
        by_ip[order.ip].append(order)
        by_customer[order.customer].append(order)
        if not since <= order.at < until:
            continue
        hour = [it for it in by_ip[order.ip] if abs(it.at - order.at) < timedelta(hours=1)]
        day = [it for it in by_ip[order.ip] if abs(it.at - order.at) < timedelta(days=1)]
        week = [it for it in by_customer[order.customer] if abs(it.at - order.at) < 7 * _DAY]
        amount = sum(it.amount for it in week if it.currency == order.currency)
        devices = len({it.device for it in day})
        fires = len(hour) > 3 or (amount > 40_000 and devices >= 2) or order.amount > 9_900
        is_bad = order.is_declined or bool({"refund", "claim", "chargeback"} & set(order.labels))
        found["judged"] += 1
        found["fired"] += fires
        found["bad"] += fires and is_bad
        found["false_alarms"] += fires and not is_bad and "completed" in order.labels
        found["bad_missed"] += is_bad and not fires
    return found


_DAY = timedelta(days=1)
