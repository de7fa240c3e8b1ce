"""Buyers' mail addresses and phone numbers: one spelling to find them by, a mask to show."""

import re

EMAIL_CHARACTERS_MAX = 254
"""As RFC 5321 has it: what is longer can be written to nobody."""

_NOT_DIGITS = re.compile(r"[^0-9]")
_PHONE_DIGITS_SHOWN = 4


def normal_email(email: str) -> str:
    """The same for every spelling of one address: what is hashed."""
    return "email:" + email.strip().casefold()


def normal_phone(phone: str) -> str:
    """The same for every spelling of one number: what is hashed."""
    return "phone:" + _NOT_DIGITS.sub("", phone)


def mask_email(email: str) -> str:
    """`b***@example.com`: enough for its owner to know it by, too little to write to."""
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}***@{domain}"


def mask_phone(phone: str) -> str:
    """`***4567`; of a number so short nothing."""
    digits = _NOT_DIGITS.sub("", phone)
    return f"***{digits[-_PHONE_DIGITS_SHOWN:]}" if len(digits) > _PHONE_DIGITS_SHOWN else "***"
