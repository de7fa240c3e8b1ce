"""Gives money back: marks a refund as sent, asks its provider outside a transaction, records."""

from collections.abc import Mapping, Sequence

from kit.db import Database
from kit.periodic import Periodic
from order.provider import Provider, RefundOutcome
from order.refunds import service as refunds
from order.refunds.domain import Refund
from order.saga import service as saga
from order.saga.service import Fact

REFUND_BATCH_MAX = 50


def pay_back(db: Database, providers: Mapping[str, Provider], *, every_seconds: float) -> Periodic:
    """Asks the providers for the refunds that are due, and again for those without an answer."""

    async def run() -> bool:
        async with db.transaction() as tx:
            due = await refunds.take_due(tx, limit=REFUND_BATCH_MAX)
        answers = [(refund, await _ask(providers, refund)) for refund in due]
        if answers:
            await _record(db, answers)
        return len(due) == REFUND_BATCH_MAX

    return Periodic("pay-back", every_seconds, run)


async def _ask(providers: Mapping[str, Provider], refund: Refund) -> str:
    """`done`, or why it is not: any trouble means that the outcome is unknown."""
    provider = providers.get(refund.provider)
    if provider is None:
        return f"provider {refund.provider} is not enabled"
    try:
        return await provider.refund(refund)
    except Exception as error:
        return f"{RefundOutcome.UNKNOWN}: {type(error).__name__}"


async def _record(db: Database, answers: Sequence[tuple[Refund, str]]) -> None:
    done = [refund for refund, answer in answers if answer == RefundOutcome.DONE]
    failures = [(refund, answer) for refund, answer in answers if answer != RefundOutcome.DONE]
    async with db.transaction() as tx:
        await refunds.postpone(tx, failures)
        facts = [
            Fact(refund.order_id, refund, f"provider:{refund.provider}")
            for refund in await refunds.settle(tx, done)
        ]
        if facts:
            await saga.settle_refunds(tx, facts)
