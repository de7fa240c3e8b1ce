"""Everything that moves stock at once, in any order of lines: nobody waits for ever."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from kit.service import Service
from tests.inventory_vault.factories import Vault

POOLS = 4
ACTORS = 24
ROUNDS = 6
JOBS = ("expire-reservations", "check-conservation", "review-cover")


@dataclass
class Crowd:
    vault: Vault
    pools: list[str]
    outcomes: Counter[int] = field(default_factory=Counter)

    async def post(self, path: str, body: Any) -> httpx.Response:
        answer = await self.vault.client.post(path, json=body)
        self.outcomes[answer.status_code] += 1
        return answer

    async def act(self, number: int) -> None:
        """Holds in random order of lines, then ends or extends the hold."""
        rolls = random.Random(number)
        for turn in range(ROUNDS):
            lines = [
                {"pool_id": pool_id, "quantity": 2, "min_valid_seconds": rolls.choice([0, 0, 60])}
                for pool_id in rolls.sample(self.pools, POOLS)
            ]
            body = {"reference": f"{number}-{turn}", "lines": lines}
            held = await self.post("/v1/reservations", body)
            assert held.status_code == 201, held.text
            ends: list[tuple[str, Any]] = [
                ("claim", {}),
                ("claim", {"lines": [{"line_no": rolls.randint(1, POOLS), "quantity": 1}]}),
                ("release", {}),
                ("extend", {"hold_seconds": 900}),
            ]
            end, named = rolls.choice(ends)
            await self.post(f"/v1/reservations/{held.json()['id']}/{end}", named)

    async def keep(self, service: Service) -> None:
        jobs = [job for job in service.jobs if job.name in JOBS]
        for turn in range(ROUNDS):
            wanted = {"pool_id": self.pools[turn % POOLS], "supplier": "nobody"}
            for action in ("quarantine", "restore"):
                body = {"action": action, "filter": wanted, "reason": "x"}
                await self.post("/v1/stock-actions", body)
            for job in jobs:
                await job._run()


@pytest.mark.timeout(90)
async def test_no_order_of_lines_and_acts_makes_a_deadlock(vault: Vault, service: Service):
    crowd = Crowd(vault, [await vault.stocked(300, prefix=f"P{n}") for n in range(POOLS)])
    await asyncio.gather(*(crowd.act(number) for number in range(ACTORS)), crowd.keep(service))
    assert set(crowd.outcomes) <= {200, 201}, crowd.outcomes
    for pool_id in crowd.pools:
        assert await vault.conserved(pool_id)
