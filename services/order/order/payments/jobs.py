"""Gives money back: marks a refund as sent, asks its provider outside a transaction, records."""

import asyncio
from collections.abc import Mapping, Sequence

from kit.db import Database
from kit.errors import Unavailable
from kit.logging import get_logger
from kit.periodic import Periodic
from order.provider import Provider, RefundOutcome
from order.refunds import service as refunds
from order.refunds.domain import Refund, RefundAnswer, RefundStatus
from order.saga import service as saga
from order.saga.service import Fact

REFUND_BATCH_MAX = 50

log = get_logger(__name__)

Answer = tuple[Refund, tuple[RefundStatus, str]]


def pay_back(db: Database, providers: Mapping[str, Provider], *, every_seconds: float) -> Periodic:
    """Asks the providers for the refunds that are due, and again for those without an answer."""

    async def run() -> bool:
        async with db.transaction() as tx:
            due = await refunds.take_due(tx, limit=REFUND_BATCH_MAX)
        # At once: one provider that does not answer holds up nobody else's money.
        answers = await asyncio.gather(*(_ask(providers, refund) for refund in due))
        if due:
            await _record(db, list(zip(due, answers, strict=True)))
        return len(due) == REFUND_BATCH_MAX

    return Periodic("pay-back", every_seconds, run)


async def _ask(providers: Mapping[str, Provider], refund: Refund) -> tuple[RefundStatus, str]:
    """What became of it and why: any trouble means that the outcome is unknown."""
    if refund.amount.amount_minor == 0:
        # Of a line that cost nothing: providers refuse such a refund, its order would not end.
        return RefundStatus.DONE, "nothing to give back"
    provider = providers.get(refund.provider)
    if provider is None:
        return RefundStatus.DUE, f"provider {refund.provider} is not enabled"
    try:
        outcome = await provider.refund(refund)
    except Exception as error:
        return RefundStatus.UNKNOWN, f"{RefundOutcome.UNKNOWN}: {type(error).__name__}"
    return _STATUSES[outcome], outcome.value


_STATUSES = {
    RefundOutcome.DONE: RefundStatus.DONE,
    RefundOutcome.UNKNOWN: RefundStatus.UNKNOWN,
    RefundOutcome.REFUSED: RefundStatus.MANUAL,
}


async def _record(db: Database, answers: Sequence[Answer]) -> None:
    """Alone, each answer shows whether it is the one that cannot be settled."""
    facts = [
        Fact(refund.order_id, RefundAnswer(refund, status, why), _cause(refund))
        for refund, (status, why) in answers
    ]
    try:
        async with db.transaction() as tx:
            await saga.settle_refunds(tx, facts)
    except Unavailable:
        raise
    except Exception:
        if len(answers) > 1:
            for answer in answers:
                await _record(db, [answer])
            return
        [(refund, _)] = answers  # asked for again after its lease, by the same id
        log.exception("refund_not_settled", refund_id=str(refund.id))


def _cause(refund: Refund) -> str:
    return f"provider:{refund.provider}"
