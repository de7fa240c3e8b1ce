"""The wire of the operators' queue."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.manual_tasks.domain import ManualTask
from kit.http import Model
from kit.http.wire import MoneyModel

Line = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")
]
State = Literal["open", "completed", "failed", "withdrawn"]

_TASK: dict[str, Any] = {
    "id": "0193a3f0-5b1e-5c44-9d57-0f4d3c1b2a51",
    "queue": "desk",
    "why": "DESK is delivered by hand",
    "state": "open",
    "order_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11",
    "delivery_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a77",
    "procurement_id": None,
    "purchase_id": None,
    "sku": "DESK",
    "name": "Set up by our desk",
    "quantity": 1,
    "inputs": {"phone": "138******00"},
    "result": "",
    "cost": None,
    "resolved_by": None,
    "resolved_at": None,
    "created_at": "2026-11-27T09:00:00Z",
}


class ManualTaskComplete(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"result": "Activated, valid until 2027-11-27"}]}
    )

    result: Line = Field(description="A line for the buyer's page.")
    cost: MoneyModel | None = Field(
        default=None,
        description="What it cost. A purchase without it is taken to have cost what was agreed.",
    )


class ManualTaskFail(Model):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the account does not exist"}]}
    )

    reason: Line = Field(description="For operators; the buyer reads that the money comes back.")


class ManualTaskRead(Model):
    """What waits for a person, or what became of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TASK]})

    id: UUID
    queue: str
    why: str
    state: State
    order_id: UUID | None = Field(description="Null when it is about a purchase for stock.")
    delivery_id: UUID | None
    procurement_id: UUID | None
    purchase_id: UUID | None = Field(description="Set when a supplier cannot say what became.")
    sku: str
    name: str
    quantity: int
    inputs: dict[str, str] = Field(
        description="What the buyer entered: masked in lists, whole when one task is read (that "
        "is logged), gone when the line is settled."
    )
    result: str
    cost: MoneyModel | None
    resolved_by: str | None
    resolved_at: datetime | None
    created_at: datetime | None

    @classmethod
    def from_domain(cls, task: ManualTask) -> Self:
        """With the inputs masked."""
        return cls._read(task, dict(task.masked()))

    @classmethod
    def whole(cls, task: ManualTask) -> Self:
        """With the inputs as they were entered."""
        return cls._read(task, dict(task.inputs))

    @classmethod
    def _read(cls, task: ManualTask, inputs: dict[str, str]) -> Self:
        return cls(
            id=task.id,
            queue=task.queue,
            why=task.why,
            state=task.state.value,
            order_id=task.order_id,
            delivery_id=task.delivery_id,
            procurement_id=task.procurement_id,
            purchase_id=task.purchase_id,
            sku=task.sku,
            name=task.name,
            quantity=task.quantity,
            inputs=inputs,
            result=task.result,
            cost=MoneyModel.from_domain(task.cost) if task.cost else None,
            resolved_by=task.resolved_by,
            resolved_at=task.resolved_at,
            created_at=task.created_at,
        )
