from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, SecretStr, model_validator

from inventory_vault.redemptions.domain import Redeemable, Redemption, Wish
from inventory_vault.vouchers.schemas import FaceValue
from kit.http import Model, MoneyModel, Name, Reference

CODE_LENGTH_MAX = 500
Code = Annotated[SecretStr, Field(min_length=1, max_length=CODE_LENGTH_MAX)]


class RedemptionCreate(Model):
    """Give the `code`, or the `unit_id`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "PERK-7KQ2-M9XA-HTWD",
                    "amount": {"amount": 1250, "currency": "CNY"},
                    "merchant_reference": "till-4/2026-11-27/0042",
                    "buyer_id": "customer-7",
                    "shop_id": "shop-12",
                }
            ]
        }
    )

    code: Code | None = None
    unit_id: UUID | None = None
    own_code: bool = Field(
        default=False,
        description="Only vouchers generated here are taken: a slip of the pen, which their check "
        "symbol shows, is refused without a look at the stock.",
    )
    amount: FaceValue | None = Field(default=None, description="All that is left when not given.")
    merchant_reference: Reference = Field(
        description="Your own name of this redemption; the same again gives the same answer."
    )
    buyer_id: Name | None = None
    shop_id: Reference | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.code is None) == (self.unit_id is None):
            raise ValueError("give either code or unit_id")
        return self

    def to_domain(self, merchant_id: UUID, unit_id: UUID, requested_by: str) -> Wish:
        return Wish(
            merchant_id=merchant_id,
            unit_id=unit_id,
            amount=self.amount.to_domain() if self.amount else None,
            merchant_reference=self.merchant_reference,
            buyer_id=self.buyer_id,
            shop_id=self.shop_id,
            requested_by=requested_by,
        )


class RollbackCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the buyer returned the goods"}]}
    )

    reason: Name


class RedemptionRead(Model):
    """`amount` and `balance` are null for units without a face value. `balance` is what was left
    right after; a rollback gives `amount` back.
    """

    id: UUID
    status: Literal["redeemed", "rolled_back"]
    unit_id: UUID
    lot_id: UUID
    merchant_reference: str
    amount: MoneyModel | None
    balance: MoneyModel | None
    is_used_up: bool = Field(description="Nothing was left right after.")
    buyer_id: str | None
    shop_id: str | None
    redeemed_at: datetime
    rolled_back_at: datetime | None
    rollback_reason: str | None

    @classmethod
    def from_domain(cls, done: Redemption) -> Self:
        return cls(
            id=done.id,
            status="redeemed" if done.rolled_back_at is None else "rolled_back",
            unit_id=done.unit_id,
            lot_id=done.lot_id,
            merchant_reference=done.merchant_reference,
            amount=MoneyModel.from_domain(done.amount) if done.amount else None,
            balance=MoneyModel.from_domain(done.balance) if done.balance else None,
            is_used_up=done.is_used_up,
            buyer_id=done.buyer_id,
            shop_id=done.shop_id,
            redeemed_at=done.redeemed_at,
            rolled_back_at=done.rolled_back_at,
            rollback_reason=done.rollback_reason,
        )


class BalanceRead(Model):
    """What is left of a unit; the money is null for units without a face value."""

    unit_id: UUID
    lot_id: UUID
    state: str
    face_value: MoneyModel | None
    balance: MoneyModel | None
    valid_from: datetime | None
    expires_at: datetime | None

    @classmethod
    def from_domain(cls, found: Redeemable) -> Self:
        terms, balance = found.terms, found.balance
        return cls(
            unit_id=found.unit_id,
            lot_id=found.lot_id,
            state=found.state,
            face_value=MoneyModel.from_domain(terms.face_value) if terms else None,
            balance=MoneyModel.from_domain(balance) if balance else None,
            valid_from=terms.valid_from if terms else None,
            expires_at=found.expires_at,
        )
