"""How a buyer can be reached: kept sealed for as long as messages may be due, masked for others."""

import re
from dataclasses import dataclass, field
from uuid import UUID

_NOT_DIGITS = re.compile(r"[^0-9]")
_PHONE_DIGITS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Contact:
    """Of one order. `template` names the delivery template of its product, if it has one."""

    order_id: UUID
    merchant_id: UUID
    customer_id: str = ""
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    locale: str = ""
    template: str = ""


def mask_address(address: str) -> str:
    """Enough for its owner to know it by: `b***@shop.example` of a mail address, the last four
    digits of a phone number.
    """
    name, at, domain = address.rpartition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    digits = _NOT_DIGITS.sub("", address)
    return f"***{digits[-_PHONE_DIGITS_SHOWN:]}" if len(digits) > _PHONE_DIGITS_SHOWN else "***"


def normal_address(address: str) -> str:
    """The same for every spelling of one address: what is hashed."""
    if "@" in address:
        return "email:" + address.strip().casefold()
    return "phone:" + _NOT_DIGITS.sub("", address)
