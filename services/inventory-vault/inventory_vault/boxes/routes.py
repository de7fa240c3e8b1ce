import base64
import hashlib
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from inventory_vault.boxes.domain import BoxUpload, Opening, Part
from inventory_vault.boxes.schemas import (
    BoxesCreate,
    PartRead,
    SealedLotBegun,
    SealedLotCreate,
    UploadRead,
)
from inventory_vault.boxes.service import BoxService, CheckedPart, upload_of
from inventory_vault.imports.service import ImportService
from kit.db import Database, Transaction
from kit.http import Caller, LeanRoute, Once, caller
from kit.http.lean import read_model
from kit.http.once import answer, model_bytes

MEDIA_TYPE = "application/json"


class BoxOpening:
    """`POST /v1/pools/{pool_id}/lots` with JSON: it opens an upload of boxes, and with boxes it is
    the whole import.
    """

    begun: type[BaseModel] = SealedLotBegun

    def __init__(self, db: Database, boxes: BoxService) -> None:
        self._db = db
        self._boxes = boxes

    @property
    def docs(self) -> dict[str, Any]:
        """The media type object of its body."""
        schema = SealedLotCreate.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        return {MEDIA_TYPE: {"schema": schema, "examples": _EXAMPLES}}

    def takes(self, request: Request) -> bool:
        """Whether this call brings JSON."""
        return request.headers.get("content-type", "").lower().startswith(MEDIA_TYPE)

    async def __call__(self, request: Request, pool_id: UUID, who: Caller, run: Once) -> Response:
        raw = await request.body()
        body = read_model(SealedLotCreate, raw)
        fingerprint = hashlib.blake2b(raw, digest_size=32).digest()
        stored = await run.replay(who, fingerprint=fingerprint)
        if stored is not None:
            return stored
        key = await self._boxes.active_key()
        opening = body.to_domain(who.merchant, pool_id, key.key_id)
        is_active = opening.key_id == key.key_id
        part = body.part()
        if not is_active:
            await self._require_key(opening)
        checked = await self._check(opening, part) if part is not None else None

        async def work(tx: Transaction) -> SealedLotBegun:
            upload = await self._boxes.open(tx, opening)
            if part is not None and checked is not None:
                await self._boxes.store(tx, upload, part, checked)
                await self._boxes.complete(tx, upload, actor=f"{who.kind}:{who.id}")
            return SealedLotBegun(
                import_id=upload.import_id,
                lot_id=upload.lot_id,
                merchant_id=upload.merchant_id,
                key_id=upload.key_id,
                public_key=base64.b64encode(key.public_key).decode() if is_active else None,
            )

        return await run(
            who,
            work,
            status=202,
            location=lambda begun: f"/v1/imports/{begun.import_id}",
            fingerprint=fingerprint,
        )

    async def _require_key(self, opening: Opening) -> None:
        """A key that was retired is refused before anything is sealed to it."""
        upload = upload_of(opening)
        await self._boxes.require_key(upload, await self._kind_of(upload))

    async def _check(self, opening: Opening, part: Part) -> CheckedPart:
        upload = upload_of(opening)
        return await self._boxes.check(upload, part, await self._kind_of(upload))

    async def _kind_of(self, upload: BoxUpload) -> str:
        async with self._db.read() as tx:
            return await self._boxes.kind_of(tx, upload)


def box_routes(db: Database, boxes: BoxService, imports: ImportService) -> APIRouter:
    router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=LeanRoute)

    @router.post("/{import_id}/boxes", response_model=PartRead)
    async def store_boxes(
        import_id: UUID, body: BoxesCreate, who: Caller = caller("stock:write")
    ) -> Response:
        """Stores the next part of an upload. The opener looks into every box; what it refuses is
        in the import's receipt. The same part again answers the same; another content under its
        number is refused.
        """
        part = body.to_domain()
        async with db.read() as tx:
            upload = await boxes.get(tx, who.merchant, import_id)
            receipt = await boxes.find_stored(tx, upload, part)
            kind = await boxes.kind_of(tx, upload)
            seal_no = await boxes.seal_no_of(tx, upload, part)
        if receipt is None:
            checked = await boxes.check(upload, part, kind, seal_no=seal_no)
            async with db.transaction() as tx:
                receipt = await boxes.store(tx, upload, part, checked)
        return answer(model_bytes(PartRead.from_domain(receipt)), 200, None)

    @router.post("/{import_id}/complete")
    async def complete_import(import_id: UUID, who: Caller = caller("stock:write")) -> UploadRead:
        """Puts the stored units of an upload on the shelf. A repeat changes nothing. An upload
        nobody completes is taken back a day after its last part.
        """
        async with db.transaction() as tx:
            upload = await boxes.get(tx, who.merchant, import_id)
            await boxes.complete(tx, upload, actor=f"{who.kind}:{who.id}")
            return UploadRead.of(await imports.get(tx, who.merchant, import_id))

    return router


_EXAMPLES: dict[str, Any] = {
    "opened": {
        "summary": "open it; the boxes follow in parts",
        "value": {"supplier": "ACME Cards", "unit_cost": 2850, "currency": "CNY"},
    },
    "with_an_expiry": {
        "summary": "units with an expiry",
        "value": {
            "supplier": "ACME Cards",
            "unit_cost": 2850,
            "currency": "CNY",
            "expires_at": "2030-12-31T16:00:00Z",
            "note": "December",
        },
    },
}
