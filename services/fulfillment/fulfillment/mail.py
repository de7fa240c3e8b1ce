"""Mails as they travel: built from a letter here, and nowhere else.

The same letter is the same mail: its Message-ID is made of the message's id, so that a receiver
that gets it twice can tell, and a bounce names it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from uuid import UUID

from fulfillment.sender import Letter

_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]，。；：！？）]")
_ID = re.compile(r"<?([0-9a-f]{32})@[^>\s]+>?", re.IGNORECASE)
_VERP = re.compile(r"\+([0-9a-f]{32})@", re.IGNORECASE)
_HTML = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{subject}</title></head>
<body style="font-family:sans-serif;font-size:16px;line-height:1.5;color:#222">
<div style="max-width:36em;margin:0 auto;padding:1em">{body}</div></body></html>
"""


@dataclass(frozen=True, slots=True)
class MailFrom:
    """Who writes. `bounces_to` takes the message's id into its name; empty: to `address`."""

    address: str
    name: str = ""
    reply_to: str = ""
    bounces_to: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def build_mail(letter: Letter, sender: MailFrom, now: datetime) -> EmailMessage:
    """Text first, HTML beside it. Raises ValueError for an address that would break a header."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(sender.address, sender.name)
    mail["To"] = _address(letter.to)
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id(letter.message_id, sender.domain)
    if sender.reply_to:
        mail["Reply-To"] = _address(sender.reply_to)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["Content-Language"] = letter.language
    mail.set_content(letter.body, cte="quoted-printable")
    mail.add_alternative(_html(letter), subtype="html", cte="quoted-printable")
    return mail


def message_id(of: UUID, domain: str) -> str:
    return f"<{of.hex}@{domain}>"


def envelope_sender(letter: Letter, sender: MailFrom) -> str:
    """Where the mail comes back to when it cannot be delivered: an address per message."""
    name, at, domain = sender.bounces_to.rpartition("@")
    return f"{name}+{letter.message_id.hex}@{domain}" if at else sender.address


def find_message_id(text: str) -> UUID | None:
    """Of a Message-ID, or of an envelope sender, that was made here."""
    found = _ID.search(text) or _VERP.search(text)
    return UUID(hex=found[1]) if found else None


def _address(address: str, name: str = "") -> Address:
    return Address(display_name=name, addr_spec=address)


def _html(letter: Letter) -> str:
    paragraphs = [
        "<p>" + "<br>\n".join(_linked(line) for line in paragraph.splitlines()) + "</p>"
        for paragraph in re.split(r"\n\s*\n", letter.body.strip())
    ]
    return _HTML.format(
        language=escape(letter.language), subject=escape(letter.subject), body="\n".join(paragraphs)
    )


def _linked(line: str) -> str:
    parts, end = [], 0
    for found in _LINK.finditer(line):
        link = escape(found[0])
        parts += [escape(line[end : found.start()]), f'<a href="{link}">{link}</a>']
        end = found.end()
    return "".join([*parts, escape(line[end:])])
