"""What payment providers tell: each notice once, each with its verdict."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.money import Money


class Source(StrEnum):
    CALLBACK = "callback"  # the provider called us
    QUERY = "query"  # we asked the provider


class Verdict(StrEnum):
    RECEIVED = "received"
    TAKEN = "taken"  # the money is the order's
    NOT_TAKEN = "not_taken"  # money came that the order could not take; the detail says why
    CONTRADICTED = "contradicted"  # the provider itself, when asked, says otherwise
    UNCONFIRMED = "unconfirmed"  # it differs from ours and the provider cannot be asked just now
    UNMATCHED = "unmatched"  # genuine, yet not about anything that was begun here
    NOTED = "noted"  # no money came: what it tells was noted or looked into
    IGNORED = "ignored"
    REFUSED = "refused"  # not genuine, too old, or meant for somebody else


OPEN_VERDICTS = frozenset({Verdict.RECEIVED, Verdict.UNCONFIRMED, Verdict.CONTRADICTED})
"""With these the same notice is worked on again when it comes again."""


@dataclass(frozen=True, slots=True)
class Record:
    """A notice as it is written down. `body_hash` names what came; the body is not kept."""

    id: UUID
    merchant_id: UUID
    account_id: UUID
    provider: str
    source: Source
    event_id: str
    event: str
    kind: str
    body_hash: bytes
    verdict: Verdict = Verdict.RECEIVED
    detail: str = ""
    order_id: UUID | None = None
    checkout_id: UUID | None = None
    provider_reference: str = ""
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class ToldNotice:
    """A record as it is shown: how often it came, and when."""

    record: Record
    times: int
    received_at: datetime
    last_at: datetime
