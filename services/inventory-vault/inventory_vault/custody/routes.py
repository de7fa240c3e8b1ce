import base64

from fastapi import APIRouter, Response

from inventory_vault.custody.schemas import (
    KeyRead,
    KeysRead,
    RotationCreate,
    RotationRead,
    SealingKeyRead,
)
from inventory_vault.custody.service import CustodyService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once


def custody_routes(db: Database, custody: CustodyService) -> APIRouter:
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

    @router.get("/sealing-keys")
    async def list_sealing_keys(_: Caller = caller("keys:rotate")) -> KeysRead:
        """The vault's keys, the newest first, and what is sealed under each. For the platform."""
        async with db.read() as tx:
            found = await custody.list_keys(tx)
        return KeysRead(items=[KeyRead.from_domain(key) for key in found])

    @router.post("/sealing-keys/rotate", status_code=202, response_model=RotationRead)
    async def rotate_sealing_keys(
        body: RotationCreate, who: Caller = caller("keys:rotate"), run: Once = once()
    ) -> Response:
        """A new key, and everything sealed anew under it while sales go on; then the old one is
        destroyed. For the platform.
        """

        async def work(tx: Transaction) -> RotationRead:
            by = f"{who.kind}:{who.id}"
            rotation_id = await custody.rotate(tx, reason=body.reason, requested_by=by)
            return RotationRead(rotation_id=rotation_id)

        return await run(who, work, status=202)

    return router
