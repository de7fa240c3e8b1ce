from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from ledger.accounts.domain import (
    Account,
    AccountCodeReserved,
    AccountExists,
    AccountKey,
    AccountKind,
    AccountNotFound,
    is_reserved,
)
from ledger.accounts.repository import AccountRepository


class AccountService:
    def __init__(self, repository: AccountRepository) -> None:
        self._repository = repository

    async def ids_of(
        self, tx: Transaction, kinds: Mapping[AccountKey, AccountKind]
    ) -> dict[AccountKey, UUID]:
        """The ids of these accounts; those that do not exist are opened."""
        found = await self._repository.find_ids(tx, list(kinds))
        missing = {key: kind for key, kind in kinds.items() if key not in found}
        if missing:
            await self._repository.open(tx, missing)
            found |= await self._repository.find_ids(tx, list(missing))
        return found

    async def find_ids(self, tx: Transaction, keys: Sequence[AccountKey]) -> dict[AccountKey, UUID]:
        """The ids of those that exist."""
        return await self._repository.find_ids(tx, keys)

    async def open(self, tx: Transaction, key: AccountKey, kind: AccountKind) -> Account:
        """A merchant's own account. Raises AccountCodeReserved, AccountExists."""
        if is_reserved(key.code):
            raise AccountCodeReserved(errors=[_fault("/code", AccountCodeReserved)])
        opened = await self._repository.open(tx, {key: kind})
        if not opened:
            raise AccountExists(account_code=key.code, currency=key.currency)
        return await self.get_account(tx, key.merchant_id, opened[0])

    async def get_account(self, tx: Transaction, merchant_id: UUID, account_id: UUID) -> Account:
        """Raises AccountNotFound."""
        account = await self._repository.find_account(tx, merchant_id, account_id)
        if account is None:
            raise AccountNotFound(account_id=str(account_id))
        return account

    async def list_accounts(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        currency: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Account]:
        """In the order they were opened."""
        return await self._repository.list_accounts(
            tx, merchant_id, currency=currency, after=after, limit=limit
        )


def _fault(pointer: str, error: type[AccountCodeReserved]) -> dict[str, str]:
    return {"pointer": pointer, "code": error.code, "detail": str(error.__doc__)}
