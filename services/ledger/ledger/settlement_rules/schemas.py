from datetime import UTC, date, datetime
from typing import Annotated, Any, Self
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from kit.http import CurrencyCode, Model, Timestamp
from kit.http.wire import AMOUNT_MINOR_MAX
from kit.ids import new_id
from ledger.settlement_rules.domain import (
    Bearer,
    Parts,
    PayoutDays,
    Rule,
    Scope,
    SoldLine,
    Terms,
    Tier,
)

TIERS_MAX = 20
DAYS_MAX = 365
QUANTITY_MAX = 100_000
HOLIDAYS_MAX = 400
_ZONES = available_timezones()
_MERCHANT = "0190b1c2-0000-7000-8000-000000000001"
_CHANNEL = "0190b1c2-0000-7000-8000-0000000000c1"
_TERMS: dict[str, Any] = {
    "basis_points": 500,
    "tiers": [{"above": 10_000_000, "basis_points": 400}],
    "share_min": 10,
    "channel_fee_bearer": "merchant",
    "refund_bearer": "pro_rata",
    "warranty_days": 7,
    "payout_after_days": 1,
    "payout_days": "business",
    "holidays": ["2026-10-01", "2026-10-02"],
    "payout_min": 10_000,
    "reserve_basis_points": 500,
    "reserve_days": 90,
    "time_zone": "Asia/Shanghai",
}


def _check_zone(value: str) -> str:
    if value not in _ZONES:
        raise ValueError("not a time zone of the IANA database")
    return value


def _written_as_day(value: object) -> object:
    """Nothing but a date: pydantic would take numbers for seconds since 1970."""
    is_day = isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-"
    if not is_day and type(value) is not date:
        raise ValueError("not a date like 2026-10-01")
    return value


Amount = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX, strict=True)]
BasisPoints = Annotated[int, Field(ge=0, le=10_000, strict=True)]
Days = Annotated[int, Field(ge=0, le=DAYS_MAX, strict=True)]
Day = Annotated[date, BeforeValidator(_written_as_day)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_check_zone)]


class TierModel(Model):
    above: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, strict=True)] = Field(
        description="what is sold in the month beyond this much, minor units, pays this tier"
    )
    basis_points: BasisPoints


class TermsModel(Model):
    """Amounts are minor units of the rule's currency; 100 basis points are 1 %."""

    basis_points: BasisPoints = Field(default=0, description="the platform's share of the price")
    fixed: Amount = Field(default=0, description="and this much for each unit")
    tiers: Annotated[list[TierModel], Field(max_length=TIERS_MAX)] = Field(
        default=[], description="rates for more than so much in a month; `basis_points` is below"
    )
    share_min: Amount = Field(default=0, description="of a line, at least")
    share_max: Amount | None = Field(default=None, description="of a line, at most")
    channel_fee_bearer: Bearer = Bearer.MERCHANT
    refund_bearer: Bearer = Bearer.PRO_RATA
    warranty_days: Days = Field(default=7, description="pending for so long after the sale")
    payout_after_days: Annotated[int, Field(ge=0, le=90, strict=True)] = Field(
        default=1, description="n of T+n"
    )
    payout_days: PayoutDays = PayoutDays.CALENDAR
    holidays: Annotated[list[Day], Field(max_length=HOLIDAYS_MAX)] = Field(
        default=[], description="no business days, as Saturdays and Sundays are none; in order"
    )
    payout_min: Amount = Field(default=0, description="less than this is carried over")
    reserve_basis_points: BasisPoints = Field(
        default=0, description="held back of what has become available"
    )
    reserve_days: Days = Field(default=0, description="for so long")
    time_zone: TimeZone = Field(default="UTC", description="of months and days")

    @model_validator(mode="after")
    def _tiers_rise(self) -> Self:
        bounds = [tier.above for tier in self.tiers]
        if bounds != sorted(set(bounds)):
            raise ValueError("tiers must rise")
        if self.share_max is not None and self.share_max < self.share_min:
            raise ValueError("share_max is below share_min")
        return self

    @model_validator(mode="after")
    def _holidays_count(self) -> Self:
        if self.holidays != sorted(set(self.holidays)):
            raise ValueError("holidays must be in order, each once")
        if self.holidays and self.payout_days is not PayoutDays.BUSINESS:
            raise ValueError("holidays count with payout_days business only")
        return self

    def to_domain(self) -> Terms:
        return Terms(
            basis_points=self.basis_points,
            fixed_minor=self.fixed,
            tiers=tuple(Tier(it.above, it.basis_points) for it in self.tiers),
            share_min_minor=self.share_min,
            share_max_minor=self.share_max,
            channel_fee_bearer=self.channel_fee_bearer,
            refund_bearer=self.refund_bearer,
            warranty_days=self.warranty_days,
            payout_after_days=self.payout_after_days,
            payout_days=self.payout_days,
            payout_min_minor=self.payout_min,
            reserve_basis_points=self.reserve_basis_points,
            reserve_days=self.reserve_days,
            time_zone=self.time_zone,
            holidays=tuple(self.holidays),
        )

    @classmethod
    def from_domain(cls, terms: Terms) -> Self:
        return cls(
            basis_points=terms.basis_points,
            fixed=terms.fixed_minor,
            tiers=[
                TierModel(above=it.above_minor, basis_points=it.basis_points) for it in terms.tiers
            ],
            share_min=terms.share_min_minor,
            share_max=terms.share_max_minor,
            channel_fee_bearer=terms.channel_fee_bearer,
            refund_bearer=terms.refund_bearer,
            warranty_days=terms.warranty_days,
            payout_after_days=terms.payout_after_days,
            payout_days=terms.payout_days,
            payout_min=terms.payout_min_minor,
            reserve_basis_points=terms.reserve_basis_points,
            reserve_days=terms.reserve_days,
            time_zone=terms.time_zone,
            holidays=list(terms.holidays),
        )


class SettlementRuleCreate(Model):
    """A new version of the rule of its scope: merchant, channel, product, each may be left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"merchant_id": _MERCHANT, "currency": "CNY", "terms": _TERMS}]
        }
    )

    merchant_id: UUID | None = Field(default=None, description="null: every merchant")
    channel_id: UUID | None = None
    product_id: UUID | None = None
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]
    valid_from: Timestamp | None = Field(default=None, description="now if left out")
    enabled: bool = Field(default=True, description="false: wider rules decide again")
    terms: TermsModel

    @model_validator(mode="after")
    def _scope_has_merchant(self) -> Self:
        if self.merchant_id is None and (self.channel_id or self.product_id):
            raise ValueError("channels and products belong to a merchant: name it")
        return self

    def to_domain(self, created_by: str, now: datetime) -> Rule:
        return Rule(
            id=new_id(),
            scope=Scope(
                merchant_id=self.merchant_id,
                currency=self.currency,
                channel_id=self.channel_id,
                product_id=self.product_id,
            ),
            version=0,
            valid_from=self.valid_from or now,
            is_enabled=self.enabled,
            terms=self.terms.to_domain(),
            created_by=created_by,
            created_at=now,
        )


class SettlementRuleRead(Model):
    id: UUID
    merchant_id: UUID | None
    channel_id: UUID | None
    product_id: UUID | None
    currency: str
    version: int
    valid_from: datetime
    enabled: bool
    terms: TermsModel
    created_by: str
    created_at: datetime

    @classmethod
    def from_domain(cls, rule: Rule) -> Self:
        return cls(
            id=rule.id,
            merchant_id=rule.scope.merchant_id,
            channel_id=rule.scope.channel_id,
            product_id=rule.scope.product_id,
            currency=rule.scope.currency,
            version=rule.version,
            valid_from=rule.valid_from,
            enabled=rule.is_enabled,
            terms=TermsModel.from_domain(rule.terms),
            created_by=rule.created_by,
            created_at=rule.created_at,
        )


class SettlementRuleTest(Model):
    """A sale that is made up; nothing is posted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"channel_id": _CHANNEL, "currency": "CNY", "gross": 4000, "quantity": 2}]
        }
    )

    merchant_id: UUID | None = Field(default=None, description="the caller's own if left out")
    channel_id: UUID
    product_id: UUID | None = None
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]
    gross: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, strict=True)]
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX, strict=True)] = 1
    channel_fee: Amount = Field(default=0, description="what the channel keeps of the price")
    month_volume: Amount = Field(default=0, description="sold under the rule in the month before")
    at: Timestamp | None = Field(default=None, description="when it is sold; now if left out")

    def to_domain(self, merchant_id: UUID) -> SoldLine:
        return SoldLine(
            merchant_id=merchant_id,
            channel_id=self.channel_id,
            product_id=self.product_id,
            currency=self.currency,
            gross_minor=self.gross,
            quantity=self.quantity,
            at=self.at or datetime.now(UTC),
            channel_fee_minor=self.channel_fee,
        )


class StepRead(Model):
    what: str
    amount: int


class SettlementRuleTested(Model):
    """gross = channel_fee + platform + merchant. `share` is the platform's before channel fees that
    it bears.
    """

    rule: SettlementRuleRead
    currency: str
    gross: int
    channel_fee: int
    share: int
    platform: int
    merchant: int
    available_at: datetime
    steps: list[StepRead] = Field(description="how the share comes about, step by step")

    @classmethod
    def from_domain(cls, rule: Rule, line: SoldLine, parts: Parts) -> Self:
        return cls(
            rule=SettlementRuleRead.from_domain(rule),
            currency=line.currency,
            gross=parts.gross_minor,
            channel_fee=parts.channel_fee_minor,
            share=parts.share_minor,
            platform=parts.platform_minor,
            merchant=parts.merchant_minor,
            available_at=rule.terms.available_at(line.at),
            steps=[StepRead(what=it.what, amount=it.amount_minor) for it in parts.steps],
        )
