"""The vocabulary rules are written in: what is known about a purchase when it is judged.

One dataclass is the only list of facts: the types that conditions are checked against, the
fields of `POST /v1/rules/test` and the stored record of an assessment all come from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, get_type_hints

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)

FactValue = bool | int | str | tuple[str, ...] | datetime


class FactType(StrEnum):
    """How a fact is typed inside a condition (the names of CEL)."""

    BOOL = "bool"
    INT = "int"
    STRING = "string"
    STRINGS = "list(string)"
    TIMESTAMP = "timestamp"


_TYPES: Mapping[Any, FactType] = {
    bool: FactType.BOOL,
    int: FactType.INT,
    str: FactType.STRING,
    tuple[str, ...]: FactType.STRINGS,
    datetime: FactType.TIMESTAMP,
}


def _fact(meaning: str, default: Any) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a condition may ask about one purchase; the unknown has a value that says so."""

    amount_minor: int = _fact("total of the order in minor units", 0)
    currency: str = _fact("ISO 4217 code of the total", "")
    quantity: int = _fact("units in all lines together", 0)
    line_count: int = _fact("lines of the order", 0)
    skus: tuple[str, ...] = _fact("SKU of each line", ())
    channel_id: str = _fact("channel the order came through", "")
    placed_at: datetime = _fact("when the order was placed", UNKNOWN_TIME)  # noqa: RUF009 - a field
    customer_id: str = _fact("the shop's id of the buyer, empty when unknown", "")
    ip: str = _fact("address of the buyer as normalised text, empty when unknown", "")
    has_ip: bool = _fact("the address is known", False)  # noqa: FBT003 - a default, not an argument
    device_id: str = _fact("device of the buyer, empty when unknown", "")
    has_device: bool = _fact("the device is known", False)  # noqa: FBT003 - as above
    has_contact: bool = _fact("a mail address or phone number was given", False)  # noqa: FBT003 - as above
    has_account_age: bool = _fact("the shop told when the account was made", False)  # noqa: FBT003 - as above
    account_age_seconds: int = _fact("age of the account, 0 when unknown", 0)
    first_purchase: bool = _fact(
        "no purchase of this buyer was seen before; true for an unknown buyer",
        True,  # noqa: FBT003 - as above
    )
    earlier_purchases: int = _fact("purchases of this buyer seen before, ever", 0)
    purchases_by_ip_1h: int = _fact(
        "purchases by this address in the last hour, with this one; 0 when unknown", 0
    )
    purchases_by_ip_24h: int = _fact("the same in the last 24 hours", 0)
    purchases_by_device_1h: int = _fact("purchases by this device in the last hour", 0)
    purchases_by_device_24h: int = _fact("the same in the last 24 hours", 0)
    purchases_by_customer_1h: int = _fact("purchases by this buyer in the last hour", 0)
    purchases_by_customer_24h: int = _fact("the same in the last 24 hours", 0)
    purchases_by_contact_1h: int = _fact("purchases with this contact in the last hour", 0)
    purchases_by_contact_24h: int = _fact("the same in the last 24 hours", 0)

    def values(self) -> dict[str, FactValue]:
        """Name -> value, for a condition."""
        return {name: getattr(self, name) for name in CATALOGUE}

    def record(self) -> dict[str, Any]:
        """Name -> value as JSON knows it, for storage and for answers."""
        return {name: _as_json(value) for name, value in self.values().items()}


@dataclass(frozen=True, slots=True)
class FactKind:
    """A fact's entry in the catalogue."""

    name: str
    type: FactType
    meaning: str


def _catalogue() -> dict[str, FactKind]:
    hints = get_type_hints(Facts)
    return {
        entry.name: FactKind(entry.name, _TYPES[hints[entry.name]], entry.metadata["meaning"])
        for entry in fields(Facts)
    }


CATALOGUE: Mapping[str, FactKind] = _catalogue()


def _as_json(value: FactValue) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
