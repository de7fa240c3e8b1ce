"""The wire of reservations. `order` and `fulfillment` write their calls against this file.

Batch calls answer 200 with one result per item, in the order asked; each item stands by itself,
so one that fails leaves the others untouched. `result` says how an item ended: the reservation's
status when there is a reservation ("held" for a new one), otherwise the code of its problem.
"""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from inventory_vault.budgets.domain import HoldBudgetExceeded
from inventory_vault.reservations.domain import (
    Reservation,
    ReservationStatus,
    Wish,
    numbered,
)
from kit.errors import DomainError
from kit.http import Model, Name, Reference
from kit.http.problems import STATUS_OF_KIND

LINES_MAX = 50
QUANTITY_MAX = 10_000
HOLD_SECONDS_MIN = 10
HOLD_SECONDS_MAX = 86_400
HOLD_SECONDS_DEFAULT = 900
MIN_VALID_SECONDS_MAX = 315_360_000
EXCLUDED_LOTS_MAX = 20
BATCH_ITEMS_MAX = 500

LineNo = Annotated[int, Field(ge=1, le=1_000)]
ReservationStatusText = Literal["held", "secured", "sold", "released", "expired"]

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
_POOL = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"
_CREATE_EXAMPLE: JsonDict = {
    "reference": "order-10001",
    "lines": [{"pool_id": _POOL, "quantity": 1}],
    "hold_seconds": 900,
}


class ReservationLineCreate(Model):
    pool_id: UUID
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
    line_no: LineNo | None = Field(
        default=None,
        description="The caller's number of the line; its position (from 1) if absent.",
    )
    min_valid_seconds: Annotated[int, Field(ge=0, le=MIN_VALID_SECONDS_MAX)] = Field(
        default=0, description="Only units that expire later than in so many seconds, or never."
    )
    exclude_lots: Annotated[list[UUID], Field(max_length=EXCLUDED_LOTS_MAX)] = Field(
        default_factory=list,
        description="Units of none of these lots: what replaces a bad unit comes from another.",
    )


HolderText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_PLAIN)]


class HolderCreate(Model):
    """Who would hold without having paid; counted against the pool's `hold_budget`, stored as
    keyed hashes only. Leave it out for what is paid for.
    """

    buyer: HolderText | None = None
    ip: HolderText | None = None
    device: HolderText | None = None
    channel: HolderText | None = None

    def to_domain(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, value)
            for name in ("buyer", "ip", "device", "channel")
            if (value := getattr(self, name)) is not None
        )


class ReservationCreate(Model):
    """All lines or nothing. The same reference with the same lines answers the same hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CREATE_EXAMPLE]})

    reference: Reference
    lines: Annotated[list[ReservationLineCreate], Field(min_length=1, max_length=LINES_MAX)]
    hold_seconds: Annotated[int, Field(ge=HOLD_SECONDS_MIN, le=HOLD_SECONDS_MAX)] = (
        HOLD_SECONDS_DEFAULT
    )
    holder: HolderCreate | None = None
    channel_id: UUID | None = Field(
        default=None, description="Which channel sells, for pools with a quota."
    )

    def to_domain(self, merchant_id: UUID, requested_by: str) -> Wish:
        """Raises LineNumbersRepeat, TooManyUnits."""
        lines = [
            (
                line.line_no,
                line.pool_id,
                line.quantity,
                line.min_valid_seconds,
                tuple(line.exclude_lots),
            )
            for line in self.lines
        ]
        numbers = numbered(lines)
        holder = self.holder.to_domain() if self.holder else ()
        return Wish(
            merchant_id,
            self.reference,
            numbers,
            self.hold_seconds,
            requested_by,
            holder,
            self.channel_id,
        )


class ReservationBatchItem(ReservationCreate):
    merchant_id: UUID | None = Field(
        default=None,
        description="Whose stock. Only services may set it; others act for themselves.",
    )


class ReservationBatch(Model):
    """Many independent reservations, served by one transaction."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_CREATE_EXAMPLE]}]})

    items: Annotated[list[ReservationBatchItem], Field(min_length=1, max_length=BATCH_ITEMS_MAX)]


class ReservationLineRead(Model):
    line_no: int
    pool_id: UUID
    quantity: int
    sold_quantity: int = Field(description="0 unless sold; less than held when claimed partly.")
    min_valid_seconds: int


class ReservationRead(Model):
    id: UUID
    merchant_id: UUID
    reference: str
    status: ReservationStatusText
    expires_at: datetime | None = Field(description="When the hold runs out; null unless held.")
    created_at: datetime
    lines: list[ReservationLineRead]

    @classmethod
    def from_domain(cls, reservation: Reservation) -> Self:
        is_held = reservation.status is ReservationStatus.HELD
        return cls(
            id=reservation.id,
            merchant_id=reservation.merchant_id,
            reference=reservation.reference,
            status=reservation.status.value,
            expires_at=reservation.expires_at if is_held else None,
            created_at=reservation.created_at,
            lines=[
                ReservationLineRead(
                    line_no=line.line_no,
                    pool_id=line.pool_id,
                    quantity=line.quantity,
                    sold_quantity=sold,
                    min_valid_seconds=line.min_valid_seconds,
                )
                for line, sold in zip(reservation.lines, reservation.sold, strict=True)
            ],
        )


class ShortLine(Model):
    line_no: int
    pool_id: UUID
    requested: int
    available: int


class BudgetRead(Model):
    pool_id: UUID
    dimension: str
    held: int
    allowed: int
    retry_at: datetime | None = Field(description="When the first of those holds runs out.")


class ItemProblem(Model):
    """A problem document's members, as far as they concern one item of a batch."""

    code: str
    title: str
    status: int = Field(description="The HTTP status the same call would have had alone.")
    detail: str
    lines: list[ShortLine] | None = Field(
        default=None, description="out_of_stock: the short lines."
    )
    budget: BudgetRead | None = Field(default=None, description="hold_budget_exceeded: whose.")

    @classmethod
    def of(cls, error: DomainError) -> Self:
        return cls(
            code=error.code,
            title=error.code.replace("_", " ").capitalize(),
            status=STATUS_OF_KIND[error.kind],
            detail=error.detail,
            lines=error.fields.get("lines"),
            budget=error.fields if isinstance(error, HoldBudgetExceeded) else None,
        )


class ReservationResult(Model):
    """`reservation` is set when there is one, `problem` when not; never both."""

    result: str = Field(
        description='"held", a repeat\'s present status, or the code of the problem.'
    )
    reservation: ReservationRead | None = None
    problem: ItemProblem | None = None

    @classmethod
    def of(cls, answer: Reservation | DomainError) -> Self:
        if isinstance(answer, DomainError):
            return cls(result=answer.code, problem=ItemProblem.of(answer))
        return cls(result=answer.status.value, reservation=ReservationRead.from_domain(answer))


class ReservationBatchRead(Model):
    items: list[ReservationResult]


class ExtensionCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"hold_seconds": 600}]})

    hold_seconds: Annotated[int, Field(ge=HOLD_SECONDS_MIN, le=HOLD_SECONDS_MAX)]


class ReleaseCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "buyer cancelled"}]})

    reason: Name | None = None
