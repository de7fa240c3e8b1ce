"""One call of a connector about one purchase, and the doubts about what it answers."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from fulfillment.connector import Done, NotSent, Report, Unknown, Wanted
from fulfillment.exchange import faults_of
from fulfillment.purchases.domain import Purchase, Step, Want
from fulfillment.routing.domain import Seen
from fulfillment.suppliers.domain import Account
from kit.logging import get_logger

log = get_logger(__name__)

STALE_SECONDS = 5.0
"""A call that begins so long after it was committed as sent is not made: this process was stopped
in between, and others may have asked for the reference meanwhile."""
GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked for now about a purchase; `began` when that was committed."""

    purchase: Purchase
    step: Step
    account: Account
    wanted: Wanted
    began: float


def turn_of(
    purchase: Purchase,
    step: Step,
    accounts: Mapping[tuple[UUID, str], Account],
    want: Want,
    began: float,
) -> Turn:
    """The call that this step of the purchase is."""
    wanted = Wanted(
        purchase.id,
        purchase.supplier_sku,
        want.account,
        purchase.quantity,
        purchase.cost_max,
        is_repeat=purchase.tries > 1,
    )
    account = accounts[purchase.merchant_id, purchase.supplier]
    return Turn(purchase, step, account, wanted, began)


async def answer_of(turn: Turn) -> Report:
    """Raises nothing: what goes wrong is unknown."""
    account, late = turn.account, asyncio.get_running_loop().time() - turn.began
    if late > STALE_SECONDS and turn.step is Step.SEND:
        return NotSent("not_sent_in_time")
    try:
        # The connector keeps its own deadline; this one is for a connector that does not.
        async with asyncio.timeout(account.terms.timeout.total_seconds() + GRACE_SECONDS):
            if turn.step is Step.ASK:
                return await account.connector.query(account.access, turn.purchase.id)
            return await account.connector.purchase(account.access, turn.wanted)
    except TimeoutError:
        return Unknown("no_answer")
    except Exception:
        # Whatever it was, it may have come after the supplier acted.
        log.exception("connector_failed", purchase_id=str(turn.purchase.id))
        return Unknown("connector_failed")


def without_fault(turn: Turn, report: Report) -> Report:
    """With what all of it cost. Codes that cannot be what was bought are no delivery."""
    if isinstance(report, Done) and report.is_for_one:
        report = replace(report, cost=report.cost * turn.purchase.quantity, is_for_one=False)
    if not isinstance(report, Done) or not report.codes:
        return report
    fault = faults_of(report.codes, turn.purchase.quantity, datetime.now(UTC))
    return Unknown(fault) if fault else report


def seen_of(
    answered: Sequence[tuple[Turn, Report]], changes: Sequence[tuple[Purchase, Purchase]]
) -> list[Seen]:
    """What these calls tell of their suppliers."""
    now = asyncio.get_running_loop().time()
    return [
        Seen(
            merchant_id=before.merchant_id,
            supplier=before.supplier,
            supplier_sku=before.supplier_sku,
            report=report,
            was=before.state.value,
            now=after.state.value,
            seconds=before.age.total_seconds() + now - turn.began,
        )
        for (turn, report), (before, after) in zip(answered, changes, strict=True)
    ]
