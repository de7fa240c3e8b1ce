from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kit.db import Transaction
from ledger.accounts.domain import (
    Account,
    AccountCodeReserved,
    AccountExists,
    AccountKey,
    AccountKind,
    AccountNotFound,
    AccountRef,
    BalanceAt,
    is_reserved,
)
from ledger.accounts.repository import AccountRepository


class AccountService:
    def __init__(self, repository: AccountRepository) -> None:
        self._repository = repository

    async def ids_of(
        self, tx: Transaction, refs: Mapping[AccountKey, AccountRef]
    ) -> dict[AccountKey, UUID]:
        """The ids of these accounts; those that do not exist are opened."""
        found = await self._repository.find_ids(tx, list(refs))
        missing = {key: ref for key, ref in refs.items() if key not in found}
        if missing:
            await self._repository.open(tx, missing)
            found |= await self._repository.find_ids(tx, list(missing))
        return found

    async def find_ids(self, tx: Transaction, keys: Sequence[AccountKey]) -> dict[AccountKey, UUID]:
        """The ids of those that exist."""
        return await self._repository.find_ids(tx, keys)

    async def open(
        self,
        tx: Transaction,
        key: AccountKey,
        kind: AccountKind,
        *,
        never_overdrawn: bool = False,
    ) -> Account:
        """A merchant's own account. Raises AccountCodeReserved, AccountExists."""
        if is_reserved(key.code):
            raise AccountCodeReserved(errors=[_fault("/code", AccountCodeReserved)])
        opened = await self._repository.open(tx, {key: AccountRef(key.code, kind, never_overdrawn)})
        if not opened:
            raise AccountExists(account_code=key.code, currency=key.currency)
        return await self.get_account(tx, key.merchant_id, opened[0])

    async def get_account(self, tx: Transaction, merchant_id: UUID, account_id: UUID) -> Account:
        """Raises AccountNotFound."""
        account = await self._repository.find_account(tx, merchant_id, account_id)
        if account is None:
            raise AccountNotFound(account_id=str(account_id))
        return account

    async def balance_of(self, tx: Transaction, key: AccountKey) -> int:
        """Debits less credits; 0 for an account nobody opened."""
        return await self._repository.balance_of(tx, key)

    async def list_accounts(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        currency: str | None,
        parent: str | None = None,
        after: UUID | None,
        limit: int,
    ) -> list[Account]:
        """In the order they were opened."""
        return await self._repository.list_accounts(
            tx, merchant_id, currency=currency, parent=parent, after=after, limit=limit
        )

    async def balance_at(
        self, tx: Transaction, merchant_id: UUID, account_id: UUID, at: datetime
    ) -> BalanceAt:
        """With all that was posted with a time up to `at`, exactly. Raises AccountNotFound."""
        found = await self._repository.balances_at(tx, merchant_id, at, account_id=account_id)
        if not found:
            raise AccountNotFound(account_id=str(account_id))
        return found[0]

    async def balances_at(
        self, tx: Transaction, merchant_id: UUID, at: datetime
    ) -> list[BalanceAt]:
        """Of every account, by currency and code."""
        return await self._repository.balances_at(tx, merchant_id, at, account_id=None)


def _fault(pointer: str, error: type[AccountCodeReserved]) -> dict[str, str]:
    return {"pointer": pointer, "code": error.code, "detail": str(error.__doc__)}
