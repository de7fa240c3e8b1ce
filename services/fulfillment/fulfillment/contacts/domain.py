"""How a buyer can be reached: kept sealed for as long as messages may be due, masked for others."""

from dataclasses import dataclass, field
from uuid import UUID

from kit.contacts import mask_email, mask_phone, normal_email, normal_phone


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
    return mask_email(address) if "@" in address else mask_phone(address)


def normal_address(address: str) -> str:
    """The same for every spelling of one address: what is hashed."""
    return normal_email(address) if "@" in address else normal_phone(address)
