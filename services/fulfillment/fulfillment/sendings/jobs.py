"""Sending: take, send, write down. Nothing is sent inside a transaction."""

import asyncio
from collections.abc import Mapping, Sequence

from fulfillment.code_opening import CodeOpening, CodesNotOpened
from fulfillment.sender import Later, Letter, Sender, SendOutcome, Sent, Unclear
from fulfillment.sendings.domain import Plan
from fulfillment.sendings.service import SendingService
from kit.combine import Combiner
from kit.db import Database
from kit.errors import Unavailable
from kit.logging import get_logger

log = get_logger(__name__)

BATCH_MAX = 50
SEND_SECONDS_MAX = 60.0


class Sending:
    """A message is due again when its lease ends, so the lease is longer than SEND_SECONDS_MAX."""

    def __init__(
        self,
        db: Database,
        sendings: SendingService,
        senders: Mapping[str, Sender],
        opening: CodeOpening,
    ) -> None:
        self._db = db
        self._sendings = sendings
        self._senders = senders
        self._opening = opening
        # What ends at the same time is written down together.
        self._record = Combiner(self._record_many, batch_max=BATCH_MAX)

    async def run(self) -> bool:
        """One round; True when more may be due. The slowest of a batch keeps no other waiting for
        its result: each is written down as it comes.
        """
        async with self._db.transaction() as tx:
            plans = await self._sendings.take(tx, BATCH_MAX)
        if not plans:
            return False
        # Each to its end: what cannot be written down of one must not cut off another on its way.
        ends = await asyncio.gather(*(self._one(plan) for plan in plans), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return len(plans) == BATCH_MAX or any(ends)

    async def _one(self, plan: Plan) -> bool:
        outcome = await self._send(plan)
        if not isinstance(outcome, Sent):
            log.warning(
                "message_not_sent",
                message_id=str(plan.taken.id),
                sender=plan.account.sender if plan.account else "",
                reason=outcome.reason,
            )
        return await self._record((plan, outcome))

    async def _send(self, plan: Plan) -> SendOutcome:
        account = plan.account
        if account is None or plan.letter is None:
            return Later("nothing_to_send")
        sender = self._senders[account.sender]
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                worded = await self._worded(plan)
                if worded is None:
                    return Later("vault_unavailable")
                if plan.doubt is not None and not sender.repeats_safely:
                    found = await sender.find(account, worded, plan.doubt)
                    if not isinstance(found, Later):
                        return found
                return await sender.send(account, worded)
        except TimeoutError:
            return Unclear("no_answer")
        except Exception as error:
            # A bug, or an answer nobody can read: it may have been sent.
            log.exception("sender_failed", sender=account.sender, message_id=str(plan.taken.id))
            return Unclear(type(error).__name__.lower())

    async def _worded(self, plan: Plan) -> Letter | None:
        """With codes where the template asks for them; they are nowhere else, and gone with the
        letter. None when the vault does not answer.
        """
        unworded = plan.unworded
        if unworded is None:
            return plan.letter
        try:
            codes = await self._opening.open(plan.taken.merchant_id, plan.taken.id, unworded.units)
        except CodesNotOpened as error:
            log.warning("codes_not_opened", message_id=str(plan.taken.id), reason=str(error))
            return self._sendings.word(plan, None).letter
        except Unavailable:
            return None
        return self._sendings.word(plan, codes).letter

    async def _record_many(self, results: Sequence[tuple[Plan, SendOutcome]]) -> Sequence[bool]:
        """Whether some are due at once by another channel."""
        async with self._db.transaction() as tx:
            again = await self._sendings.record(tx, results)
        return [again] * len(results)
