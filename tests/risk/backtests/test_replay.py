"""Counts in memory against the definition, over purchases that come late and in any order."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from risk.counts import KeyKind, read_count
from risk.replay import Replay, Seen, can_replay

NAMES = (
    "purchases_by_ip_1h",
    "purchases_by_ip_1m",
    "quantity_by_device_1d",
    "amount_by_ip_1d",
    "amount_by_product_3h",
    "purchases_by_product_3h",
    "devices_by_ip_1d",
    "ips_by_product_2h",
)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def a_purchase(chance: random.Random, number: int) -> Seen:
    at = NOON + timedelta(seconds=40 * number)
    if chance.random() < 0.3:
        at -= timedelta(seconds=chance.choice([0, 60, 3_600, 86_400, chance.randrange(200_000)]))
    products = {
        f"p{each}": (chance.randrange(1, 4), chance.randrange(100))
        for each in chance.sample(range(4), chance.randrange(1, 3))
    }
    return Seen(
        at,
        chance.choice(["CNY", "USD"]),
        sum(quantity for quantity, _ in products.values()),
        sum(amount for _, amount in products.values()),
        {
            KeyKind.IP: (f"ip{chance.randrange(6)}",) if chance.random() < 0.9 else (),
            KeyKind.DEVICE: (f"d{chance.randrange(12)}",) if chance.random() < 0.9 else (),
            KeyKind.PRODUCT: tuple(products),
        },
        products,
    )


def by_definition(name: str, past: list[Seen]) -> int:
    """Of several keys the one with the most; `past` ends with the purchase itself."""
    count, own = read_count(name), past[-1]
    found = [0]
    for key in own.keys[count.key]:
        near = [
            it
            for it in past
            if key in it.keys[count.key] and abs(it.at - own.at) < timedelta(seconds=count.seconds)
        ]
        if count.measure.of is not None:
            found.append(len({value for it in near for value in it.keys[count.measure.of]}))
            continue
        figures = [
            it.of_product[key] if count.key is KeyKind.PRODUCT else (it.quantity, it.amount_minor)
            for it in near
            if count.measure != "amount" or it.currency == own.currency
        ]
        by_measure = {
            "purchases": len(figures),
            "quantity": sum(quantity for quantity, _ in figures),
            "amount": sum(amount for _, amount in figures),
        }
        found.append(by_measure[count.measure])
    return max(found)


@pytest.mark.parametrize("seed", range(4))
def test_each_count_is_what_its_definition_says(seed: int) -> None:
    chance = random.Random(seed)
    replay = Replay([read_count(name) for name in NAMES])
    past: list[Seen] = []
    for number in range(400):
        past.append(a_purchase(chance, number))

        counted = replay.take(past[-1])

        assert counted == {name: by_definition(name, past) for name in NAMES}, number


def test_what_can_count_no_more_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("risk.replay.SWEEP_EVERY", 10)
    replay = Replay([read_count("purchases_by_ip_1h"), read_count("devices_by_ip_1h")])

    for number in range(1_000):
        keys = {KeyKind.IP: (f"ip{number}",), KeyKind.DEVICE: ("d",)}
        replay.take(Seen(NOON + timedelta(days=number), "CNY", 1, 1, keys, {}))

    assert all(len(book) < 30 for book in replay._books.values())


def test_outcomes_are_not_counted_again() -> None:
    assert not can_replay(read_count("unpaid_by_ip_1h"))
    assert not can_replay(read_count("refunded_by_customer_1d"))
    assert can_replay(read_count("contacts_by_device_1d"))
