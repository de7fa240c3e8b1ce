from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from kit.http import CodeText, CurrencyCode, Model, Reference, Timestamp
from kit.http.wire import AMOUNT_MINOR_MAX
from kit.ids import new_id
from ledger.accounts.domain import AccountKind, AccountRef
from ledger.accounts.schemas import AccountCode
from ledger.transactions.domain import Dimensions, Draft, PostedTransaction, Posting

POSTINGS_BY_HAND_MAX = 100

Description = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(examples=["Payout of week 47"]),
]


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class PostedAmount(Model):
    """More than nothing, in the currency's minor unit."""

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MINOR_MAX, strict=True, examples=[1990])]
    currency: Annotated[CurrencyCode, Field(examples=["CNY"])]


class DimensionsModel(Model):
    """What the posting is about; reports group by these."""

    channel_id: UUID | None = None
    product_id: UUID | None = None
    sku: CodeText | None = None
    lot_id: UUID | None = None
    order_id: UUID | None = None
    line_id: UUID | None = None
    supplier: CodeText | None = None
    buyer: CodeText | None = Field(default=None, description="a hash, never a name")
    buyer_group: CodeText | None = None

    def to_domain(self) -> Dimensions:
        return Dimensions(
            channel_id=self.channel_id,
            product_id=self.product_id,
            sku=self.sku,
            lot_id=self.lot_id,
            order_id=self.order_id,
            line_id=self.line_id,
            supplier=self.supplier,
            buyer=self.buyer,
            buyer_group=self.buyer_group,
        )

    @classmethod
    def from_domain(cls, dimensions: Dimensions) -> "DimensionsModel":
        # What an event brought is shown as it is, whatever a caller would be allowed to write.
        return cls.model_construct(
            channel_id=dimensions.channel_id,
            product_id=dimensions.product_id,
            sku=dimensions.sku,
            lot_id=dimensions.lot_id,
            order_id=dimensions.order_id,
            line_id=dimensions.line_id,
            supplier=dimensions.supplier,
            buyer=dimensions.buyer,
            buyer_group=dimensions.buyer_group,
        )


class PostingGiven(Model):
    account: Annotated[AccountCode, Field(description="code of an account in this currency")]
    side: Side
    amount: PostedAmount
    dimensions: DimensionsModel = DimensionsModel()

    def to_domain(self) -> Posting:
        signed = self.amount.amount if self.side is Side.DEBIT else -self.amount.amount
        # The account exists or the posting is refused, so its kind is not asked for here.
        account = AccountRef(self.account, AccountKind.ASSET)
        return Posting(account, self.amount.currency, signed, self.dimensions.to_domain())


class TransactionPost(Model):
    """A transaction by hand: debits and credits must be equal in each currency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "description": "Owner pays in 100 yuan",
                    "postings": [
                        {
                            "account": "bank:ccb",
                            "side": "debit",
                            "amount": {"amount": 10000, "currency": "CNY"},
                        },
                        {
                            "account": "owner-capital",
                            "side": "credit",
                            "amount": {"amount": 10000, "currency": "CNY"},
                        },
                    ],
                }
            ]
        }
    )

    description: Description
    at: Annotated[Timestamp | None, Field(description="when it happened; now if left out")] = None
    reference: Annotated[
        Reference | None, Field(description="posted once per reference; 409 `already_posted`")
    ] = None
    postings: Annotated[list[PostingGiven], Field(min_length=2, max_length=POSTINGS_BY_HAND_MAX)]

    def to_domain(self, merchant_id: UUID, now: datetime) -> Draft:
        return Draft(
            merchant_id=merchant_id,
            source=f"manual:{self.reference or new_id()}",
            at=self.at or now,
            description=self.description,
            postings=[posting.to_domain() for posting in self.postings],
        )


class TransactionReverse(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"description": "Posted to the wrong account"}]}
    )

    description: Description


class PostingRead(Model):
    account: str
    kind: AccountKind
    side: Side
    amount: PostedAmount
    quantity: int | None = Field(description="units it is for; negative in a reversal")
    dimensions: DimensionsModel

    @classmethod
    def from_domain(cls, posting: Posting) -> Self:
        return cls(
            account=posting.account.code,
            kind=posting.account.kind,
            side=Side.DEBIT if posting.amount_minor > 0 else Side.CREDIT,
            # As posted by an event: the bound is for what callers send.
            amount=PostedAmount.model_construct(
                amount=abs(posting.amount_minor), currency=posting.currency
            ),
            quantity=posting.quantity,
            dimensions=DimensionsModel.from_domain(posting.dimensions),
        )


class TransactionRead(Model):
    id: UUID
    source: str = Field(description="what caused it: an event's kind and id, or manual")
    at: datetime = Field(description="when it counts")
    occurred_at: datetime | None = Field(
        description="when it happened, if that was in a period closed by then"
    )
    recorded_at: datetime
    description: str
    reverses: UUID | None
    reversed_by: UUID | None
    postings: list[PostingRead]

    @classmethod
    def from_domain(cls, transaction: PostedTransaction) -> Self:
        return cls(
            id=transaction.id,
            source=transaction.source,
            at=transaction.at,
            occurred_at=transaction.occurred_at,
            recorded_at=transaction.recorded_at,
            description=transaction.description,
            reverses=transaction.reverses,
            reversed_by=transaction.reversed_by,
            postings=[PostingRead.from_domain(posting) for posting in transaction.postings],
        )
