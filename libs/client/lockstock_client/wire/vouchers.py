"""inventory-vault: vouchers and their redemption."""

from typing import TypedDict

from lockstock_client.wire.money import MoneyJson


class RedemptionJson(TypedDict):
    """`status`: redeemed, rolled_back. The money is null for units without a face value."""

    id: str
    status: str
    unit_id: str
    lot_id: str
    merchant_reference: str
    amount: MoneyJson | None
    balance: MoneyJson | None
    is_used_up: bool


class BalanceJson(TypedDict):
    unit_id: str
    state: str
    face_value: MoneyJson | None
    balance: MoneyJson | None


class VoucherTermsJson(TypedDict):
    """What the vouchers of a lot are worth; `limits` has per_buyer and per_shop."""

    lot_id: str
    face_value: MoneyJson
    valid_from: str | None
    limits: dict[str, int | None]
