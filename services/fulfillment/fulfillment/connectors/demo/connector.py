"""For trying things out: a supplier inside this process that does what the account's last four
digits say. Never in production.

0001: refuses. 0002: unknown, and done after 20 s. 0003: unknown, and refused after 20 s. Anything
else: done at once, at the highest cost agreed. After a restart it knows nothing of what was before.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from fulfillment.connector import (
    Access,
    Answer,
    Connector,
    Done,
    Failed,
    NotFound,
    Report,
    Terms,
    Unknown,
    Wanted,
)
from fulfillment.outside import Outside

UNDECIDED_SECONDS = 20.0
REMEMBERED_MAX = 10_000
REFUSED = "account_unknown"


class DemoConnector:
    name = "demo"
    needs_base_url = False
    terms = Terms(
        idempotent_by_ref=True,
        query_by_ref=True,
        definite_failures=frozenset({REFUSED}),
        timeout=timedelta(seconds=5),
        visibility_delay=timedelta(seconds=5),
        unknown_ttl=timedelta(hours=24),
    )

    def __init__(self) -> None:
        self._known: dict[UUID, tuple[Wanted, float]] = {}

    async def purchase(self, _: Access, wanted: Wanted) -> Answer:
        while len(self._known) >= REMEMBERED_MAX:
            self._known.pop(next(iter(self._known)))
        self._known.setdefault(wanted.reference, (wanted, asyncio.get_running_loop().time()))
        return self._answer(wanted.reference)

    async def query(self, _: Access, reference: UUID) -> Report:
        return self._answer(reference) if reference in self._known else NotFound()

    def _answer(self, reference: UUID) -> Answer:
        wanted, since = self._known[reference]
        if asyncio.get_running_loop().time() - since < UNDECIDED_SECONDS and (
            wanted.account.endswith(("0002", "0003"))
        ):
            return Unknown("in_progress")
        if wanted.account.endswith(("0001", "0003")):
            return Failed(REFUSED)
        return Done(wanted.cost_max, f"DEMO-{reference.hex[:10].upper()}")


def create(_: Outside) -> Connector:
    return DemoConnector()
