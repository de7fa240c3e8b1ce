"""Sending what is queued: whose turn, by which channel, and what follows from what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fulfillment.contacts.domain import Contact
from fulfillment.deliveries.domain import Unit
from fulfillment.messages.domain import AttemptState, MessageState
from fulfillment.sender import Doubt, Later, Letter, Refused, SenderAccount, SendOutcome, Sent
from fulfillment.templates.domain import Channel, Draft
from kit.errors import Denied

PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
)
REPEATS_UNCLEAR_MAX = 3
BOUNCED = "bounced"
LIMIT = "_limit"
NO_ADDRESS = "no_address"
NO_SENDER = "no_sender"
_SILENT = (NO_ADDRESS, NO_SENDER)


@dataclass(frozen=True, slots=True)
class Taken:
    """A queued message, one worker's until its lease ends. `tries` counts those of this rung.
    `doubt`: of its last attempts, if nobody knows what came of them; also when an earlier worker
    ended between sending and writing down.
    """

    id: UUID
    merchant_id: UUID
    order_id: UUID
    delivery_id: UUID | None
    purpose: str
    values: Mapping[str, str | int] = field(repr=False)
    lease_id: UUID
    rung: int
    tries: int
    rung_age: timedelta
    attempts: int
    created_at: datetime
    reason: str = ""
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One channel of a message: whether it can be tried, and if not, why."""

    channel: Channel
    account: SenderAccount | None = None
    to: str = field(default="", repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody would be told; `target` is a mask, `whose` the address's keyed hash."""

    merchant_id: UUID
    channel: Channel
    target: str
    whose: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A channel passed over."""

    channel: Channel
    reason: str


@dataclass(frozen=True, slots=True)
class Unworded:
    """A draft with its values but for the codes, and the units to have them of; `spare` is what is
    sent without codes where they cannot be had.
    """

    draft: Draft
    spare: Draft
    values: Mapping[str, Any] = field(repr=False)
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many may use up `scope` in a `window`; `reason` is why one more is passed over."""

    scope: str
    window: timedelta
    limit: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with a message now. Without a `letter` there is no way left."""

    taken: Taken
    skipped: tuple[Skipped, ...] = ()
    rung: int = 0
    channel: Channel | None = None
    account: SenderAccount | None = None
    letter: Letter | None = None
    to_mask: str = ""
    template: str = ""
    # Of a template that asks for codes: its words are made when these are there, before sending.
    unworded: Unworded | None = None

    @property
    def attempt_no(self) -> int:
        return self.taken.attempts + len(self.skipped) + 1

    @property
    def is_first_of_rung(self) -> bool:
        return self.rung != self.taken.rung or self.taken.tries == 0

    @property
    def doubt(self) -> Doubt | None:
        """When this very letter went out, if nobody knows what came of it."""
        return None if self.is_first_of_rung else self.taken.doubt


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from one attempt: how it ended, and what becomes of its message."""

    plan: Plan
    attempt: AttemptState
    attempt_reason: str
    state: MessageState
    rung: int
    reason: str
    pause: timedelta
    reference: str = ""


def attempt_of(outcome: SendOutcome) -> tuple[AttemptState, str, str]:
    """Its state, reason and reference."""
    if isinstance(outcome, Sent):
        return AttemptState.SENT, "", outcome.reference
    if isinstance(outcome, Later):
        return AttemptState.LATER, outcome.reason, ""
    if isinstance(outcome, Refused):
        return AttemptState.REFUSED, outcome.reason, ""
    return AttemptState.UNCLEAR, outcome.reason, ""


def follow(plan: Plan, outcome: SendOutcome, *, may_repeat: bool, rung_max: timedelta) -> Step:
    """A definite no, and a channel tried for too long, pass the message on to the next channel. An
    unclear outcome is repeated only where that is safe or the other side can be asked first:
    elsewhere the next channel says it, and nothing is ever sent twice by one.
    """
    attempt, reason, reference = attempt_of(outcome)
    taken, rung = plan.taken, plan.rung
    if attempt is AttemptState.SENT:
        return Step(plan, attempt, "", MessageState.SENT, rung, "", timedelta(0), reference)
    tries = 1 if plan.is_first_of_rung else taken.tries + 1
    age = timedelta(0) if plan.is_first_of_rung else taken.rung_age
    again = attempt is AttemptState.LATER or (
        attempt is AttemptState.UNCLEAR and may_repeat and tries < REPEATS_UNCLEAR_MAX
    )
    pause = PAUSES[min(tries, len(PAUSES)) - 1]
    if again and age + pause <= rung_max:
        return Step(plan, attempt, reason, MessageState.QUEUED, rung, reason, pause)
    return Step(plan, attempt, reason, MessageState.QUEUED, rung + 1, reason, timedelta(0))


def ended(plan: Plan) -> Step:
    """No channel is left. Where none was ever tried there was no way at all."""
    if plan.taken.reason.startswith(BOUNCED):
        state, reason = MessageState.BOUNCED, plan.taken.reason
    elif plan.taken.reason:
        state, reason = MessageState.FAILED, plan.taken.reason
    else:
        reasons = [it.reason for it in plan.skipped]
        limits = [reason for reason in reasons if reason.endswith(LIMIT)]
        state = MessageState.FAILED if limits else MessageState.UNDELIVERABLE
        telling = [reason for reason in reasons if reason not in _SILENT]
        reason = (limits or telling or reasons or [NO_ADDRESS])[0]
    return Step(plan, AttemptState.SKIPPED, reason, state, plan.rung, reason, timedelta(0))


def pass_over(taken: Taken, rungs: Sequence[Rung]) -> tuple[list[Skipped], int]:
    """From the message's rung on: those that cannot be tried, and the first that can."""
    skipped: list[Skipped] = []
    for position in range(taken.rung, len(rungs)):
        rung = rungs[position]
        if not rung.problem:
            return skipped, position
        skipped.append(Skipped(rung.channel, rung.problem))
    return skipped, len(rungs)


def address_of(contact: Contact | None, channel: Channel) -> str:
    """Empty when the buyer gave none."""
    if contact is None:
        return ""
    match channel:
        case Channel.MAIL:
            return contact.email
        case Channel.SMS:
            return contact.phone
        case Channel.INBOX:
            return contact.customer_id


def costs(plan: Plan) -> bool:
    """Whether sending it uses up a budget: once per channel, and an inbox is free."""
    return plan.letter is not None and plan.channel is not Channel.INBOX and plan.is_first_of_rung


def within(
    plans: Sequence[Plan], subjects: Sequence[bytes], used: Mapping[bytes, int], limit: int
) -> list[bool]:
    """Which of `plans` the budget still covers, in their order. `used` counts all of them."""
    wanted: dict[bytes, int] = {}
    for subject in subjects:
        wanted[subject] = wanted.get(subject, 0) + 1
    place = {subject: used[subject] - number for subject, number in wanted.items()}
    covered = []
    for subject in subjects:
        place[subject] += 1
        covered.append(place[subject] <= limit)
    return covered


class CallbackRefused(Denied):
    """This call is not signed with the sender's secret."""

    code = "callback_refused"
