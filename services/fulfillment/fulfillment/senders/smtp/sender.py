"""Mail by SMTP: 2xx is sent, 4xx is later, 5xx is refused with its code, silence is unclear.

SMTP cannot tell whether a mail arrived when the line is lost after its last byte. The same mail is
sent again then, under the same Message-ID: twice in a mailbox is the lesser evil than never, and a
receiver can tell that they are one.
"""

import asyncio
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

import aiosmtplib
from aiosmtplib import errors
from pydantic import ValidationError

from fulfillment.gateways import said_of
from fulfillment.loading import SenderParts
from fulfillment.mail import MailFrom, build_mail, envelope_sender
from fulfillment.outside import Outside
from fulfillment.sender import (
    Doubt,
    Later,
    Letter,
    Refused,
    SenderAccount,
    SendOutcome,
    Sent,
    SettingsRefused,
    Unclear,
)
from fulfillment.senders.smtp.settings import SmtpSettings
from fulfillment.templates.domain import Channel
from kit.outward import NotAllowed

_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})\b")
PORTS = frozenset({25, 465, 587, 2525})
_PERMANENT = 500


class SmtpSender:
    channel = Channel.MAIL
    repeats_safely = True
    finds = False
    for_merchants = True

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
        try:
            found = SmtpSettings.model_validate(settings)
        except ValidationError as error:
            raise SettingsRefused(said_of(error)) from None
        if bool(found.username) != bool(secret):
            raise SettingsRefused("a login has a username and a secret, or neither")
        return found.model_dump()

    async def send(self, account: SenderAccount, letter: Letter) -> SendOutcome:
        settings = SmtpSettings.model_validate(account.settings)
        sender = MailFrom(
            settings.from_address, settings.from_name, settings.reply_to, settings.bounces_to
        )
        try:
            mail = build_mail(letter, sender, datetime.now(UTC))
        except ValueError:
            return Refused("address_refused")
        try:
            sock = await self._connect(account, settings)
        except NotAllowed:
            return Refused("address_not_allowed")
        except (OSError, TimeoutError):
            return Later("smtp_unreachable")
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            sock=sock,
            timeout=settings.timeout_seconds,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            local_hostname=sender.domain.encode("idna").decode("ascii"),
        )
        try:
            refused = await _log_in(client, settings.username, account.secret)
            if refused is not None:
                return refused
            return await _hand_over(
                client, envelope_sender(letter, sender), letter.to, mail.as_bytes()
            )
        finally:
            client.close()

    async def _connect(self, account: SenderAccount, settings: SmtpSettings) -> socket.socket:
        """To a checked address: where a merchant's mail server lies is the merchant's word. The
        certificate is checked against the name.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(settings.timeout_seconds):
            if account.id is not None:
                if settings.port not in PORTS and not self._outside.rules.allow_private:
                    raise NotAllowed(f"port {settings.port} is none of mail")
                address = await self._outside.address_of(settings.host, settings.port)
            else:
                found = await loop.getaddrinfo(
                    settings.host, settings.port, type=socket.SOCK_STREAM
                )
                address = str(found[0][4][0])
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)  # noqa: FBT003 - the only argument there is
            try:
                await loop.sock_connect(sock, (address, settings.port))
            except BaseException:
                sock.close()
                raise
        return sock

    async def find(self, account: SenderAccount, letter: Letter, doubt: Doubt) -> SendOutcome:
        return Unclear("not_known")


def create(parts: SenderParts) -> SmtpSender:
    return SmtpSender(parts.outside)


async def _log_in(client: aiosmtplib.SMTP, username: str, password: str) -> Later | Refused | None:
    """Up to here nothing was sent, so nothing is unclear."""
    try:
        await client.connect()
        if username:
            await client.login(username, password)
    except errors.SMTPAuthenticationError as error:
        return Later("smtp_login") if error.code < _PERMANENT else Refused("smtp_login_refused")
    except errors.SMTPNotSupported:
        return Refused("smtp_not_supported")
    except errors.SMTPResponseException as error:
        return _answered(error.code, error.message)
    except (errors.SMTPException, OSError, TimeoutError, ValueError):
        return Later("smtp_unreachable")
    return None


async def _hand_over(
    client: aiosmtplib.SMTP, sender: str, recipient: str, mail: bytes
) -> SendOutcome:
    try:
        await client.mail(sender)
        await client.rcpt(recipient)
    except errors.SMTPResponseException as error:
        return _answered(error.code, error.message)
    except (errors.SMTPException, OSError, TimeoutError, ValueError):
        return Later("smtp_lost")
    try:
        answer = await client.data(mail)
    except errors.SMTPDataError as error:
        return _answered(error.code, error.message)
    except (errors.SMTPException, OSError, TimeoutError):
        return Unclear("no_answer")
    return Sent(_reference(answer.message))


def _answered(code: int, text: str) -> Later | Refused:
    """By the reply's first digit; anything that is no reply of SMTP may pass."""
    enhanced = _ENHANCED.match(text.strip())
    reason = f"smtp_{code}" + (f"_{enhanced[1]}" if enhanced else "")
    return Refused(reason) if _PERMANENT <= code < _PERMANENT + 100 else Later(reason)


def _reference(text: str) -> str:
    """What the server called it, as far as it is plain and names nobody."""
    return re.sub(r"\S*@\S*", "***", re.sub(r"[^\x20-\x7e]", " ", text))[:200]
