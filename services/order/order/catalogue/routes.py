from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, CodeText, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.catalogue import service
from order.catalogue.schemas import ProductCreate, ProductEdit, ProductRead, to_fulfillment

router = APIRouter(prefix="/v1/products", tags=["catalogue"])

Paging = Annotated[PageRequest, Depends(page_request)]


@router.post("", status_code=201, response_model=ProductRead)
async def create_product(
    body: ProductCreate, run: Once = once(), who: Caller = caller("catalogue:write")
) -> Response:
    """A product. Its SKU is unique within the merchant: 409 `sku_taken`.

    A bundle's components are products of yours, priced in its currency: 422 `bad_components`.
    """
    fulfillment = to_fulfillment(body.fulfillment)

    async def work(tx: Transaction) -> ProductRead:
        product = await service.create(
            tx,
            who.merchant,
            sku=body.sku,
            name=body.name,
            fulfillment=fulfillment,
            price=body.price.to_domain(),
            instructions=body.instructions,
        )
        return ProductRead.from_domain(product)

    return await run(who, work, location=lambda product: f"/v1/products/{product.id}")


@router.get("", response_model=Page[ProductRead])
async def list_products(
    request: Request,
    page: Paging,
    sku: Annotated[CodeText | None, Query(description="only the product with this SKU")] = None,
    who: Caller = caller("catalogue:read"),
) -> Page[ProductRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_products(
            tx, who.merchant, sku=sku, after=after[0] if after else None, limit=page.limit + 1
        )
    return page_of(rows, page, read=ProductRead.from_domain, position=lambda product: [product.id])


@router.get("/{product_id}", response_model=ProductRead)
async def get_product(
    request: Request, product_id: UUID, who: Caller = caller("catalogue:read")
) -> ProductRead:
    async with cast(Database, request.app.state.db).read() as tx:
        return ProductRead.from_domain(await service.get_product(tx, who.merchant, product_id))


@router.patch("/{product_id}", response_model=ProductRead)
async def edit_product(
    request: Request,
    product_id: UUID,
    body: ProductEdit,
    who: Caller = caller("catalogue:write"),
) -> ProductRead:
    """Sets price, name, instructions or active; orders placed before are not touched."""
    async with cast(Database, request.app.state.db).transaction() as tx:
        product = await service.edit(
            tx,
            who.merchant,
            product_id,
            name=body.name,
            price=body.price.to_domain() if body.price else None,
            instructions=body.instructions,
            is_active=body.active,
        )
    return ProductRead.from_domain(product)
