"""Setting up suppliers' accounts, and handing them to whom buys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from fulfillment.connector import Connector
from fulfillment.suppliers.domain import (
    Account,
    BaseUrlMissing,
    Supplier,
    SupplierNotFound,
    UnknownConnector,
    account_of,
)
from fulfillment.suppliers.repository import SupplierRepository
from kit.db import Transaction


class SupplierService:
    def __init__(self, repository: SupplierRepository, connectors: Mapping[str, Connector]) -> None:
        self._repository = repository
        self._connectors = connectors

    async def create(self, tx: Transaction, supplier: Supplier, secret: str) -> Supplier:
        """A new account. Raises UnknownConnector, BaseUrlMissing, SupplierNameTaken."""
        self._check(supplier)
        return await self._repository.add(tx, supplier, secret)

    async def change(
        self,
        tx: Transaction,
        merchant_id: UUID,
        supplier_id: UUID,
        values: Mapping[str, Any],
        secret: str | None,
    ) -> Supplier:
        """With these values, as the border took them, replaced. Raises SupplierNotFound,
        BaseUrlMissing.
        """
        found = await self._repository.lock(tx, merchant_id, supplier_id)
        if found is None:
            raise SupplierNotFound
        own = {name: value for name, value in values.items() if name in _OWN}
        times = {name: value for name, value in values.items() if name not in _OWN}
        changed = replace(found, times=replace(found.times, **times), **own)
        self._check(changed)
        return await self._repository.change(tx, changed, secret)

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
        found = await self._repository.find_named(tx, wanted)
        return {
            key: account_of(supplier, secret, self._connectors[supplier.connector])
            for key, (supplier, secret) in found.items()
            if supplier.connector in self._connectors
        }

    def connectors_that(self, can: Callable[[Connector], bool]) -> list[str]:
        """Names of the connectors with an ability."""
        return sorted(name for name, connector in self._connectors.items() if can(connector))

    def _check(self, supplier: Supplier) -> None:
        connector = self._connectors.get(supplier.connector)
        if connector is None:
            raise UnknownConnector(connector=supplier.connector, known=sorted(self._connectors))
        if connector.needs_base_url and not supplier.base_url:
            raise BaseUrlMissing


_OWN = frozenset({"base_url", "account_id", "is_enabled"})
