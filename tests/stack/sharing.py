"""Which worker runs which tests, and in what order, when several share a run."""

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/e2e/": "the whole set",
    "tests/contracts/test_openapi_": "all services in one process",
    "tests/contracts/test_isolation.py": "all services in one process",
    "tests/fulfillment/pages/": "a browser",
    "tests/kit/messaging/": "a broker",
    "tests/chaos/test_history.py": "a broker",
}
"""What shares servers that are dear to start stays on one worker: names begin so, and the place."""
LONGEST = (
    "the whole set",
    "tests/history/test_mutants.py",
    "a broker",
    "tests/chaos/test_crash.py",
    "all services in one process",
    "a browser",
    "tests/suppliers/test_conformance.py",
    "tests/onebox/test_full_set.py",
    "tests/onebox/test_supervisor.py",
    "tests/inventory_vault/opener/test_rotation.py",
    "tests/fulfillment/webhook_deliveries/test_sender.py",
    "tests/fulfillment/claims/test_kills.py",
    "tests/fulfillment/purchases/test_kills.py",
    "tests/fulfillment/procurement/test_kills.py",
    "tests/inventory_vault/sequencer/test_crashes.py",
    "tests/inventory_vault/auditor/test_attacks.py",
    "tests/suppliers/test_guide.py",
    "tests/order/money/test_idempotency.py",
    "tests/order/money/test_race.py",
    "tests/fulfillment/webhook_deliveries/test_must_show.py",
    "tests/inventory_vault/shelves/test_walk.py",
    "tests/contracts/test_migrations.py",
    "tests/inventory_vault/boxes/test_rotation.py",
    "tests/order/saga/test_simulation.py",
    "tests/onebox/test_postgres.py",
    "tests/onebox/test_kafka.py",
    "tests/inventory_vault/uploads/test_resuming.py",
    "tests/inventory_vault/opener/test_caps.py",
    "tests/order/prices/test_properties.py",
)
"""Places of more than 20 seconds on a quiet machine, the longest first: at its end a run must not
wait for one worker with a long file. What is not named follows in pytest's own order.
"""


def place_of(nodeid: str) -> str:
    """The file of a test, or what its file belongs together with."""
    path = nodeid.partition("::")[0]
    return next((place for start, place in TOGETHER.items() if path.startswith(start)), path)


def longest_first(items: list[pytest.Item]) -> None:
    """Sorts in place; the tests of one place keep their order."""
    ranks = {place: rank for rank, place in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(place_of(item.nodeid), len(ranks)))


class PlaceScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist tells no types
    """Gives whole places to the workers, in the order of the collection."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        config.option.loadscopereorder = False  # it goes by the number of tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return place_of(nodeid)
