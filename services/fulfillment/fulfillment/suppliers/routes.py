"""Suppliers for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from fulfillment.suppliers.domain import Supplier
from fulfillment.suppliers.schemas import SupplierChange, SupplierCreate, SupplierRead
from fulfillment.suppliers.service import SupplierService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/suppliers", tags=["suppliers"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _suppliers(request: Request) -> SupplierService:
    return cast(SupplierService, request.app.state.suppliers)


Db = Annotated[Database, Depends(_db)]
Suppliers = Annotated[SupplierService, Depends(_suppliers)]


@router.post("", status_code=201, response_model=SupplierRead, summary="Set up a supplier")
async def create_supplier(
    body: SupplierCreate, suppliers: Suppliers, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """An account with a supplier, for products' offers to name. Its secret is never read back."""

    async def work(tx: Transaction) -> SupplierRead:
        made = await suppliers.create(tx, body.to_domain(who.merchant), body.secrets())
        return _read(suppliers, made)

    return await run(who, work, location=lambda made: f"/v1/suppliers/{made.id}")


@router.get("", summary="List suppliers")
async def list_suppliers(
    db: Db,
    suppliers: Suppliers,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
) -> Page[SupplierRead]:
    """The merchant's suppliers, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await suppliers.list_suppliers(
            tx, who.merchant, after=position[0] if position else None, limit=page.limit + 1
        )
    return page_of(found, page, read=lambda it: _read(suppliers, it), position=lambda it: [it.id])


@router.get("/{supplier_id}", summary="Read a supplier")
async def read_supplier(
    supplier_id: UUID, db: Db, suppliers: Suppliers, who: Caller = caller(READ)
) -> SupplierRead:
    async with db.read() as tx:
        return _read(suppliers, await suppliers.get(tx, who.merchant, supplier_id))


@router.patch("/{supplier_id}", summary="Change a supplier")
async def change_supplier(
    supplier_id: UUID,
    body: SupplierChange,
    db: Db,
    suppliers: Suppliers,
    who: Caller = caller(WRITE),
) -> SupplierRead:
    """Another address or secret, other times or options, or a pause. A new secret for callbacks
    loses none: the one before is believed for `callback_overlap_seconds` too. The address and the
    account stay while purchases there are open (409): elsewhere nobody would know of them.
    """
    async with db.transaction() as tx:
        changed = await suppliers.change(
            tx,
            who.merchant,
            supplier_id,
            body.values(),
            body.secrets(),
            overlap=body.overlap(),
        )
    return _read(suppliers, changed)


def _read(suppliers: SupplierService, supplier: Supplier) -> SupplierRead:
    return SupplierRead.from_domain(supplier, suppliers.callback_url_of(supplier.id))
