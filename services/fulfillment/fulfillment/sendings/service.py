"""Planning what is sent next, and writing down what came of it. Nothing is sent in here."""

from collections import Counter
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
from fulfillment.messages.service import MessageService
from fulfillment.sender import HearsStatus, Letter, SenderAccount, SendOutcome
from fulfillment.sender_accounts.service import Accounts, SenderAccountService
from fulfillment.sendings.domain import (
    NO_ADDRESS,
    NO_SENDER,
    Budget,
    CallbackRefused,
    Plan,
    Rung,
    Step,
    Taken,
    Unworded,
    Way,
    address_of,
    costs,
    ended,
    follow,
    pass_over,
    within,
)
from fulfillment.sendings.repository import SendingRepository
from fulfillment.templates.domain import Channel, Rendered, Template, TemplateRefused
from fulfillment.templates.service import Choices, TemplateService
from fulfillment.wording import Wording, line_lists
from kit.db import Transaction
from kit.ids import new_id

UNITS_SHOWN_MAX = 100
_UNITS = range(1, UNITS_SHOWN_MAX + 1)

Usable = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class SendingLimits:
    """`rung_max`: how long one channel is tried before the next. What an address and a merchant may
    get is counted by each in turn.
    """

    lease: timedelta
    rung_max: timedelta
    per_address: Budget
    per_merchant: Budget


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
    messages: MessageService
    wording: Wording
    usable: Mapping[Channel, Usable]


class SendingService:
    def __init__(
        self,
        repository: SendingRepository,
        parts: Parts,
        limits: SendingLimits,
        callback_url: Callable[[UUID], str],
    ) -> None:
        self._repository = repository
        self._parts = parts
        self._limits = limits
        self._callback_url = callback_url
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
        plans = await self._within_budgets(tx, [self._plan(it, known, {}) for it in taken], known)
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

    async def hear(
        self, tx: Transaction, sender_id: UUID, headers: Mapping[str, str], body: bytes
    ) -> bool:
        """The other side of a merchant's sender says what became of a message; True when it is
        lost, so that the next channel is due. Raises SenderNotFound, CallbackRefused.
        """
        merchant_id, account = await self._parts.accounts.get_account(tx, sender_id)
        sender = self._parts.accounts.senders[account.sender]
        heard = None
        if isinstance(sender, HearsStatus):
            heard = sender.hear(account, self._callback_url(sender_id), headers, body)
        if heard is None:
            raise CallbackRefused
        if not heard.reason:
            return False
        return await self._repository.give_back(
            tx, merchant_id, account.sender, heard, self._secret
        )

    def word(self, plan: Plan, codes: Mapping[UUID, str] | None) -> Plan:
        """The plan with its words, for a template that asks for codes; without any, the spare."""
        unworded, letter, channel = plan.unworded, plan.letter, plan.channel
        if unworded is None or letter is None or channel is None:
            return plan
        if codes is None:
            draft, values = unworded.spare, unworded.values
        else:
            draft, values = unworded.draft, _with_codes(unworded.values, codes)
        try:
            rendered = self._parts.wording.render(draft, channel, values, cut=True)
        except TemplateRefused:
            rendered = self._parts.wording.render(unworded.spare, channel, values, cut=True)
        return replace(plan, letter=_worded(letter, rendered), unworded=None)

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
                whose = self._parts.contacts.fingerprint(rung.to)
                return Way(contact.merchant_id, channel, mask_address(rung.to), whose)
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

    async def _within_budgets(
        self, tx: Transaction, plans: Sequence[Plan], known: _Known
    ) -> list[Plan]:
        """Plans that a budget does not cover go on to the next channel, which is counted, too."""
        refused: dict[UUID, dict[Channel, str]] = {plan.taken.id: {} for plan in plans}
        counted: set[tuple[UUID, Channel | None]] = set()
        found = list(plans)
        while asking := [
            plan for plan in found if costs(plan) and (plan.taken.id, plan.channel) not in counted
        ]:
            counted |= {(plan.taken.id, plan.channel) for plan in asking}
            for plan, reason in await self._over_budget(tx, asking):
                if plan.channel is not None:
                    refused[plan.taken.id][plan.channel] = reason
            found = [self._plan(plan.taken, known, refused[plan.taken.id]) for plan in found]
        return found

    async def _over_budget(self, tx: Transaction, plans: Sequence[Plan]) -> list[tuple[Plan, str]]:
        """An address's share comes first: what it refuses is not the merchant's."""
        over: list[tuple[Plan, str]] = []
        left = list(plans)
        for budget in (self._limits.per_address, self._limits.per_merchant):
            subjects = [self._subject(budget, plan) for plan in left]
            used = await self._parts.messages.use_budget(
                tx, budget.scope, Counter(subjects), budget.window
            )
            covered = within(left, subjects, used, budget.limit)
            over += [
                (plan, budget.reason)
                for plan, is_covered in zip(left, covered, strict=True)
                if not is_covered
            ]
            left = [plan for plan, is_covered in zip(left, covered, strict=True) if is_covered]
            if not left:
                break
        return over

    def _subject(self, budget: Budget, plan: Plan) -> bytes:
        if budget is self._limits.per_merchant or plan.letter is None:
            return plan.taken.merchant_id.bytes
        return self._parts.contacts.fingerprint(plan.letter.to)

    def _plan(self, taken: Taken, known: _Known, refused: Mapping[Channel, str]) -> Plan:
        contact = known.contacts.get(taken.order_id)
        accounts = known.accounts.get(taken.merchant_id, {})
        rungs = [
            self._rung(contact, channel, accounts, refused.get(channel, ""))
            for channel in self._parts.wording.purpose(taken.purpose).channels
        ]
        skipped, position = pass_over(taken, rungs)
        plan = Plan(taken, tuple(skipped), position)
        if position == len(rungs):
            return plan
        return self._addressed(plan, rungs, known)

    def _rung(
        self,
        contact: Contact | None,
        channel: Channel,
        accounts: Mapping[Channel, SenderAccount],
        refused: str = "",
    ) -> Rung:
        if refused:
            return Rung(channel, problem=refused)
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
        wording, draft = self._parts.wording, template.draft
        purpose = wording.purpose(taken.purpose)
        values: dict[str, Any] = dict.fromkeys(purpose.values, "")
        values.update(taken.values, **self._order(taken, known))
        spare = purpose.texts.get((template.place.language, channel))
        spare = spare or purpose.texts["en", channel]
        if draft.with_codes:
            _, deliveries = known.orders.get(taken.order_id, (None, ()))
            units = tuple(unit for delivery in deliveries for unit in delivery.units)
            return replace(plan, unworded=Unworded(draft, spare, values, units))
        try:
            rendered = wording.render(draft, channel, values, cut=True)
        except TemplateRefused:
            rendered = wording.render(spare, channel, values, cut=True)
        return replace(plan, letter=_worded(letter, rendered))

    def _order(self, taken: Taken, known: _Known) -> dict[str, Any]:
        if taken.order_id not in known.orders:
            # Challenged, and not asked to be delivered yet: the message brings what it names.
            return {**line_lists(()), "reference": taken.values.get("reference", ""), "url": ""}
        request, deliveries = known.orders[taken.order_id]
        return {
            **line_lists([_line(delivery) for delivery in deliveries]),
            "reference": request.reference,
            "url": self._parts.deliveries.url_of(request),
        }


def _worded(letter: Letter, rendered: Rendered) -> Letter:
    return replace(
        letter,
        subject=rendered.subject,
        body=rendered.body,
        parameters=rendered.parameters,
    )


def _with_codes(values: Mapping[str, Any], codes: Mapping[UUID, str]) -> dict[str, Any]:
    """The values with each line's codes."""
    lines = [
        {**line, "codes": [codes[unit_id] for unit_id in line["unit_ids"]]}
        for line in values["lines"]
    ]
    return {**values, **line_lists(lines)}


def _line(delivery: Delivery) -> dict[str, Any]:
    return {
        "name": delivery.line.name,
        "quantity": delivery.line.quantity,
        "state": delivery.state.value,
        "receipt": delivery.receipt,
        "instructions": delivery.line.instructions,
        "account": delivery.account_mask,
        "masks": [unit.mask for unit in delivery.units],
        "unit_ids": [unit.unit_id for unit in delivery.units],
    }
