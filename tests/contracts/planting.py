"""What only events make, put into the services' databases by the services themselves."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from kit.ids import new_id
from kit.service import Service
from ledger.accounts.domain import SETTLEMENT_AVAILABLE, SETTLEMENT_PENDING
from ledger.transactions.domain import Draft, Posting
from risk.challenges.domain import ChallengeOpening
from risk.reviews.domain import ReviewOpening
from tests.contracts.running import MERCHANT
from tests.contracts.services import build, closing, settings_of

SECONDS_MAX = 60.0
AVAILABLE = 5_000
Plant = Callable[[Service], Coroutine[Any, Any, str]]


def plant(urls: Mapping[str, str], folder: Path, order_id: str) -> str:
    """A settlement with its payout, a review, and a challenge, whose id is answered."""

    async def run() -> str:
        await _with("ledger", urls, folder, _settlement)
        return await _with("risk", urls, folder, lambda it: _doubts(it, UUID(order_id)))

    made: list[str] = []
    # A loop of its own: the fixtures' may run already.
    thread = threading.Thread(target=lambda: made.append(asyncio.run(run())))
    thread.start()
    thread.join(SECONDS_MAX)
    return made[0]


async def _with(name: str, urls: Mapping[str, str], folder: Path, what: Plant) -> str:
    async with closing(build(settings_of(name, folder, urls[name]))) as service:
        return await what(service)


async def _settlement(service: Service) -> str:
    now = datetime.now(UTC)
    draft = Draft(
        merchant_id=MERCHANT,
        source=f"known:{new_id()}",
        at=now - timedelta(seconds=1),
        description="known",
        postings=[
            Posting(SETTLEMENT_AVAILABLE, "CNY", AVAILABLE),
            Posting(SETTLEMENT_PENDING, "CNY", -AVAILABLE),
        ],
    )
    async with service.db.transaction([MERCHANT]) as tx:
        await service.state["transactions"].post(tx, [draft])
    settlements, is_open = service.state["settlements"], True
    async with service.db.transaction([MERCHANT]) as tx:
        await settlements.run(tx, now, MERCHANT, "known")
    while is_open:
        async with service.db.transaction([MERCHANT]) as tx:
            is_open = await settlements.advance(tx)
    return draft.source


async def _doubts(service: Service, order_id: UUID) -> str:
    challenge_id = new_id()
    review = ReviewOpening(MERCHANT, order_id, new_id(), "known")
    challenge = ChallengeOpening(challenge_id, MERCHANT, order_id, "known", "known")
    async with service.db.transaction([MERCHANT]) as tx:
        await service.state["reviews"].open(tx, [review])
        await service.state["challenges"].open(tx, [challenge])
    return str(challenge_id)
