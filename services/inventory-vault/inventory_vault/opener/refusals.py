"""Tells operators of boxes that did not open as their rows: somebody wrote them by hand."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from prometheus_client import Counter

from inventory_vault.alarms.domain import NewAlarm
from inventory_vault.alarms.service import raise_alarms
from inventory_vault.opener.caps import Capped
from kit.db import Database
from kit.errors import Unavailable
from kit.logging import get_logger

log = get_logger(__name__)

BOX_REFUSED = "box_refused"
CAPPED = "opener_capped"
CAPPED_AGAIN_SECONDS = 10.0
EVERYBODY = UUID(int=0)
"""What the alarm of the allowance of all merchants is about."""

CAPPED_UNITS = Counter("opener_units_capped_total", "Openings refused by an allowance", ["scope"])

ALARMS_PER_TRANSACTION = 1_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A unit whose box is not its row's, and how that showed."""

    merchant_id: UUID
    lot_id: UUID
    unit_id: UUID
    reason: str


async def alarm_refusals(db: Database, refusals: Sequence[Refusal]) -> None:
    """An open alarm per unit, in transactions of their own. What the database cannot take now is in
    the log; the next try to open the unit alarms again.
    """
    for start in range(0, len(refusals), ALARMS_PER_TRANSACTION):
        part = refusals[start : start + ALARMS_PER_TRANSACTION]
        alarms = [
            NewAlarm(
                each.unit_id,
                each.merchant_id,
                {"reason": each.reason, "lot_id": str(each.lot_id)},
            )
            for each in part
        ]
        await _store(db, BOX_REFUSED, alarms)


class CappedAlarms:
    """Alarms of used up allowances: at once, and again at most every ten seconds, so that somebody
    who goes on asking does not write through us.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._raised: dict[UUID, tuple[float, int]] = {}

    async def raise_for(self, capped: Sequence[Capped]) -> None:
        now = time.monotonic()
        due: list[NewAlarm] = []
        for each in capped:
            CAPPED_UNITS.labels(each.scope).inc(len(each.units))
            is_own = each.scope == "merchant"
            about = each.merchant_id if is_own else EVERYBODY
            raised_at, units = self._raised.pop(about, (-CAPPED_AGAIN_SECONDS, 0))
            units += len(each.units)
            if now - raised_at >= CAPPED_AGAIN_SECONDS:
                facts = {"scope": each.scope, "units_refused": units}
                due.append(NewAlarm(about, each.merchant_id if is_own else None, facts))
                raised_at, units = now, 0
            self._raised[about] = (raised_at, units)
        self._forget_old(now)
        if due:
            await _store(self._db, CAPPED, due)

    def _forget_old(self, now: float) -> None:
        """The ones raised longest ago come first; what is not told of yet stays."""
        for about, (raised_at, _) in list(self._raised.items())[:1]:
            if now - raised_at > 60 * CAPPED_AGAIN_SECONDS:
                del self._raised[about]


async def _store(db: Database, kind: str, alarms: Sequence[NewAlarm]) -> None:
    try:
        async with db.transaction() as tx:
            await raise_alarms(tx, kind, alarms)
    except Unavailable as error:
        about = [str(alarm.object_id) for alarm in alarms]
        log.critical("alarms_not_stored", kind=kind, about=about, reason=error.detail)
