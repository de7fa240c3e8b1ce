"""Postings one by one: what a figure of a report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Figure(StrEnum):
    """As `report_measure` in the database names them."""

    SALES = "sales"
    DISCOUNTS = "discounts"
    REFUNDS = "refunds"
    COST = "cost"
    FEES = "fees"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list of postings goes on: after this one, back in time."""

    at: datetime
    transaction_id: UUID
    line_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which postings; `where` by column, None in it: those that have none."""

    merchant_id: UUID
    since: datetime
    until: datetime
    figure: Figure | None
    currency: str | None
    where: Mapping[str, str | UUID | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPosting:
    """A posting with the figure it is part of and what it adds to it; None: part of no figure."""

    place: Place
    account: str
    kind: str
    currency: str
    amount_minor: int
    figure: str | None
    value_minor: int | None
    channel_id: UUID | None
    product_id: UUID | None
    sku: str | None
    lot_id: UUID | None
    order_id: UUID | None
