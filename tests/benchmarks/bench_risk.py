"""Risk: what a decision by 50 rules costs, without the database and with all its counts.

Without I/O: decisions per second of CPU of one core by the pure function that back-tests call too,
against a decision by no rule. With I/O: purchases recorded, counted and judged in batches of 50, as
events bring them, then one by one by BENCH_CALLERS at once, against the same with the platform's
rules only, in turns; then BENCH_PACES a second, each when it is due whatever the answers take:
recorded, and asked only. One by one is what the route does behind HTTP and its JSON; what is
recorded is committed before it is answered. The history is BENCH_PURCHASES over 90 days, and the
hottest keys have a tenth of it. BENCH_SECONDS is how long.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast
from uuid import UUID

from fastapi import Request
from sqlalchemy import text

from kit.auth import Principal
from kit.http.once import Once, model_bytes
from kit.ids import new_id
from kit.service import Service
from kit.tenancy import for_every_merchant
from risk.app import create_service
from risk.assessments.schemas import AssessmentAnswer
from risk.conditions import Conditions
from risk.facts import Catalogue, Facts
from risk.rule_templates import TEMPLATES
from risk.rules.domain import Action, Mode, Rule, RuleText, judge, verdict
from risk.settings import Settings
from risk.velocity.domain import Purchase, PurchasedLine, PurchaseSource
from tests.benchmarks.alone import own_database
from tests.benchmarks.bench_import import percentile_ms
from tests.benchmarks.results import save, say
from tests.risk.factories import recorded

SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
PURCHASES = int(os.environ.get("BENCH_PURCHASES", "40000"))
CALLERS = int(os.environ.get("BENCH_CALLERS", "4"))
PACES = [int(it) for it in os.environ.get("BENCH_PACES", "50,200").split(",")]
BATCH = 200
FEW, MANY = UUID(int=1), UUID(int=2)
NOW = datetime.now(UTC)
_KEYS = ("ip", "ip_24", "device", "customer", "contact", "payer")
_COUNTED = [
    f"{measure}_by_{key}_{window} > {limit}"
    for key in _KEYS
    for measure, window, limit in (
        ("purchases", "1h", 50_000),
        ("amount", "30d", 10**9),
        ("purchases", "90d", 100_000),
        ("quantity", "7d", 100_000),
        ("devices" if key != "device" else "ips", "1d", 900),
        ("unpaid", "12h", 900),
    )
]
_PLAIN = ["amount_minor > 10000000", "'STEAM-1000' in skus", "quantity > 500 && first_purchase"]
CONDITIONS = (_COUNTED + [it.text.condition for it in TEMPLATES.values()] + _PLAIN)[:50]


async def run() -> None:
    async with _service() as service:
        figures = _without_io(service.state["rules"].catalogue)
        with for_every_merchant("a benchmark"):
            await _fill(service)
            figures |= await _in_batches(service)
            figures |= await _with_io(service)
            for pace in PACES:
                figures |= await _paced(service, pace, "recorded", _record)
                figures |= await _paced(service, pace, "asked only", _preview)
    for name, value in figures.items():
        say(f"{name:66} {value}")
    say(f"written to {save('risk', figures)}")


def _without_io(catalogue: Catalogue) -> dict[str, float]:
    conditions = Conditions(catalogue)
    rules = [_rule(condition) for condition in CONDITIONS]
    known = catalogue.facts(
        {
            "amount_minor": 1990,
            "currency": "CNY",
            "quantity": 2,
            "skus": ("STEAM-50",),
            "ip": "203.0.113.7",
        }
    )
    many = _decisions_per_second(rules, known, conditions)
    none = _decisions_per_second([], known, conditions)
    return {
        "decisions by 50 rules per second of CPU, no I/O (goal 5,000)": round(many),
        "by no rule": round(none),
        "50 rules against none": round(many / none, 3),
    }


def _decisions_per_second(rules: Sequence[Rule], known: Facts, conditions: Conditions) -> float:
    failures = [it.failure for it in judge(rules, known, conditions) if it.failure]
    if failures:
        raise SystemExit(f"conditions without an answer: {failures}")
    done, started = 0, time.process_time()
    while (spent := time.process_time() - started) < SECONDS / 2:
        for _ in range(100):
            verdict(judge(rules, known, conditions), 2)
        done += 100
    return done / spent


async def _in_batches(service: Service) -> dict[str, float]:
    """As the consumer takes them when many are there: what one decision takes of its batch."""
    seeded = random.Random(3)
    spent: list[float] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        purchases = [_purchase(seeded, MANY, datetime.now(UTC)) for _ in range(50)]
        started = time.perf_counter()
        async with service.db.transaction() as tx:
            await service.state["assessments"].assess(tx, purchases)
        spent.append((time.perf_counter() - started) / 50)
    return {
        "50 rules in batches of 50: a decision with its counts, p50, ms": percentile_ms(spent, 0.5),
        "its p99, ms (goal 5)": percentile_ms(spent, 0.99),
    }


async def _with_io(service: Service) -> dict[str, float]:
    seeded = random.Random(2)
    spent: dict[UUID, list[float]] = {FEW: [], MANY: []}
    for _ in range(3):
        for merchant, latencies in spent.items():
            await _load(service, merchant, seeded, latencies, SECONDS / 3)
    few, many = sorted(spent[FEW]), sorted(spent[MANY])
    return {
        f"50 rules with {len(_COUNTED)} counts and more, {CALLERS} callers: decisions/s": round(
            len(many) / SECONDS
        ),
        "p50, ms": percentile_ms(many, 0.5),
        "p99, ms (goal 5)": percentile_ms(many, 0.99),
        "the platform's 3 rules: decisions/s": round(len(few) / SECONDS),
        "its p50, ms": percentile_ms(few, 0.5),
        "its p99, ms": percentile_ms(few, 0.99),
        "50 rules against 3, decisions/s": round(len(many) / len(few), 2),
    }


async def _load(
    service: Service, merchant: UUID, seeded: random.Random, spent: list[float], seconds: float
) -> None:
    until = time.monotonic() + seconds

    async def caller() -> None:
        while time.monotonic() < until:
            purchase = _purchase(seeded, merchant, datetime.now(UTC))
            started = time.perf_counter()
            await _record(service, purchase)
            spent.append(time.perf_counter() - started)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def _paced(
    service: Service, pace: int, how: str, decide: Callable[[Service, Purchase], Awaitable[None]]
) -> dict[str, float]:
    """What a decision takes from when it was due: one that waits for others is not left out."""
    seeded = random.Random(pace)
    late: list[float] = []
    cpu = time.process_time()
    first = time.perf_counter()

    async def one(purchase: Purchase, due: float) -> None:
        await decide(service, purchase)
        late.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as tasks:
        for number in range(round(pace * SECONDS)):
            due = first + number / pace
            # Made before it is due: that is the load's work, not the service's.
            purchase = _purchase(seeded, MANY, datetime.now(UTC))
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(one(purchase, due))
    spent = time.process_time() - cpu
    return {
        f"50 rules, {how}, {pace} a second: p50, ms": percentile_ms(late, 0.5),
        f"{how}, {pace} a second: p99, ms (goal 5)": percentile_ms(late, 0.99),
        f"{how}, {pace} a second: CPU of the service, ms": round(spent / len(late) * 1_000, 2),
    }


async def _record(service: Service, purchase: Purchase) -> None:
    """As the route does for `record: true` without an Idempotency-Key."""
    await service.state["recording"](_once(service), _caller(purchase), purchase)


async def _preview(service: Service, purchase: Purchase) -> None:
    """As the route does without `record`: counted and judged, not written down."""
    made = await service.state["preview"](purchase)
    model_bytes(AssessmentAnswer.from_domain(made, is_recorded=False))


def _once(service: Service) -> Once:
    app = SimpleNamespace(state=SimpleNamespace(db=service.db))
    return Once(cast(Request, SimpleNamespace(app=app)), None)


def _caller(purchase: Purchase) -> Principal:
    return Principal("bench", "service", purchase.merchant_id, frozenset("*"))


async def _fill(service: Service) -> None:
    """The rules, and 90 days of purchases for both merchants."""
    for condition in CONDITIONS:
        async with service.db.transaction() as tx:
            await service.state["rules"].create(
                tx, MANY, _rule(condition).text, author="bench", is_enabled=True
            )
    seeded = random.Random(1)
    for merchant in (FEW, MANY):
        for first in range(0, PURCHASES, BATCH):
            purchases = [
                _purchase(seeded, merchant, NOW - timedelta(days=90) * (1 - number / PURCHASES))
                for number in range(first, min(first + BATCH, PURCHASES))
            ]
            async with service.db.transaction() as tx:
                await recorded(service.state["velocity"], tx, purchases)
    async with service.db.transaction() as tx:
        await tx.execute(text("ANALYZE"))


def _purchase(seeded: random.Random, merchant: UUID, at: datetime) -> Purchase:
    def one(prefix: str) -> str:
        hot = seeded.random() < 0.1
        return f"{prefix}{0 if hot else seeded.randrange(1, PURCHASES // 4)}"

    host = seeded.randrange(1, 60_000)
    ip = "203.0.113.7" if seeded.random() < 0.1 else f"10.{host % 200}.{host // 250}.{host % 250}"
    return Purchase(
        id=new_id(),
        merchant_id=merchant,
        source=PurchaseSource.SHOP,
        at=at,
        channel_id="channel",
        reference=str(new_id()),
        customer_id=one("buyer-"),
        ip=ip,
        device_id=one("device-"),
        contact_hash=one("contact-"),
        payer_hash=one("card-"),
        registered_at=None,
        amount_minor=1990,
        currency="CNY",
        lines=(PurchasedLine(f"SKU-{seeded.randrange(50)}", 1),),
    )


def _rule(condition: str) -> Rule:
    said = RuleText("A rule", 50, Mode.ENFORCE, condition, Action.HOLD)
    return Rule(
        new_id(), MANY, 1, is_enabled=True, text=said, template=None, author="", written_at=NOW
    )


@asynccontextmanager
async def _service() -> AsyncIterator[Service]:
    """On a server and a database of its own; everything is gone at the end."""
    async with own_database("risk") as url:
        settings = Settings(
            database_url=url,
            kafka_bootstrap="127.0.0.1:1",
            internal_secret="s" * 32,
            database_pool_size=CALLERS + 2,
        )
        service = create_service(settings)
        try:
            yield service
        finally:
            await service.db.close()
