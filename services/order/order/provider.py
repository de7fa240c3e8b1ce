"""Payment providers: one folder each under `order/providers`, found by name; no list of them.

A folder's `provider.py` exports PROVIDER. Loading fails at start, not at the first payment. What a
provider can do beyond giving money back is an ability: a small Protocol that it meets or not. An
ability gets an `Access`, the merchant's own account and the way out, and keeps nothing itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from typing import Any, Protocol, cast, runtime_checkable
from uuid import UUID

import orjson

from kit.errors import Invalid
from kit.money import Money
from kit.settings import WrongSetting
from order.outbound import Connection
from order.refunds.domain import Refund

AMOUNT_MAX = 2**63 - 1
"""Minor units; what a provider says beyond is no amount that can be read."""
CHANNEL = "channel"
"""The provider behind a trusted channel's word; always there."""


class RefundOutcome(StrEnum):
    DONE = "done"
    UNKNOWN = "unknown"  # no definite answer: ask again by the same refund id, never by a new one
    REFUSED = "refused"  # a definite no: the provider wants something changed before it pays back


class PaymentState(StrEnum):
    """What a provider says about a payment it was asked for."""

    PAID = "paid"
    WAITING = "waiting"
    FAILED = "failed"  # for certain: nothing came and nothing will come by this reference
    UNKNOWN = "unknown"


class NoticeKind(StrEnum):
    """What a callback tells."""

    PAID = "paid"
    FAILED = "failed"
    REFUSED = "refused"  # a bank said no to one try; the payment is open for others
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    OTHER = "other"  # genuine, and nothing to do


@dataclass(frozen=True, slots=True)
class Access:
    """One merchant's account with a provider, opened, and the way to the provider."""

    settings: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    http: Connection = field(repr=False)
    callback_url: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payment to begin. `reference` is our own number of it at the provider, the same at every
    attempt; `payer` is whom the provider knows the buyer as, where its method needs that.
    """

    reference: UUID
    amount: Money
    subject: str
    method: str
    notify_url: str
    return_url: str
    expires_at: datetime
    payer: str = ""


@dataclass(frozen=True, slots=True)
class Handover:
    """What the buyer's browser or app needs to go on: one of the four."""

    redirect_url: str = ""
    code_url: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    form_action: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    session: str = ""
    """The provider's own name of the session, when it gives one."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A push as it came: bytes and headers (names in lower case), unverified."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Notice:
    """The facts of a verified callback. `reference` is our number, None when it is not one of ours;
    `refund_id` is set when it is about a refund we asked for.
    """

    event_id: str
    kind: NoticeKind
    event: str
    reference: UUID | None = None
    provider_reference: str = ""
    amount: Money | None = None
    refund_id: UUID | None = None
    is_refusal: bool = False
    """Of what failed: the buyer's bank said no. Otherwise nobody paid in time."""
    why: str = ""
    """Of a refusal: what the provider calls it."""
    is_final: bool = False
    """Of a refund that failed: it stays so, also if it had been made. Otherwise only a hint."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a provider answers when it is asked about a payment."""

    state: PaymentState
    provider_reference: str = ""
    amount: Money | None = None
    why: str = ""
    is_refusal: bool = False
    """As of a Notice."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider wants to read in return for its callback."""

    status: int
    body: bytes
    media_type: str


class CallbackRefused(Invalid):
    """The callback is not genuine, too old, or meant for somebody else; nothing was believed."""

    code = "callback_refused"

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(f"callback refused: {why} {detail}".strip(), reason=why)
        self.why = why


def object_of(text: bytes) -> dict[str, Any]:
    """The JSON object of a callback. Raises CallbackRefused when it is none."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CallbackRefused("malformed") from error
    if not isinstance(found, dict):
        raise CallbackRefused("malformed")
    return found


def reference_of(text: object) -> UUID | None:
    """Our own number as providers give it back; None for what cannot be one."""
    try:
        return UUID(hex=text) if isinstance(text, str) else None
    except ValueError:
        return None


class BadAccount(Invalid):
    """A setting or secret of the account is missing, unknown or malformed; it is named."""

    code = "bad_payment_account"

    def __init__(self, pointer: str, why: str) -> None:
        errors = [{"pointer": pointer, "code": BadAccount.code, "detail": why}]
        super().__init__(f"{pointer}: {why}", errors=errors)


class Loaded(Protocol):
    """What a provider's folder exports: this much, and the abilities it has."""

    name: str
    takes_word: bool
    """Whether a caller's word that money came is believed, whatever the channel's trust."""


@runtime_checkable
class Provider(Loaded, Protocol):
    """How money goes back. One with accounts does it by `give_back`, through `ThroughAccounts`."""

    async def refund(self, refund: Refund) -> RefundOutcome:
        """Gives money back, or asks what became of it: idempotent by `refund.id`.

        May call the outside world; raises nothing for an unclear outcome, it answers UNKNOWN.
        """
        ...


@runtime_checkable
class HasAccounts(Protocol):
    """Works with each merchant's own credentials. The names of its settings and secrets; those in
    `optional` may be absent.
    """

    name: str
    default_url: str
    account_settings: frozenset[str]
    account_secrets: frozenset[str]
    optional: frozenset[str]

    def check_account(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        """Raises BadAccount for what cannot work (a key that is none). No network."""
        ...


@runtime_checkable
class BeginsPayments(HasAccounts, Protocol):
    methods: tuple[str, ...]
    """Ways to pay; the first is used when none is asked for."""

    async def begin(self, access: Access, wanted: Wanted) -> Handover:
        """Idempotent by `wanted.reference`. Raises BeginRefused or Unanswered."""
        ...


@runtime_checkable
class ReadsCallbacks(HasAccounts, Protocol):
    def owner_of(self, callback: Callback) -> Mapping[str, str]:
        """Settings of the account it says it is for, unverified: only to choose the key."""
        ...

    def read_callback(self, access: Access, callback: Callback, now: datetime) -> Notice:
        """Verifies, then reads. Raises CallbackRefused; believes nothing before the signature."""
        ...

    def answer(self, *, is_accepted: bool, is_temporary: bool = False) -> Answer:
        """What to send back; a temporary no makes the provider come again."""
        ...


@runtime_checkable
class NamesPayments(ReadsCallbacks, Protocol):
    def payment_of(self, callback: Callback) -> UUID | None:
        """Our number of the payment it says it is about, unverified: only to choose the key."""
        ...


@runtime_checkable
class QueriesPayments(HasAccounts, Protocol):
    async def query(self, access: Access, reference: UUID, session: str) -> Found:
        """By our own reference. Raises nothing for an unclear answer: the state is UNKNOWN."""
        ...


@runtime_checkable
class ClosesPayments(HasAccounts, Protocol):
    async def close(
        self, access: Access, reference: UUID, session: str, *, is_over: bool
    ) -> PaymentState:
        """So that nobody can pay any more: FAILED once closed, PAID when too late, else UNKNOWN;
        WAITING for what cannot be closed yet. `is_over`: what `expires_at` it had is past.
        """
        ...


@runtime_checkable
class RefundsThroughAccounts(HasAccounts, Protocol):
    async def give_back(self, access: Access, refund: Refund, reference: UUID) -> RefundOutcome:
        """As `Provider.refund`, of the payment that was begun as `reference`."""
        ...


class BeginRefused(Invalid):
    """The provider refuses to begin this payment; its reason is given. Change the call or the
    account.
    """

    code = "checkout_refused"


def load_providers(names: Iterable[str]) -> Mapping[str, Provider]:
    """The named providers and the channel's; one with accounts gives money back only once
    `ThroughAccounts` stands before it. Raises WrongSetting for an unknown name.
    """
    return {name: _load(name) for name in sorted({CHANNEL, *names})}


def _load(name: str) -> Provider:
    try:
        module = import_module(f"order.providers.{name}.provider")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("order.providers."):
            raise
        raise WrongSetting(f"ORDER_PAYMENT_PROVIDERS: there is no provider {name!r}") from None
    return cast(Provider, module.PROVIDER)
