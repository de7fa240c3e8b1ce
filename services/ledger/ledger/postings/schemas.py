from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from kit.http import Model
from ledger.accounts.domain import AccountKind
from ledger.postings.domain import MeasuredPosting


class MeasuredPostingRead(Model):
    transaction_id: UUID = Field(description="whole at GET /v1/transactions/{id}")
    at: datetime
    account: str
    kind: AccountKind
    currency: str
    amount: int = Field(description="debits are positive, credits negative")
    figure: str | None = Field(description="of reports; null: an account of no figure")
    value: int | None = Field(description="what it adds to that figure")
    channel_id: UUID | None
    product_id: UUID | None
    sku: str | None
    lot_id: UUID | None
    order_id: UUID | None

    @classmethod
    def from_domain(cls, it: MeasuredPosting) -> Self:
        return cls(
            transaction_id=it.place.transaction_id,
            at=it.place.at,
            account=it.account,
            kind=AccountKind(it.kind),
            currency=it.currency,
            amount=it.amount_minor,
            figure=it.figure,
            value=it.value_minor,
            channel_id=it.channel_id,
            product_id=it.product_id,
            sku=it.sku,
            lot_id=it.lot_id,
            order_id=it.order_id,
        )
