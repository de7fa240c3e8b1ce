"""Sending a code to the buyer of an order, and looking at what somebody says it is."""

import math
from uuid import UUID

from fulfillment.messages.domain import Wanted
from fulfillment.messages.service import MessageService
from fulfillment.one_time_codes.domain import (
    Challenge,
    CodeRules,
    TooManyCodes,
    Verdict,
    Verified,
    new_code,
)
from fulfillment.one_time_codes.repository import OneTimeCodeRepository
from fulfillment.sendings.service import SendingService
from kit.db import Transaction
from kit.ids import new_id

PURPOSE = "one_time_code"
FORGET_BATCH_MAX = 500
_SECONDS_PER_MINUTE = 60


class OneTimeCodeService:
    def __init__(
        self,
        repository: OneTimeCodeRepository,
        messages: MessageService,
        sendings: SendingService,
        rules: CodeRules,
    ) -> None:
        self._repository = repository
        self._messages = messages
        self._sendings = sendings
        self._rules = rules

    async def begin(self, tx: Transaction, subject: str, order_id: UUID) -> Challenge:
        """Sends the order's buyer a code for `subject` (what it shall open: `page:<id>`); an
        earlier one counts no longer. Raises NoContact when there is no way to send it,
        TooManyCodes when one was sent a moment ago or too many were.
        """
        way = await self._sendings.way_to(tx, order_id, PURPOSE)
        code, code_id = new_code(), new_id()
        expires_at = await self._repository.put(
            tx, subject, code, self._rules, code_id=code_id, order_id=order_id
        )
        if expires_at is None:
            wait = await self._repository.wait_of(tx, subject, self._rules)
            raise TooManyCodes(retry_after_seconds=max(1, math.ceil(wait.total_seconds())))
        minutes = int(self._rules.life.total_seconds() // _SECONDS_PER_MINUTE)
        wanted = Wanted(
            way.merchant_id,
            order_id,
            PURPOSE,
            {"code": code, "minutes": minutes},
            key=str(code_id),
        )
        await self._messages.send(tx, wanted)
        return Challenge(code_id, way.channel, way.target, expires_at)

    async def verify(self, tx: Transaction, subject: str, code: str) -> Verified:
        """Whether `code` is the one sent last for `subject`. Right once; each wrong try is counted,
        so the caller must commit whatever the verdict is.
        """
        tried = await self._repository.try_code(tx, subject, code.strip(), self._rules.tries_max)
        if tried is None:
            return Verified(Verdict.GONE)
        left = self._rules.tries_max - tried.tries
        if tried.is_right:
            return Verified(Verdict.RIGHT, left)
        return Verified(Verdict.WRONG if left > 0 else Verdict.GONE, left)

    async def forget(self, tx: Transaction) -> bool:
        """Drops codes that are long over; True when more may wait."""
        gone = await self._repository.forget(tx, self._rules.window, FORGET_BATCH_MAX)
        return gone == FORGET_BATCH_MAX
