"""What happens to a paid line that stock ran out for: the ladder, one rung after another.

Another lot of the pool -> a substitute -> back-order with a deadline -> refund. (Other lots are
first tried by fulfilment itself; another supplier is the next offer of a top-up, tried there.)
The price never changes. Each rung is a step, so each is on the timeline with why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from order.lines.domain import Line, LineStatus
from order.orders.domain import Change, News, Order
from order.stages.domain import is_bound_to_others
from order.steps.domain import BACK_ORDER, DEADLINE, Step, plan

OUT_OF_STOCK = "out_of_stock"
RESERVE = "reserve"
SUBSTITUTE = "substitute"
_POOL = "pool"


@dataclass(frozen=True, slots=True)
class Rung:
    """One thing to try; `sku` names the substitute."""

    kind: str
    sku: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.sku}" if self.sku else self.kind


def rungs_of(order: Order, line: Line) -> tuple[Rung, ...]:
    """The whole ladder of a line, as its terms said when it was sold."""
    if line.kind != _POOL or is_bound_to_others(order, line):
        return ()
    policy = line.terms.get("shortage") or {}
    rungs = [Rung(SUBSTITUTE, sku) for sku in policy.get("substitutes", ())]
    if _may_have_failed_for_another(order, line):
        rungs.insert(0, Rung(RESERVE))
    if policy.get("back_order_seconds"):
        rungs.append(Rung(BACK_ORDER))
    return tuple(rungs)


def _may_have_failed_for_another(order: Order, line: Line) -> bool:
    """One hold is for all units of an order: one short line makes all of them fail."""
    others = [other for other in order.lines if other.kind == _POOL and other.id != line.id]
    delivered = any(other.status is LineStatus.DELIVERED for other in others)
    return line.round == 1 and bool(others) and not delivered


def begin(change: Change, line: Line, reason: str) -> Change | None:
    """Fulfilment has failed the line: a new round of it begins with the next rung, if there is
    one. What an earlier round still says does not settle the new one.
    """
    if reason != OUT_OF_STOCK:
        return None
    rung = _next(change.order, line)
    if rung is None:
        return None
    line = replace(line, status=LineStatus.PENDING, round=line.round + 1, instead={})
    return _try(change.with_line(line), line, rung)


def climb(change: Change, line: Line) -> Change | None:
    """The next rung of the same round; none is left: None."""
    rung = _next(change.order, line)
    return None if rung is None else _try(change, line, rung)


def _next(order: Order, line: Line) -> Rung | None:
    # A line is alone in its hold from the second round on: asked from the first one's ladder.
    ladder = rungs_of(order, line)
    return next((rung for rung in ladder if rung.name not in line.tried), None)


def _try(change: Change, line: Line, rung: Rung) -> Change:
    line = replace(line, tried=(*line.tried, rung.name))
    step = _step(change.order, line, rung)
    change = change.with_line(line).with_steps(step)
    return change.told(
        f"shortage_{rung.kind}",
        f"{line.sku} is short: {_WHAT[rung.kind]}",
        line_id=str(line.id),
        step_id=str(step.id),
        round=line.round,
        sku=rung.sku or line.sku,
        seconds=int(step.deadline.total_seconds()),
    )


_WHAT = {
    RESERVE: "it is held alone, from any lot",
    SUBSTITUTE: "a substitute is held",
    BACK_ORDER: "it waits for new stock",
}


def _step(order: Order, line: Line, rung: Rung) -> Step:
    args: dict[str, Any] = {
        "round": line.round,
        "line_no": line.line_no,
        "quantity": line.quantity,
        "pool_id": str(line.pool_id),
        "sku": rung.sku or line.sku,
    }
    if rung.kind != SUBSTITUTE:
        args["lines"] = [
            {key: args[key] for key in ("line_no", "sku", "pool_id", "quantity")},
        ]
    deadline = DEADLINE
    if rung.kind == BACK_ORDER:
        deadline = timedelta(seconds=int(line.terms["shortage"]["back_order_seconds"]))
    return plan(
        order.merchant_id,
        order.id,
        rung.kind,
        line_id=line.id,
        generation=len(line.tried),
        args=args,
        deadline=deadline,
    )


def is_wanted(order: Order, step: Step) -> Line | None:
    """The line a rung is for, if it still waits for this round."""
    line = next((line for line in order.lines if line.id == step.line_id), None)
    if line is None or line.status is not LineStatus.PENDING:
        return None
    return line if line.round == step.args.get("round") else None


def request_again(
    change: Change, line: Line, reservation_id: str, instead: Mapping[str, Any]
) -> Change:
    """Fulfilment gets the line again, with a hold of its own; `instead` is a substitute's."""
    line = replace(line, instead=instead)
    change = change.with_line(line).told(
        "fulfillment_requested",
        _sentence(line),
        line_id=str(line.id),
        round=line.round,
        reservation_id=reservation_id,
        sku=instead.get("sku", line.sku),
    )
    return request(change, line, reservation_id)


def request(change: Change, line: Line, reservation_id: str) -> Change:
    """Asks fulfilment for one line, held by `reservation_id` (empty: by nothing)."""
    held = hold_id(reservation_id)
    asked = replace(change.order, lines=(_as_delivered(line),), reservation_id=held)
    return change.announced(News.FULFILLMENT_REQUESTED, asked)


def hold_id(reservation_id: str | None) -> UUID | None:
    """As a step's result has it; nothing: no hold."""
    return UUID(reservation_id) if reservation_id else None


def _sentence(line: Line) -> str:
    if line.instead:
        return f"{line.instead['sku']} goes to fulfilment instead of {line.sku}, at its price"
    return f"{line.sku} goes to fulfilment again"


def _as_delivered(line: Line) -> Line:
    """The line as fulfilment shall deliver it: the substitute's goods."""
    if not line.instead:
        return line
    it = line.instead
    return replace(
        line,
        product_id=UUID(it["product_id"]),
        sku=it["sku"],
        name=it["name"],
        pool_id=UUID(it["pool_id"]),
        instructions=it["instructions"],
        terms=it["terms"],
        template=it["template"],
    )
