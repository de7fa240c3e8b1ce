"""Counts against a brute-force oracle: events late, twice, out of order, at the edges of windows.

LOCKSTOCK_VELOCITY_EVENTS is how many (default 700; the full size is 100,000). The oracle keeps
every purchase in a plain list for each of its keys and looks at all that lie within the window.
"""

import bisect
import gc
import os
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from kit.service import Service
from risk import pasts
from risk.counts import DISTINCT_MAX, CountFact, KeyKind, Measure, read_count
from risk.velocity.domain import Purchase, PurchasedLine, PurchaseSource, Velocity
from risk.velocity.service import VelocityService
from risk.windows import repository
from risk.windows.domain import Outcome
from tests.risk.factories import MERCHANT, NOON, recorded

EVENTS = int(os.environ.get("LOCKSTOCK_VELOCITY_EVENTS", "700"))
COUNTS = [
    read_count(name)
    for name in (
        "purchases_by_ip_1h",
        "purchases_by_ip_90d",
        "amount_by_ip_7d",
        "devices_by_ip_1d",
        "contacts_by_ip_30d",
        "products_by_ip_24_12h",
        "purchases_by_ip_24_1m",
        "quantity_by_device_3d",
        "customers_by_device_90d",
        "amount_by_customer_30d",
        "ips_by_customer_45m",
        "unpaid_by_customer_60d",
        "failed_payments_by_contact_14d",
        "payers_by_contact_5d",
        "networks_by_payer_2h",
        "purchases_by_payer_89d",
        "quantity_by_product_1d",
        "customers_by_product_90m",
        "purchases_by_channel_24h",
        "refunded_by_channel_3h",
        "channels_by_customer_90d",
    )
]


@dataclass(slots=True)
class Seen:
    """A purchase as the oracle keeps it: what it was, its keys, and what became of it."""

    purchase: Purchase
    keys: dict[KeyKind, list[str]]
    unpaid: int = 0
    failed: int = 0
    refunded: int = 0


@dataclass(slots=True)
class Oracle:
    """Per key (the plain text, not a digest): times in order, and the purchase of each."""

    times: dict[tuple[KeyKind, str], list[datetime]] = field(
        default_factory=lambda: defaultdict(list)
    )
    seen: dict[tuple[KeyKind, str], list[Seen]] = field(default_factory=lambda: defaultdict(list))
    by_id: dict[UUID, Seen] = field(default_factory=dict)

    def record(self, purchase: Purchase) -> dict[str, int] | None:
        """None when it is known already."""
        if purchase.id in self.by_id:
            return None
        entry = self.by_id[purchase.id] = Seen(purchase, keys_of(purchase))
        for kind, values in entry.keys.items():
            for value in values:
                place = bisect.bisect(self.times[kind, value], purchase.at)
                self.times[kind, value].insert(place, purchase.at)
                self.seen[kind, value].insert(place, entry)
        return {count.name: self._count(entry, count) for count in COUNTS}

    def settle(self, purchase_id: UUID, outcome: Outcome) -> None:
        entry = self.by_id[purchase_id]
        match outcome:
            case Outcome.UNPAID:
                entry.unpaid = 1
            case Outcome.FAILED:
                entry.failed += 1
            case Outcome.REFUNDED:
                entry.refunded = 1

    def _count(self, entry: Seen, count: CountFact) -> int:
        purchase = entry.purchase
        return max(
            (
                self._measure(purchase, count, value, self._near(purchase, count, value))
                for value in entry.keys[count.key]
            ),
            default=0,
        )

    def _near(self, purchase: Purchase, count: CountFact, value: str) -> Sequence[Seen]:
        span = timedelta(seconds=count.seconds)
        times = self.times[count.key, value]
        first = bisect.bisect_right(times, purchase.at - span)
        last = bisect.bisect_left(times, purchase.at + span)
        return self.seen[count.key, value][first:last]

    def _measure(
        self, purchase: Purchase, count: CountFact, value: str, near: Sequence[Seen]
    ) -> int:
        of = count.measure.of
        if of is not None:
            different = {other for it in near for other in it.keys[of]}
            return min(len(different), DISTINCT_MAX)
        match count.measure:
            case Measure.PURCHASES:
                return len(near)
            case Measure.UNPAID:
                return sum(it.unpaid for it in near)
            case Measure.FAILED:
                return sum(it.failed for it in near)
            case Measure.REFUNDED:
                return sum(it.refunded for it in near)
            case Measure.QUANTITY:
                return sum(line.quantity for it in near for line in lines_of(it, count, value))
            case _:
                return sum(
                    line.amount_minor
                    for it in near
                    if it.purchase.currency == purchase.currency
                    for line in lines_of(it, count, value)
                )


def lines_of(entry: Seen, count: CountFact, value: str) -> list[PurchasedLine]:
    lines = entry.purchase.lines
    return [it for it in lines if count.key is not KeyKind.PRODUCT or it.product_id == value]


def keys_of(purchase: Purchase) -> dict[KeyKind, list[str]]:
    """The oracle's own reading: addresses here are plain IPv4."""
    values = {
        KeyKind.IP: [purchase.ip],
        KeyKind.IP_24: [purchase.ip.rpartition(".")[0]],
        KeyKind.DEVICE: [purchase.device_id],
        KeyKind.CUSTOMER: [purchase.customer_id],
        KeyKind.CONTACT: [purchase.contact_hash],
        KeyKind.PAYER: [purchase.payer_hash],
        KeyKind.CHANNEL: [purchase.channel_id],
        KeyKind.PRODUCT: sorted({line.product_id for line in purchase.lines}),
    }
    return {kind: [value for value in known if value] for kind, known in values.items()}


def random_purchases(seeded: random.Random, number: int) -> Iterator[Purchase]:
    """120 days of purchases; some values are rare, one of each kind is hot, some are unknown."""
    for place in range(number):
        at = NOON + timedelta(days=120) * (place / number)
        yield a_purchase(seeded, at)


def a_purchase(seeded: random.Random, at: datetime) -> Purchase:
    def one(prefix: str, rare: int) -> str:
        chance = seeded.random()
        if chance < 0.05:
            return ""
        return f"{prefix}{0 if chance < 0.15 else seeded.randrange(1, rare)}"

    if seeded.random() < 0.3:  # on the minute: distances that are exactly a window
        at = at.replace(second=0, microsecond=0)
    if seeded.random() < 0.2:  # late by anything
        at -= timedelta(seconds=seeded.choice([1, 60, 3_600, 86_400, 8_000_000]) * seeded.random())
    ip = one("203.0.113.", 250) if seeded.random() < 0.5 else one("198.51.100.", 250)
    lines = tuple(
        PurchasedLine(f"sku-{product}", seeded.randrange(1, 4), product, seeded.randrange(1, 500))
        for product in seeded.sample(["a", "b", "c", "d", "e", "f"], seeded.randrange(1, 3))
    )
    return Purchase(
        id=UUID(int=seeded.getrandbits(128)),
        merchant_id=MERCHANT,
        source=PurchaseSource.ORDER,
        at=at,
        channel_id=f"channel-{seeded.randrange(3)}",
        reference="",
        customer_id=one("buyer-", EVENTS // 5),
        ip=ip,
        device_id=one("device-", EVENTS // 10),
        contact_hash=one("contact-", EVENTS // 5),
        payer_hash=one("card-", EVENTS // 8),
        registered_at=None,
        amount_minor=sum(line.amount_minor for line in lines),
        currency=seeded.choice(["CNY", "CNY", "USD"]),
        lines=lines,
    )


def disordered(seeded: random.Random, purchases: list[Purchase]) -> list[Purchase]:
    """As a broker may deliver: overtaken by up to 50 others, a tenth of them twice."""
    order = [(place + seeded.random() * 50, it) for place, it in enumerate(purchases)]
    order += [
        (place + seeded.random() * 500, it)
        for place, it in enumerate(purchases)
        if seeded.random() < 0.1
    ]
    return [it for _, it in sorted(order, key=lambda entry: entry[0])]


@pytest.fixture
def frozen_heap() -> Iterator[None]:
    """What the test keeps from the collector goes back to it."""
    yield
    gc.unfreeze()


@pytest.mark.timeout(7_200)
async def test_counts_equal_those_of_a_brute_force_oracle(
    service: Service, frozen_heap: None
) -> None:
    await _replay(service, EVENTS)


async def test_counts_are_the_same_where_the_database_counts_what_is_too_much_to_read(
    service: Service, frozen_heap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (pasts, repository):
        monkeypatch.setattr(module, "PAST_MAX", 2)

    await _replay(service, min(EVENTS, 400))


async def _replay(service: Service, number: int) -> None:
    velocity: VelocityService = service.state["velocity"]
    seeded = random.Random(20261127)
    delivered = disordered(seeded, list(random_purchases(seeded, number)))
    oracle = Oracle()
    # Rules come when there is history already: nothing of it may be missing.
    cold, compared, position = len(delivered) // 4, 0, 0
    _keep_from_the_collector()
    watched = {MERCHANT: [count for count in COUNTS if count.key is KeyKind.IP]}
    async with service.db.transaction() as tx:
        await velocity.watches.watch(tx, MERCHANT, watched[MERCHANT])
    while position < len(delivered):
        if position >= cold and len(watched[MERCHANT]) < len(COUNTS):
            watched = {MERCHANT: COUNTS}
            async with service.db.transaction() as tx:
                await velocity.watches.watch(tx, MERCHANT, COUNTS)
        batch = delivered[position : position + seeded.choice([1, 2, 7, 40, 100])]
        position += len(batch)
        async with service.db.transaction() as tx:
            counted = await recorded(velocity, tx, batch, watched)
        compared += _compare(oracle, batch, counted)
        await _settle_some(service, oracle, seeded)
        if seeded.random() < 0.1:
            await _peek(service, seeded, oracle, watched)
            _keep_from_the_collector()

    assert compared == number
    async with service.db.read() as tx:
        rolled = await tx.execute(text("SELECT count(*) FROM velocity_key WHERE is_rolled"))
        pairs = await tx.execute(text("SELECT count(*) FROM velocity_pair"))
        assert min(rolled.scalar_one(), pairs.scalar_one()) > 0


def _keep_from_the_collector() -> None:
    """All that the oracle remembers: a full pass over it in the midst of a transaction took longer
    than the database lets a transaction be idle.
    """
    gc.collect(1)
    gc.freeze()


def _compare(
    oracle: Oracle, batch: list[Purchase], counted: list[tuple[Purchase, Velocity]]
) -> int:
    expected = [(it, oracle.record(it)) for it in batch]
    fresh = [(it, counts) for it, counts in expected if counts is not None]
    assert [it for it, _ in counted] == [it for it, _ in fresh]
    for (purchase, velocity), (_, counts) in zip(counted, fresh, strict=True):
        differences = {
            name: (count, counts[name])
            for name, count in velocity.counts.items()
            if count != counts[name]
        }
        assert differences == {}, purchase
    return len(fresh)


async def _settle_some(service: Service, oracle: Oracle, seeded: random.Random) -> None:
    """Some purchases end: unpaid, refunded, or a payment for them fails, some twice."""
    known = list(oracle.by_id)[-300:]
    some = seeded.sample(known, min(len(known), seeded.randrange(4)))
    settled = [(it, seeded.choice(list(Outcome))) for it in some]
    async with service.db.transaction() as tx:
        await service.state["velocity"].settle(tx, settled)
    for purchase_id, outcome in settled:
        oracle.settle(purchase_id, outcome)


async def _peek(
    service: Service,
    seeded: random.Random,
    oracle: Oracle,
    watched: dict[UUID, list[CountFact]],
) -> None:
    """Asked about together, not recorded: the oracle would count the same of each by itself."""
    newest = max(it.purchase.at for it in oracle.by_id.values())
    purchases = [a_purchase(seeded, newest) for _ in range(seeded.choice([1, 1, 2, 9]))]
    async with service.db.read() as tx:
        peeked = await service.state["velocity"].peek(tx, purchases, watched)
    for purchase, (asked, found) in zip(purchases, peeked.purchases, strict=True):
        assert asked is purchase
        expected = oracle.record(purchase)
        assert expected is not None
        for kind, values in keys_of(purchase).items():
            for value in values:
                place = next(
                    n for n, it in enumerate(oracle.seen[kind, value]) if it.purchase is purchase
                )
                del oracle.seen[kind, value][place], oracle.times[kind, value][place]
        del oracle.by_id[purchase.id]
        assert {name: expected[name] for name in found.counts} == dict(found.counts)
