"""Sending a code to the buyer of an order, and looking at what somebody says it is."""

import math
from collections.abc import Mapping
from types import MappingProxyType
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
from fulfillment.sendings.domain import Way
from fulfillment.sendings.service import SendingService
from kit.db import Transaction
from kit.ids import new_id

PURPOSE = "one_time_code"
BUDGET = "one_time_codes"
FORGET_BATCH_MAX = 500
_SECONDS_PER_MINUTE = 60
_NONE: Mapping[str, str | int] = MappingProxyType({})


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

    async def begin(
        self,
        tx: Transaction,
        subject: str,
        order_id: UUID,
        purpose: str = PURPOSE,
        more_values: Mapping[str, str | int] = _NONE,
    ) -> Challenge:
        """Sends the order's buyer a code for `subject` (what it shall open: `page:<id>`); an
        earlier one counts no longer. Raises NoContact when there is no way to send it,
        TooManyCodes when one was sent a moment ago or too many were, to this buyer or for this.
        """
        way = await self._sendings.way_to(tx, order_id, purpose)
        code, code_id = new_code(), new_id()
        # Undone together: a code that is not sent does not end the one before.
        async with tx.savepoint():
            expires_at = await self._repository.put(
                tx, subject, code, self._rules, code_id=code_id, order_id=order_id
            )
            if expires_at is None:
                wait = await self._repository.wait_of(tx, subject, self._rules)
                raise TooManyCodes(retry_after_seconds=max(1, math.ceil(wait.total_seconds())))
            await self._use_budget(tx, way)
        minutes = int(self._rules.life.total_seconds() // _SECONDS_PER_MINUTE)
        wanted = Wanted(
            way.merchant_id,
            order_id,
            purpose,
            {"code": code, "minutes": minutes, **more_values},
            key=str(code_id),
        )
        await self._messages.send(tx, wanted)
        return Challenge(code_id, way.channel, way.target, expires_at)

    async def _use_budget(self, tx: Transaction, way: Way) -> None:
        used = await self._messages.use_budget(tx, BUDGET, {way.whose: 1}, self._rules.window)
        if used[way.whose] > self._rules.per_contact_max:
            raise TooManyCodes(retry_after_seconds=int(self._rules.window.total_seconds()))

    async def is_good(self, tx: Transaction, subject: str) -> bool:
        """Whether a code that was sent for `subject` can still be shown."""
        return await self._repository.is_good(tx, subject, self._rules.tries_max)

    async def verify(
        self, tx: Transaction, subject: str, code: str, *, repeats: bool = False
    ) -> Verified:
        """Whether `code` is the one sent last for `subject`. Right once, unless it `repeats`: then
        whoever did not hear the answer may ask again. Each try is counted, so the caller must
        commit whatever the verdict is.
        """
        tried = await self._repository.try_code(
            tx, subject, code.strip(), self._rules.tries_max, repeats=repeats
        )
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
