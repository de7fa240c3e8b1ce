"""What fulfilment tells about claims."""

from collections.abc import Sequence
from uuid import UUID

from kit.db import Transaction
from kit.errors import Invalid
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClaimOpened
from order.claims import service
from order.claims.domain import ClaimOutcome, DecidedClaim, OpenedClaim
from order.claims.service import Told

_OUTCOMES = {
    ClaimDecided.Outcome.OUTCOME_REPLACED: ClaimOutcome.REPLACED,
    ClaimDecided.Outcome.OUTCOME_REFUNDED: ClaimOutcome.REFUNDED,
    ClaimDecided.Outcome.OUTCOME_REFUSED: ClaimOutcome.REFUSED,
    ClaimDecided.Outcome.OUTCOME_WITHDRAWN: ClaimOutcome.WITHDRAWN,
}


async def on_claim_opened(tx: Transaction, events: Sequence[Event[ClaimOpened]]) -> None:
    await service.note_opened(tx, [_opened(event) for event in events])


async def on_claim_decided(tx: Transaction, events: Sequence[Event[ClaimDecided]]) -> None:
    await service.settle(tx, [_decided(event) for event in events])


def handlers() -> list[Handler]:
    return [handles(ClaimOpened, on_claim_opened), handles(ClaimDecided, on_claim_decided)]


def _opened(event: Event[ClaimOpened]) -> Told[OpenedClaim]:
    message = event.message
    claim = OpenedClaim(
        claim_id=UUID(message.claim_id),
        line_id=UUID(message.line_id),
        unit_id=message.unit_id,
        lot_id=message.lot_id,
        reason=message.reason,
        opened_by=message.opened_by,
    )
    return Told(UUID(message.order_id), claim, f"event:{event.id}")


def _decided(event: Event[ClaimDecided]) -> Told[DecidedClaim]:
    message = event.message
    outcome = _OUTCOMES.get(message.outcome)
    if outcome is None:
        raise Invalid(f"claim {message.claim_id} ended in a way this release does not know")
    new = message.replacement
    claim = DecidedClaim(
        claim_id=UUID(message.claim_id),
        line_id=UUID(message.line_id),
        delivery_id=UUID(message.delivery_id),
        unit_id=message.unit_id,
        lot_id=message.lot_id,
        outcome=outcome,
        reason=message.reason,
        decided_by=message.decided_by,
        position=message.position,
        replacement=(new.unit_id, new.mask, new.lot_id)
        if message.HasField("replacement")
        else None,
    )
    return Told(UUID(message.order_id), claim, f"event:{event.id}")
