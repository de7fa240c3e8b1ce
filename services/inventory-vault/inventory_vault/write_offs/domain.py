"""Write-offs: units that will never be sold any more, told to the books once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.money import Money


@dataclass(frozen=True, slots=True)
class LosingLot:
    """A lot that has lost units which were not told yet."""

    id: UUID
    pool_id: UUID


@dataclass(frozen=True, slots=True)
class DueLot:
    """A lot whose vouchers with these numbers include all that expired until this moment and were
    not looked at.
    """

    id: UUID
    first_seq: int
    last_seq: int
    until: datetime


@dataclass(frozen=True, slots=True)
class ExpiredVoucher:
    """A sold voucher whose time is over, with what is left on it."""

    unit_id: UUID
    lot_id: UUID
    pool_id: UUID
    merchant_id: UUID
    balance: Money


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Units of one lot, lost for one reason; `cost` is of these very units together."""

    id: UUID
    lot_id: UUID
    pool_id: UUID
    merchant_id: UUID
    supplier: str
    is_expired: bool
    quantity: int
    cost: Money
