"""Hears what payment providers tell, by push or when asked, and hands the money to its order.

Everything a provider says passes `_settle`: the notice is written down once (a second one waits for
the first and finds its verdict), and money goes the one way all money goes, `pay_many`.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from kit.db import Database, Transaction
from kit.errors import DomainError, ErrorKind
from kit.ids import new_id
from kit.logging import get_logger
from order.callbacks import repository
from order.callbacks.domain import OPEN_VERDICTS, Record, Source, ToldNotice, Verdict
from order.checkouts import service as checkouts
from order.checkouts.domain import Checkout, CheckoutState, Due
from order.failed_payments import service as failed_payments
from order.failed_payments.domain import FailedPayment
from order.orders import service as orders
from order.orders.domain import UNPAID
from order.payment_accounts.domain import (
    PaymentAccount,
    PaymentAccountNotFound,
    ProviderNotFound,
)
from order.payment_accounts.service import PaymentAccounts
from order.payments.domain import PaymentWord
from order.payments.service import PayCall, PaymentService
from order.provider import (
    Access,
    Answer,
    Callback,
    CallbackRefused,
    ClosesPayments,
    Found,
    NamesPayments,
    Notice,
    NoticeKind,
    PaymentState,
    QueriesPayments,
    ReadsCallbacks,
)
from order.refunds import service as refunds
from order.refunds.domain import RefundStatus

log = get_logger(__name__)

ASKS_MAX = 150
"""Then somebody must look: half-hourly, about three days. A late callback still counts."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A verified notice, whose account it came by, and what we have begun under its reference."""

    account: PaymentAccount
    record: Record
    notice: Notice
    checkout: Checkout | None


class CallbackService:
    def __init__(self, db: Database, accounts: PaymentAccounts, payments: PaymentService) -> None:
        self._db = db
        self._accounts = accounts
        self._payments = payments

    async def receive(
        self, provider_name: str, account_id: UUID | None, callback: Callback
    ) -> Answer:
        """What to answer the provider. Raises ProviderNotFound, PaymentAccountNotFound,
        NoPaymentAccount, SeveralPaymentAccounts: then nobody's key could verify it.
        """
        provider = self._accounts.provider(provider_name)
        if not isinstance(provider, ReadsCallbacks):
            raise ProviderNotFound(provider=provider_name)
        account, now = await self._account(provider, account_id, callback)
        access = self._accounts.open(account)
        try:
            notice = provider.read_callback(access, callback, now)
        except CallbackRefused as error:
            await self._refused(account, callback, error, now)
            return provider.answer(is_accepted=False)
        verdict = await self._hear(account, access, notice, callback.body)
        is_accepted = verdict not in OPEN_VERDICTS
        return provider.answer(is_accepted=is_accepted, is_temporary=not is_accepted)

    async def _account(
        self, provider: ReadsCallbacks, account_id: UUID | None, callback: Callback
    ) -> tuple[PaymentAccount, datetime]:
        async with self._db.read() as tx:
            now = await repository.now(tx)
            if account_id is None:
                hint = provider.owner_of(callback)
                # Anybody can register an account that names the same app: a payment has one only.
                named = (
                    provider.payment_of(callback) if isinstance(provider, NamesPayments) else None
                )
                if named and (begun := await checkouts.find_of_provider(tx, provider.name, named)):
                    return await self._accounts.get(tx, begun.account_id), now
                return await self._accounts.choose_any(tx, provider.name, hint), now
            account = await self._accounts.get(tx, account_id)
        if account.provider != provider.name:
            raise PaymentAccountNotFound(account_id=str(account_id))
        return account, now

    async def _refused(
        self, account: PaymentAccount, callback: Callback, error: CallbackRefused, now: datetime
    ) -> None:
        """One row an hour and reason counts them: strangers cannot fill the table."""
        log.warning("payment_callback_refused", account_id=str(account.id), reason=error.why)
        record = replace(
            _record(account, Source.CALLBACK, callback.body),
            event_id=f"refused:{error.why}:{now:%Y-%m-%dT%H}",
            event="",
            verdict=Verdict.REFUSED,
            detail=error.detail,
        )
        async with self._db.transaction() as tx:
            await repository.add(tx, record)

    async def _hear(
        self, account: PaymentAccount, access: Access, notice: Notice, body: bytes
    ) -> Verdict:
        checkout = await self._checkout(account, notice.reference)
        record = replace(
            _record(account, Source.CALLBACK, body),
            event_id=notice.event_id,
            event=notice.event,
            kind=notice.kind.value,
        )
        heard = _Heard(account, record, notice, checkout)
        if checkout is not None and notice.kind is NoticeKind.PAID:
            heard, doubt = await self._doubted(access, heard, checkout)
            if doubt is not None:
                return await self._write(heard, doubt)
        async with self._db.transaction() as tx:
            return await self._settle(tx, heard)

    async def _checkout(self, account: PaymentAccount, reference: UUID | None) -> Checkout | None:
        if reference is None:
            return None
        async with self._db.read() as tx:
            return await checkouts.find_of_account(tx, account.id, reference)

    async def _doubted(
        self, access: Access, heard: _Heard, checkout: Checkout
    ) -> tuple[_Heard, Verdict | None]:
        """Facts that differ from ours are believed only when the provider, asked, says the same."""
        if heard.notice.amount == checkout.amount:
            return heard, None
        found = await self.ask(access, checkout)
        match found.state:
            case PaymentState.PAID:
                notice = replace(
                    heard.notice,
                    provider_reference=found.provider_reference or heard.notice.provider_reference,
                    amount=found.amount,
                )
                return replace(heard, notice=notice), None
            case PaymentState.UNKNOWN:
                return heard, Verdict.UNCONFIRMED
            case PaymentState.WAITING | PaymentState.FAILED:
                return heard, Verdict.CONTRADICTED
            case _:
                assert_never(found.state)

    async def _write(self, heard: _Heard, verdict: Verdict) -> Verdict:
        record = _with_facts(heard, verdict, "the amount is not the one that was asked for")
        async with self._db.transaction() as tx:
            notice_id, known = await repository.add(tx, record)
            if known not in OPEN_VERDICTS:
                return known
            await repository.judge(tx, notice_id, record)
        return verdict

    async def ask(self, access: Access, checkout: Checkout) -> Found:
        """The provider's own answer about a payment; UNKNOWN when it cannot be asked."""
        provider = self._accounts.provider(checkout.provider)
        if not isinstance(provider, QueriesPayments):
            return Found(PaymentState.UNKNOWN, why="it cannot be asked")
        try:
            return await provider.query(access, checkout.id, checkout.session)
        except Exception as error:  # whatever went wrong, nothing is known
            log.warning("payment_query_failed", checkout_id=str(checkout.id), exc_info=error)
            return Found(PaymentState.UNKNOWN, why=type(error).__name__)

    async def found(self, checkout: Checkout, found: Found) -> Verdict:
        """Money that the provider, asked, says it has."""
        async with self._db.transaction() as tx:
            account = await self._accounts.get(tx, checkout.account_id)
            record = replace(
                _record(account, Source.QUERY, found.provider_reference.encode()),
                event_id=f"query:{checkout.id}:{found.provider_reference}"[:200],
                event="query",
                kind=NoticeKind.PAID.value,
            )
            notice = Notice(
                record.event_id,
                NoticeKind.PAID,
                "query",
                checkout.id,
                found.provider_reference,
                found.amount,
            )
            return await self._settle(tx, _Heard(account, record, notice, checkout))

    async def look_after(self, due: Due, *, last_ask_seconds: int) -> None:
        """One question about a payment that was begun: it is paid, it has failed, it is closed
        because its order waits no more, it is asked for again later, or somebody must look.
        """
        checkout = due.checkout
        try:
            found, state = await self._asked(due)
        except DomainError as error:  # its account cannot be opened: nothing is known
            found = Found(PaymentState.UNKNOWN, why=error.code)
            state = found.state
        why = found.why
        if found.state is PaymentState.PAID:
            if await self.found(checkout, found) not in OPEN_VERDICTS:
                return
            why = "paid, and it names no amount or no payment"
        elif state is PaymentState.FAILED and found.state is PaymentState.WAITING:
            why = "closed: the order waits for no payment"
        async with self._db.transaction() as tx:
            if found.is_refusal:
                await _note_refusal(tx, checkout, checkout.id.hex, found.why)
            if state is PaymentState.FAILED:
                await checkouts.end(tx, checkout.id, CheckoutState.CLOSED, why or "not paid")
            elif checkout.asked >= ASKS_MAX:
                # Money may be there: nobody may take this for the end.
                log.error("payment_not_made_out", checkout_id=str(checkout.id), why=why)
                await checkouts.end(tx, checkout.id, CheckoutState.MANUAL, why)
            else:
                await checkouts.ask_later(tx, due, last_ask_seconds=last_ask_seconds, why=why)

    async def _asked(self, due: Due) -> tuple[Found, PaymentState]:
        """What its provider says, and what is so after closing what its order waits for no more.

        Raises SecretsUnreadable, ProviderNotFound, PaymentAccountNotFound.
        """
        checkout = due.checkout
        async with self._db.read() as tx:
            account = await self._accounts.get(tx, checkout.account_id)
            order = await orders.get_order(tx, checkout.merchant_id, checkout.order_id)
        access = self._accounts.open(account)
        found = await self.ask(access, checkout)
        is_wanted = order.status is UNPAID and not due.is_over
        if found.state is not PaymentState.WAITING or is_wanted:
            return found, found.state
        provider = self._accounts.provider(checkout.provider)
        return found, await _close(provider, access, due)

    async def _settle(self, tx: Transaction, heard: _Heard) -> Verdict:
        """Writes the notice down and does what it asks for, in one transaction."""
        notice_id, known = await repository.add(tx, _with_facts(heard, Verdict.RECEIVED))
        if known not in OPEN_VERDICTS:
            return known
        verdict, detail = await self._act(tx, heard)
        await repository.judge(tx, notice_id, _with_facts(heard, verdict, detail))
        return verdict

    async def _act(self, tx: Transaction, heard: _Heard) -> tuple[Verdict, str]:
        notice = heard.notice
        match notice.kind:
            case NoticeKind.OTHER:
                return Verdict.IGNORED, ""
            case NoticeKind.REFUNDED | NoticeKind.REFUND_FAILED:
                return await self._look_into_refund(tx, heard)
            case NoticeKind.PAID | NoticeKind.FAILED | NoticeKind.REFUSED:
                if heard.checkout is None:
                    return Verdict.UNMATCHED, "no checkout of ours"
                if notice.kind is NoticeKind.PAID:
                    return await self._take(tx, notice, heard.checkout)
                await _fail(tx, notice, heard.checkout)
                return Verdict.NOTED, ""
            case _:
                assert_never(notice.kind)

    async def _look_into_refund(self, tx: Transaction, heard: _Heard) -> tuple[Verdict, str]:
        """A push is a hint: the refund's own job asks the provider now. One that was made may still
        come back from the buyer's bank.
        """
        notice, merchant_id = heard.notice, heard.account.merchant_id
        if notice.refund_id is None:
            return Verdict.UNMATCHED, "no refund of ours"
        has_failed = notice.kind is NoticeKind.REFUND_FAILED and notice.is_final
        open_as = await refunds.hurry(tx, merchant_id, notice.refund_id)
        if open_as is RefundStatus.SENT and has_failed:
            return Verdict.UNCONFIRMED, "an answer from before it failed may be on its way"
        if open_as is not None:
            return Verdict.NOTED, ""
        cause = f"provider:{heard.account.provider}"
        if has_failed and await self._payments.come_back(tx, merchant_id, notice.refund_id, cause):
            return Verdict.NOT_TAKEN, "a refund came back: its money is here again"
        return Verdict.UNMATCHED, "no open refund of ours"

    async def _take(
        self, tx: Transaction, notice: Notice, checkout: Checkout
    ) -> tuple[Verdict, str]:
        if notice.amount is None or not notice.provider_reference:
            return Verdict.CONTRADICTED, "it names no amount or no payment"
        word = PaymentWord(checkout.provider, notice.provider_reference, notice.amount)
        call = PayCall(
            checkout.merchant_id,
            checkout.order_id,
            word,
            f"provider:{checkout.provider}",
            has_come=True,
        )
        result = (await self._payments.pay_many(tx, [call]))[0]
        if isinstance(result, DomainError) and result.kind is ErrorKind.UNAVAILABLE:
            raise result
        await checkouts.pay(tx, checkout.id, notice.provider_reference)
        if isinstance(result, DomainError):
            return Verdict.NOT_TAKEN, result.code
        return Verdict.TAKEN, ""


async def _fail(tx: Transaction, notice: Notice, checkout: Checkout) -> None:
    """The order is locked before its checkout, as where money comes."""
    is_end = notice.kind is NoticeKind.FAILED
    if notice.is_refusal:
        # The end of a payment is one refusal, by whichever way it is told.
        reference = checkout.id.hex if is_end else notice.event_id
        await _note_refusal(tx, checkout, reference, notice.why)
    if is_end:
        await checkouts.end(tx, checkout.id, CheckoutState.FAILED, notice.event)


async def _note_refusal(tx: Transaction, checkout: Checkout, reference: str, why: str) -> None:
    failed = FailedPayment(checkout.provider, reference, why, checkout.id)
    cause = f"provider:{checkout.provider}"
    await failed_payments.note(tx, checkout.merchant_id, checkout.order_id, failed, cause)


async def _close(provider: object, access: Access, due: Due) -> PaymentState:
    """So that nobody can pay any more. What cannot be closed runs out by itself."""
    checkout = due.checkout
    if not isinstance(provider, ClosesPayments):
        return PaymentState.FAILED
    try:
        return await provider.close(access, checkout.id, checkout.session, is_over=due.is_over)
    except Exception as error:  # whatever went wrong, nothing is known
        log.warning("payment_close_failed", checkout_id=str(checkout.id), exc_info=error)
        return PaymentState.UNKNOWN


async def list_notices(
    tx: Transaction,
    merchant_id: UUID,
    *,
    order_id: UUID | None,
    verdict: Verdict | None,
    after: UUID | None,
    limit: int,
) -> list[ToldNotice]:
    """The newest first."""
    return list(
        await repository.list_notices(
            tx, merchant_id, order_id=order_id, verdict=verdict, after=after, limit=limit
        )
    )


def _record(account: PaymentAccount, source: Source, body: bytes) -> Record:
    return Record(
        id=new_id(),
        merchant_id=account.merchant_id,
        account_id=account.id,
        provider=account.provider,
        source=source,
        event_id="",
        event="",
        kind="",
        body_hash=hashlib.blake2b(body, digest_size=32).digest(),
    )


def _with_facts(heard: _Heard, verdict: Verdict, detail: str = "") -> Record:
    notice, checkout = heard.notice, heard.checkout
    return replace(
        heard.record,
        verdict=verdict,
        detail=detail,
        order_id=checkout.order_id if checkout else None,
        checkout_id=checkout.id if checkout else None,
        provider_reference=notice.provider_reference,
        amount=notice.amount,
    )
