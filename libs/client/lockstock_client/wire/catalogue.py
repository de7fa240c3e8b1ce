"""order: what is sold, where, and at which price."""

from typing import Any, NotRequired, TypedDict

from lockstock_client.wire.money import MoneyJson


class ProductJson(TypedDict):
    """`fulfillment` is what its kind needs; further members are in the OpenAPI document."""

    id: str
    sku: str
    name: str
    price: MoneyJson
    fulfillment: dict[str, Any]
    instructions: str
    active: bool


class ChannelJson(TypedDict):
    """`trusted`: its own word that money came is believed."""

    id: str
    name: str
    kind: str
    trusted: bool
    active: NotRequired[bool]


class QuotedLineJson(TypedDict):
    line_no: int
    sku: str
    quantity: int
    unit_price: MoneyJson
    total: MoneyJson
    derivation: list[dict[str, Any]]


class QuoteJson(TypedDict):
    """The price with its derivation, step by step; nothing is held."""

    total: MoneyJson
    lines: list[QuotedLineJson]
