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
    sealers: dict[UUID, Sealer] = {}
    for opening in openings:
        found = boxes.setdefault(str(opening.log_id), {})
        try:
            sealer = sealers.get(opening.log_id)
            if sealer is None:
                sealer = sealers[opening.log_id] = Sealer(opening.recipient_public_key)
            found[str(opening.unit_id)] = _reseal_one(keyring, opening, sealer)
        except BadPublicKey:
            found[str(opening.unit_id)] = {"error": "bad_recipient_key"}
        except NotItsBox as error:
            reason = refuse(error, opening.seal, opening.unit_id)
            found[str(opening.unit_id)] = {"error": reason}
            refusals.append(Refusal(opening.merchant_id, opening.lot_id, opening.unit_id, reason))


def _reseal_one(keyring: Keyring, opening: Opening, sealer: Sealer) -> dict[str, str]:
    seal = opening.seal
    plaintext = open_stored(
        keyring, seal, opening.proof, opening.unit_id, opening.nonce, opening.ciphertext
    )
    box = sealer.seal_plaintext(plaintext)
    RESEALED.inc()
    return {
        "public_key": base64.b64encode(box.public_key).decode(),
        "nonce": base64.b64encode(box.nonce).decode(),
        "ciphertext": base64.b64encode(box.ciphertext).decode(),
    }


def open_stored(
    keyring: Keyring,
    seal: Seal,
    proof: bytes | None,
    unit_id: UUID,
    nonce: bytes,
    ciphertext: bytes,
) -> Plaintext:
    """The inside of a unit's box as it is stored. Raises one of NotItsBox."""
    if not keyring.prover.holds(seal, proof):
        raise UnprovenSeal("the vault did not begin this seal")
    opener = keyring.opener(seal.key_id)
    if opener is None:
        raise Unopenable("its key is not in the ring")
    header = Header(seal.merchant_id, seal.lot_id, unit_id, seal.key_id)
    return opener.open(Box(seal.sender_public_key, nonce, ciphertext), header)


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
