"""What may be redeemed, how much of it, and why not. Pure rules over facts read under lock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from inventory_vault.pools.domain import UnitKind
from inventory_vault.vouchers.domain import Terms
from kit.errors import Conflict, Invalid, Limited, NotFound, Unavailable
from kit.money import CurrencyMismatch, Money

SOLD_STATES = ("sold", "opened", "redeemed")
BLOCKED_STATES = ("quarantined", "void")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who shows a code: wrong ones are counted for the caller and for the shop it names."""

    merchant_id: UUID
    caller: str
    shop_id: str | None

    @property
    def subjects(self) -> list[str]:
        own = f"{self.caller}/{self.merchant_id}"
        return [own] if self.shop_id is None else [own, f"shop:{self.shop_id}/{self.merchant_id}"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many wrong codes at once, then one more per `every`."""

    burst: int
    every: timedelta


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish to redeem a unit; without an amount, all that is left of it."""

    merchant_id: UUID
    unit_id: UUID
    amount: Money | None
    merchant_reference: str
    buyer_id: str | None
    shop_id: str | None
    requested_by: str


@dataclass(frozen=True, slots=True)
class Redeemable:
    """What is known of a unit while its redemptions wait for us."""

    unit_id: UUID
    lot_id: UUID
    seq: int
    pool_id: UUID
    unit_kind: UnitKind
    state: str
    lot_state: str
    expires_at: datetime | None
    is_expired: bool
    is_early: bool
    terms: Terms | None
    redeemed_minor: int
    standing: int
    is_revoked: bool = False

    @property
    def is_blocked(self) -> bool:
        return self.is_revoked or self.lot_state in BLOCKED_STATES or self.state in BLOCKED_STATES

    @property
    def balance(self) -> Money | None:
        """None when the unit has no face value."""
        if self.terms is None:
            return None
        face = self.terms.face_value
        return Money(face.amount_minor - self.redeemed_minor, face.currency)


@dataclass(frozen=True, slots=True)
class Redemption:
    """A use of a unit, wholly or in part. `amount` and `balance` are None without a face value."""

    id: UUID
    merchant_id: UUID
    merchant_reference: str
    unit_id: UUID
    lot_id: UUID
    seq: int
    amount: Money | None
    balance: Money | None
    is_whole: bool
    state_before: str
    buyer_id: str | None
    shop_id: str | None
    redeemed_by: str
    redeemed_at: datetime
    rolled_back_at: datetime | None = None
    rollback_reason: str | None = None

    @property
    def is_used_up(self) -> bool:
        return self.balance is None or self.balance.amount_minor == 0

    def repeated_by(self, wish: Wish) -> bool:
        """Whether the wish asks for the very same as the one that led here."""
        if self.is_whole != (wish.amount is None):
            return False
        asked = self.amount if self.is_whole else wish.amount
        return (self.amount, self.unit_id, self.buyer_id, self.shop_id) == (
            asked,
            wish.unit_id,
            wish.buyer_id,
            wish.shop_id,
        )


def amount_to_take(found: Redeemable, wish: Wish) -> Money | None:
    """What the wish takes: None when the unit has no face value and is marked as a whole.

    Raises VoucherNotActive, VoucherBlocked, VoucherNotSold, VoucherExpired, VoucherNotYetValid,
    VoucherUsedUp, AmountNotAllowed, BalanceTooLow, CurrencyMismatch, BuyerRequired, ShopRequired.
    """
    _require_usable(found)
    _require_parties(found.terms, wish)
    balance = found.balance
    if balance is None:
        if wish.amount is not None:
            raise AmountNotAllowed
        return None
    if wish.amount is None:
        return balance
    if wish.amount.currency != balance.currency:
        raise CurrencyMismatch(f"the voucher is in {balance.currency}")
    if wish.amount.amount_minor > balance.amount_minor:
        raise BalanceTooLow(balance)
    return wish.amount


def _require_usable(found: Redeemable) -> None:
    if found.unit_kind is UnitKind.REUSABLE:
        raise KindNotRedeemable
    if found.lot_state == "inactive" or found.state == "inactive":
        raise VoucherNotActive
    if found.is_blocked:
        raise VoucherBlocked
    if found.state not in SOLD_STATES:
        raise VoucherNotSold(found.state)
    if found.state == "redeemed":
        raise VoucherUsedUp
    if found.is_expired:
        raise VoucherExpired(expires_at=found.expires_at)
    if found.is_early:
        raise VoucherNotYetValid(valid_from=found.terms.valid_from if found.terms else None)


def _require_parties(terms: Terms | None, wish: Wish) -> None:
    if terms is None:
        return
    if terms.per_buyer is not None and wish.buyer_id is None:
        raise BuyerRequired
    if terms.per_shop is not None and wish.shop_id is None:
        raise ShopRequired


class CodeNotFound(NotFound):
    """No unit of yours has this code."""

    code = "code_not_found"


class TooManyWrongCodes(Limited):
    """Too many codes that do not exist came from this key or shop; wait as Retry-After says."""

    code = "too_many_wrong_codes"


class CodesNotSetUp(Unavailable):
    """INVENTORY_VAULT_FINGERPRINT_KEY is not set, so no unit is found by its code."""

    code = "codes_not_set_up"


class KindNotRedeemable(Invalid):
    """Reusable units are not redeemed; they are sold as often as their capacity says."""

    code = "unit_kind_not_redeemable"


class VoucherNotSold(Conflict):
    """Only sold units can be redeemed; a gift is a sale at the price of zero."""

    code = "voucher_not_sold"

    def __init__(self, state: str) -> None:
        super().__init__(state=state)


class VoucherNotActive(Conflict):
    """The voucher must be activated first."""

    code = "voucher_not_active"


class VoucherBlocked(Conflict):
    """The unit or its lot is quarantined or void, or it was revoked after its sale."""

    code = "voucher_blocked"


class VoucherExpired(Conflict):
    """The voucher has expired."""

    code = "voucher_expired"


class VoucherNotYetValid(Conflict):
    """The voucher is valid from a later moment on."""

    code = "voucher_not_yet_valid"


class VoucherUsedUp(Conflict):
    """Nothing is left of the voucher."""

    code = "voucher_used_up"


class BalanceTooLow(Conflict):
    """The voucher holds less than the amount asked for; nothing was redeemed."""

    code = "balance_too_low"

    def __init__(self, balance: Money) -> None:
        left = {"amount": balance.amount_minor, "currency": balance.currency}
        super().__init__(balance=left)


class AmountNotAllowed(Invalid):
    """The unit has no face value: redeem it whole, without an amount."""

    code = "amount_not_allowed"


class BuyerRequired(Invalid):
    """The vouchers of this lot are limited per buyer: name the buyer_id."""

    code = "buyer_required"


class ShopRequired(Invalid):
    """The vouchers of this lot are limited per shop: name the shop_id."""

    code = "shop_required"


class VoucherLimitReached(Conflict):
    """This buyer or shop has used as many vouchers of the lot as one may."""

    code = "voucher_limit_reached"

    def __init__(self, party: str, limit: int) -> None:
        super().__init__(party=party, limit=limit)


class ReferenceReused(Invalid):
    """This merchant_reference already names a redemption of something else."""

    code = "reference_reused"


class RedemptionNotFound(NotFound):
    """There is no such redemption, or it is not yours."""

    code = "redemption_not_found"
