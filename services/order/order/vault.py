"""The vault as this service needs it: hold units for an order, give a hold back.

Calls that wait while one is under way travel together in the next one (`/v1/reservations/batch`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kit.combine import Combiner
from kit.errors import Conflict, DomainError, Unavailable
from kit.logging import get_logger
from kit.peers import Peer, PeerProblem, PeerSilent

BATCH_ITEMS_MAX = 200
_UNAVAILABLE_STATUS = 429
_NOT_FOUND = 404
_OVER = frozenset({"released", "expired"})

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HoldLine:
    line_no: int
    sku: str
    pool_id: UUID
    quantity: int
    # Only units that stay valid at least so long.
    min_valid_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Units to be held for an order; `reference` makes a repeat the same hold. `holder` (buyer, ip,
    device, channel) of an unpaid one counts against the pools' budgets.
    """

    merchant_id: UUID
    reference: str
    lines: tuple[HoldLine, ...]
    hold_seconds: int
    holder: Mapping[str, str] = field(default_factory=dict)
    # Which channel sells, for pools with a quota.
    channel_id: UUID | None = None


class HoldBudgetExceeded(Conflict):
    """This buyer, address, device or channel holds too much of the stock without having paid; pay
    or cancel an order first, or come again at `retry_at`.
    """

    code = "hold_budget_exceeded"


class OutOfStock(Conflict):
    """There are not enough units; nothing is held."""

    code = "out_of_stock"


class StockRefused(Conflict):
    """The vault cannot hold units of this product; its pool may not exist."""

    code = "stock_refused"


class HoldEnded(Conflict):
    """The hold is not held any more: it was sold, has expired or was given back."""

    code = "hold_ended"


class Vault:
    """Built in app.py around the vault's peer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._combined = Combiner(self._reserve_many, batch_max=BATCH_ITEMS_MAX)

    async def reserve(self, hold: Hold) -> UUID:
        """The reservation's id; all lines are held or nothing is.

        Raises OutOfStock naming the short SKUs, HoldBudgetExceeded, StockRefused, HoldEnded when
        the reference is of a hold that is over already, or Unavailable when the outcome stays
        unknown: such a hold runs out by itself.
        """
        return await self._combined(hold)

    async def available(self, merchant_id: UUID, pool_id: UUID) -> int:
        """Units on the shelf of a pool now; 0 for a pool that is not there. Raises Unavailable."""
        try:
            pool = await self._peer.get(f"/v1/pools/{pool_id}", merchant_id=merchant_id)
        except PeerProblem as error:
            if error.status == _NOT_FOUND:
                return 0
            raise Unavailable(f"the vault does not say its stock: {error.code}") from error
        return int(pool["levels"]["available"])

    async def release(self, merchant_id: UUID, reservation_id: UUID, reason: str) -> None:
        """Gives a hold back. Best effort: one that stays runs out by itself."""
        try:
            await self.give_back(merchant_id, reservation_id, reason)
        except (HoldEnded, Unavailable) as error:
            log.info("hold_left_to_expire", reservation_id=str(reservation_id), error=str(error))

    async def give_back(self, merchant_id: UUID, reservation_id: UUID, reason: str) -> None:
        """Gives a hold back for sure; the same again changes nothing.

        Raises HoldEnded when there is nothing to give back (sold, expired, unknown), Unavailable
        when the outcome is unknown.
        """
        try:
            await self._peer.post(
                f"/v1/reservations/{reservation_id}/release",
                {"reason": reason},
                merchant_id=merchant_id,
            )
        except PeerProblem as error:
            raise HoldEnded(f"the vault says {error.code}", reason=error.code) from error

    async def _reserve_many(self, holds: Sequence[Hold]) -> Sequence[UUID | DomainError]:
        body = {"items": [_item(hold) for hold in holds]}
        try:
            answer = await self._post(body)
        except PeerProblem as error:
            raise Unavailable(f"the vault refused the call: {error.code}") from error
        return [_result(hold, result) for hold, result in zip(holds, answer["items"], strict=True)]

    async def _post(self, body: Mapping[str, Any]) -> Any:  # a JSON document
        """One repeat after silence: the references make it the same holds."""
        try:
            return await self._peer.post("/v1/reservations/batch", body)
        except PeerSilent:
            return await self._peer.post("/v1/reservations/batch", body)


def _item(hold: Hold) -> dict[str, object]:
    item: dict[str, object] = {
        "merchant_id": str(hold.merchant_id),
        "reference": hold.reference,
        "hold_seconds": hold.hold_seconds,
        "lines": [_line(line) for line in hold.lines],
    }
    if hold.channel_id is not None:
        item["channel_id"] = str(hold.channel_id)
    if hold.holder:
        item["holder"] = dict(hold.holder)
    return item


def _line(line: HoldLine) -> dict[str, object]:
    item: dict[str, object] = {
        "pool_id": str(line.pool_id),
        "quantity": line.quantity,
        "line_no": line.line_no,
    }
    if line.min_valid_seconds:
        item["min_valid_seconds"] = line.min_valid_seconds
    return item


def _result(hold: Hold, result: Mapping[str, Any]) -> UUID | DomainError:
    reservation = result.get("reservation")
    if reservation is not None and reservation["status"] in ("held", "secured"):
        return UUID(reservation["id"])
    if reservation is not None and reservation["status"] in _OVER:
        return HoldEnded(f"the hold is {reservation['status']}", reason=reservation["status"])
    problem = result.get("problem") or {}
    if result["result"] == OutOfStock.code:
        return OutOfStock(lines=_short_lines(hold, problem.get("lines") or ()))
    if result["result"] == HoldBudgetExceeded.code:
        return HoldBudgetExceeded(**(problem.get("budget") or {}))
    if int(problem.get("status", 503)) >= _UNAVAILABLE_STATUS:
        return Unavailable(f"the vault cannot hold stock now: {result['result']}")
    return StockRefused(str(problem.get("detail", result["result"])), reason=result["result"])


def _short_lines(hold: Hold, short: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    skus = {line.line_no: line.sku for line in hold.lines}
    return [
        {
            "line_no": line["line_no"],
            "sku": skus.get(line["line_no"], ""),
            "requested": line["requested"],
            "available": line["available"],
        }
        for line in short
    ]
