from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from inventory_vault.vouchers.domain import (
    ALPHABET,
    GUESS_ODDS_DEFAULT,
    GUESS_ODDS_MAX,
    GUESS_ODDS_MIN,
    PREFIX_LENGTH_MAX,
    QUANTITY_MAX,
    Generation,
    Terms,
)
from kit.http import CurrencyCode, Model, MoneyModel, Name, Timestamp
from kit.http.wire import AMOUNT_MINOR_MAX
from kit.ids import new_id
from kit.money import Money

LIMIT_MAX = 1_000_000
UNIT_COST_MAX = AMOUNT_MINOR_MAX // QUANTITY_MAX
Prefix = Annotated[
    str,
    StringConstraints(max_length=PREFIX_LENGTH_MAX, pattern=rf"^([{ALPHABET}][{ALPHABET}-]*)?$"),
]
Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]


class FaceValue(Model):
    """In the currency's minor unit: 50.00 yuan is 5000 CNY."""

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, strict=True, examples=[5000])]
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]

    def to_domain(self) -> Money:
        return Money(self.amount, self.currency)


class Limits(Model):
    """How many vouchers of the lot one buyer, or one shop, may use. A voucher that is used in
    several parts counts once; one that was rolled back wholly does not count.
    """

    per_buyer: Limit | None = None
    per_shop: Limit | None = None


class UnitCost(Model):
    amount: Annotated[int, Field(ge=0, le=UNIT_COST_MAX, strict=True, examples=[0])]
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]


class VouchersCreate(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "quantity": 1000,
                    "face_value": {"amount": 5000, "currency": "CNY"},
                    "expires_at": "2029-12-31T16:00:00Z",
                    "prefix": "PERK",
                    "limits": {"per_buyer": 2},
                    "note": "spring campaign",
                }
            ]
        }
    )

    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
    face_value: FaceValue
    expires_at: Timestamp | None = None
    valid_from: Timestamp | None = None
    supplier: Name = "own"
    unit_cost: UnitCost | None = Field(default=None, description="what each cost you; default 0")
    prefix: Prefix = Field(
        default="", description=f"stands in front of every code; of {ALPHABET} and dashes"
    )
    guess_odds: Annotated[int, Field(ge=GUESS_ODDS_MIN, le=GUESS_ODDS_MAX)] = Field(
        default=GUESS_ODDS_DEFAULT,
        description="one random guess hits any voucher of this lot at most once in so many",
    )
    limits: Limits = Limits()
    needs_activation: bool = Field(
        default=False, description="neither sold nor redeemed before it is activated"
    )
    note: Name | None = None

    def to_domain(self, merchant_id: UUID, pool_id: UUID, requested_by: str) -> Generation:
        cost = self.unit_cost
        return Generation(
            merchant_id=merchant_id,
            pool_id=pool_id,
            lot_id=new_id(),
            quantity=self.quantity,
            terms=Terms(
                self.face_value.to_domain(),
                self.valid_from,
                self.limits.per_buyer,
                self.limits.per_shop,
            ),
            expires_at=self.expires_at,
            supplier=self.supplier,
            unit_cost=(
                Money(cost.amount, cost.currency) if cost else Money(0, self.face_value.currency)
            ),
            prefix=self.prefix,
            guess_odds=self.guess_odds,
            needs_activation=self.needs_activation,
            note=self.note,
            requested_by=requested_by,
        )


class GenerationBegun(Model):
    """Follow `GET /v1/imports/{import_id}`; the lot can be read once that is completed."""

    import_id: UUID
    lot_id: UUID


class TermsPut(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "face_value": {"amount": 10000, "currency": "CNY"},
                    "valid_from": "2026-12-01T00:00:00Z",
                    "limits": {"per_buyer": 1},
                }
            ]
        }
    )

    face_value: FaceValue
    valid_from: Timestamp | None = None
    limits: Limits = Limits()

    def to_domain(self) -> Terms:
        return Terms(
            self.face_value.to_domain(),
            self.valid_from,
            self.limits.per_buyer,
            self.limits.per_shop,
        )


class TermsRead(Model):
    lot_id: UUID
    face_value: MoneyModel
    valid_from: Timestamp | None
    limits: Limits

    @classmethod
    def from_domain(cls, lot_id: UUID, terms: Terms) -> Self:
        return cls(
            lot_id=lot_id,
            face_value=MoneyModel.from_domain(terms.face_value),
            valid_from=terms.valid_from,
            limits=Limits(per_buyer=terms.per_buyer, per_shop=terms.per_shop),
        )
