"""Opens units and seals them to their recipients at once; nothing in clear leaves here."""

import base64
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prometheus_client import Counter

from inventory_vault.opener.keyring import Keyring
from inventory_vault.opener.refusals import Refusal
from inventory_vault.opener.repository import Opening
from kit.logging import get_logger
from sealing import (
    BadPublicKey,
    Box,
    BoxOpener,
    Header,
    HeaderMismatch,
    Plaintext,
    Seal,
    Sealer,
    Unopenable,
)

log = get_logger(__name__)

RESEALED = Counter("opener_units_resealed_total", "Units opened and sealed to a recipient")
REFUSED = Counter("opener_units_refused_total", "Boxes that did not open as their row", ["reason"])

Boxes = dict[str, dict[str, Any]]
"""{log id: {unit id: box}}; a unit that is kept back has {"error": code} instead of a box."""


SHREDDED = "unit_shredded"
"""Said of a unit whose box was overwritten after the retention time: no alarm."""


class UnprovenSeal(Exception):
    """The seal's row was not made by an import: its proof is missing or another's."""


_REASONS = {
    HeaderMismatch: "header_mismatch",
    Unopenable: "unopenable",
    UnprovenSeal: "seal_unproven",
}
NotItsBox = tuple(_REASONS)
"""What opening a box raises when it is not its row's: somebody wrote into the database by hand."""


def reseal(
    keyring: Keyring, openings: Sequence[Opening], boxes: Boxes, refusals: list[Refusal]
) -> None:
    """Fills `boxes`, and `refusals` with the units that did not open as their rows.

    An ephemeral key pair per log row, not per unit: one key exchange serves the whole hand-out.
    """
    recipients: dict[UUID, _Recipient] = {}
    doors = _Doors(keyring)
    for opening in openings:
        found = boxes.setdefault(str(opening.log_id), {})
        unit_id = str(opening.unit_id)
        try:
            recipient = recipients.get(opening.log_id)
            if recipient is None:
                recipient = recipients[opening.log_id] = _Recipient(opening.recipient_public_key)
            found[unit_id] = recipient.box_of(doors.open(opening))
        except BadPublicKey:
            found[unit_id] = {"error": "bad_recipient_key"}
        except NotItsBox as error:
            reason = refuse(error, opening.seal, opening.unit_id)
            found[unit_id] = {"error": reason}
            refusals.append(Refusal(opening.merchant_id, opening.lot_id, opening.unit_id, reason))


class _Recipient:
    """To whom a log row's units are sealed."""

    def __init__(self, public_key: bytes) -> None:
        self._sealer = Sealer(public_key)
        self._sender = _base64(self._sealer.public_key)

    def box_of(self, plaintext: Plaintext) -> dict[str, str]:
        box = self._sealer.seal_plaintext(plaintext)
        RESEALED.inc()
        return {
            "public_key": self._sender,
            "nonce": _base64(box.nonce),
            "ciphertext": _base64(box.ciphertext),
        }


class _Doors:
    """Opens units; a seal is proven once for all its units in a row."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._proven: Seal | None = None
        self._proof: bytes | None = None
        self._opener: BoxOpener | None = None

    def open(self, opening: Opening) -> Plaintext:
        """Raises one of NotItsBox."""
        seal, opener = opening.seal, self._opener
        if opener is None or seal is not self._proven or opening.proof != self._proof:
            opener = _opener_of(self._keyring, seal, opening.proof)
            self._opener, self._proven, self._proof = opener, seal, opening.proof
        return _open(opener, seal, opening.unit_id, opening.nonce, opening.ciphertext)


def open_stored(
    keyring: Keyring,
    seal: Seal,
    proof: bytes | None,
    unit_id: UUID,
    nonce: bytes,
    ciphertext: bytes,
) -> Plaintext:
    """The inside of a unit's box as it is stored. Raises one of NotItsBox."""
    return _open(_opener_of(keyring, seal, proof), seal, unit_id, nonce, ciphertext)


def _opener_of(keyring: Keyring, seal: Seal, proof: bytes | None) -> BoxOpener:
    if not keyring.prover.holds(seal, proof):
        raise UnprovenSeal("the vault did not begin this seal")
    opener = keyring.opener(seal.key_id)
    if opener is None:
        raise Unopenable("its key is not in the ring")
    return opener


def _open(
    opener: BoxOpener, seal: Seal, unit_id: UUID, nonce: bytes, ciphertext: bytes
) -> Plaintext:
    header = Header(seal.merchant_id, seal.lot_id, unit_id, seal.key_id)
    return opener.open(Box(seal.sender_public_key, nonce, ciphertext), header)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def refuse(error: Exception, seal: Seal, unit_id: UUID) -> str:
    """The reason in a word, counted and logged."""
    reason = _REASONS[type(error)]
    REFUSED.labels(reason).inc()
    log.critical(
        "box_refused",
        reason=reason,
        lot_id=str(seal.lot_id),
        unit_id=str(unit_id),
        merchant_id=str(seal.merchant_id),
    )
    return reason
