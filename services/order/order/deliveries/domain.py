"""What fulfilment says about a line of an order, and how it is shown."""

from dataclasses import dataclass
from uuid import UUID

from order.lines.domain import LineStatus, LotCost


@dataclass(frozen=True, slots=True)
class DeliveredUnit:
    unit_id: str
    mask: str
    lot_id: str


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """What fulfilment says about one line: delivered, failed (with its reason) or unknown."""

    order_id: UUID
    line_id: UUID
    delivery_id: UUID
    status: LineStatus
    url: str = ""
    units: tuple[DeliveredUnit, ...] = ()
    costs: tuple[LotCost, ...] = ()
    reason: str = ""
    round: int = 1
    receipt: str = ""
    supplier: str = ""  # the one that is being asked, while the outcome is unknown
    refusals: tuple[tuple[str, str], ...] = ()  # (supplier, code): who was tried and said no

    @property
    def bought(self) -> dict[str, object]:
        """Which supplier did it, by which purchase, with which receipt; nothing for stock."""
        bought = [cost for cost in self.costs if cost.supplier]
        if not bought and not self.receipt:
            return {}
        return {
            "suppliers": [cost.supplier for cost in bought],
            "purchases": [cost.purchase_id for cost in bought],
            "receipt": self.receipt,
        }

    @property
    def tried(self) -> str:
        """Who was asked and said no, as it follows a reason; empty for nobody."""
        said = ", ".join(f"{supplier} said {code}" for supplier, code in self.refusals)
        return f" ({said})" if said else ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a line, as it is shown."""

    id: UUID
    line_id: UUID
    status: str
    url: str
    units: tuple[tuple[str, str], ...]  # (unit id, mask)
    reason: str
