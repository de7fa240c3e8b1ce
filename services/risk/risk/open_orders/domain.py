"""Orders that hold stock and wait for their payment: what one who hoards has many of."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from risk.counts import KeyKind
from risk.facts import FactKind, FactType
from risk.velocity.domain import Purchase

OPEN_MAX = 1_000
"""Of one address, device, buyer or contact: more are counted as so many."""
LOST_AFTER = timedelta(days=7)
"""No order waits for its payment so long: its end was never heard of."""
COUNTED_BY = (KeyKind.IP, KeyKind.DEVICE, KeyKind.CUSTOMER, KeyKind.CONTACT)
_THIS = {
    KeyKind.IP: "this address (IPv6: its /64)",
    KeyKind.DEVICE: "this device",
    KeyKind.CUSTOMER: "this buyer",
    KeyKind.CONTACT: "this contact",
}


def fact_name(kind: KeyKind) -> str:
    """`open_unpaid_of_ip`."""
    return f"open_unpaid_of_{kind}"


OPEN_ORDER_FACTS: Sequence[FactKind] = [
    FactKind(
        fact_name(kind),
        FactType.INT,
        f"other orders of {_THIS[kind]} that wait for their payment now; 0 when unknown",
        by=kind,
        most=OPEN_MAX,
    )
    for kind in COUNTED_BY
]


@dataclass(frozen=True, slots=True)
class Found:
    """How many open orders have a key."""

    of: Mapping[tuple[KeyKind, UUID], int]


def facts_of(purchases: Sequence[Purchase], found: Found) -> list[dict[str, int]]:
    """As if the purchases came one by one: each also sees those before it that wait."""
    waiting = defaultdict[tuple[KeyKind, UUID], int](int, found.of)
    facts = []
    for it in purchases:
        keys = [(kind, key) for kind in COUNTED_BY if (key := it.key_of(kind)) is not None]
        facts.append({fact_name(kind): min(waiting[kind, key], OPEN_MAX) for kind, key in keys})
        if it.is_open:
            for each in keys:
                waiting[each] += 1
    return facts
