"""What may be redeemed: the yes, the no, the edge; no database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from inventory_vault.pools.domain import UnitKind
from inventory_vault.redemptions.domain import (
    AmountNotAllowed,
    Asker,
    BalanceTooLow,
    BuyerRequired,
    KindNotRedeemable,
    Redeemable,
    Redemption,
    ShopRequired,
    VoucherBlocked,
    VoucherExpired,
    VoucherNotActive,
    VoucherNotSold,
    VoucherNotYetValid,
    VoucherUsedUp,
    Wish,
    amount_to_take,
)
from inventory_vault.vouchers.domain import Terms
from kit.ids import new_id
from kit.money import CurrencyMismatch, Money

NOW = datetime(2026, 11, 27, tzinfo=UTC)
TERMS = Terms(Money(60, "CNY"))
VOUCHER = Redeemable(
    unit_id=new_id(),
    lot_id=new_id(),
    seq=1,
    pool_id=new_id(),
    unit_kind=UnitKind.VOUCHER,
    state="sold",
    lot_state="on_shelf",
    expires_at=None,
    is_expired=False,
    is_early=False,
    terms=TERMS,
    redeemed_minor=20,
    standing=1,
)
WISH = Wish(
    merchant_id=new_id(),
    unit_id=VOUCHER.unit_id,
    amount=None,
    merchant_reference="r",
    buyer_id=None,
    shop_id=None,
    requested_by="key:k",
)


def test_without_an_amount_all_that_is_left_is_taken():
    assert amount_to_take(VOUCHER, WISH) == Money(40, "CNY")


@pytest.mark.parametrize("state", ["sold", "opened"])
@pytest.mark.parametrize("amount", [1, 39, 40])
def test_up_to_the_balance_is_taken(state: str, amount: int):
    wish = replace(WISH, amount=Money(amount, "CNY"))

    assert amount_to_take(replace(VOUCHER, state=state), wish) == Money(amount, "CNY")


def test_one_more_than_the_balance_is_refused_and_the_balance_told():
    with pytest.raises(BalanceTooLow) as refusal:
        amount_to_take(VOUCHER, replace(WISH, amount=Money(41, "CNY")))

    assert refusal.value.fields == {"balance": {"amount": 40, "currency": "CNY"}}


def test_another_currency_is_refused():
    with pytest.raises(CurrencyMismatch):
        amount_to_take(VOUCHER, replace(WISH, amount=Money(1, "USD")))


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"state": "available"}, VoucherNotSold),
        ({"state": "reserved"}, VoucherNotSold),
        ({"state": "expired"}, VoucherNotSold),
        ({"state": "redeemed"}, VoucherUsedUp),
        ({"state": "quarantined"}, VoucherBlocked),
        ({"state": "void"}, VoucherBlocked),
        ({"lot_state": "quarantined"}, VoucherBlocked),
        ({"lot_state": "void"}, VoucherBlocked),
        ({"lot_state": "inactive"}, VoucherNotActive),
        ({"lot_state": "inactive", "state": "available"}, VoucherNotActive),
        ({"is_expired": True}, VoucherExpired),
        ({"is_early": True}, VoucherNotYetValid),
        ({"unit_kind": UnitKind.REUSABLE}, KindNotRedeemable),
        ({"terms": replace(TERMS, per_buyer=1)}, BuyerRequired),
        ({"terms": replace(TERMS, per_shop=1)}, ShopRequired),
    ],
)
def test_what_cannot_be_used_says_why(fields: dict[str, Any], refusal: type[Exception]):
    with pytest.raises(refusal):
        amount_to_take(replace(VOUCHER, **fields), WISH)


def test_a_unit_without_a_face_value_is_redeemed_whole_only():
    code = replace(VOUCHER, unit_kind=UnitKind.CODE, terms=None, redeemed_minor=0, standing=0)

    assert amount_to_take(code, WISH) is None
    with pytest.raises(AmountNotAllowed):
        amount_to_take(code, replace(WISH, amount=Money(1, "CNY")))


def test_a_repeat_asks_for_the_very_same():
    whole = Redemption(
        id=new_id(),
        merchant_id=WISH.merchant_id,
        merchant_reference="r",
        unit_id=WISH.unit_id,
        lot_id=new_id(),
        seq=1,
        amount=Money(40, "CNY"),
        balance=Money(0, "CNY"),
        is_whole=True,
        state_before="sold",
        buyer_id=None,
        shop_id=None,
        redeemed_by="key:k",
        redeemed_at=NOW,
    )
    part = replace(whole, is_whole=False)
    named = replace(WISH, amount=Money(40, "CNY"))

    assert whole.repeated_by(WISH)
    assert part.repeated_by(named)
    assert not whole.repeated_by(named)
    assert not part.repeated_by(WISH)
    assert not part.repeated_by(replace(named, amount=Money(39, "CNY")))
    assert not part.repeated_by(replace(named, amount=Money(40, "USD")))
    for other in ({"unit_id": new_id()}, {"buyer_id": "b"}, {"shop_id": "s"}):
        assert not whole.repeated_by(replace(WISH, **other))


def test_wrong_codes_count_for_the_caller_and_for_the_shop_it_names():
    merchant = new_id()

    assert len(Asker(merchant, "key:k", None).subjects) == 1
    assert len(set(Asker(merchant, "key:k", "12").subjects)) == 2
    assert not set(Asker(merchant, "key:k", "12").subjects) & set(
        Asker(new_id(), "key:k", "12").subjects
    )
