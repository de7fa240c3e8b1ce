"""Lists: values of purchases that an operator wants to meet again, with a reason and an end."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kit.addresses import read_network
from kit.contacts import EMAIL_CHARACTERS_MAX
from kit.errors import Invalid, NotFound
from risk.counts import KeyKind
from risk.velocity.domain import key_digest, normal_address

ENTRIES_AT_ONCE_MAX = 1_000
VALUE_LENGTH_MAX = EMAIL_CHARACTERS_MAX
"""Of values in clear none is longer."""
NETWORK_BITS_MIN = {4: 8, 6: 19}
"""Shorter prefixes are no network but a continent: most likely a slip."""
_HASH = re.compile(r"[0-9a-f]{64}")
# As order takes them: what it would refuse is refused here, with its place.
_EMAIL = re.compile(r"(?=.{3,254}\Z)[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_PHONE = re.compile(r"(?=.{5,32}\Z)\+?[0-9][0-9 ().\-]*")


class EntryKind(StrEnum):
    """What of a purchase an entry is compared with."""

    IP = "ip"
    NETWORK = "network"
    DEVICE = "device"
    CONTACT = "contact"
    CUSTOMER = "customer"
    PAYER = "payer"
    PRODUCT = "product"

    @property
    def key_kind(self) -> KeyKind | None:
        """The kind of key whose digest an entry has; None for addresses, which lie in networks."""
        return None if self in (EntryKind.IP, EntryKind.NETWORK) else KeyKind(self.value)


@dataclass(frozen=True, slots=True)
class Contact:
    """A buyer's mail address or phone number in clear: on its way to be hashed, kept nowhere."""

    value: str = field(repr=False)
    is_email: bool


@dataclass(frozen=True, slots=True)
class EntryText:
    """What an operator says about a value."""

    kind: EntryKind
    # It may be a contact in clear.
    value: str = field(repr=False)
    reason: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    id: UUID
    list: str
    kind: EntryKind
    value: str
    reason: str
    author: str
    added_at: datetime
    expires_at: datetime | None

    def record(self) -> dict[str, object]:
        """All but its id."""
        return {
            "list": self.list,
            "kind": self.kind.value,
            "value": self.value,
            "reason": self.reason,
            "author": self.author,
            "added_at": self.added_at,
            "expires_at": self.expires_at,
        }


def clear_contact(kind: EntryKind, value: str) -> Contact | None:
    """The contact that is given in clear; None for a hash, and for what is no contact. Raises
    ValueError for what can be neither.
    """
    text = value.strip()
    if kind is not EntryKind.CONTACT or _HASH.fullmatch(text):
        return None
    if _EMAIL.fullmatch(text):
        return Contact(text, is_email=True)
    if _PHONE.fullmatch(text):
        return Contact(text, is_email=False)
    raise ValueError("a mail address, a phone number, or the hash of one, 64 hex digits")


def normal_value(kind: EntryKind, value: str) -> str:
    """The value in its one spelling. Raises ValueError, with what is wrong."""
    text = value.strip()
    match kind:
        case EntryKind.IP:
            normal = normal_address(text)
            if not normal or "%" in normal:
                raise ValueError("not an address of a buyer")
            return normal
        case EntryKind.NETWORK:
            return _normal_network(text)
        case EntryKind.CONTACT:
            if not _HASH.fullmatch(text):
                raise ValueError("a contact's hash, 64 hex digits, as the fact contact_hash has it")
            return text
        case _:
            if not text:
                raise ValueError("empty")
            return text


def _normal_network(text: str) -> str:
    if "%" in text:
        raise ValueError("a network with a zone")
    network = read_network(text)
    if network.prefixlen < NETWORK_BITS_MIN[network.version]:
        raise ValueError(f"at least /{NETWORK_BITS_MIN[network.version]}")
    return str(network)


def digest_of(merchant_id: UUID, kind: EntryKind, value: str) -> UUID | None:
    """What purchases with this value have in common; None for addresses."""
    key_kind = kind.key_kind
    return None if key_kind is None else key_digest(merchant_id, key_kind, value)


class EntryRefused(Invalid):
    """A value of the list is not one of its kind; nothing was added."""

    code = "entry_refused"

    def __init__(self, number: int, problem: str) -> None:
        pointer = f"/entries/{number}/value"
        super().__init__(
            f"entry {number}: {problem}",
            errors=[{"pointer": pointer, "code": self.code, "detail": problem}],
        )


class EntryNotFound(NotFound):
    """There is no such entry in this list, or it is not yours."""

    code = "entry_not_found"
