"""Lines whose units lie in the vault: one claim hands out everything a reservation holds.

When the hold is gone (it ran out, or was given back) the order is paid all the same: its lines are
reserved again under a reference made from the order's id, and that hold is claimed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from fulfillment.deliveries.domain import (
    Attempt,
    Delivered,
    Delivery,
    Failed,
    Kind,
    Line,
    LotCost,
    Retry,
    Settled,
    Task,
    Unit,
)
from fulfillment.loading import Parts
from fulfillment.vault import BATCH_MAX, Claim, ClaimedUnit, Hold, Refused, Vault, is_for_page
from kit.errors import Unavailable
from kit.logging import get_logger

_GONE = frozenset({"reservation_expired", "reservation_released", "reservation_not_found"})
_OUT_OF_STOCK = "out_of_stock"

log = get_logger(__name__)


class VaultDisagrees(Exception):
    """The vault handed out something else than what the lines ask for."""


@dataclass(frozen=True, slots=True)
class Held:
    """A task and the reservation that holds its units."""

    task: Task
    reservation_id: UUID
    with_key: bool = True

    def claim(self) -> Claim:
        request = self.task.request
        key = request.recipient_public_key if self.with_key else None
        lines = tuple(
            (delivery.line.line_no, delivery.line.quantity)
            for delivery in self.task.deliveries
            if self.task.hold_has_more
        )
        return Claim(request.merchant_id, self.reservation_id, key, lines)


class PoolKind:
    """See the module's text."""

    name = "pool"
    batch_max = BATCH_MAX
    rounds_max = 1

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def plan(self, lines: Sequence[Line]) -> list[list[Line]]:
        """One reservation holds every line, so one task claims them."""
        return [list(lines)]

    async def attempt(self, tasks: Sequence[Task]) -> list[Attempt]:
        """Two calls at most per reference, whatever the number of tasks."""
        held = [Held(task, task.reservation_id) for task in tasks if task.reservation_id]
        attempts, lost = await self._claim(held)
        lost += [task for task in tasks if task.reservation_id is None]
        if lost:
            attempts |= await self._reserve_again(lost)
        return [attempts[task.id] for task in tasks]

    async def try_at_once(self, tasks: Sequence[Task]) -> list[Settled]:
        """The tasks whose hold is there: nearly every one."""
        held = [Held(task, task.reservation_id) for task in tasks if task.reservation_id]
        answers = await self._vault.claim([one.claim() for one in held]) if held else []
        return [
            _settled(one.task, answer)
            for one, answer in zip(held, answers, strict=True)
            if not isinstance(answer, Refused)
        ]

    async def _claim(self, held: Sequence[Held]) -> tuple[dict[UUID, Attempt], list[Task]]:
        """What came of each task, and the tasks whose hold is gone."""
        attempts: dict[UUID, Attempt] = {}
        lost: list[Task] = []
        keyless: list[Held] = []
        if not held:
            return attempts, lost
        answers = await self._vault.claim([one.claim() for one in held])
        for one, answer in zip(held, answers, strict=True):
            if not isinstance(answer, Refused):
                attempts[one.task.id] = _settled(one.task, answer)
            elif answer.code in _GONE:
                lost.append(one.task)
            elif one.with_key and is_for_page(answer, one.task.attempts):
                keyless.append(replace(one, with_key=False))
            else:
                attempts[one.task.id] = Retry(one.task, answer.code, one.task.generation)
        if keyless:
            # Paid is paid: the buyer's page can open what cannot be sealed to the shop.
            log.warning(
                "not_sealed_to_shop", orders=[str(it.task.request.order_id) for it in keyless]
            )
            more, more_lost = await self._claim(keyless)
            return attempts | more, lost + more_lost
        return attempts, lost

    async def _reserve_again(self, lost: Sequence[Task]) -> dict[UUID, Attempt]:
        try:
            return await self._claim_anew(lost)
        except Unavailable as error:
            # The others of this batch have their definite answers already; keep those.
            return {task.id: Retry(task, error.code, task.generation) for task in lost}

    async def _claim_anew(self, lost: Sequence[Task]) -> dict[UUID, Attempt]:
        attempts: dict[UUID, Attempt] = {}
        held: list[Held] = []
        answers = await self._vault.reserve([_hold(task) for task in lost])
        for task, answer in zip(lost, answers, strict=True):
            if not isinstance(answer, Refused):
                held.append(Held(task, answer))
            elif answer.code == _OUT_OF_STOCK:
                attempts[task.id] = _failed(task, _OUT_OF_STOCK)
            else:
                attempts[task.id] = Retry(task, answer.code, task.generation)
        claimed, lost_again = await self._claim(held)
        # This reference's hold is used up as well: the next attempt reserves under the next one.
        spent = {task.id: Retry(task, "hold_lost", task.generation + 1) for task in lost_again}
        return attempts | claimed | spent


def _hold(task: Task) -> Hold:
    number = task.generation + 1
    suffix = ":again" if number == 1 else f":again:{number}"
    lines = tuple(_wanted(delivery.line) for delivery in task.deliveries)
    request = task.request
    reference = f"{_asked(task)}{suffix}"
    return Hold(request.merchant_id, reference, lines, channel_id=request.channel_id)


def _asked(task: Task) -> str:
    """What names the request: the order, and of a later round the line and the round."""
    first = task.deliveries[0].line
    if first.round == 1:
        return str(task.request.order_id)
    return f"{task.request.order_id}:{first.line_id}:{first.round}"


def _wanted(line: Line) -> tuple[int, UUID, int]:
    if line.pool_id is None:
        raise ValueError(f"line {line.line_id} names no pool")
    return line.line_no, line.pool_id, line.quantity


def _settled(task: Task, units: Sequence[ClaimedUnit]) -> Settled:
    return Settled(task, tuple(_delivered(delivery, units) for delivery in task.deliveries))


def _failed(task: Task, reason: str) -> Settled:
    return Settled(task, tuple(Failed(delivery.id, reason) for delivery in task.deliveries))


def _delivered(delivery: Delivery, claimed: Sequence[ClaimedUnit]) -> Delivered:
    units = [unit for unit in claimed if unit.line_no == delivery.line.line_no]
    if len(units) != delivery.line.quantity:
        raise VaultDisagrees(
            f"delivery {delivery.id}: {len(units)} units of {delivery.line.quantity}"
        )
    costs = Counter((unit.lot_id, unit.unit_cost, unit.face_value) for unit in units)
    return Delivered(
        delivery.id,
        tuple(
            Unit(
                unit.unit_id,
                unit.lot_id,
                unit.mask,
                unit.box,
                expires_at=unit.expires_at,
                is_redeemable=unit.is_redeemable,
            )
            for unit in units
        ),
        tuple(
            LotCost(lot_id, number, cost, face_value=face)
            for (lot_id, cost, face), number in costs.items()
        ),
    )


def create(parts: Parts) -> Kind:
    return PoolKind(parts.vault)
