"""Reports of mails that could not be delivered (RFC 3464). The only file that knows their form."""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from email.policy import compat32
from uuid import UUID

from fulfillment.mail import find_message_id

PARTS_MAX = 50
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_HEAD_LINES_MAX = 200


@dataclass(frozen=True, slots=True)
class Bounce:
    """One mail of ours that came back for good; `status` is the enhanced code, if it says one."""

    message_id: UUID
    status: str


def read_report(raw: bytes) -> list[Bounce]:
    """The mails that a report says are lost for good. A delay is none, nor is a success; anything
    that is no report gives nothing.
    """
    try:
        report = message_from_bytes(raw, policy=compat32)
        parts = [part for part, _ in zip(report.walk(), range(PARTS_MAX), strict=False)]
    except (MessageError, ValueError, LookupError, RecursionError):
        return []
    failed = [status for part in parts if (status := _failed(part)) is not None]
    if not failed:
        return []
    named = _named(report, parts)
    return [Bounce(named, failed[0])] if named else []


def _failed(part: Message) -> str | None:
    """The status of a recipient who was failed for good; None in every other part."""
    if part.get_content_type() != "message/delivery-status":
        return None
    blocks = part.get_payload()
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, Message):
            continue
        if str(block.get("Action", "")).strip().lower() == "failed":
            found = _STATUS.search(str(block.get("Status", "")))
            return found[1] if found else ""
    return None


def _named(report: Message, parts: list[Message]) -> UUID | None:
    """The mail it is about: by the mail or its head that is enclosed, else by where it came to."""
    for part in parts:
        if part.get_content_type() == "message/rfc822":
            enclosed = part.get_payload()
            mail = enclosed[0] if isinstance(enclosed, list) and enclosed else None
            found = _of_mail(mail) if isinstance(mail, Message) else None
        elif part.get_content_type() == "text/rfc822-headers":
            found = _of_head(part)
        else:
            found = None
        if found:
            return found
    for name in ("Original-Envelope-Id", "Original-Message-ID"):
        for part in parts:
            found = find_message_id(str(part.get(name, "")))
            if found:
                return found
    return find_message_id(str(report.get("To", "")))


def _of_mail(mail: Message) -> UUID | None:
    return find_message_id(str(mail.get("Message-ID", "")))


def _of_head(part: Message) -> UUID | None:
    text = part.get_payload(decode=True)
    lines = text.decode("latin-1").splitlines() if isinstance(text, bytes) else []
    for line in lines[:_HEAD_LINES_MAX]:
        if line.lower().startswith("message-id:"):
            return find_message_id(line)
    return None
