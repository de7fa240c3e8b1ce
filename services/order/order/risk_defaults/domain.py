"""What counts for a paid order while risk is silent, and what risk says when that has counted."""

from dataclasses import dataclass
from uuid import UUID

from order.merchants.domain import RiskDefault
from order.orders.domain import Assessment, Change, OrderStatus, Verdict


@dataclass(frozen=True, slots=True)
class Due:
    """Risk was silent about this order for longer than its channel waits."""

    order_id: UUID
    default: RiskDefault
    waited_seconds: int


def apply(change: Change, due: Due) -> Change:
    """The channel's default is the order's verdict; one that risk has spoken of stays as it is."""
    order = change.order
    if order.status is not OrderStatus.PAID or order.verdict is not None:
        return change
    verdict = Verdict(due.default.value)
    reason = "risk was silent" if verdict is Verdict.HOLD else ""
    change = change.told(
        "risk_default",
        f"risk was silent for {due.waited_seconds} s: the channel's default is {due.default}",
        default=due.default.value,
        waited_seconds=due.waited_seconds,
    )
    return change.with_order(verdict=verdict, is_default_verdict=True, reason=reason)


def note_late(change: Change, assessment: Assessment) -> Change:
    """Risk speaks when the default has let the order go: told, and nothing undone. What it would
    not have allowed stands out, for somebody to look at.
    """
    change = change.with_order(late_verdict=assessment.verdict)
    if assessment.verdict is Verdict.ALLOW:
        return change
    return change.told(
        "let_go_wrongly",
        f"the channel's default let it go, and risk says {assessment.verdict}",
        verdict=assessment.verdict.value,
        reason=assessment.reason,
    )
