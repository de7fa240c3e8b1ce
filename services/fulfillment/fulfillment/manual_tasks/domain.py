"""What waits for a person of the merchant: a line that people deliver, or a purchase of which no
supplier can tell what became."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from fulfillment.deliveries.domain import mask_account
from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money

UNDECIDED_QUEUE = "undecided-purchases"
"""Where purchases wait whose outcome nobody could tell in time."""
DEFAULT_QUEUE = "manual"


class ManualState(StrEnum):
    OPEN = "open"
    COMPLETED = "completed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"  # the supplier has answered after all


@dataclass(frozen=True, slots=True)
class ManualTask:
    """`result` is a line for the buyer when it is completed, a reason when it failed."""

    id: UUID
    merchant_id: UUID
    queue: str
    why: str
    order_id: UUID | None
    delivery_id: UUID | None
    task_id: UUID | None
    purchase_id: UUID | None = None
    state: ManualState = ManualState.OPEN
    result: str = ""
    cost: Money | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    created_at: datetime | None = None
    sku: str = ""
    name: str = ""
    quantity: int = 1
    agreed_currency: str | None = None  # of the purchase, when it is about one
    procurement_id: UUID | None = None  # set when what is undecided was bought for stock
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def waiter(self) -> UUID | None:
        """What is woken by its decision."""
        return self.task_id or self.procurement_id

    def masked(self) -> Mapping[str, str]:
        """What the buyer entered, told apart but not readable."""
        return {name: mask_account(value) for name, value in self.inputs.items()}


def id_of(cause: UUID) -> UUID:
    """The task of a delivery or of a purchase: always the same one."""
    return uuid5(NAMESPACE_URL, f"lockstock:manual:{cause}")


class ManualTaskNotFound(NotFound):
    """There is no such task, or it is not yours."""

    code = "manual_task_not_found"


class ManualTaskClosed(Conflict):
    """Somebody has decided it already; read the task to see how."""

    code = "manual_task_closed"


class CostCurrencyWrong(Invalid):
    """The cost must be in the currency the purchase was agreed in."""

    code = "cost_currency_wrong"
