import hashlib
import io
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from inventory_vault.imports.domain import Upload
from inventory_vault.imports.schemas import (
    ImportBegun,
    ImportRead,
    ImportSummary,
    LotForm,
    ResumeForm,
    StatusText,
)
from inventory_vault.imports.service import ImportService
from inventory_vault.packer.job import Parcel
from kit.db import Database, Transaction
from kit.errors import Invalid
from kit.http import Caller, Once, caller, once
from kit.money import Money
from kit.paging import Page, PageRequest, page_of, page_request

Form = TypeVar("Form", bound=BaseModel)

LINES_SHOWN_MAX = 1_000
FORM_FIELDS_MAX = 20
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
                    "description": "CSV, TXT, XLSX, or a ZIP of images; UTF-8 or GB18030; "
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
                "needs_activation": {
                    "type": "boolean",
                    "default": False,
                    "description": "the lot is not for sale before it is activated",
                },
                "encoding": {"enum": ["utf-8", "gb18030", "gbk", "utf-16"]},
                "separator": {"enum": [",", ";", "|", "----", "║", "tab", "space"]},
                "columns": {
                    "type": "string",
                    "description": "JSON: number, password, code, url, image, cost, expiry "
                    "or capacity to the header's name or a position from 1",
                    "example": '{"code": "Key", "cost": 3}',
                },
                "has_header": {"type": "boolean"},
                "capacity": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 1000,
                    "default": 1,
                    "description": "of reusable units whose line does not say it",
                },
            },
            "additionalProperties": False,
        }
    }
}

_RESUME_DOCS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "additionalProperties": False,
                }
            }
        },
    }
}


class Desk(Protocol):
    """Where uploads wait for a worker; both raise ImportsBusy when it is full."""

    def require_room(self) -> None: ...

    def put(self, import_id: UUID, item: Parcel) -> None: ...


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
        form, file_name, parcel = await _read_form(request, LotForm)
        digest = await imports.digest(parcel.data)
        upload = Upload(
            merchant_id=who.merchant,
            pool_id=pool_id,
            file_name=file_name,
            parcel=parcel,
            size_bytes=len(parcel.data),
            digest=digest,
            supplier=form.supplier,
            unit_cost=Money(form.unit_cost, form.currency),
            expires_at=form.expires_at,
            note=form.note,
            is_dry_run=form.dry_run,
            needs_activation=form.needs_activation,
            options=form.options(),
            requested_by=f"{who.kind}:{who.id}",
        )

        async def work(tx: Transaction) -> ImportBegun:
            import_id = await imports.begin(tx, upload)
            tx.on_commit(lambda: desk.put(import_id, parcel))
            return ImportBegun(import_id=import_id)

        return await run(
            who,
            work,
            status=202,
            location=lambda begun: f"/v1/imports/{begun.import_id}",
            fingerprint=_fingerprint(form, digest),
        )

    @router.post(
        "/imports/{import_id}/resume",
        status_code=202,
        response_model=ImportBegun,
        openapi_extra=_RESUME_DOCS,
    )
    async def resume_import(
        request: Request,
        import_id: UUID,
        who: Caller = caller("stock:write"),
        run: Once = once(),
    ) -> Response:
        """Goes on with an interrupted import, behind the last line that is stored. Send the same
        file again.
        """
        desk.require_room()
        form, _, parcel = await _read_form(request, ResumeForm)
        digest = await imports.digest(parcel.data)

        async def work(tx: Transaction) -> ImportBegun:
            await imports.resume(
                tx,
                who.merchant,
                import_id,
                digest=digest,
                requested_by=f"{who.kind}:{who.id}",
            )
            tx.on_commit(lambda: desk.put(import_id, parcel))
            return ImportBegun(import_id=import_id)

        return await run(
            who,
            work,
            status=202,
            location=lambda begun: f"/v1/imports/{begun.import_id}",
            fingerprint=_fingerprint(form, digest),
        )

    @router.get("/imports")
    async def list_imports(
        page: Annotated[PageRequest, Depends(page_request)],
        who: Caller = caller("stock:read"),
        pool_id: UUID | None = None,
        status: StatusText | None = None,
    ) -> Page[ImportSummary]:
        """Your imports, the newest first."""
        before = page.after_as(UUID)
        async with db.read() as tx:
            found = await imports.list_of(
                tx,
                who.merchant,
                pool_id=pool_id,
                status=status,
                before=before[0] if before else None,
                limit=page.limit + 1,
            )
        return page_of(found, page, read=ImportSummary.summary, position=lambda found: [found.id])

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


async def _read_form(request: Request, kind: type[Form]) -> tuple[Form, str, Parcel]:
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
        form, file = _checked_form(data, kind)
        return form, _file_name(file), Parcel(_content(file))
    finally:
        await data.close()


def _content(file: UploadFile) -> bytes:
    """Without a copy: a BytesIO gives its bytes away as they are."""
    buffer = getattr(file.file, "_file", file.file)
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


def _checked_form(data: FormData, kind: type[Form]) -> tuple[Form, UploadFile]:
    file = data.get("file")
    fields = {name: value for name, value in data.multi_items() if name != "file" and value != ""}
    errors: list[dict[str, object]] = []
    form: Form | None = None
    try:
        form = kind.model_validate(fields)
    except ValidationError as error:
        errors += [
            {"type": _type_of(e["type"]), "loc": ("body", *e["loc"]), "msg": e["msg"]}
            for e in error.errors()
        ]
    if not isinstance(file, UploadFile):
        errors.append({"type": "missing", "loc": ("body", "file"), "msg": "A file is required"})
    if form is None or not isinstance(file, UploadFile):
        raise RequestValidationError(errors)
    return form, file


def _type_of(error_type: str) -> str:
    """JSON that is broken is a wrong field here, not a body that cannot be read."""
    return "value_error" if error_type == "json_invalid" else error_type


def _file_name(file: UploadFile) -> str:
    name = "".join(c for c in file.filename or "" if c.isprintable())
    return name[-200:] or "upload"


def _fingerprint(form: BaseModel, digest: bytes) -> bytes:
    """What an Idempotency-Key is compared by. The file stands in it as a keyed digest: a plain hash
    of a short file could be tried.
    """
    return hashlib.blake2b(digest + form.model_dump_json().encode(), digest_size=32).digest()
