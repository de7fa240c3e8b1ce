"""The shelf against a model that knows every single unit, over a long random walk."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kit.db import Database
from kit.service import Service
from tests.inventory_vault.factories import Vault
from tests.inventory_vault.raw_lots import add_raw_lot

# LOCKSTOCK_WALK_STEPS=2200 for a long walk: about 1,500 units are taken.
STEPS = int(os.environ.get("LOCKSTOCK_WALK_STEPS", "350"))
LOT_UNITS = 60
LOTS = 3
HOUR = 3600.0


@dataclass
class Unit:
    """`left`: hours of validity left; None: for ever."""

    id: str
    lot: int
    seq: int
    left: float | None
    state: str = "available"
    hold: str | None = None

    def fits(self, hours: float) -> bool:
        return self.state == "available" and (self.left is None or self.left > hours)

    @property
    def order(self) -> tuple[float, int]:
        return (1e9 if self.left is None else self.left, self.seq)


@dataclass
class Model:
    units: dict[str, Unit]
    holds: list[str] = field(default_factory=list)
    sold: set[str] = field(default_factory=set)

    def fitting(self, hours: float) -> list[Unit]:
        return [unit for unit in self.units.values() if unit.fits(hours)]

    def pass_time(self, hours: float) -> None:
        for unit in self.units.values():
            if unit.left is not None:
                unit.left -= hours
        self.settle()

    def settle(self) -> None:
        """What is available and past its time is expired."""
        for unit in self.units.values():
            if unit.state == "available" and unit.left is not None and unit.left <= 0:
                unit.state = "expired"

    def levels(self) -> dict[str, int]:
        names = ("available", "reserved", "sold", "expired", "quarantined", "void")
        return {name: sum(unit.state == name for unit in self.units.values()) for name in names}


class Walk:
    def __init__(self, vault: Vault, service: Service, pool_id: str, model: Model) -> None:
        self.vault, self.service, self.pool_id, self.model = vault, service, pool_id, model
        self.random = random.Random(7)
        self.taken = 0
        self.ahead = 0

    async def step(self) -> None:
        acts: list[tuple[int, Callable[[], Any]]] = [
            (30, self.reserve),
            (30, self.reserve_fitting),
            (25, self.release),
            (1, self.sell),
            (1, self.sell_partly),
            (8, lambda: self.act("quarantine", "available")),
            (8, lambda: self.act("restore", "quarantined")),
            (1, lambda: self.act("void", "quarantined")),
            (3, self.pass_time),
            (3, self.sweep),
        ]
        weights = [weight for weight, _ in acts]
        await self.random.choices([act for _, act in acts], weights)[0]()

    async def reserve(self) -> None:
        await self._hold(0)

    async def reserve_fitting(self) -> None:
        await self._hold(self.random.choice([1, 5, 10, 20, 30]))

    async def _hold(self, hours: int) -> None:
        """Within a lot the first to expire go first; never more, never fewer than there are."""
        quantity = self.random.randint(1, 6)
        there = self.model.fitting(hours)
        line = {"pool_id": self.pool_id, "quantity": quantity}
        if hours:
            line["min_valid_seconds"] = int(hours * HOUR)
        body = {"reference": f"walk-{self.random.random()}", "lines": [line]}
        answer = await self.vault.client.post("/v1/reservations", json=body)
        if quantity > len(there):
            assert answer.status_code == 409, answer.text
            assert answer.json()["lines"][0]["available"] == len(there)
            return
        assert answer.status_code == 201, (answer.text, len(there))
        hold = answer.json()["id"]
        given = await self._units_of(hold)
        assert len(given) == quantity
        for unit in given:
            assert unit.fits(hours), unit
        for lot in range(LOTS):
            left = sorted((u for u in there if u.lot == lot), key=lambda u: u.order)
            mine = {u.id for u in given if u.lot == lot}
            assert {u.id for u in left[: len(mine)]} == mine, "first expiring, first out"
        self._check_lots(given, there)
        for unit in given:
            unit.state, unit.hold = "reserved", hold
        self.model.holds.append(hold)
        self.taken += quantity

    def _check_lots(self, given: list[Unit], there: list[Unit]) -> None:
        """A lot is begun only when those whose first unit expires earlier are used up."""
        first = {
            lot: min((u.order for u in there if u.lot == lot), default=None) for lot in range(LOTS)
        }
        lots = {unit.lot for unit in given}
        for lot, begin in first.items():
            if begin is None or any(u.lot == lot for u in given):
                continue
            for other in lots:
                mine = first[other]
                assert mine is not None
                assert mine[0] <= begin[0], "the lot that expires first goes first"

    async def _units_of(self, hold: str) -> list[Unit]:
        async with self.service.db.read() as tx:
            rows = await tx.execute(
                text(
                    "SELECT u.unit_id FROM allocation a JOIN unit u "
                    "ON u.lot_id = a.lot_id AND u.seq = a.seq WHERE a.reservation_id = :r"
                ),
                {"r": hold},
            )
            return [self.model.units[str(row.unit_id)] for row in rows]

    def _some_hold(self) -> str | None:
        holds = self.model.holds
        return holds.pop(self.random.randrange(len(holds))) if holds else None

    async def release(self) -> None:
        hold = self._some_hold()
        if hold is None:
            return
        assert (await self.vault.release(hold)).status_code == 200
        self._back(hold)

    def _back(self, hold: str) -> None:
        for unit in self.model.units.values():
            if unit.hold == hold and unit.state == "reserved":
                unit.state, unit.hold = "available", None
        self.model.settle()

    async def sell(self) -> None:
        hold = self._some_hold()
        if hold is not None:
            self._sold(await self.vault.claim(hold))

    async def sell_partly(self) -> None:
        hold = self._some_hold()
        if hold is None:
            return
        held = sum(unit.hold == hold for unit in self.model.units.values())
        lines = [{"line_no": 1, "quantity": self.random.randint(1, held)}]
        answer = await self.vault.client.post(
            f"/v1/reservations/{hold}/claim", json={"lines": lines}
        )
        self._sold(answer)
        assert len(answer.json()["units"]) == lines[0]["quantity"]
        self._back(hold)

    def _sold(self, answer: Any) -> None:
        assert answer.status_code == 200, answer.text
        for sold in answer.json()["units"]:
            assert sold["unit_id"] not in self.model.sold, "given twice"
            self.model.sold.add(sold["unit_id"])
            self.model.units[sold["unit_id"]].state = "sold"

    async def act(self, action: str, before: str) -> None:
        units = [unit for unit in self.model.units.values() if unit.state == before]
        if not units or (action == "void" and self.random.random() < 0.5):
            return
        unit = self.random.choice(units)
        answer = await self.vault.client.post(
            f"/v1/units/{unit.id}/{action}", json={"reason": "a walk"}
        )
        assert answer.status_code == 200, answer.text
        unit.state = {"quarantine": "quarantined", "restore": "available", "void": "void"}[action]
        self.model.settle()

    async def pass_time(self) -> None:
        hours = self.random.choice([0.2, 0.5])
        self.model.pass_time(hours)
        async with self.service.db.transaction() as tx:
            for table, key in (("unit", "merchant_id"), ("free_unit", "merchant_id")):
                await tx.execute(
                    text(
                        f"UPDATE {table} SET expires_at = expires_at - make_interval(secs => :s) "  # noqa: S608
                        f"WHERE {key} = :m"
                    ),
                    {"s": hours * HOUR, "m": self.vault.merchant},
                )
            await tx.execute(
                text(
                    "UPDATE lot SET expires_at = expires_at - make_interval(secs => :s), "
                    "head_expires_at = head_expires_at - make_interval(secs => :s) "
                    "WHERE merchant_id = :m"
                ),
                {"s": hours * HOUR, "m": self.vault.merchant},
            )

    async def sweep(self) -> None:
        job = next(job for job in self.service.jobs if job.name == "withdraw-expired-units")
        while await job._run():
            pass

    async def check(self) -> None:
        levels = await self.vault.levels(self.pool_id)
        expected = self.model.levels()
        assert {name: levels[name] for name in expected} == expected
        assert levels["total"] == len(self.model.units)


@pytest.mark.timeout(120 + STEPS // 5)
async def test_a_long_walk_agrees_with_a_model_that_knows_every_unit(
    vault: Vault, service: Service, db: Database, rows: Any
):
    pool_id = await vault.pool()
    now = datetime.now(UTC)
    rolls = random.Random(3)
    hours: list[list[float | None]] = []
    for _ in range(LOTS - 1):
        # Half an hour apart from every limit that is asked for, so that no run is too slow.
        ends = sorted(rolls.randrange(1, 60) + 0.35 for _ in range(LOT_UNITS - 6))
        hours.append([*ends, *(None for _ in range(6))])
    for mixed in hours:
        expiries = [None if end is None else now + timedelta(hours=end) for end in mixed]
        await add_raw_lot(db, vault.merchant, pool_id, LOT_UNITS, expiries=expiries)
    await add_raw_lot(
        db, vault.merchant, pool_id, LOT_UNITS, expires_at=now + timedelta(hours=25.35)
    )
    hours.append([25.35] * LOT_UNITS)
    found = await rows(
        "SELECT u.unit_id, u.seq, l.id FROM unit u JOIN lot l ON l.id = u.lot_id "
        "WHERE u.merchant_id = :m ORDER BY l.id, u.seq",
        m=vault.merchant,
    )
    lots = {lot_id: place for place, lot_id in enumerate(sorted({row.id for row in found}))}
    units = {
        str(row.unit_id): Unit(
            str(row.unit_id), lots[row.id], row.seq, hours[lots[row.id]][row.seq - 1]
        )
        for row in found
    }
    walk = Walk(vault, service, pool_id, Model(units))
    for step in range(STEPS):
        await walk.step()
        if step % 10 == 0:
            await walk.check()
        if step % 200 == 0:
            assert await vault.conserved(pool_id)
    await walk.check()
    assert await vault.conserved(pool_id)
    assert walk.taken > STEPS / 5
