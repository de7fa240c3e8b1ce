"""What lies on the shelf, how old, what expires; whose codes were dead; what is bought together."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger.figures import Row, rate

AGES = (30, 60, 90, 180)
"""Upper ends of the age groups in days; the last group has none."""
LOTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class LotStock:
    lot_id: UUID
    supplier: str | None
    currency: str
    value_minor: int
    imported_at: datetime | None
    expires_at: datetime | None

    def row(self, now: datetime) -> Row:
        return Row(
            groups={"lot": str(self.lot_id), "supplier": self.supplier},
            currency=self.currency,
            figures={
                "value": self.value_minor,
                "age_days": None if self.imported_at is None else (now - self.imported_at).days,
                "expires_days": None if self.expires_at is None else (self.expires_at - now).days,
            },
            postings=f"/v1/postings?lot_id={self.lot_id}&currency={self.currency}"
            "&from=2000-01-01T00:00:00Z&to=2200-01-01T00:00:00Z",
        )


@dataclass(frozen=True, slots=True)
class StockGroup:
    """Lots of one age group, or of one time until they expire; `upto` days, None: no end."""

    kind: str
    upto: int | None
    currency: str
    lots: int
    value_minor: int

    def row(self) -> Row:
        name = "over" if self.upto is None else str(self.upto)
        return Row(
            groups={"kind": self.kind, "days": name},
            currency=self.currency,
            figures={"lots": self.lots, "value": self.value_minor},
        )


@dataclass(frozen=True, slots=True)
class SupplierQuality:
    supplier: str | None
    sold: int
    dead: int

    def row(self) -> Row:
        return Row(
            groups={"supplier": self.supplier},
            figures={"sold": self.sold, "dead": self.dead, "dead_rate": rate(self.dead, self.sold)},
        )


@dataclass(frozen=True, slots=True)
class Pair:
    first: UUID
    second: UUID
    orders: int
    first_orders: int
    second_orders: int
    orders_total: int

    def row(self) -> Row:
        expected = self.first_orders * self.second_orders
        lift = round(self.orders * self.orders_total / expected, 2) if expected else None
        return Row(
            groups={"product": str(self.first), "with": str(self.second)},
            figures={
                "orders": self.orders,
                "first_orders": self.first_orders,
                "second_orders": self.second_orders,
                "confidence": rate(self.orders, self.first_orders),
                "lift": lift,
            },
        )
