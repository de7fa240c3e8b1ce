from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from kit.errors import Conflict, DomainError, ErrorKind, Invalid, Limited, Unavailable
from kit.public_keys import decode_public_key
from sealing import BadPublicKey, Sealer, check_public_key


@dataclass(frozen=True, slots=True)
class SealingKey:
    """What new stock is sealed to."""

    key_id: UUID
    public_key: bytes


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A key of the vault and what is sealed under it; what a rotation leaves of it goes to 0."""

    key_id: UUID
    state: str
    created_at: datetime
    rotated_at: datetime | None
    retired_at: datetime | None
    units: int
    lots: int


@dataclass(frozen=True, slots=True)
class BegunSeal:
    """What a new lot is sealed with, and the opener's proof that the vault began it."""

    key_id: UUID
    sealer: Sealer
    proof: bytes


class HandedBox(NamedTuple):
    """A unit re-sealed to its recipient; base64, as it goes out."""

    public_key: str
    nonce: str
    ciphertext: str


@dataclass(frozen=True, slots=True)
class SentBox:
    """A box that a shop sealed itself; base64, as it came in."""

    unit_id: UUID
    nonce: str
    ciphertext: str


@dataclass(frozen=True, slots=True)
class CheckedBox:
    """What the opener tells of a good box: all that a row of stock may know of its code."""

    fingerprint: bytes
    mark: int
    mask: str


@dataclass(frozen=True, slots=True)
class RefusedBox:
    """`code` says why; see REASONS of the slice that asked."""

    code: str


class UnitUnopenable(DomainError):
    """The unit's box does not open as its row says; it is kept back and an alarm was raised."""

    code = "unit_unopenable"
    kind = ErrorKind.CONFLICT

    def __init__(self, unit_id: str, reason: str) -> None:
        super().__init__(unit_id=unit_id, reason=reason)


class UnitShredded(Conflict):
    """The code was erased, as the unit was sold longer ago than codes are kept; nobody has it.

    Sale, mask and state remain: GET /v1/units/{id} tells since when it is erased.
    """

    code = "unit_shredded"


class BoxesNotSetUp(Unavailable):
    """The opener has no INVENTORY_VAULT_FINGERPRINT_KEY, so duplicates could not be found."""

    code = "imports_not_set_up"


class NotHandedOut(DomainError):
    """The opener does not find the sale that this hand-out names."""

    code = "not_handed_out"
    kind = ErrorKind.CONFLICT


def to_box(unit_id: str, answer: dict[str, Any]) -> HandedBox:
    """Raises UnitUnopenable, UnitShredded, OpenerCapped."""
    if answer.get("error") == OpenerCapped.code:
        raise OpenerCapped(retry_after_seconds=answer["retry_after_seconds"])
    if answer.get("error") == UnitShredded.code:
        raise UnitShredded(unit_id=unit_id)
    if "error" in answer:
        raise UnitUnopenable(unit_id, str(answer["error"]))
    return HandedBox(answer["public_key"], answer["nonce"], answer["ciphertext"])


def to_checked(answer: dict[str, str]) -> CheckedBox | RefusedBox:
    """What the opener found in one box."""
    if "error" in answer:
        return RefusedBox(answer["error"])
    mark = int.from_bytes(bytes.fromhex(answer["mark"]), "big", signed=True)
    return CheckedBox(bytes.fromhex(answer["fingerprint"]), mark, answer["mask"])


def checked_recipient_key(text: str) -> bytes:
    """The 32 bytes of a base64 key that something can be sealed to. Raises BadRecipientKey."""
    try:
        key = decode_public_key(text)
        check_public_key(key)
    except (ValueError, BadPublicKey) as error:
        raise BadRecipientKey from error
    return key


class BadRecipientKey(Invalid):
    """recipient_public_key is no X25519 public key that something can be sealed to."""

    code = "bad_recipient_public_key"


class SealingKeyRetired(Conflict):
    """The key this was sealed to is not in use any more; seal to the key of GET /v1/sealing-key."""

    code = "sealing_key_retired"


class OpenerCapped(Limited):
    """Too many units that were sold over an hour ago are being opened. Wait as Retry-After says;
    if it was you, ask the operator for a larger allowance, else revoke the API key at once.
    """

    code = "opener_capped"


class RotationRunning(Conflict):
    """A rotation runs already; GET /v1/sealing-keys tells how far it is."""

    code = "rotation_running"
