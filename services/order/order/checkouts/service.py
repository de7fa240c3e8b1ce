"""Begins payments with a provider: written down first, then asked for, then answered."""

from dataclasses import asdict, dataclass
from uuid import UUID

from kit.db import Database, Transaction
from kit.ids import new_id
from order.checkouts import repository
from order.checkouts.domain import (
    Checkout,
    CheckoutNotFound,
    CheckoutState,
    CheckoutTooLate,
    Due,
    NothingToPay,
    TooManyCheckouts,
    UnknownMethod,
    next_ask,
)
from order.orders import service as orders
from order.orders.domain import UNPAID, Order
from order.payment_accounts.domain import ProviderNotFound
from order.payment_accounts.service import PaymentAccounts
from order.provider import (
    Access,
    BeginRefused,
    BeginsPayments,
    RefundOutcome,
    RefundsThroughAccounts,
    Wanted,
)
from order.refunds.domain import Refund

CHECKOUTS_MAX = 20
"""Per order."""


@dataclass(frozen=True, slots=True)
class CheckoutCall:
    """Somebody wants to pay an order through a provider."""

    merchant_id: UUID
    order_id: UUID
    provider: str
    method: str | None = None
    account_id: UUID | None = None
    return_url: str | None = None
    payer: str | None = None


class CheckoutService:
    def __init__(
        self,
        db: Database,
        accounts: PaymentAccounts,
        *,
        public_url: str,
        last_ask_seconds: int,
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._public_url = public_url.rstrip("/")
        self._last_ask_seconds = last_ask_seconds

    async def begin(self, call: CheckoutCall) -> UUID:
        """The id of the order's open checkout with this provider: made now, or there already.

        Raises OrderNotFound, CheckoutTooLate, NothingToPay, TooManyCheckouts, what choosing the
        account raises, UnknownMethod, BeginRefused, Unanswered (begin again: it is
        the same payment over there).
        """
        provider = self._accounts.provider(call.provider)
        if not isinstance(provider, BeginsPayments):
            raise ProviderNotFound(provider=call.provider)
        method = _method(provider, call.method)
        async with self._db.transaction() as tx:
            checkout, order, access = await self._write(tx, call, method)
        if checkout.state is CheckoutState.OPEN:
            return checkout.id
        wanted = _wanted(checkout, order, access)
        try:
            handover = await provider.begin(access, wanted)
        except BeginRefused as error:
            async with self._db.transaction() as tx:
                await repository.ended(tx, checkout.id, CheckoutState.FAILED, error.detail)
            raise
        async with self._db.transaction() as tx:
            given = asdict(handover)
            opened = await repository.opened(tx, checkout.id, given.pop("session"), given)
        if opened is None:
            raise CheckoutTooLate(order_id=str(order.id))
        return checkout.id

    async def _write(
        self, tx: Transaction, call: CheckoutCall, method: str
    ) -> tuple[Checkout, Order, Access]:
        """The row comes before the call: what the provider may know of is known here."""
        order = await orders.get_order(tx, call.merchant_id, call.order_id)
        now = await repository.now(tx)
        if order.status is not UNPAID or order.pay_until <= now:
            raise CheckoutTooLate(order_id=str(order.id), status=order.status.value)
        if order.owed.amount_minor == 0:
            raise NothingToPay(order_id=str(order.id))
        account = await self._accounts.choose(tx, call.merchant_id, call.provider, call.account_id)
        if await repository.count_of_order(tx, order.id) >= CHECKOUTS_MAX:
            raise TooManyCheckouts(order_id=str(order.id), limit=CHECKOUTS_MAX)
        checkout = Checkout(
            new_id(),
            order.id,
            order.merchant_id,
            account.id,
            call.provider,
            method,
            order.owed,
            CheckoutState.OPENING,
            order.pay_until,
            return_url=call.return_url or self._public_url,
            payer=call.payer or "",
        )
        pause = next_ask(0, now, order.pay_until, self._last_ask_seconds)
        live = await repository.add_or_find(tx, checkout, ask_seconds=pause)
        if live is None:
            raise CheckoutTooLate(order_id=str(order.id))
        return live, order, self._accounts.open(account)


class ThroughAccounts:
    """A provider with accounts, as the refund job sees providers: it finds the account and the
    checkout by which the money came.
    """

    takes_word = False

    def __init__(
        self, db: Database, accounts: PaymentAccounts, provider: RefundsThroughAccounts
    ) -> None:
        self.name = provider.name
        self._db = db
        self._accounts = accounts
        self._provider = provider

    async def refund(self, refund: Refund) -> RefundOutcome:
        """Refused where no checkout took the money: there is nobody to ask. Raises
        PaymentAccountNotFound, SecretsUnreadable.
        """
        async with self._db.read() as tx:
            checkout = await repository.find_of_payment(
                tx, refund.order_id, self.name, refund.provider_reference
            )
            if checkout is None:
                return RefundOutcome.REFUSED
            access = self._accounts.open(await self._accounts.get(tx, checkout.account_id))
        return await self._provider.give_back(access, refund, checkout.id)


async def get_own(tx: Transaction, merchant_id: UUID, checkout_id: UUID) -> Checkout:
    """Raises CheckoutNotFound."""
    checkout = await repository.find(tx, checkout_id)
    if checkout is None or checkout.merchant_id != merchant_id:
        raise CheckoutNotFound(checkout_id=str(checkout_id))
    return checkout


async def find_of_provider(tx: Transaction, provider: str, checkout_id: UUID) -> Checkout | None:
    """Whoever's it is. None also for a checkout that was begun with another provider."""
    checkout = await repository.find(tx, checkout_id)
    return checkout if checkout is not None and checkout.provider == provider else None


async def find_of_account(tx: Transaction, account_id: UUID, checkout_id: UUID) -> Checkout | None:
    """None also for a checkout that was begun with another account."""
    checkout = await repository.find(tx, checkout_id)
    return checkout if checkout is not None and checkout.account_id == account_id else None


async def end(
    tx: Transaction, checkout_id: UUID, state: CheckoutState, why: str | None = None
) -> None:
    """A live one ends unpaid, or waits for somebody; what has ended stays as it is."""
    await repository.ended(tx, checkout_id, state, why)


async def revive(tx: Transaction, checkout_id: UUID) -> None:
    """Of one that waits for somebody the provider is asked again, from now on."""
    await repository.revive(tx, checkout_id)


async def pay(tx: Transaction, checkout_id: UUID, provider_reference: str) -> None:
    """Money came by it, also when it had ended already."""
    await repository.paid(tx, checkout_id, provider_reference)


async def take_due(tx: Transaction, *, limit: int, lease_seconds: float) -> list[Due]:
    """Live checkouts nobody else asks for now, at most `limit`."""
    return list(await repository.take_due(tx, limit=limit, lease_seconds=lease_seconds))


async def ask_later(tx: Transaction, due: Due, *, last_ask_seconds: int, why: str | None) -> None:
    """No end yet: again later."""
    checkout = due.checkout
    pause = next_ask(checkout.asked, due.now, checkout.expires_at, last_ask_seconds)
    await repository.later(tx, checkout.id, pause, why)


def _method(provider: BeginsPayments, wanted: str | None) -> str:
    if wanted is None:
        return provider.methods[0]
    if wanted not in provider.methods:
        raise UnknownMethod(method=wanted, known=list(provider.methods))
    return wanted


def _wanted(checkout: Checkout, order: Order, access: Access) -> Wanted:
    return Wanted(
        reference=checkout.id,
        amount=checkout.amount,
        subject=_subject(order),
        method=checkout.method,
        notify_url=access.callback_url,
        return_url=checkout.return_url,
        expires_at=checkout.expires_at,
        payer=checkout.payer,
    )


def _subject(order: Order) -> str:
    """What the buyer reads on the provider's page."""
    more = len(order.lines) - 1
    name = order.lines[0].name[:60]
    return f"{name} +{more}" if more else name
