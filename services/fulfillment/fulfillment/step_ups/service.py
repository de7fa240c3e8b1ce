"""Sending the one-time code of a page, and giving a proof to who shows it."""

from datetime import timedelta

from fulfillment.messages.domain import NoContact
from fulfillment.one_time_codes.domain import TooManyCodes, Verdict
from fulfillment.one_time_codes.service import OneTimeCodeService
from fulfillment.pages.domain import BuyerPage
from fulfillment.pages.service import PageService
from fulfillment.proofs import PageProofs
from fulfillment.step_ups.domain import OneTimeCodeWrong, Proof, StepUpNotWanted, subject_of
from kit.clock import Clock
from kit.db import Database, Transaction
from kit.logging import get_logger

log = get_logger(__name__)


class StepUpService:
    """`code_life` is how long a one-time code works, as its sender knows it."""

    def __init__(
        self,
        pages: PageService,
        codes: OneTimeCodeService,
        proofs: PageProofs,
        clock: Clock,
        code_life: timedelta,
    ) -> None:
        self._pages = pages
        self._codes = codes
        self._proofs = proofs
        self._clock = clock
        self._code_life = code_life

    async def begin(self, db: Database, token: str) -> timedelta:
        """Sends a code to the order's buyer, if there is a way and it is not too soon; the answer,
        how long a code works, is the same if not: whoever has only the link learns nothing.
        Raises PageNotFound, PageEnded, StepUpNotWanted.
        """
        async with db.transaction() as tx:
            page = await self._open(tx, token)
            order_id = page.request.order_id
            try:
                await self._codes.begin(tx, subject_of(page.request.page_id), order_id)
            except (NoContact, TooManyCodes) as problem:
                log.info("one_time_code_not_sent", order_id=str(order_id), cause=problem.code)
        return self._code_life

    async def confirm(self, db: Database, token: str, code: str) -> Proof:
        """A proof for the page. Raises OneTimeCodeWrong, whether it never was, was used, guessed
        at too often or is too old; and what `begin` raises.
        """
        async with db.transaction() as tx:
            page = await self._open(tx, token)
            page_id = page.request.page_id
            verified = await self._codes.verify(tx, subject_of(page_id), code)
        # Behind the commit: a wrong try must count.
        if verified.verdict is not Verdict.RIGHT:
            raise OneTimeCodeWrong
        return Proof(*self._proofs.make(page_id, self._clock.now()))

    async def _open(self, tx: Transaction, token: str) -> BuyerPage:
        page = await self._pages.open(tx, token)
        if not page.wants_code:
            raise StepUpNotWanted
        return page
