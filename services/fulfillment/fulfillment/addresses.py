"""Whether something can be an address at all. The only file that knows the rules of mail names."""

import re

from email_validator import EmailNotValidError, validate_email

from kit.contacts import EMAIL_CHARACTERS_MAX

_PHONE = re.compile(r"\+?[0-9]{6,15}")
_FILLING = re.compile(r"[ ().\-]")


def usable_email(text: str) -> str | None:
    """As it is written to; None for what is no address. A domain is given in ASCII."""
    # What nobody sees (a zero-width space) makes it another address than it reads.
    if len(text) > EMAIL_CHARACTERS_MAX or not text.isprintable():
        return None
    try:
        found = validate_email(
            text.strip(),
            strict=True,
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=True,
        )
    except EmailNotValidError:
        return None
    return found.ascii_email


def usable_phone(text: str, *, country: str) -> str | None:
    """In E.164, `+8613800000000`; a number without a country is one of `country` (its digits)."""
    plain = _FILLING.sub("", text.strip())
    if not _PHONE.fullmatch(plain):
        return None
    if plain.startswith("+"):
        return plain
    if plain.startswith("00"):
        return "+" + plain[2:]
    return f"+{country}{plain.lstrip('0')}"
