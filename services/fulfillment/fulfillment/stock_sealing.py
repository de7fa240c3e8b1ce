"""Bought codes go into boxes for the vault's key the moment they come. The only file here that
makes boxes; none here can open one.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from fulfillment.arrivals.domain import SealedLot, SealedUnit, SealingKey, Unsealable, kind_of
from fulfillment.connector import Code
from kit.ids import new_id
from kit.money import share_out
from sealing import NONCE_BYTES, LotSealer, Secret, SecretTooLong

_NEVER = datetime.max.replace(tzinfo=UTC)


def seal_codes(
    codes: Sequence[Code], key: SealingKey, *, merchant_id: UUID, lot_id: UUID, cost_minor: int
) -> SealedLot:
    """A lot of these codes, those that expire first at its head; what they cost is shared out to
    the last cent. Raises Unsealable for a code that is too long for a box.
    """
    sealer = LotSealer(key.public_key, merchant_id, lot_id, key.key_id)
    costs = share_out(cost_minor, [1] * len(codes))
    ordered = sorted(codes, key=lambda code: code.expires_at or _NEVER)
    units = tuple(_sealed(sealer, code, cost) for code, cost in zip(ordered, costs, strict=True))
    kind = kind_of(frozenset(frozenset(code.fields) for code in codes))
    return SealedLot(lot_id, key.key_id, sealer.public_key, units, kind)


def _sealed(sealer: LotSealer, code: Code, cost_minor: int) -> SealedUnit:
    unit_id, nonce = new_id(), os.urandom(NONCE_BYTES)
    try:
        box = sealer.seal(unit_id.bytes, Secret(code.fields).to_json(), nonce)
    except SecretTooLong:
        # Without the cause: its traceback would hold the code.
        raise Unsealable from None
    return SealedUnit(unit_id, nonce, bytes(box), cost_minor, code.expires_at)
