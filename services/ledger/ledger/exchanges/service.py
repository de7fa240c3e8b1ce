from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from kit.money import Money
from ledger.accounts.domain import AccountKey, AccountKind, AccountRef, AccountUnknown
from ledger.accounts.service import AccountService
from ledger.exchanges.domain import SameCurrency
from ledger.posting_rules.kinds.exchange.domain import exchanged
from ledger.transactions.domain import PostedTransaction
from ledger.transactions.service import TransactionService

Side = tuple[str, Money]
"""An account's code, and how much."""


class ExchangeService:
    """Changes money of one currency into another."""

    def __init__(self, accounts: AccountService, transactions: TransactionService) -> None:
        self._accounts = accounts
        self._transactions = transactions

    async def exchange(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        given: Side,
        received: Side,
        book_rate: Fraction | None,
        at: datetime,
        description: str,
        reference: str | None,
    ) -> PostedTransaction:
        """Raises SameCurrency, AccountUnknown, AlreadyPosted, PeriodClosed, Overdrawn."""
        if given[1].currency == received[1].currency:
            raise SameCurrency(errors=[_fault("/to/amount/currency", SameCurrency.code)])
        await self._require(tx, merchant_id, (given, received))
        draft = exchanged(
            merchant_id=merchant_id,
            source=f"exchange:{reference or new_id()}",
            at=at,
            description=description,
            given=(_ref(given), given[1]),
            received=(_ref(received), received[1]),
            book_rate=book_rate,
        )
        return await self._transactions.post_exactly(tx, draft)

    async def _require(self, tx: Transaction, merchant_id: UUID, sides: Sequence[Side]) -> None:
        keys = [AccountKey(merchant_id, code, money.currency) for code, money in sides]
        known = await self._accounts.find_ids(tx, keys)
        unknown = [
            _fault(f"/{side}/account", AccountUnknown.code)
            for side, key in zip(("from", "to"), keys, strict=True)
            if key not in known
        ]
        if unknown:
            raise AccountUnknown(errors=unknown)


def _ref(side: Side) -> AccountRef:
    # The account exists, so its kind is not asked for.
    return AccountRef(side[0], AccountKind.ASSET)


def _fault(pointer: str, code: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "detail": code.replace("_", " ")}
