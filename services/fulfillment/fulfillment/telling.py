"""Builds what tells buyers things: contacts, templates, messages, one-time codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from fulfillment.addresses import usable_email, usable_phone
from fulfillment.challenges import routes as challenge_routes
from fulfillment.challenges.consumers import ChallengeConsumers
from fulfillment.challenges.service import ChallengeService
from fulfillment.code_opening import CodeOpening
from fulfillment.contacts.repository import ContactRepository
from fulfillment.contacts.service import ContactService
from fulfillment.deliveries.service import DeliveryService
from fulfillment.forgetting import Forgetting
from fulfillment.inbox import routes as inbox_routes
from fulfillment.inbox.repository import InboxRepository
from fulfillment.inbox.service import InboxService
from fulfillment.loading import SenderParts, load_senders
from fulfillment.messages import routes as message_routes
from fulfillment.messages.jobs import Telling
from fulfillment.messages.repository import MessageRepository
from fulfillment.messages.service import MessageService
from fulfillment.messages.service import Parts as MessageParts
from fulfillment.one_time_codes.domain import CodeRules
from fulfillment.one_time_codes.repository import OneTimeCodeRepository
from fulfillment.one_time_codes.service import OneTimeCodeService
from fulfillment.outside import Outside
from fulfillment.safe import Safe
from fulfillment.sender import Sender, SenderAccount, SettingsRefused
from fulfillment.sender_accounts import routes as sender_routes
from fulfillment.sender_accounts.repository import SenderAccountRepository
from fulfillment.sender_accounts.service import SenderAccountService
from fulfillment.sendings import routes as sending_routes
from fulfillment.sendings.domain import Budget
from fulfillment.sendings.jobs import Sending
from fulfillment.sendings.repository import SendingRepository
from fulfillment.sendings.service import Parts, SendingLimits, SendingService
from fulfillment.settings import Settings
from fulfillment.templates import routes as template_routes
from fulfillment.templates.domain import Channel
from fulfillment.templates.repository import TemplateRepository
from fulfillment.templates.service import TemplateService
from fulfillment.vault import Vault
from fulfillment.wording import the_wording
from kit.db import Database
from kit.messaging.handlers import Handler
from kit.periodic import Periodic
from kit.settings import WrongSetting

FORGET_SECONDS = 300.0
MESSAGES_PATIENCE_SECONDS = 0.5
"""What happens within this time is looked at, and sent, together."""
SPOOL_FROM = "shop@lockstock.example"
ROUTERS = (
    message_routes.router,
    template_routes.router,
    inbox_routes.router,
    sender_routes.router,
    sending_routes.router,
    challenge_routes.router,
)


@dataclass(frozen=True, slots=True)
class TellingParts:
    """What the service is given: `state` for its routes, `jobs` and `handlers` for its worker."""

    contacts: ContactService
    messages: MessageService
    one_time_codes: OneTimeCodeService
    handlers: Sequence[Handler]
    jobs: tuple[Periodic, ...]
    state: Mapping[str, Any]


def build_telling(
    settings: Settings,
    db: Database,
    safe: Safe,
    outside: Outside,
    deliveries: DeliveryService,
    vault: Vault,
) -> TellingParts:
    jobs: dict[str, Periodic] = {}
    wording, retention = the_wording(), timedelta(days=settings.contact_days)
    contacts = ContactService(ContactRepository(safe), retention=retention)
    inbox = InboxService(InboxRepository(safe), retention=retention)
    sender_parts = SenderParts(db, outside, inbox, settings.public_url)
    senders = load_senders(sender_parts)
    accounts = SenderAccountService(
        SenderAccountRepository(safe), senders, _defaults(settings, senders)
    )
    templates = TemplateService(TemplateRepository(), wording, language=settings.message_language)
    messages = MessageService(
        MessageRepository(safe),
        deliveries,
        wording,
        lambda name: jobs[name].wake(MESSAGES_PATIENCE_SECONDS),
        _message_parts(settings, contacts),
    )
    parts = Parts(contacts, deliveries, templates, accounts, messages, wording, _usable(settings))
    sendings = SendingService(
        SendingRepository(safe), parts, _limits(settings), sender_parts.callback_url
    )
    codes = OneTimeCodeService(
        OneTimeCodeRepository(safe), messages, sendings, _code_rules(settings)
    )
    challenges = ChallengeService(contacts, codes)
    telling = Telling(db, messages)
    sending = Sending(db, sendings, senders, CodeOpening(vault))
    jobs["notices"] = Periodic("tell", settings.message_poll_seconds, telling.run)
    jobs["messages"] = Periodic("send-messages", settings.message_poll_seconds, sending.run)
    forgetting = {
        "forget-contacts": contacts.forget,
        "forget-messages": messages.forget,
        "forget-inboxes": inbox.forget,
        "forget-codes": codes.forget,
    }
    forgetters = [
        Periodic(name, FORGET_SECONDS, Forgetting(db, forget).run)
        for name, forget in forgetting.items()
    ]
    return TellingParts(
        contacts,
        messages,
        codes,
        ChallengeConsumers(challenges, contacts).handlers(),
        (*jobs.values(), *forgetters),
        {
            "contacts": contacts,
            "templates": templates,
            "messages": messages,
            "one_time_codes": codes,
            "one_time_code_life": timedelta(minutes=settings.one_time_code_minutes),
            "challenges": challenges,
            "inbox": inbox,
            "sender_accounts": accounts,
            "sendings": sendings,
        },
    )


def _message_parts(settings: Settings, contacts: ContactService) -> MessageParts:
    usable = _usable(settings)
    return MessageParts(
        contacts,
        usable_email=usable[Channel.MAIL],
        usable_phone=usable[Channel.SMS],
        resends_max=settings.message_resends_per_day,
        retention=timedelta(days=settings.contact_days),
    )


def _defaults(settings: Settings, senders: Mapping[str, Sender]) -> list[SenderAccount]:
    """Raises WrongSetting at the start, not at the first message, for what cannot be used."""
    return [_account(each, senders, settings) for each in _named(settings)]


def _account(
    given: Mapping[str, Any], senders: Mapping[str, Sender], settings: Settings
) -> SenderAccount:
    setting = f"FULFILLMENT_MESSAGE_SENDERS: {settings.message_senders}"
    name, secret, chosen = given.get("sender"), given.get("secret", ""), given.get("settings", {})
    if not isinstance(name, str) or not isinstance(secret, str) or not isinstance(chosen, dict):
        raise WrongSetting(f"{setting} is no list of sender, settings and secret")
    if name not in senders:
        raise WrongSetting(f"{setting}: there is no sender {name!r}")
    try:
        return SenderAccount(name, senders[name].check(chosen, secret), secret)
    except SettingsRefused as error:
        raise WrongSetting(f"{setting}: sender {name}: {error}") from None


def _named(settings: Settings) -> list[dict[str, Any]]:
    """This service's own senders: those of the file come first."""
    path = settings.message_senders
    named = _of_file(path) if path else []
    if settings.message_spool:
        spool = {"folder": str(settings.message_spool), "from_address": SPOOL_FROM}
        named.append({"sender": "spool", "settings": spool})
    if settings.message_inbox:
        named.append({"sender": "inbox"})
    return named


def _of_file(path: Path) -> list[dict[str, Any]]:
    """Raises WrongSetting; what stands in the file is not told, it holds secrets."""
    setting = f"FULFILLMENT_MESSAGE_SENDERS: {path}"
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise WrongSetting(f"{setting} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError:
        raise WrongSetting(f"{setting} is not JSON") from None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise WrongSetting(f"{setting} is no list of senders")
    return found


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
        per_address=Budget(
            "address", timedelta(hours=1), settings.message_contact_per_hour, "contact_limit"
        ),
        per_merchant=Budget(
            "merchant", timedelta(days=1), settings.message_merchant_per_day, "merchant_limit"
        ),
    )


def _code_rules(settings: Settings) -> CodeRules:
    return CodeRules(
        life=timedelta(minutes=settings.one_time_code_minutes),
        tries_max=settings.one_time_code_tries_max,
        again_after=timedelta(seconds=settings.one_time_code_again_seconds),
        sends_max=settings.one_time_codes_per_hour,
        window=timedelta(hours=1),
        per_contact_max=settings.one_time_codes_per_contact,
    )
