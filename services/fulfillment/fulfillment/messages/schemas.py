"""The wire of messages."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.messages.domain import Attempt, Message
from kit.contacts import EMAIL_CHARACTERS_MAX
from kit.http import Model

REPORT_CHARACTERS_MAX = 60_000

Email = Annotated[
    str,
    StringConstraints(min_length=3, max_length=EMAIL_CHARACTERS_MAX, pattern=r"^[^\x00-\x20]+$"),
]
Phone = Annotated[str, StringConstraints(min_length=4, max_length=32, pattern=r"^[0-9 +().\-]+$")]

_ATTEMPT: dict[str, Any] = {
    "attempt_no": 1,
    "channel": "mail",
    "sender": "smtp",
    "state": "sent",
    "reason": "",
    "reference": "2.0.0 taken as 4711",
    "to": "b***@shop.example",
    "template": "built-in delivered.en",
    "started_at": "2026-11-27T08:00:00Z",
    "ended_at": "2026-11-27T08:00:00Z",
}
_MESSAGE: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31",
    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a32",
    "delivery_id": None,
    "purpose": "delivered",
    "state": "sent",
    "channel": "mail",
    "to": "b***@shop.example",
    "reason": "",
    "created_at": "2026-11-27T08:00:00Z",
    "settled_at": "2026-11-27T08:00:00Z",
    "attempts": [_ATTEMPT],
}
_REPORT = (
    "From: mailer-daemon@mx.example\nTo: bounces@shop.example\nMIME-Version: 1.0\n"
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n'
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
    "Final-Recipient: rfc822; buyer@shop.example\nAction: failed\nStatus: 5.1.1\n\n--b\n"
    "Content-Type: text/rfc822-headers\n\n"
    "Message-ID: <0193a3f05b1e7c449d570f4d3c1b2a31@shop.example>\n\n--b--\n"
)


class AttemptRead(Model):
    """One channel tried, or passed over, and what came of it. Addresses are masked."""

    attempt_no: int
    channel: str
    sender: str
    state: str
    reason: str
    reference: str
    to: str
    template: str
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, attempt: Attempt) -> Self:
        return cls(
            attempt_no=attempt.attempt_no,
            channel=attempt.channel.value,
            sender=attempt.sender,
            state=attempt.state.value,
            reason=attempt.reason,
            reference=attempt.reference,
            to=attempt.to,
            template=attempt.template,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
        )


class MessageRead(Model):
    """Something a buyer is told. Its words are not kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MESSAGE]})

    id: UUID
    order_id: UUID
    delivery_id: UUID | None
    purpose: str
    state: str
    channel: str | None
    to: str
    reason: str
    created_at: datetime
    settled_at: datetime | None
    attempts: list[AttemptRead]

    @classmethod
    def from_domain(cls, message: Message) -> Self:
        return cls(
            id=message.id,
            order_id=message.order_id,
            delivery_id=message.delivery_id,
            purpose=message.purpose,
            state=message.state.value,
            channel=message.channel.value if message.channel else None,
            to=message.to,
            reason=message.reason,
            created_at=message.created_at,
            settled_at=message.settled_at,
            attempts=[AttemptRead.from_domain(attempt) for attempt in message.attempts],
        )


class MessageList(Model):
    """Messages that were found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_MESSAGE]}]})

    items: list[MessageRead]


class ResendCreate(Model):
    """Where to, from now on; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "right@shop.example"}]})

    email: Email | None = Field(default=None, description="The buyer's right mail address.")
    phone: Phone | None = Field(default=None, description="The buyer's right phone number.")


class BounceCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"report": _REPORT}]})

    report: Annotated[str, StringConstraints(min_length=1, max_length=REPORT_CHARACTERS_MAX)] = (
        Field(description="The report as it came (RFC 3464), headers and all; cut if it is longer.")
    )
