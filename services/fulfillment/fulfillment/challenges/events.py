from fulfillment.challenges.domain import Asked
from fulfillment.one_time_codes.domain import Challenge
from lockstock.fulfillment.v1.challenge_events_pb2 import ChallengeNotSent, ChallengeSent


def challenge_sent(asked: Asked, sent: Challenge) -> ChallengeSent:
    return ChallengeSent(
        challenge_id=str(asked.challenge_id),
        order_id=str(asked.order_id),
        merchant_id=str(asked.merchant_id),
        channel=sent.channel.value,
        target=sent.target,
    )


def challenge_not_sent(asked: Asked, reason: str) -> ChallengeNotSent:
    return ChallengeNotSent(
        challenge_id=str(asked.challenge_id),
        order_id=str(asked.order_id),
        merchant_id=str(asked.merchant_id),
        reason=reason,
    )
