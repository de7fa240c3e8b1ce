from uuid import UUID

from fulfillment.challenges import events
from fulfillment.challenges.domain import PURPOSE, Asked, subject_of
from fulfillment.contacts.service import ContactService
from fulfillment.messages.domain import NoContact
from fulfillment.one_time_codes.domain import TooManyCodes, Verified
from fulfillment.one_time_codes.service import OneTimeCodeService
from kit.db import Transaction
from kit.logging import get_logger
from kit.messaging import outbox

log = get_logger(__name__)


class ChallengeService:
    """What risk's challenges need of the buyer's contact, which only this service has."""

    def __init__(self, contacts: ContactService, codes: OneTimeCodeService) -> None:
        self._contacts = contacts
        self._codes = codes

    async def begin(self, tx: Transaction, asked: Asked) -> None:
        """Sends the first code, or tells that there is no way to send one: that ends the challenge,
        so it is not told while a code that was sent before can still be shown.
        """
        try:
            await self._send(tx, asked)
        except NoContact as problem:
            self._tell_not_sent(tx, asked, problem.code)
        except TooManyCodes as problem:
            subject = subject_of(asked.merchant_id, asked.challenge_id)
            if not await self._codes.is_good(tx, subject):
                self._tell_not_sent(tx, asked, problem.code)

    async def send_again(self, tx: Transaction, asked: Asked) -> None:
        """Sends another code, if the order is the merchant's, there is a way, and it is not too
        soon: whoever asks learns nothing of which it was.
        """
        contact = (await self._contacts.find_many(tx, [asked.order_id])).get(asked.order_id)
        if contact is None or contact.merchant_id != asked.merchant_id:
            return
        try:
            await self._send(tx, asked)
        except (NoContact, TooManyCodes) as problem:
            log.info("challenge_not_resent", order_id=str(asked.order_id), cause=problem.code)

    async def verify(
        self, tx: Transaction, merchant_id: UUID, challenge_id: UUID, code: str
    ) -> Verified:
        """Whether this is the code sent last. The same again is right again: risk, which alone
        decides once, may not have heard the first answer.
        """
        subject = subject_of(merchant_id, challenge_id)
        return await self._codes.verify(tx, subject, code, repeats=True)

    async def _send(self, tx: Transaction, asked: Asked) -> None:
        sent = await self._codes.begin(
            tx,
            subject_of(asked.merchant_id, asked.challenge_id),
            asked.order_id,
            PURPOSE,
            {"reference": asked.reference},
        )
        outbox.add(
            tx,
            events.challenge_sent(asked, sent),
            key=asked.order_id,
            merchant_id=asked.merchant_id,
        )

    def _tell_not_sent(self, tx: Transaction, asked: Asked, reason: str) -> None:
        log.info("challenge_not_sent", order_id=str(asked.order_id), cause=reason)
        outbox.add(
            tx,
            events.challenge_not_sent(asked, reason),
            key=asked.order_id,
            merchant_id=asked.merchant_id,
        )
