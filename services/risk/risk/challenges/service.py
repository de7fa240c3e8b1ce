from collections.abc import Sequence
from uuid import UUID

from prometheus_client import Counter

from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.messaging import outbox
from risk.challenges import events
from risk.challenges.domain import (
    Challenge,
    ChallengeCodeWrong,
    ChallengeNotFound,
    ChallengeOpening,
    ChallengeRules,
    ChallengeStatus,
)
from risk.challenges.repository import ChallengeRepository
from risk.code_sending import CodeSending, CodeVerdict
from risk.review_policies.domain import FallBack
from risk.review_policies.service import ReviewPolicyService
from risk.reviews.domain import ReviewOpening
from risk.reviews.service import ReviewService

ENDED = Counter("lockstock_risk_challenges_ended", "Challenges that ended", ["status"])


class ChallengeService:
    """Codes are made, sent and compared by fulfillment; what follows is decided here, once."""

    def __init__(
        self,
        repository: ChallengeRepository,
        policies: ReviewPolicyService,
        reviews: ReviewService,
        codes: CodeSending,
        rules: ChallengeRules,
    ) -> None:
        self._repository = repository
        self._policies = policies
        self._reviews = reviews
        self._codes = codes
        self._rules = rules

    async def open(self, tx: Transaction, openings: Sequence[ChallengeOpening]) -> None:
        """One challenge per assessment that wants a code; order has the code sent."""
        if openings:
            await self._repository.add(tx, openings, self._rules.life)

    async def check(self, db: Database, merchant_id: UUID, challenge_id: UUID, code: str) -> None:
        """Returns when the code is right, or was before. Raises ChallengeCodeWrong: for a wrong
        code, and the same for a challenge that has ended or never was; Unavailable when nobody
        knows, which costs no try.
        """
        async with db.transaction() as tx:
            tries = await self._repository.count_try(
                tx, merchant_id, challenge_id, self._rules.tries_max
            )
        try:
            # Asked even where nothing can come of it: the answer takes as long as any other.
            verdict = await self._codes.check(merchant_id, challenge_id, code)
        except Unavailable:
            if tries is not None:
                async with db.transaction() as tx:
                    await self._repository.give_back_try(tx, challenge_id)
            raise
        if tries is not None and verdict is CodeVerdict.RIGHT:
            return
        async with db.transaction() as tx:
            found = await self._repository.find(tx, merchant_id, challenge_id)
            if found is not None and found.status is ChallengeStatus.PASSED:
                return
            if tries is not None and tries >= self._rules.tries_max:
                await self._end(tx, [challenge_id], ChallengeStatus.FAILED, tries)
        # Behind the commit: the last wrong try must end the challenge.
        raise ChallengeCodeWrong

    async def pass_on(self, tx: Transaction, merchant_id: UUID, challenge_id: UUID) -> Challenge:
        """The code was right: the order goes on. Raises ChallengeCodeWrong when the challenge ended
        otherwise meanwhile.
        """
        for passed in await self._repository.end(tx, [challenge_id], ChallengeStatus.PASSED):
            ENDED.labels(passed.status.value).inc()
            self._tell(tx, passed, FallBack.HOLD)
            return passed
        found = await self._repository.find(tx, merchant_id, challenge_id)
        if found is None or found.status is not ChallengeStatus.PASSED:
            raise ChallengeCodeWrong
        return found

    async def resend(self, db: Database, merchant_id: UUID, challenge_id: UUID) -> int:
        """Has another code sent, if the challenge is open and within limits; how many seconds a
        code works, and nothing else, is answered whatever came of it. Raises Unavailable when
        nobody knows, which costs none of them: fulfillment bounds what a contact is sent.
        """
        async with db.transaction() as tx:
            found = await self._repository.count_resend(
                tx, merchant_id, challenge_id, self._rules.resends_max
            )
        try:
            return await self._codes.send(
                merchant_id,
                challenge_id,
                order_id=found.order_id if found else challenge_id,
                reference=found.reference if found else "-",
            )
        except Unavailable:
            if found is not None:
                async with db.transaction() as tx:
                    await self._repository.give_back_resend(tx, challenge_id)
            raise

    async def get(self, tx: Transaction, merchant_id: UUID, challenge_id: UUID) -> Challenge:
        """Raises ChallengeNotFound."""
        found = await self._repository.find(tx, merchant_id, challenge_id)
        if found is None:
            raise ChallengeNotFound(challenge_id=str(challenge_id))
        return found

    async def note_sent(self, tx: Transaction, sent: Sequence[tuple[UUID, str, str]]) -> None:
        """Challenge, channel and masked target of codes that are on their way."""
        await self._repository.note_sent(tx, sent)

    async def note_unsent(self, tx: Transaction, challenges: Sequence[UUID]) -> None:
        """Nobody can be sent a code: the fall-back decides."""
        await self._end(tx, challenges, ChallengeStatus.UNSENT)

    async def lapse(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """The orders are over: no code is wanted any more."""
        await self._repository.lapse(tx, orders)

    async def reopen(self, tx: Transaction, orders: Sequence[UUID]) -> None:
        """The orders wait after all, paid after they had ended: order has a new code sent."""
        await self._repository.reopen(tx, orders, self._rules.life)

    async def expire(self, tx: Transaction, limit: int) -> int:
        """Ends at most `limit` whose time is over; answers how many."""
        expired = await self._repository.expire(tx, limit)
        await self._fall_back(tx, expired)
        return len(expired)

    def tries_left(self, challenge: Challenge) -> int:
        is_open = challenge.status is ChallengeStatus.OPEN
        return max(0, self._rules.tries_max - challenge.tries) if is_open else 0

    async def _end(
        self, tx: Transaction, challenges: Sequence[UUID], status: ChallengeStatus, tries: int = 0
    ) -> None:
        ended = await self._repository.end(tx, challenges, status, tries_min=tries)
        await self._fall_back(tx, ended)

    async def _fall_back(self, tx: Transaction, ended: Sequence[Challenge]) -> None:
        """What the merchant wants of orders whose buyer did not show the code."""
        if not ended:
            return
        policies = await self._policies.find_many(tx, {it.merchant_id for it in ended})
        wanted = [(it, policies[it.merchant_id].challenge_fall_back) for it in ended]
        await self._reviews.open(
            tx, [_opening(it) for it, fall_back in wanted if fall_back is FallBack.HOLD]
        )
        for challenge, fall_back in wanted:
            ENDED.labels(challenge.status.value).inc()
            self._tell(tx, challenge, fall_back)

    def _tell(self, tx: Transaction, challenge: Challenge, fall_back: FallBack) -> None:
        outbox.add(
            tx,
            events.challenge_ended(challenge, fall_back),
            key=challenge.order_id,
            merchant_id=challenge.merchant_id,
        )


def _opening(challenge: Challenge) -> ReviewOpening:
    return ReviewOpening(
        challenge.merchant_id,
        challenge.order_id,
        challenge.id,
        f"{challenge.why_ended}; {challenge.reason}",
    )
