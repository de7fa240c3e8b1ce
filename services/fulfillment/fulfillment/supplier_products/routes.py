"""Suppliers' offers for operators."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from fulfillment.supplier_products.schemas import (
    SupplierProductChange,
    SupplierProductCreate,
    SupplierProductRead,
)
from fulfillment.supplier_products.service import SupplierProductService
from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request

router = APIRouter(prefix="/v1/supplier-products", tags=["supplier products"])
READ = "suppliers:read"
WRITE = "suppliers:write"


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


def _offers(request: Request) -> SupplierProductService:
    return cast(SupplierProductService, request.app.state.supplier_products)


Db = Annotated[Database, Depends(_db)]
Offers = Annotated[SupplierProductService, Depends(_offers)]


@router.post(
    "", status_code=201, response_model=SupplierProductRead, summary="Set up a supplier's offer"
)
async def create_supplier_product(
    body: SupplierProductCreate, offers: Offers, run: Once = once(), who: Caller = caller(WRITE)
) -> Response:
    """Says that a product, or the units of a pool, can be bought as this article of a supplier."""

    async def work(tx: Transaction) -> SupplierProductRead:
        made = await offers.create(tx, body.to_domain(who.merchant))
        return SupplierProductRead.from_domain(made)

    return await run(who, work, location=lambda made: f"/v1/supplier-products/{made.id}")


@router.get("", summary="List suppliers' offers")
async def list_supplier_products(
    db: Db,
    offers: Offers,
    who: Caller = caller(READ),
    page: PageRequest = Depends(page_request),
    sku: Annotated[str | None, Query(max_length=64, description="Only of this product.")] = None,
    pool_id: Annotated[UUID | None, Query(description="Only into this pool.")] = None,
    supplier: Annotated[str | None, Query(max_length=64, description="Only of this one.")] = None,
) -> Page[SupplierProductRead]:
    """The merchant's offers with what was seen of them, newest first."""
    position = page.after_as(UUID)
    async with db.read() as tx:
        found = await offers.list_products(
            tx,
            who.merchant,
            sku=sku,
            pool_id=pool_id,
            supplier=supplier,
            after=position[0] if position else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=SupplierProductRead.from_domain, position=lambda it: [it.id])


@router.get("/{supplier_product_id}", summary="Read a supplier's offer")
async def read_supplier_product(
    supplier_product_id: UUID, db: Db, offers: Offers, who: Caller = caller(READ)
) -> SupplierProductRead:
    async with db.read() as tx:
        found = await offers.get(tx, who.merchant, supplier_product_id)
    return SupplierProductRead.from_domain(found)


@router.patch("/{supplier_product_id}", summary="Change a supplier's offer")
async def change_supplier_product(
    supplier_product_id: UUID,
    body: SupplierProductChange,
    db: Db,
    offers: Offers,
    who: Caller = caller(WRITE),
) -> SupplierProductRead:
    """Other limits, a pause, or the price of now accepted. It is judged anew at once."""
    async with db.transaction() as tx:
        changed = await offers.change(
            tx, who.merchant, supplier_product_id, body.values(), accept_cost=body.accept_cost
        )
    return SupplierProductRead.from_domain(changed)


@router.delete("/{supplier_product_id}", status_code=204, summary="Drop a supplier's offer")
async def drop_supplier_product(
    supplier_product_id: UUID, db: Db, offers: Offers, who: Caller = caller(WRITE)
) -> None:
    """Nothing new is bought as this article. What was bought stays in the books."""
    async with db.transaction() as tx:
        await offers.drop(tx, who.merchant, supplier_product_id)
