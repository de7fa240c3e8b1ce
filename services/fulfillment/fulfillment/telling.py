"""Builds what tells buyers things: contacts, templates, messages, one-time codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from fulfillment.addresses import usable_email, usable_phone
from fulfillment.contacts.jobs import Forgetting as ContactForgetting
from fulfillment.contacts.repository import ContactRepository
from fulfillment.contacts.service import ContactService
from fulfillment.deliveries.service import DeliveryService
from fulfillment.loading import SenderParts, load_senders
from fulfillment.messages.jobs import Telling
from fulfillment.messages.repository import MessageRepository
from fulfillment.messages.service import MessageService
from fulfillment.one_time_codes.domain import CodeRules
from fulfillment.one_time_codes.jobs import Forgetting as CodeForgetting
from fulfillment.one_time_codes.repository import OneTimeCodeRepository
from fulfillment.one_time_codes.service import OneTimeCodeService
from fulfillment.outside import Outside
from fulfillment.safe import Safe
from fulfillment.sender import Sender, SenderAccount
from fulfillment.sender_accounts.service import SenderAccountService
from fulfillment.sendings.jobs import Sending
from fulfillment.sendings.repository import SendingRepository
from fulfillment.sendings.service import Parts, SendingLimits, SendingService
from fulfillment.settings import Settings
from fulfillment.templates.domain import Channel
from fulfillment.templates.repository import TemplateRepository
from fulfillment.templates.service import TemplateService
from fulfillment.wording import Wording
from kit.db import Database
from kit.periodic import Periodic

FORGET_SECONDS = 300.0
MESSAGES_PATIENCE_SECONDS = 0.2
"""What happens within this time is looked at, and sent, together."""


@dataclass(frozen=True, slots=True)
class TellingParts:
    """What the service is given: `state` for its routes, `jobs` for its worker."""

    contacts: ContactService
    messages: MessageService
    one_time_codes: OneTimeCodeService
    jobs: tuple[Periodic, ...]
    state: Mapping[str, Any]


def build_telling(
    settings: Settings, db: Database, safe: Safe, outside: Outside, deliveries: DeliveryService
) -> TellingParts:
    senders = load_senders(SenderParts(db, outside))
    jobs: dict[str, Periodic] = {}
    wording = Wording()
    contacts = ContactService(
        ContactRepository(safe), retention=timedelta(days=settings.contact_days)
    )
    templates = TemplateService(TemplateRepository(), wording, language=settings.message_language)
    messages = MessageService(
        MessageRepository(safe),
        deliveries,
        wording,
        lambda name: jobs[name].wake(MESSAGES_PATIENCE_SECONDS),
        retention=timedelta(days=settings.contact_days),
    )
    accounts = SenderAccountService(senders, _defaults(settings.message_senders, senders))
    parts = Parts(contacts, deliveries, templates, accounts, wording, _usable(settings))
    sendings = SendingService(SendingRepository(safe), parts, _limits(settings))
    codes = OneTimeCodeService(
        OneTimeCodeRepository(safe), messages, sendings, _code_rules(settings)
    )
    telling = Telling(db, messages)
    poll = settings.message_poll_seconds
    jobs["notices"] = Periodic("tell", poll, telling.run)
    jobs["messages"] = Periodic("send-messages", poll, Sending(db, sendings, senders).run)
    forgetting = [
        Periodic("forget-contacts", FORGET_SECONDS, ContactForgetting(db, contacts).run),
        Periodic("forget-messages", FORGET_SECONDS, telling.forget),
        Periodic("forget-codes", FORGET_SECONDS, CodeForgetting(db, codes).run),
    ]
    state = {"contacts": contacts, "templates": templates, "messages": messages} | {
        "one_time_codes": codes
    }
    return TellingParts(contacts, messages, codes, (*jobs.values(), *forgetting), state)


def _defaults(path: Path | None, senders: Mapping[str, Sender]) -> list[SenderAccount]:
    """Raises at the start, not at the first message, for what cannot be used."""
    if path is None:
        return []
    accounts = []
    for each in orjson.loads(path.read_bytes()):
        sender, secret = senders[each["sender"]], each.get("secret", "")
        settings = sender.check(each.get("settings", {}), secret)
        accounts.append(SenderAccount(each["sender"], settings, secret))
    return accounts


def _usable(settings: Settings) -> dict[Channel, Any]:
    return {
        Channel.MAIL: usable_email,
        Channel.SMS: partial(usable_phone, country=settings.message_phone_country),
        Channel.INBOX: lambda customer_id: customer_id or None,
    }


def _limits(settings: Settings) -> SendingLimits:
    return SendingLimits(
        lease=timedelta(seconds=settings.message_lease_seconds),
        rung_max=timedelta(minutes=settings.message_channel_minutes_max),
    )


def _code_rules(settings: Settings) -> CodeRules:
    return CodeRules(
        life=timedelta(minutes=settings.one_time_code_minutes),
        tries_max=settings.one_time_code_tries_max,
        again_after=timedelta(seconds=settings.one_time_code_again_seconds),
        sends_max=settings.one_time_codes_per_hour,
        window=timedelta(hours=1),
    )
