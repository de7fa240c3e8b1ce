"""Setting up suppliers' accounts, and handing them to whom buys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.connector import BadOptions, Connector, TakesOptions
from fulfillment.suppliers.domain import (
    Account,
    BaseUrlMissing,
    OptionsNotFitting,
    Secrets,
    Supplier,
    SupplierHasOpenPurchases,
    SupplierNotFound,
    SupplierSecretNeeded,
    UnknownConnector,
    account_of,
    hosts_of,
    is_elsewhere,
)
from fulfillment.suppliers.repository import SupplierRepository
from kit.db import Transaction


class SupplierService:
    """`callback_base`: suppliers call back to this address with the account's id after it."""

    def __init__(
        self,
        repository: SupplierRepository,
        connectors: Mapping[str, Connector],
        callback_base: str = "",
    ) -> None:
        self._repository = repository
        self._connectors = connectors
        self._callback_base = callback_base

    def callback_url_of(self, supplier_id: UUID) -> str:
        """Where this supplier may call back."""
        return f"{self._callback_base}/{supplier_id}"

    async def create(self, tx: Transaction, supplier: Supplier, secrets: Secrets | str) -> Supplier:
        """A new account. Raises UnknownConnector, BaseUrlMissing, OptionsNotFitting,
        SupplierNameTaken.
        """
        self._check(supplier)
        return await self._repository.add(tx, supplier, _secrets(secrets))

    async def change(
        self,
        tx: Transaction,
        merchant_id: UUID,
        supplier_id: UUID,
        values: Mapping[str, Any],
        secrets: Secrets | str | None,
        *,
        overlap: timedelta = timedelta(),
    ) -> Supplier:
        """With these values, as the border took them, replaced. Where callbacks are signed with
        another secret by it, the one before is believed for `overlap` too; the one before that no
        more. Raises SupplierNotFound, BaseUrlMissing, OptionsNotFitting, SupplierSecretNeeded,
        SupplierHasOpenPurchases.
        """
        locked = await self._repository.lock(tx, merchant_id, supplier_id)
        if locked is None:
            raise SupplierNotFound
        found, before = locked
        own = {name: value for name, value in values.items() if name in _OWN}
        times = {name: value for name, value in values.items() if name not in _OWN}
        changed = replace(found, times=replace(found.times, **times), **own)
        self._check(changed)
        given = _secrets(secrets)
        if given.calls is None and not hosts_of(changed) <= hosts_of(found):
            raise SupplierSecretNeeded
        if is_elsewhere(found, changed) and await self._repository.has_open_purchases(tx, found):
            raise SupplierHasOpenPurchases
        now = before.changed_to(given)
        return await self._repository.change(tx, changed, now, overlap)

    async def get(self, tx: Transaction, merchant_id: UUID, supplier_id: UUID) -> Supplier:
        """Raises SupplierNotFound."""
        found = await self._repository.find(tx, merchant_id, supplier_id)
        if found is None:
            raise SupplierNotFound
        return found

    async def list_suppliers(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[Supplier]:
        """The merchant's suppliers, newest first."""
        return await self._repository.list_suppliers(tx, merchant_id, after=after, limit=limit)

    async def find_accounts(
        self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], Account]:
        """By merchant and name; one that is missing or without connector is not in it."""
        return self._accounts(await self._repository.find_named(tx, wanted))

    async def hold_accounts(
        self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]
    ) -> Mapping[tuple[UUID, str], Account]:
        """The same for who is about to buy there: they stay where they are until it is committed
        that something is sent."""
        return self._accounts(await self._repository.hold_named(tx, wanted))

    def _accounts(
        self, found: Mapping[tuple[UUID, str], tuple[Supplier, Secrets]]
    ) -> Mapping[tuple[UUID, str], Account]:
        return {
            key: self._account(supplier, secrets)
            for key, (supplier, secrets) in found.items()
            if supplier.connector in self._connectors
        }

    def connectors_that(self, can: Callable[[Connector], bool]) -> list[str]:
        """Names of the connectors with an ability."""
        return sorted(name for name, connector in self._connectors.items() if can(connector))

    async def find_called(
        self, tx: Transaction, supplier_id: UUID
    ) -> tuple[Supplier, Account] | None:
        """The account that a callback names, whoever's it is; None also without its connector."""
        found = await self._repository.find_called(tx, supplier_id)
        if found is None or found[0].connector not in self._connectors:
            return None
        return found[0], self._account(*found)

    def _account(self, supplier: Supplier, secrets: Secrets) -> Account:
        connector = self._connectors[supplier.connector]
        return account_of(supplier, secrets, connector, self.callback_url_of(supplier.id))

    def _check(self, supplier: Supplier) -> None:
        connector = self._connectors.get(supplier.connector)
        if connector is None:
            raise UnknownConnector(connector=supplier.connector, known=sorted(self._connectors))
        if connector.needs_base_url and not supplier.base_url:
            raise BaseUrlMissing
        if isinstance(connector, TakesOptions):
            try:
                connector.check(supplier.options)
            except BadOptions as error:
                raise OptionsNotFitting(why=str(error)) from error
        elif supplier.options:
            raise OptionsNotFitting(why=f"{supplier.connector} takes no options")


def _secrets(given: Secrets | str | None) -> Secrets:
    return given if isinstance(given, Secrets) else Secrets(given)


_OWN = frozenset({"base_url", "account_id", "is_enabled", "options"})
