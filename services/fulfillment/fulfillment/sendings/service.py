"""Planning what is sent next, and writing down what came of it. Nothing is sent in here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.contacts.domain import Contact, mask_address
from fulfillment.contacts.service import ContactService
from fulfillment.deliveries.domain import Delivery, Request
from fulfillment.deliveries.service import DeliveryService
from fulfillment.messages.domain import NoContact
from fulfillment.sender import Letter, SenderAccount, SendOutcome
from fulfillment.sender_accounts.service import Accounts, SenderAccountService
from fulfillment.sendings.domain import (
    NO_ADDRESS,
    NO_SENDER,
    Plan,
    Rung,
    Step,
    Taken,
    Way,
    address_of,
    ended,
    follow,
    pass_over,
)
from fulfillment.sendings.repository import SendingRepository
from fulfillment.templates.domain import Channel, Template, TemplateRefused
from fulfillment.templates.service import Choices, TemplateService
from fulfillment.wording import Wording, line_lists
from kit.db import Transaction
from kit.ids import new_id

UNITS_SHOWN_MAX = 100
_UNITS = range(1, UNITS_SHOWN_MAX + 1)

Usable = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """`rung_max`: how long one channel is tried before the next."""

    lease: timedelta
    rung_max: timedelta


@dataclass(frozen=True, slots=True)
class _Known:
    """What plans are made of, read for a whole batch."""

    contacts: Mapping[UUID, Contact]
    orders: Mapping[UUID, tuple[Request, Sequence[Delivery]]]
    accounts: Accounts
    choices: Choices


@dataclass(frozen=True, slots=True)
class Parts:
    contacts: ContactService
    deliveries: DeliveryService
    templates: TemplateService
    accounts: SenderAccountService
    wording: Wording
    usable: Mapping[Channel, Usable]


class SendingService:
    def __init__(self, repository: SendingRepository, parts: Parts, limits: SendingLimits) -> None:
        self._repository = repository
        self._parts = parts
        self._limits = limits
        self._secret = {
            purpose.name for purpose in parts.wording.purposes.values() if purpose.is_secret
        }

    async def take(self, tx: Transaction, limit: int) -> list[Plan]:
        """Up to `limit` due messages, this caller's alone until the lease ends, each with what is
        to be sent now; that is written down. What has no way left is settled.
        """
        taken = await self._repository.take(tx, new_id(), self._limits.lease, limit)
        if not taken:
            return []
        known = await self._read(tx, taken)
        plans = [self._plan(each, known) for each in taken]
        await self._repository.begin(tx, plans)
        over = [ended(plan) for plan in plans if plan.letter is None]
        if over:
            await self._repository.record(tx, over, self._secret)
        return [plan for plan in plans if plan.letter is not None]

    async def record(self, tx: Transaction, results: Sequence[tuple[Plan, SendOutcome]]) -> bool:
        """Writes down what came of plans; True when some are due at once by another channel."""
        steps = [self._step(plan, outcome) for plan, outcome in results]
        await self._repository.record(tx, steps, self._secret)
        return any(step.rung != step.plan.rung for step in steps)

    async def way_to(self, tx: Transaction, order_id: UUID, purpose: str) -> Way:
        """By which channel an order's buyer would be told first. Raises NoContact."""
        contacts = await self._parts.contacts.find_many(tx, [order_id])
        contact = contacts.get(order_id)
        if contact is None:
            raise NoContact
        accounts = await self._parts.accounts.find_many(tx, [contact.merchant_id])
        for channel in self._parts.wording.purpose(purpose).channels:
            rung = self._rung(contact, channel, accounts.get(contact.merchant_id, {}))
            if not rung.problem:
                return Way(contact.merchant_id, channel, mask_address(rung.to))
        raise NoContact

    def _step(self, plan: Plan, outcome: SendOutcome) -> Step:
        sender = self._parts.accounts.senders[plan.account.sender] if plan.account else None
        may_repeat = sender is not None and (sender.repeats_safely or sender.finds)
        return follow(plan, outcome, may_repeat=may_repeat, rung_max=self._limits.rung_max)

    async def _read(self, tx: Transaction, taken: Sequence[Taken]) -> _Known:
        orders = sorted({each.order_id for each in taken})
        merchants = sorted({each.merchant_id for each in taken})
        wanted = [(each.merchant_id, each.purpose) for each in taken]
        return _Known(
            await self._parts.contacts.find_many(tx, orders),
            await self._parts.deliveries.find_orders(tx, orders, _UNITS),
            await self._parts.accounts.find_many(tx, merchants),
            await self._parts.templates.find_choices(tx, wanted),
        )

    def _plan(self, taken: Taken, known: _Known) -> Plan:
        contact = known.contacts.get(taken.order_id)
        accounts = known.accounts.get(taken.merchant_id, {})
        rungs = [
            self._rung(contact, channel, accounts)
            for channel in self._parts.wording.purpose(taken.purpose).channels
        ]
        skipped, position = pass_over(taken, rungs)
        plan = Plan(taken, tuple(skipped), position)
        if position == len(rungs):
            return plan
        return self._addressed(plan, rungs, known)

    def _rung(
        self, contact: Contact | None, channel: Channel, accounts: Mapping[Channel, SenderAccount]
    ) -> Rung:
        given = address_of(contact, channel)
        if not given:
            return Rung(channel, problem=NO_ADDRESS)
        to = self._parts.usable[channel](given)
        if to is None:
            return Rung(channel, problem="address_refused")
        account = accounts.get(channel)
        return Rung(channel, account, to, "" if account else NO_SENDER)

    def _addressed(self, plan: Plan, rungs: Sequence[Rung], known: _Known) -> Plan:
        rung, taken = rungs[plan.rung], plan.taken
        contact = known.contacts[taken.order_id]
        template = known.choices.choose(
            taken.merchant_id, contact.template, taken.purpose, contact.locale, rung.channel
        )
        letter = Letter(
            message_id=taken.id,
            merchant_id=taken.merchant_id,
            order_id=taken.order_id,
            customer_id=contact.customer_id,
            to=rung.to,
            language=template.place.language,
            gateway_template=template.draft.gateway_template,
        )
        plan = replace(
            plan,
            channel=rung.channel,
            account=rung.account,
            letter=letter,
            to_mask=mask_address(rung.to) if rung.channel is not Channel.INBOX else "",
            template=template.label,
        )
        return self._worded(plan, template, known)

    def _worded(self, plan: Plan, template: Template, known: _Known) -> Plan:
        """With its words; where they cannot be made any more, the built-in ones."""
        taken, letter, channel = plan.taken, plan.letter, plan.channel
        if letter is None or channel is None:
            return plan
        wording = self._parts.wording
        purpose = wording.purpose(taken.purpose)
        values: dict[str, Any] = dict.fromkeys(purpose.values, "")
        values.update(taken.values, **self._order(taken, known))
        try:
            rendered = wording.render(template.draft, channel, values, cut=True)
        except TemplateRefused:
            spare = purpose.texts.get((template.place.language, channel))
            spare = spare or purpose.texts["en", channel]
            rendered = wording.render(spare, channel, values, cut=True)
        words = replace(
            letter,
            subject=rendered.subject,
            body=rendered.body,
            parameters=rendered.parameters,
        )
        return replace(plan, letter=words)

    def _order(self, taken: Taken, known: _Known) -> dict[str, Any]:
        request, deliveries = known.orders[taken.order_id]
        return {
            **line_lists([_line(delivery) for delivery in deliveries]),
            "reference": request.reference,
            "url": self._parts.deliveries.url_of(request),
        }


def _line(delivery: Delivery) -> dict[str, Any]:
    return {
        "name": delivery.line.name,
        "quantity": delivery.line.quantity,
        "state": delivery.state.value,
        "receipt": delivery.receipt,
        "instructions": delivery.line.instructions,
        "account": delivery.account_mask,
        "masks": [unit.mask for unit in delivery.units],
    }
