from typing import Annotated

from pydantic import Field

from kit.http import Model
from order.limits.domain import Limit, Per

QUANTITY_MAX = 10_000
WINDOW_HOURS_MAX = 720


class LimitModel(Model):
    """At most `quantity` of the product within any `window_hours`, by the database's clock.

    `per` buyer (the shop's id), ip, device, or everyone together. What was ordered counts until
    its order is cancelled or expires unpaid, or its line definitely fails.
    """

    per: Per
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX, strict=True)]
    window_hours: Annotated[int, Field(ge=1, le=WINDOW_HOURS_MAX, strict=True)]

    def to_domain(self) -> Limit:
        return Limit(self.per, self.quantity, self.window_hours)

    @classmethod
    def from_domain(cls, limit: Limit) -> "LimitModel":
        return cls(per=limit.per, quantity=limit.quantity, window_hours=limit.window_hours)
