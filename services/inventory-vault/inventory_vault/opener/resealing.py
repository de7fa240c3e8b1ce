"""Opens units and seals them to their recipients at once; nothing in clear leaves here."""

import base64
from collections.abc import Sequence
from typing import Any

from prometheus_client import Counter

from inventory_vault.opener.keyring import Keyring
from inventory_vault.opener.repository import Opening
from kit.logging import get_logger
from sealing import BadPublicKey, Box, Header, HeaderMismatch, Sealer, Unopenable

log = get_logger(__name__)

RESEALED = Counter("opener_units_resealed_total", "Units opened and sealed to a recipient")
REFUSED = Counter("opener_units_refused_total", "Boxes that did not open as their row", ["reason"])

Boxes = dict[str, dict[str, Any]]


class UnprovenSeal(Exception):
    """The seal's row was not made by an import: its proof is missing or another's."""


_REASONS = {
    HeaderMismatch: "header_mismatch",
    Unopenable: "unopenable",
    UnprovenSeal: "seal_unproven",
    BadPublicKey: "bad_recipient_key",
}


def reseal(keyring: Keyring, openings: Sequence[Opening]) -> Boxes:
    """{log id: {unit id: box}}; a unit that does not open as its row has {"error": code} instead.

    An ephemeral key pair per log row, not per unit: one key exchange serves the whole hand-out.
    """
    sealers: dict[Any, Sealer] = {}
    boxes: Boxes = {}
    for opening in openings:
        found = boxes.setdefault(str(opening.log_id), {})
        try:
            sealer = sealers.get(opening.log_id)
            if sealer is None:
                sealer = sealers[opening.log_id] = Sealer(opening.recipient_public_key)
            found[str(opening.unit_id)] = _reseal_one(keyring, opening, sealer)
        except (HeaderMismatch, Unopenable, UnprovenSeal, BadPublicKey) as error:
            found[str(opening.unit_id)] = {"error": _refusal(error, opening)}
    return boxes


def _reseal_one(keyring: Keyring, opening: Opening, sealer: Sealer) -> dict[str, str]:
    seal = opening.seal
    if not keyring.prover.holds(seal, opening.proof):
        raise UnprovenSeal("the vault did not begin this seal")
    opener = keyring.opener(seal.key_id)
    if opener is None:
        raise Unopenable("its key is not in the ring")
    header = Header(opening.merchant_id, opening.lot_id, opening.unit_id, seal.key_id)
    stored = Box(seal.sender_public_key, opening.nonce, opening.ciphertext)
    box = sealer.seal_plaintext(opener.open(stored, header))
    RESEALED.inc()
    return {
        "public_key": base64.b64encode(box.public_key).decode(),
        "nonce": base64.b64encode(box.nonce).decode(),
        "ciphertext": base64.b64encode(box.ciphertext).decode(),
    }


def _refusal(error: Exception, opening: Opening) -> str:
    """A box that is not its row's means that somebody wrote into the database by hand."""
    reason = _REASONS[type(error)]
    REFUSED.labels(reason).inc()
    log.critical(
        "box_refused",
        reason=reason,
        lot_id=str(opening.lot_id),
        unit_id=str(opening.unit_id),
        merchant_id=str(opening.merchant_id),
    )
    return reason
