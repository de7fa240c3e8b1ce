"""Payment accounts: made, edited, chosen, and opened for the length of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from kit.logging import get_logger
from order.account_secrets import AccountSecrets, SecretsUnreadable
from order.merchants import service as merchants
from order.outbound import Connection
from order.payment_accounts import repository
from order.payment_accounts.domain import (
    NoPaymentAccount,
    PaymentAccount,
    PaymentAccountNotFound,
    ProviderNotFound,
    SeveralPaymentAccounts,
    TooManyPaymentAccounts,
)
from order.provider import Access, BadAccount, HasAccounts, Loaded

log = get_logger(__name__)

ACCOUNTS_MAX = 50
"""Per merchant."""
RESEAL_BATCH = 50


class PaymentAccounts:
    """`providers` are those enabled; `connections` the way out of those that have accounts."""

    def __init__(
        self,
        providers: Mapping[str, Loaded],
        secrets: AccountSecrets,
        connections: Mapping[str, Connection],
        *,
        public_url: str,
    ) -> None:
        self._providers = {
            name: provider
            for name, provider in providers.items()
            if isinstance(provider, HasAccounts)
        }
        self._secrets = secrets
        self._connections = connections
        self._public_url = public_url.rstrip("/")

    def provider(self, name: str) -> HasAccounts:
        """Raises ProviderNotFound."""
        provider = self._providers.get(name)
        if provider is None:
            raise ProviderNotFound(provider=name)
        return provider

    async def create(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        provider: str,
        name: str,
        settings: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> PaymentAccount:
        """Raises ProviderNotFound, BadAccount, MerchantNotFound, TooManyPaymentAccounts."""
        _check(self.provider(provider), settings, secrets)
        await merchants.get_merchant(tx, merchant_id)
        if await repository.count(tx, merchant_id) >= ACCOUNTS_MAX:
            raise TooManyPaymentAccounts(limit=ACCOUNTS_MAX)
        account_id = new_id()
        return await repository.add(
            tx,
            account_id,
            merchant_id,
            provider=provider,
            name=name,
            settings=settings,
            secret_names=sorted(secrets),
            key_id=self._secrets.key_id,
            sealed=self._secrets.seal(account_id, secrets),
        )

    async def edit(
        self,
        tx: Transaction,
        merchant_id: UUID,
        account_id: UUID,
        *,
        name: str | None,
        settings: Mapping[str, str | None] | None,
        secrets: Mapping[str, str | None] | None,
        is_active: bool | None,
    ) -> PaymentAccount:
        """What is absent stays; a member that is null is removed. Raises PaymentAccountNotFound,
        BadAccount.
        """
        account = await repository.lock(tx, account_id)
        if account is None or account.merchant_id != merchant_id:
            raise PaymentAccountNotFound(account_id=str(account_id))
        merged_settings = _merged(account.settings, settings or {})
        merged_secrets = _merged(self._opened_for_edit(account, secrets), secrets or {})
        _check(self.provider(account.provider), merged_settings, merged_secrets)
        edited = replace(
            account,
            name=name or account.name,
            settings=merged_settings,
            secret_names=tuple(sorted(merged_secrets)),
            key_id=self._secrets.key_id,
            sealed=self._secrets.seal(account.id, merged_secrets),
            is_active=account.is_active if is_active is None else is_active,
        )
        return await repository.update(tx, edited)

    async def choose(
        self, tx: Transaction, merchant_id: UUID, provider: str, account_id: UUID | None
    ) -> PaymentAccount:
        """The merchant's active account: the named one, or the only one.

        Raises ProviderNotFound, PaymentAccountNotFound, NoPaymentAccount, SeveralPaymentAccounts.
        """
        self.provider(provider)
        if account_id is not None:
            account = await self.get(tx, account_id)
            if (account.merchant_id, account.provider) != (merchant_id, provider):
                raise PaymentAccountNotFound(account_id=str(account_id))
            if account.is_active:
                return account
            raise NoPaymentAccount("this account is switched off", account_id=str(account_id))
        return _only(await repository.list_of_merchant(tx, merchant_id, provider), provider)

    async def choose_any(
        self, tx: Transaction, provider: str, settings: Mapping[str, str]
    ) -> PaymentAccount:
        """The only active account of the provider with these settings, whoever's it is.

        Raises ProviderNotFound, NoPaymentAccount, SeveralPaymentAccounts.
        """
        self.provider(provider)
        return _only(await repository.list_of_provider(tx, provider, settings), provider)

    async def get(self, tx: Transaction, account_id: UUID) -> PaymentAccount:
        """Active or not. Raises PaymentAccountNotFound."""
        account = await repository.find(tx, account_id)
        if account is None:
            raise PaymentAccountNotFound(account_id=str(account_id))
        return account

    async def list_accounts(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[PaymentAccount]:
        return await repository.list_accounts(tx, merchant_id, after=after, limit=limit)

    def open(self, account: PaymentAccount) -> Access:
        """For one call to the provider, or one callback. Raises SecretsUnreadable,
        ProviderNotFound.
        """
        self.provider(account.provider)
        return Access(
            account.settings,
            self._opened(account),
            self._connections[account.provider],
            f"{self._public_url}/v1/payment-callbacks/{account.provider}/{account.id}",
        )

    async def reseal(self, tx: Transaction) -> bool:
        """Seals what is under an older key under the present one; True while more may wait."""
        old = await repository.take_sealed_otherwise(tx, self._secrets.key_id, RESEAL_BATCH)
        resealed = 0
        for account in old:
            try:
                sealed = self._secrets.seal(account.id, self._opened(account))
            except SecretsUnreadable as error:
                log.warning("account_secrets_unreadable", **error.fields)
                continue
            await repository.update(
                tx, replace(account, key_id=self._secrets.key_id, sealed=sealed)
            )
            resealed += 1
        # What cannot be opened stays: a batch of nothing else must not be taken again at once.
        return len(old) == RESEAL_BATCH and resealed > 0

    def _opened(self, account: PaymentAccount) -> dict[str, str]:
        return self._secrets.open(account.id, account.key_id, account.sealed)

    def _opened_for_edit(
        self, account: PaymentAccount, secrets: Mapping[str, str | None] | None
    ) -> dict[str, str]:
        """Secrets whose key is lost are forgotten when new ones are given."""
        try:
            return self._opened(account)
        except SecretsUnreadable:
            if not secrets:
                raise
            return {}


def _only(found: Sequence[PaymentAccount], provider: str) -> PaymentAccount:
    if not found:
        raise NoPaymentAccount(provider=provider)
    if len(found) > 1:
        raise SeveralPaymentAccounts(provider=provider)
    return found[0]


def _merged(old: Mapping[str, str], new: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**old, **new}
    return {name: value for name, value in merged.items() if value is not None}


def _check(provider: HasAccounts, settings: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    for pointer, given, known in (
        ("/settings", settings, provider.account_settings),
        ("/secrets", secrets, provider.account_secrets),
    ):
        for name in sorted(set(given) - known):
            raise BadAccount(f"{pointer}/{name}", f"{provider.name} knows no such member")
        for name in sorted(known - set(given) - provider.optional):
            raise BadAccount(f"{pointer}/{name}", f"{provider.name} needs it")
    provider.check_account(settings, secrets)
