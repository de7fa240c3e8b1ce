from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query

from kit.errors import Invalid
from ledger.figures import value_of
from ledger.sales_reports.domain import Dimension

_NAMES = "|".join(Dimension)
Group = Annotated[
    str,
    Query(
        max_length=100,
        pattern=rf"^(({_NAMES})(,({_NAMES}))*)?$",
        description=f"one row per; any of {', '.join(Dimension)}, with commas between",
        examples=["channel,product"],
    ),
]
Sort = Annotated[
    Literal["units", "sales", "refunds", "cost", "fees", "paid"],
    Query(description="highest first; buckets are in the order of time"),
]
IdOrNone = UUID | Literal["none"]
Words = Annotated[str, Query(max_length=202, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Filters:
    """Query parameters of what is looked at; `none`: what has no such dimension, `"none"`: what is
    called so.
    """

    def __init__(
        self,
        channel_id: IdOrNone | None = None,
        product_id: IdOrNone | None = None,
        lot_id: IdOrNone | None = None,
        sku: Words | None = None,
        buyer_group: Words | None = None,
        supplier: Words | None = None,
    ) -> None:
        self._given = {
            Dimension.CHANNEL: channel_id,
            Dimension.PRODUCT: product_id,
            Dimension.LOT: lot_id,
            Dimension.SKU: sku,
            Dimension.BUYER_GROUP: buyer_group,
            Dimension.SUPPLIER: supplier,
        }

    def to_domain(self) -> dict[Dimension, str | None]:
        return {
            dimension: value_of(str(value))
            for dimension, value in self._given.items()
            if value is not None
        }


def dimensions_of(group_by: str) -> tuple[Dimension, ...]:
    """Raises GroupedTwice."""
    dimensions = tuple(Dimension(name) for name in group_by.split(",") if name)
    if len(set(dimensions)) < len(dimensions):
        raise GroupedTwice
    return dimensions


class GroupedTwice(Invalid):
    """`group_by` names a dimension twice."""

    code = "grouped_twice"
