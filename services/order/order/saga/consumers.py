"""What the other services tell: risk's decisions and fulfilment's outcomes."""

from collections.abc import Sequence
from typing import Any, assert_never
from uuid import UUID

from kit.db import Transaction
from kit.errors import Invalid
from kit.messaging.events import Event
from kit.messaging.handlers import Handler, handles
from kit.money import Money
from lockstock.fulfillment.v1.challenge_events_pb2 import ChallengeNotSent, ChallengeSent
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from lockstock.fulfillment.v1.page_events_pb2 import PageLinkChanged
from lockstock.order.v1.order_events_pb2 import LotCost as PaidCost
from lockstock.risk.v1.assessment_events_pb2 import Decision, OrderAssessed
from order.challenges.domain import CodeNews
from order.deliveries import service as deliveries
from order.deliveries.domain import DeliveredUnit, LineOutcome
from order.lines.domain import LineStatus, LotCost
from order.orders.domain import Assessment, Challenge, Verdict
from order.saga import service
from order.saga.service import Fact

_VERDICTS = {
    Decision.DECISION_ALLOW: Verdict.ALLOW,
    Decision.DECISION_CHALLENGE: Verdict.CHALLENGE,
    Decision.DECISION_HOLD: Verdict.HOLD,
    Decision.DECISION_DECLINE: Verdict.DECLINE,
}


async def on_order_assessed(tx: Transaction, events: Sequence[Event[OrderAssessed]]) -> None:
    await service.assess(tx, [_fact(event, _assessment(event.message)) for event in events])


async def on_line_delivered(tx: Transaction, events: Sequence[Event[LineDelivered]]) -> None:
    await service.settle_lines(tx, [_fact(event, _outcome(event.message)) for event in events])


async def on_line_failed(tx: Transaction, events: Sequence[Event[LineFailed]]) -> None:
    await service.settle_lines(tx, [_fact(event, _outcome(event.message)) for event in events])


async def on_line_unknown(tx: Transaction, events: Sequence[Event[LineUnknown]]) -> None:
    await service.settle_lines(tx, [_fact(event, _outcome(event.message)) for event in events])


async def on_page_link_changed(tx: Transaction, events: Sequence[Event[PageLinkChanged]]) -> None:
    """The buyer's page has another address: the last one told is the order's."""
    await deliveries.move_pages(
        tx, {UUID(event.message.order_id): event.message.url for event in events}
    )


async def on_challenge_sent(tx: Transaction, events: Sequence[Event[ChallengeSent]]) -> None:
    await service.note_challenges(tx, [_fact(event, _sent(event.message)) for event in events])


async def on_challenge_not_sent(tx: Transaction, events: Sequence[Event[ChallengeNotSent]]) -> None:
    await service.note_challenges(tx, [_fact(event, _not_sent(event.message)) for event in events])


def handlers() -> list[Handler]:
    return [
        handles(OrderAssessed, on_order_assessed),
        handles(ChallengeSent, on_challenge_sent),
        handles(ChallengeNotSent, on_challenge_not_sent),
        handles(LineDelivered, on_line_delivered),
        handles(LineFailed, on_line_failed),
        handles(LineUnknown, on_line_unknown),
        handles(PageLinkChanged, on_page_link_changed),
    ]


def _fact(event: Event[Any], what: Any) -> Fact[Any]:  # any message, any fact
    return Fact(UUID(event.message.order_id), what, f"event:{event.id}")


def _assessment(message: OrderAssessed) -> Assessment:
    verdict = _VERDICTS.get(message.decision)
    if verdict is None:
        raise Invalid(f"assessment {message.assessment_id} has no decision this release knows")
    return Assessment(
        id=message.assessment_id,
        verdict=verdict,
        rules=tuple(
            {
                "rule_id": rule.rule_id,
                "version": rule.version,
                "name": rule.name,
                "explanation": rule.explanation,
            }
            for rule in message.rules
        ),
        reviewer=message.reviewer,
        note=message.note,
        challenge_id=message.challenge_id,
        hold_seconds=message.limits.hold_seconds,
    )


def _sent(message: ChallengeSent) -> CodeNews:
    return CodeNews(Challenge(message.challenge_id, message.channel, message.target))


def _not_sent(message: ChallengeNotSent) -> CodeNews:
    return CodeNews(Challenge(message.challenge_id), message.reason)


def _outcome(message: LineDelivered | LineFailed | LineUnknown) -> LineOutcome:
    order_id, line_id = UUID(message.order_id), UUID(message.line_id)
    delivery_id = UUID(message.delivery_id)
    match message:
        case LineDelivered():
            return LineOutcome(
                order_id,
                line_id,
                delivery_id,
                LineStatus.DELIVERED,
                url=message.url,
                units=tuple(DeliveredUnit(u.unit_id, u.mask, u.lot_id) for u in message.units),
                costs=tuple(
                    LotCost(
                        cost.lot_id,
                        cost.quantity,
                        Money(cost.unit_cost.amount_minor, cost.unit_cost.currency),
                        cost.supplier,
                        cost.purchase_id,
                        _face_value(cost),
                    )
                    for cost in message.costs
                ),
                receipt=message.receipt,
                round=_round(message),
            )
        case LineFailed():
            return LineOutcome(
                order_id,
                line_id,
                delivery_id,
                LineStatus.FAILED,
                reason=message.reason,
                refusals=tuple((no.supplier, no.code) for no in message.refusals),
                round=_round(message),
            )
        case LineUnknown():
            return LineOutcome(
                order_id,
                line_id,
                delivery_id,
                LineStatus.UNKNOWN,
                reason=message.reason,
                supplier=message.supplier,
                round=_round(message),
            )
        case _:
            assert_never(message)


def _round(message: LineDelivered | LineFailed | LineUnknown) -> int:
    return message.round or 1  # older releases knew one round


def _face_value(cost: PaidCost) -> Money | None:
    face = cost.face_value
    return Money(face.amount_minor, face.currency) if cost.HasField("face_value") else None
