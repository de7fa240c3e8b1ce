"""The code that a buyer is to show: asked for by risk, sent by fulfilment, told on the timeline."""

from dataclasses import dataclass

from order.orders.domain import Challenge, Change, News


@dataclass(frozen=True, slots=True)
class CodeNews:
    """What became of the code of a challenge; `reason` is why it was not sent."""

    challenge: Challenge
    reason: str = ""


def begin(change: Change) -> Change:
    """The buyer is sent a code, paid or not: who pays meanwhile waits for it."""
    assert change.order.challenge is not None, "risk names the challenge it asks for"
    change = change.told(
        "challenged", "the buyer is to show a code", challenge_id=change.order.challenge.id
    )
    return change.announced(News.CHALLENGED)


def note(change: Change, news: CodeNews) -> Change:
    """Where the buyer's code was sent, or why it was not; a challenge of before says nothing."""
    known, challenge = change.order.challenge, news.challenge
    if known is None or known.id != challenge.id:
        return change
    if news.reason:
        return change.told(
            "challenge_not_sent",
            f"no code could be sent: {news.reason}",
            challenge_id=known.id,
            reason=news.reason,
        )
    return change.with_order(challenge=challenge).told(
        "challenge_sent",
        f"a code was sent by {challenge.channel} to {challenge.target}",
        challenge_id=known.id,
        channel=challenge.channel,
        target=challenge.target,
    )
