"""By whom messages are sent: a merchant's own senders, else this service's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from fulfillment.sender import Sender, SenderAccount, SettingsRefused
from fulfillment.sender_accounts.domain import (
    OwnSender,
    SenderNotFound,
    SenderSettingsRefused,
    UnknownSender,
)
from fulfillment.sender_accounts.repository import SenderAccountRepository
from fulfillment.templates.domain import Channel
from kit.db import Transaction
from kit.ids import new_id

Accounts = Mapping[UUID, Mapping[Channel, SenderAccount]]


class SenderAccountService:
    """`defaults` are this service's own accounts, checked; the first of a channel counts."""

    def __init__(
        self,
        repository: SenderAccountRepository,
        senders: Mapping[str, Sender],
        defaults: Sequence[SenderAccount],
    ) -> None:
        self.senders = senders
        self._repository = repository
        self._defaults = {
            senders[account.sender].channel: account for account in reversed(defaults)
        }

    async def create(
        self,
        tx: Transaction,
        merchant_id: UUID,
        name: str,
        settings: Mapping[str, object],
        secret: str,
    ) -> OwnSender:
        """Enabled at once. Raises UnknownSender, SenderSettingsRefused, ChannelTaken."""
        sender = self._sender(name)
        checked = _check(sender, settings, secret)
        own = OwnSender(new_id(), merchant_id, name, sender.channel, checked)
        return await self._repository.put(tx, own, secret)

    async def change(
        self,
        tx: Transaction,
        merchant_id: UUID,
        sender_id: UUID,
        *,
        settings: Mapping[str, object] | None,
        secret: str | None,
        is_enabled: bool | None,
    ) -> OwnSender:
        """What is None stays. Raises SenderNotFound, SenderSettingsRefused, ChannelTaken."""
        found = await self._repository.lock(tx, merchant_id, sender_id)
        if found is None:
            raise SenderNotFound
        own, kept = found
        checked = _check(
            self._sender(own.sender),
            own.settings if settings is None else settings,
            kept if secret is None else secret,
        )
        if kept and secret is None and _place(checked) != _place(own.settings):
            raise SenderSettingsRefused(problem="secret: send it again with another host")
        changed = replace(
            own,
            settings=checked,
            is_enabled=own.is_enabled if is_enabled is None else is_enabled,
        )
        return await self._repository.put(tx, changed, secret)

    async def get(self, tx: Transaction, merchant_id: UUID, sender_id: UUID) -> OwnSender:
        """Raises SenderNotFound."""
        found = await self._repository.find(tx, merchant_id, sender_id)
        if found is None:
            raise SenderNotFound
        return found

    async def get_account(self, tx: Transaction, sender_id: UUID) -> tuple[UUID, SenderAccount]:
        """Whose it is, and the account: for calls that its secret has signed. Raises
        SenderNotFound.
        """
        found = await self._repository.find_account(tx, sender_id)
        if found is None:
            raise SenderNotFound
        return found

    async def list_senders(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[OwnSender]:
        """The merchant's own, newest first."""
        return await self._repository.list_senders(tx, merchant_id, after=after, limit=limit)

    async def find_many(self, tx: Transaction, merchant_ids: Sequence[UUID]) -> Accounts:
        """Who sends for each merchant on each channel; a channel without anybody is left out."""
        accounts = {merchant_id: dict(self._defaults) for merchant_id in merchant_ids}
        for own, account in await self._repository.find_enabled(tx, merchant_ids):
            accounts[own.merchant_id][own.channel] = account
        return accounts

    def _sender(self, name: str) -> Sender:
        sender = self.senders.get(name)
        if sender is None or not sender.for_merchants:
            known = sorted(name for name, each in self.senders.items() if each.for_merchants)
            raise UnknownSender(known=known)
        return sender


def _place(settings: Mapping[str, object]) -> tuple[object, object]:
    """Where the secret goes."""
    return settings.get("host"), settings.get("endpoint")


def _check(sender: Sender, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
    try:
        return sender.check(settings, secret)
    except SettingsRefused as error:
        raise SenderSettingsRefused(problem=str(error)) from None
