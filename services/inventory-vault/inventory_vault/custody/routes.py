import base64

from fastapi import APIRouter

from inventory_vault.custody.schemas import SealingKeyRead
from inventory_vault.custody.service import CustodyService
from kit.http import Caller, caller


def custody_routes(custody: CustodyService) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["custody"])

    @router.get("/sealing-key")
    async def get_sealing_key(who: Caller = caller("stock:read")) -> SealingKeyRead:
        """The public key that stock is sealed to, for sealing before the upload."""
        key = await custody.active_key()
        return SealingKeyRead(
            key_id=key.key_id,
            public_key=base64.b64encode(key.public_key).decode(),
            merchant_id=who.merchant_id,
        )

    return router
