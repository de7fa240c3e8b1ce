import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any, NoReturn, cast
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from order.product_files import service
from order.product_files.domain import COLUMNS, Receipt, write_rows
from order.product_files.schemas import ReceiptRead, cells_of, listing_of

router = APIRouter(prefix="/v1/products", tags=["catalogue"])

_CSV: dict[int | str, dict[str, Any]] = {  # FastAPI's own type
    200: {"description": "CSV, UTF-8", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
_BOM = b"\xef\xbb\xbf"
"""Without it spreadsheets take the file for the system's own encoding."""


class _DryRunEnded(Exception):
    """Undoes what a dry run wrote."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


@router.post("/csv", response_model=ReceiptRead)
async def import_products(
    file: UploadFile,
    dry_run: Annotated[bool, Form()] = False,  # noqa: FBT002 - a field of the form
    run: Once = once(),
    who: Caller = caller("catalogue:write"),
) -> Response:
    """Makes the products of a CSV file, by SKU: new ones need name, price_minor, currency and
    fulfillment (`pool:<pool id>` or the API's JSON); of known ones the file's columns are set.

    UTF-8 or GB18030, 20,000 lines at most, the columns of `GET /v1/products/csv`. The same file
    again changes nothing. `dry_run` answers the same receipt and changes nothing.
    """
    data = await file.read()
    fingerprint = hashlib.blake2b(data + bytes([dry_run]), digest_size=32).digest()

    async def work(tx: Transaction) -> ReceiptRead:
        receipt = await _bring_in(tx, who.merchant, data, is_dry=dry_run)
        return ReceiptRead.of(receipt, is_dry=dry_run)

    return await run(who, work, status=200, fingerprint=fingerprint)


async def _bring_in(tx: Transaction, merchant_id: UUID, data: bytes, *, is_dry: bool) -> Receipt:
    try:
        async with tx.savepoint():
            receipt = await service.bring_in(tx, merchant_id, data, listing_of)
            if is_dry:
                _end(receipt)
    except _DryRunEnded as ended:
        return ended.receipt
    return receipt


def _end(receipt: Receipt) -> NoReturn:
    raise _DryRunEnded(receipt)


@router.get("/csv", response_class=StreamingResponse, responses=_CSV)
async def export_products(
    request: Request, who: Caller = caller("catalogue:read")
) -> StreamingResponse:
    """All products as CSV, to be edited and brought in again."""
    db = cast(Database, request.app.state.db)
    headers = {"Content-Disposition": 'attachment; filename="products.csv"'}
    return StreamingResponse(_lines(db, who.merchant), media_type="text/csv", headers=headers)


async def _lines(db: Database, merchant_id: UUID) -> AsyncIterator[bytes]:
    yield _BOM + write_rows([COLUMNS])
    async for products in service.take_out(db, merchant_id):
        yield write_rows(cells_of(product) for product in products)
