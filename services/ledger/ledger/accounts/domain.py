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
    """An account by name. The ledger makes it when it is first posted to.

    `never_overdrawn`: the database refuses what would leave less than nothing on it, with what is
    reserved of it counted as gone.
    """

    code: str
    kind: AccountKind
    never_overdrawn: bool = False


@dataclass(frozen=True, slots=True)
class AccountKey:
    merchant_id: UUID
    code: str
    currency: str


@dataclass(frozen=True, slots=True)
class Account:
    """`debit_minor` and `credit_minor` are everything ever posted, in minor units; the pending ones
    are what is reserved on top of it.
    """

    id: UUID
    key: AccountKey
    kind: AccountKind
    created_at: datetime
    debit_minor: int
    credit_minor: int
    pending_debit_minor: int = 0
    pending_credit_minor: int = 0
    never_overdrawn: bool = False

    @property
    def balance_minor(self) -> int:
        """Debits less credits; liabilities, income and equity are usually negative."""
        return self.debit_minor - self.credit_minor

    @property
    def available_minor(self) -> int:
        """What is left in the account's own direction when what is reserved of it is gone."""
        if self.kind in (AccountKind.ASSET, AccountKind.EXPENSE):
            return self.balance_minor - self.pending_credit_minor
        return -self.balance_minor - self.pending_debit_minor

    @property
    def parent(self) -> str:
        """The group it belongs to: `channel-clearing` of `channel-clearing:<channel>`."""
        return self.key.code.partition(":")[0]


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """What was posted on an account with a time up to `at`."""

    account_id: UUID
    code: str
    kind: AccountKind
    currency: str
    debit_minor: int
    credit_minor: int


INVENTORY = AccountRef("inventory", AccountKind.ASSET)
"""Units on the shelf at cost; the lot is a dimension of the posting."""
CUSTOMER_DEPOSITS = AccountRef("customer-deposits", AccountKind.LIABILITY)
"""Paid and not delivered yet."""
BUYER_CREDITS = AccountRef("buyer-credits", AccountKind.LIABILITY)
"""Came from buyers and pays no order: parts of a price, and what must go back."""
REVENUE = AccountRef("revenue", AccountKind.INCOME)
"""Gross: before discounts, which have accounts of their own. Net is all income of a sale."""
COUPON_DISCOUNTS = AccountRef("discounts:coupon", AccountKind.INCOME)
PROMOTION_DISCOUNTS = AccountRef("discounts:promotion", AccountKind.INCOME)
VOUCHER_DISCOUNTS = AccountRef("discounts:voucher", AccountKind.INCOME)
"""Own vouchers sold for less than they are worth; credited when for more."""
REFUNDS = AccountRef("refunds", AccountKind.INCOME)
"""Prices of delivered lines that went back; lowers income."""
DEFERRED_REVENUE = AccountRef("deferred-revenue", AccountKind.LIABILITY)
"""Own vouchers sold and not redeemed yet, at what they are worth."""
BREAKAGE = AccountRef("breakage", AccountKind.INCOME)
"""What was left on own vouchers when their time was over."""
COST_OF_GOODS = AccountRef("cost-of-goods", AccountKind.EXPENSE)
CHANNEL_FEES = AccountRef("channel-fees", AccountKind.EXPENSE)
PLATFORM_RECEIVABLE = AccountRef("platform-receivable", AccountKind.ASSET)
"""Channel fees that the platform bears: it owes them to the merchant."""
EXPIRED_STOCK = AccountRef("stock-losses:expired", AccountKind.EXPENSE)
VOIDED_STOCK = AccountRef("stock-losses:voided", AccountKind.EXPENSE)
LOST_PURCHASES = AccountRef("lost-purchases", AccountKind.EXPENSE)
"""Bought of a supplier and of no use: done after the line it was for was refunded."""
CLAW_BACKS_PENDING = AccountRef("claw-backs-pending", AccountKind.LIABILITY)
"""Claimed of suppliers for bad units and not answered yet: not earned before they accept."""
ROUNDING = AccountRef("rounding", AccountKind.EXPENSE)
"""What dividing money leaves; a credit is a gain."""
FX_POSITION = AccountRef("fx-position", AccountKind.EQUITY)
"""What was changed into other currencies: lets each currency balance by itself."""
FX_GAINS = AccountRef("fx-gains", AccountKind.INCOME)
"""Changed at a better rate than it stood in the books; a debit is a loss."""

# Between a merchant and the platform. The first group is in the merchant's books, the second in
# the platform's.
PLATFORM_FEES = AccountRef("platform-fees", AccountKind.EXPENSE)
SETTLEMENT_PENDING = AccountRef("settlement:pending", AccountKind.ASSET)
SETTLEMENT_AVAILABLE = AccountRef("settlement:available", AccountKind.ASSET)
SETTLEMENT_RESERVED = AccountRef("settlement:reserved", AccountKind.ASSET)
PAYOUTS_UNDER_WAY = AccountRef("payouts-under-way", AccountKind.ASSET)
BANK = AccountRef("bank", AccountKind.ASSET)
PLATFORM_REVENUE = AccountRef("platform-revenue", AccountKind.INCOME)

CHANNEL_CLEARING_PREFIX = "channel-clearing:"
SUPPLIER_PAYABLE_PREFIX = "supplier-payable:"
CLAW_BACK_PREFIX = "supplier-claw-back:"
MERCHANT_PAYABLE_PREFIX = "merchant-payable:"
PREPAID_PREFIX = "prepaid:"
UNNAMED_SUPPLIER = "unnamed"

_FIXED: Mapping[str, AccountRef] = {
    ref.code: ref
    for ref in (
        INVENTORY,
        CUSTOMER_DEPOSITS,
        BUYER_CREDITS,
        REVENUE,
        COUPON_DISCOUNTS,
        PROMOTION_DISCOUNTS,
        VOUCHER_DISCOUNTS,
        REFUNDS,
        DEFERRED_REVENUE,
        BREAKAGE,
        COST_OF_GOODS,
        CHANNEL_FEES,
        PLATFORM_RECEIVABLE,
        EXPIRED_STOCK,
        VOIDED_STOCK,
        LOST_PURCHASES,
        CLAW_BACKS_PENDING,
        ROUNDING,
        FX_POSITION,
        FX_GAINS,
        PLATFORM_FEES,
        SETTLEMENT_PENDING,
        SETTLEMENT_AVAILABLE,
        SETTLEMENT_RESERVED,
        PAYOUTS_UNDER_WAY,
        BANK,
        PLATFORM_REVENUE,
    )
}


def channel_clearing(channel_id: UUID) -> AccountRef:
    """What a channel has collected from buyers and owes the merchant."""
    return AccountRef(f"{CHANNEL_CLEARING_PREFIX}{channel_id}", AccountKind.ASSET)


def supplier_payable(supplier: str) -> AccountRef:
    """What is owed to a supplier for stock."""
    name = supplier_name(supplier)
    return AccountRef(f"{SUPPLIER_PAYABLE_PREFIX}{name}", AccountKind.LIABILITY)


def supplier_claw_back(supplier: str) -> AccountRef:
    """What a supplier is asked to pay back for bad units."""
    return AccountRef(f"{CLAW_BACK_PREFIX}{supplier_name(supplier)}", AccountKind.ASSET)


def merchant_payable(merchant_id: UUID) -> AccountRef:
    """In the platform's books: what it owes a merchant."""
    return AccountRef(f"{MERCHANT_PAYABLE_PREFIX}{merchant_id}", AccountKind.LIABILITY)


def prepaid_balance(partner: str) -> AccountRef:
    """What a partner has paid in advance; below zero within the partner's credit limit."""
    return AccountRef(f"{PREPAID_PREFIX}{partner}", AccountKind.LIABILITY)


def supplier_name(supplier: str) -> str:
    """As accounts and dimensions have it."""
    return supplier.strip() or UNNAMED_SUPPLIER


_PREFIXES = (
    CHANNEL_CLEARING_PREFIX,
    SUPPLIER_PAYABLE_PREFIX,
    CLAW_BACK_PREFIX,
    MERCHANT_PAYABLE_PREFIX,
    PREPAID_PREFIX,
)


def is_reserved(code: str) -> bool:
    """True for accounts that events post to: their kind is not the caller's choice."""
    return code in _FIXED or code.startswith(_PREFIXES)


_SETTLED = frozenset(
    ref.code
    for ref in (SETTLEMENT_PENDING, SETTLEMENT_AVAILABLE, SETTLEMENT_RESERVED, PAYOUTS_UNDER_WAY)
)


def is_settled(code: str) -> bool:
    """True for what a merchant and the platform owe each other: payouts are made from it."""
    return code in _SETTLED


class AccountNotFound(NotFound):
    """There is no such account, or it is not yours."""

    code = "account_not_found"


class AccountUnknown(Invalid):
    """A posting names an account that does not exist in its currency; open it first."""

    code = "account_unknown"


class AccountExists(Conflict):
    """There is an account with this code and currency already."""

    code = "account_exists"


class Overdrawn(Conflict):
    """An account that is never overdrawn has less left than this would take, reservations counted;
    read its balance.
    """

    code = "account_overdrawn"


class AccountOfSettlement(Conflict):
    """What you and the platform owe each other is moved by settlement alone, never by hand."""

    code = "account_of_settlement"


class AccountCodeReserved(Invalid):
    """This code belongs to the platform's chart: the ledger opens it by itself."""

    code = "account_code_reserved"
