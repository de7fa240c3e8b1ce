"""What the end of a rung means for its order."""

from order.lines.domain import Line
from order.orders.domain import Change
from order.saga import domain as saga
from order.shortages import domain
from order.steps.domain import Answer, Done, Failed, Step, plan


def settle(change: Change, step: Step, answer: Answer) -> Change:
    """Held: fulfilment gets the line again. Not held: the next rung, at last the refund.

    Pure. Units that nobody waits for any more go back by a step of their own.
    """
    line = domain.is_wanted(change.order, step)
    match answer:
        case Done(result) if line is not None and "refused" in result:
            change = _given_back(change, step, result["reservation_id"])
            return _go_on(change, step, line, result["refused"])
        case Done(result) if line is not None:
            instead = result.get("instead", {})
            if instead:
                instead = {**instead, "of": line.name}
            return domain.request_again(change, line, result["reservation_id"], instead)
        case Done(result):
            return _given_back(change, step, result["reservation_id"])
        case Failed(reason) if line is not None:
            return _go_on(change, step, line, reason)
        case _:
            return change


def _go_on(change: Change, step: Step, line: Line, reason: str) -> Change:
    """The next rung; there is none: the refund."""
    change = change.told(
        "shortage_goes_on",
        f"{step.args['sku']}: {reason}",
        line_id=str(line.id),
        step_id=str(step.id),
        step=step.kind,
        reason=reason,
    )
    return domain.climb(change, line) or saga.give_up(change, line, domain.OUT_OF_STOCK)


def _given_back(change: Change, step: Step, reservation_id: str) -> Change:
    args = {
        "reservation_id": reservation_id,
        "reason": "not needed any more",
        "undoes": str(step.ext_ref),
    }
    back = plan(
        step.merchant_id,
        step.order_id,
        "release",
        line_id=step.line_id,
        generation=step.ext_ref.int,  # of this hold: several of one round may go back
        args=args,
    )
    return change.with_steps(back).told(
        "hold_not_needed", "the units go back", reservation_id=reservation_id
    )
