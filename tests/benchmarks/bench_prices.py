"""Price computations: the pure function that quotes and orders ask, with no rule and with 50.

Lines priced per second of CPU time of one core, for orders of one line and of five; the rules are
10 price lists and 40 promotions, all of them in force, a part of them for any one product or all
for all. BENCH_SECONDS is how long each is measured.
"""

import os
import time
from datetime import UTC, datetime
from typing import Any

from kit.ids import new_id
from kit.money import Money
from order.catalogue.domain import ManualFulfillment, Product
from order.price_rules.domain import (
    Effect,
    EffectKind,
    Ladder,
    ListTerms,
    PromotionTerms,
    Rule,
    RuleKind,
    Scope,
    Terms,
)
from order.prices.domain import Wanted, price
from order.unit_prices.domain import Facts, book_of
from tests.benchmarks.results import save, say

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
SKUS = [f"SKU-{number}" for number in range(200)]
LISTS = 10
PROMOTIONS = 40
ORDERS = 200
GOAL = 20_000
NOW = datetime.now(UTC)


async def run() -> None:
    figures: dict[str, Any] = {}
    for name, facts in (
        ("no rule", facts_of([], {})),
        ("50 rules, each for some products", some_rules(for_all=False)),
        ("50 rules, all for all products", some_rules(for_all=True)),
    ):
        for lines in (1, 5):
            rate = _lines_per_second(facts, lines)
            figures[f"{name}, orders of {lines}: lines per second of CPU"] = round(rate)
    worst = min(figures.values())
    figures["slowest against the goal of 20,000"] = round(worst / GOAL, 2)
    for name, value in figures.items():
        say(f"{name:66} {value}")
    say(f"written to {save('prices', figures)}")


def some_rules(*, for_all: bool) -> Facts:
    rules: list[Rule] = []
    entries: dict[Any, Ladder] = {}
    for number in range(LISTS):
        rule = _rule(RuleKind.PRICE_LIST, ListTerms(), number % 3)
        rules.append(rule)
        skus = SKUS if for_all else SKUS[number::5]
        entries |= {(rule.id, sku): Ladder(price=900 + number) for sku in skus}
    for number in range(PROMOTIONS):
        terms = PromotionTerms(
            Effect(EffectKind.PERCENT_OFF, 100 + number),
            frozenset() if for_all else frozenset(SKUS[number::20]),
            is_exclusive=bool(number % 2),
        )
        rules.append(_rule(RuleKind.PROMOTION, terms, number % 4))
    return facts_of(rules, entries)


def facts_of(rules: list[Rule], entries: dict[Any, Ladder]) -> Facts:
    products = {sku: _product(sku, 1_000 + at) for at, sku in enumerate(SKUS)}
    return Facts(products, now=NOW, book=book_of(rules), entries=entries)


def _lines_per_second(facts: Facts, lines: int) -> float:
    """Of CPU time: what else the machine does is left out."""
    orders = [
        [Wanted(SKUS[(at + line) % len(SKUS)], 2, {}) for line in range(lines)]
        for at in range(ORDERS)
    ]
    started, done = time.process_time(), 0
    while time.process_time() - started < SECONDS:
        for order in orders:
            price(facts, order)
        done += ORDERS * lines
    return done / (time.process_time() - started)


def _product(sku: str, amount: int) -> Product:
    return Product(
        id=new_id(),
        merchant_id=new_id(),
        sku=sku,
        name=sku,
        fulfillment=ManualFulfillment("desk", None),
        price=Money(amount, "CNY"),
        instructions="",
        is_active=True,
        created_at=NOW,
        updated_at=NOW,
    )


def _rule(kind: RuleKind, terms: Terms, priority: int) -> Rule:
    return Rule(
        id=new_id(),
        merchant_id=new_id(),
        kind=kind,
        name=kind.value,
        version=1,
        priority=priority,
        scope=Scope(),
        currency="CNY",
        is_active=True,
        terms=terms,
        created_at=NOW,
        updated_at=NOW,
    )
