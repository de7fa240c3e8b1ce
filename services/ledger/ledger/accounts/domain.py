"""Accounts: where money stands. The chart is per merchant and currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound


class AccountKind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"
    EQUITY = "equity"


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account by name. The ledger makes it when it is first posted to."""

    code: str
    kind: AccountKind


@dataclass(frozen=True, slots=True)
class AccountKey:
    merchant_id: UUID
    code: str
    currency: str


@dataclass(frozen=True, slots=True)
class Account:
    """`debit_minor` and `credit_minor` are everything ever posted, in minor units."""

    id: UUID
    key: AccountKey
    kind: AccountKind
    created_at: datetime
    debit_minor: int
    credit_minor: int

    @property
    def balance_minor(self) -> int:
        """Debits less credits; liabilities, income and equity are usually negative."""
        return self.debit_minor - self.credit_minor


INVENTORY = AccountRef("inventory", AccountKind.ASSET)
"""Units on the shelf at cost; the lot is a dimension of the posting."""
CUSTOMER_DEPOSITS = AccountRef("customer-deposits", AccountKind.LIABILITY)
"""Paid and not delivered yet."""
BUYER_CREDITS = AccountRef("buyer-credits", AccountKind.LIABILITY)
"""Came from buyers and pays no order: parts of a price, and what must go back."""
REVENUE = AccountRef("revenue", AccountKind.INCOME)
COST_OF_GOODS = AccountRef("cost-of-goods", AccountKind.EXPENSE)

CLAW_BACKS_PENDING = AccountRef("claw-backs-pending", AccountKind.LIABILITY)
"""Claimed of suppliers for bad units and not answered yet: not earned before they accept."""

CHANNEL_CLEARING_PREFIX = "channel-clearing:"
SUPPLIER_PAYABLE_PREFIX = "supplier-payable:"
CLAW_BACK_PREFIX = "supplier-claw-back:"
UNNAMED_SUPPLIER = "unnamed"

_FIXED: Mapping[str, AccountRef] = {
    ref.code: ref
    for ref in (
        INVENTORY,
        CUSTOMER_DEPOSITS,
        BUYER_CREDITS,
        REVENUE,
        COST_OF_GOODS,
        CLAW_BACKS_PENDING,
    )
}


def channel_clearing(channel_id: UUID) -> AccountRef:
    """What a channel has collected from buyers and owes the merchant."""
    return AccountRef(f"{CHANNEL_CLEARING_PREFIX}{channel_id}", AccountKind.ASSET)


def supplier_payable(supplier: str) -> AccountRef:
    """What is owed to a supplier for stock."""
    name = supplier.strip() or UNNAMED_SUPPLIER
    return AccountRef(f"{SUPPLIER_PAYABLE_PREFIX}{name}", AccountKind.LIABILITY)


def supplier_claw_back(supplier: str) -> AccountRef:
    """What a supplier is asked to pay back for bad units."""
    name = supplier.strip() or UNNAMED_SUPPLIER
    return AccountRef(f"{CLAW_BACK_PREFIX}{name}", AccountKind.ASSET)


_PREFIXES = (CHANNEL_CLEARING_PREFIX, SUPPLIER_PAYABLE_PREFIX, CLAW_BACK_PREFIX)


def is_reserved(code: str) -> bool:
    """True for accounts that events post to: their kind is not the caller's choice."""
    return code in _FIXED or code.startswith(_PREFIXES)


class AccountNotFound(NotFound):
    """There is no such account, or it is not yours."""

    code = "account_not_found"


class AccountUnknown(Invalid):
    """A posting names an account that does not exist in its currency; open it first."""

    code = "account_unknown"


class AccountExists(Conflict):
    """There is an account with this code and currency already."""

    code = "account_exists"


class AccountCodeReserved(Invalid):
    """This code belongs to the platform's chart: the ledger opens it by itself."""

    code = "account_code_reserved"
