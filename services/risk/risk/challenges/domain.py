"""Challenges: an order goes on once its buyer shows the code that was sent to them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from kit.errors import Denied, NotFound


class ChallengeStatus(StrEnum):
    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"
    """Too many wrong codes."""
    EXPIRED = "expired"
    """Nobody showed a code in time."""
    UNSENT = "unsent"
    """There was no way to send the buyer a code."""
    LAPSED = "lapsed"
    """The order was cancelled or expired before."""


WHY_ENDED = {
    ChallengeStatus.FAILED: "too many wrong codes",
    ChallengeStatus.EXPIRED: "the buyer did not show the code in time",
    ChallengeStatus.UNSENT: "no code could be sent to the buyer",
}


@dataclass(frozen=True, slots=True)
class ChallengeRules:
    """`tries_max` over all codes of a challenge; fulfillment limits those of each code too."""

    life: timedelta
    tries_max: int
    resends_max: int


@dataclass(frozen=True, slots=True)
class ChallengeOpening:
    """An assessment that wants a code; the challenge has its id."""

    id: UUID
    merchant_id: UUID
    order_id: UUID
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Challenge:
    id: UUID
    merchant_id: UUID
    order_id: UUID
    reference: str
    status: ChallengeStatus
    reason: str
    """Why a code is wanted: the rules that asked for it, with their values."""
    tries: int
    resends: int
    channel: str
    target: str
    """Where the last code went, as a mask; empty before."""
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    @property
    def why_ended(self) -> str:
        return WHY_ENDED.get(self.status, "")


class ChallengeNotFound(NotFound):
    """There is no such challenge, or it is not yours."""

    code = "challenge_not_found"


class ChallengeCodeWrong(Denied):
    """It is not the code that was sent last, or none works any more: have a new one sent, or read
    the challenge to see whether it has ended.
    """

    code = "challenge_code_wrong"
