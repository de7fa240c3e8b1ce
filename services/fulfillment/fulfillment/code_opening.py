"""Codes for a message whose template asks for them: opened in memory, rendered, forgotten.

The vault re-seals each to a key pair made for this one sending and logs the view before it answers.
The only file of messages that opens boxes.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from fulfillment.deliveries.domain import Unit
from fulfillment.vault import Refused, Vault
from sealing import Box, BoxOpener, SealingError, new_key_pair

CODES_MAX = 20
"""More are not put into one message: the page shows them."""


class CodesNotOpened(Exception):
    """A box was refused or does not open; the text is a stable reason and never a code."""


class CodeOpening:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def open(
        self, merchant_id: UUID, message_id: UUID, units: Sequence[Unit]
    ) -> dict[UUID, str]:
        """Each unit's code as a buyer reads it. Raises CodesNotOpened; Unavailable when the vault
        does not answer.
        """
        if len(units) > CODES_MAX:
            raise CodesNotOpened("too_many_codes")
        pair = new_key_pair()
        opener = BoxOpener(pair.private_key)
        texts = await asyncio.gather(
            *(self._one(merchant_id, message_id, unit, opener, pair.public_key) for unit in units)
        )
        return dict(zip((unit.unit_id for unit in units), texts, strict=True))

    async def _one(
        self, merchant_id: UUID, message_id: UUID, unit: Unit, opener: BoxOpener, key: bytes
    ) -> str:
        box = await self._vault.reveal(
            unit.unit_id,
            merchant_id=merchant_id,
            recipient_public_key=key,
            viewer_id=f"message:{message_id}",
            ip=None,
            user_agent=None,
            viewer_kind="service",
            reason="message",
        )
        if isinstance(box, Refused):
            raise CodesNotOpened(box.code)
        try:
            header, inside = opener.open_received(Box(box.public_key, box.nonce, box.ciphertext))
            fields = inside.secret().disclose()
        except SealingError:
            raise CodesNotOpened("box_not_opened") from None
        if header.unit_id != unit.unit_id or header.merchant_id != merchant_id:
            raise CodesNotOpened("box_of_another_unit")
        return " ".join(fields.values())
