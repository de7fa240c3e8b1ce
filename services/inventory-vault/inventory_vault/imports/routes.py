import hashlib
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from inventory_vault.imports.domain import Upload
from inventory_vault.imports.schemas import ImportBegun, ImportRead, LotForm
from inventory_vault.imports.service import ImportService
from kit.db import Database, Transaction
from kit.errors import Invalid
from kit.http import Caller, Once, caller, once
from kit.money import Money

LINES_SHOWN_MAX = 1_000
FORM_FIELDS_MAX = 10
FIELD_BYTES_MAX = 4_096


class NotMultipart(Invalid):
    """Send multipart/form-data with file, supplier, unit_cost and currency, or boxes as JSON."""

    code = "not_multipart"


class MemoryParser(MultiPartParser):
    """Starlette's parser spools files over 1 MB into the temporary folder: codes in clear on a
    disk. Ours keeps the upload in memory; the size of a body is limited before it gets here.
    """

    spool_max_size = 1 << 40


_FORM_DOCS: dict[str, Any] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file", "supplier", "unit_cost", "currency"],
            "properties": {
                "file": {
                    "type": "string",
                    "format": "binary",
                    "description": "CSV, TXT or XLSX; UTF-8 or GB18030; "
                    "columns separated by , ; tab | or ----",
                },
                "supplier": {"type": "string", "maxLength": 200, "example": "ACME Cards"},
                "unit_cost": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 100_000_000,
                    "description": "minor units; a cost column wins",
                    "example": 2850,
                },
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "example": "CNY"},
                "expires_at": {"type": "string", "format": "date-time"},
                "note": {"type": "string", "maxLength": 200},
                "dry_run": {"type": "boolean", "default": False},
            },
            "additionalProperties": False,
        }
    }
}


class Desk(Protocol):
    """Where uploads wait for a worker; both raise ImportsBusy when it is full."""

    def require_room(self) -> None: ...

    def put(self, import_id: UUID, upload: Upload) -> None: ...


class BoxOpening(Protocol):
    """Takes the calls that bring JSON instead of a form: stock that the shop sealed itself."""

    @property
    def begun(self) -> type[BaseModel]: ...

    @property
    def docs(self) -> dict[str, Any]: ...

    def takes(self, request: Request) -> bool: ...

    async def __call__(
        self, request: Request, pool_id: UUID, who: Caller, run: Once
    ) -> Response: ...


def import_routes(
    db: Database, imports: ImportService, desk: Desk, opening: BoxOpening
) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["imports"])

    @router.post(
        "/pools/{pool_id}/lots",
        status_code=202,
        response_model=ImportBegun | opening.begun,
        openapi_extra={
            "requestBody": {"required": True, "content": {**opening.docs, **_FORM_DOCS}}
        },
    )
    async def import_lot(
        request: Request,
        pool_id: UUID,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        """Imports a file of codes as a lot. Answers at once; follow `GET /v1/imports/{id}`.

        With JSON it opens an import of boxes that you seal yourself, so that no code in clear
        leaves your machine: send them in parts to `/v1/imports/{id}/boxes`, then `complete` it.
        """
        if opening.takes(request):
            return await opening(request, pool_id, who, run)
        desk.require_room()
        form, file_name, data = await _read_form(request)
        upload = Upload(
            merchant_id=who.merchant,
            pool_id=pool_id,
            file_name=file_name,
            data=data,
            supplier=form.supplier,
            unit_cost=Money(form.unit_cost, form.currency),
            expires_at=form.expires_at,
            note=form.note,
            is_dry_run=form.dry_run,
        )

        async def work(tx: Transaction) -> ImportBegun:
            import_id = await imports.begin(tx, upload)
            tx.on_commit(lambda: desk.put(import_id, upload))
            return ImportBegun(import_id=import_id)

        return await run(
            who,
            work,
            status=202,
            location=lambda begun: f"/v1/imports/{begun.import_id}",
            fingerprint=_fingerprint(form, data),
        )

    @router.get("/imports/{import_id}")
    async def get_import(
        import_id: UUID,
        who: Caller = caller("stock:read"),
        after_line: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
        lines: Annotated[int, Query(ge=0, le=LINES_SHOWN_MAX)] = LINES_SHOWN_MAX,
    ) -> ImportRead:
        """Progress, and the receipt: one exact reason per refused line."""
        async with db.read() as tx:
            found = await imports.get(tx, who.merchant, import_id)
            refused = await imports.list_lines(tx, import_id, after=after_line, limit=lines + 1)
        shown = refused[:lines]
        more = len(refused) > len(shown) and shown
        return ImportRead.of(found, shown, shown[-1].line if more else None)

    return router


async def _read_form(request: Request) -> tuple[LotForm, str, bytes]:
    """Raises NotMultipart, or RequestValidationError naming the field."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise NotMultipart
    parser = MemoryParser(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=FORM_FIELDS_MAX,
        max_part_size=FIELD_BYTES_MAX,
    )
    try:
        data = await parser.parse()
    except (MultiPartException, ValueError, LookupError) as error:
        raise NotMultipart(f"the form cannot be read: {error}") from error
    try:
        form, file = _checked_form(data)
        return form, _file_name(file), await file.read()
    finally:
        await data.close()


def _checked_form(data: FormData) -> tuple[LotForm, UploadFile]:
    file = data.get("file")
    fields = {name: value for name, value in data.multi_items() if name != "file" and value != ""}
    errors: list[dict[str, object]] = []
    form: LotForm | None = None
    try:
        form = LotForm.model_validate(fields)
    except ValidationError as error:
        errors += [
            {"type": e["type"], "loc": ("body", *e["loc"]), "msg": e["msg"]} for e in error.errors()
        ]
    if not isinstance(file, UploadFile):
        errors.append({"type": "missing", "loc": ("body", "file"), "msg": "A file is required"})
    if form is None or not isinstance(file, UploadFile):
        raise RequestValidationError(errors)
    return form, file


def _file_name(file: UploadFile) -> str:
    name = "".join(c for c in file.filename or "" if c.isprintable())
    return name[-200:] or "upload"


def _fingerprint(form: LotForm, data: bytes) -> bytes:
    """What an Idempotency-Key is compared by: a hash, for the record must not hold the codes."""
    digest = hashlib.blake2b(form.model_dump_json().encode(), digest_size=32)
    digest.update(data)
    return digest.digest()
