"""Mails as files of a folder, for one machine and for looking at: nothing leaves this host.

Its folder is the operator's word, never a merchant's: it writes files.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fulfillment.loading import SenderParts
from fulfillment.mail import MailFrom, build_mail
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
from fulfillment.templates.domain import Channel

FILES_MAX = 1_000
"""Beyond it nothing is written: a folder that nobody empties must not fill the disk."""


class SpoolSender:
    """A mail's file is named by its message, so a repeat writes the same file."""

    channel = Channel.MAIL
    repeats_safely = True
    finds = False
    for_merchants = False

    def check(self, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
        folder, address = settings.get("folder"), settings.get("from_address")
        if set(settings) != {"folder", "from_address"} or secret:
            raise SettingsRefused("a spool has `folder` and `from_address`, and nothing else")
        if not isinstance(folder, str) or not isinstance(address, str):
            raise SettingsRefused("`folder` and `from_address` are texts")
        return settings

    async def send(self, account: SenderAccount, letter: Letter) -> SendOutcome:
        try:
            mail = build_mail(
                letter, MailFrom(str(account.settings["from_address"])), datetime.now(UTC)
            )
        except ValueError:
            return Refused("address_refused")
        folder = Path(str(account.settings["folder"]))
        try:
            return await asyncio.to_thread(_write, folder, letter.message_id.hex, mail.as_bytes())
        except OSError:
            return Later("spool_not_writable")

    async def find(self, account: SenderAccount, letter: Letter, doubt: Doubt) -> SendOutcome:
        return Unclear("not_known")


def create(parts: SenderParts) -> SpoolSender:
    return SpoolSender()


def _write(folder: Path, name: str, content: bytes) -> SendOutcome:
    """Whole or not at all: who looks into the folder sees no half mail."""
    folder.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in folder.glob("*.eml")) >= FILES_MAX:
        return Refused("spool_full")
    path = folder / f"{name}.eml"
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return Sent(path.name)
