from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, CodeText, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from order.catalogue import service
from order.catalogue.schemas import ProductCreate, ProductEdit, ProductRead

router = APIRouter(prefix="/v1/products", tags=["catalogue"])

Paging = Annotated[PageRequest, Depends(page_request)]


@router.post("", status_code=201, response_model=ProductRead)
async def create_product(
    body: ProductCreate, run: Once = once(), who: Caller = caller("catalogue:write")
) -> Response:
    """A product. Its SKU is unique within the merchant: 409 `sku_taken`.

    A bundle's components are products of yours, priced in its currency: 422 `bad_components`.
    """
    listing = body.to_domain()

    async def work(tx: Transaction) -> ProductRead:
        return ProductRead.from_domain(await service.create(tx, who.merchant, listing))

    return await run(who, work, location=lambda product: f"/v1/products/{product.id}")


@router.get("", response_model=Page[ProductRead])
async def list_products(
    request: Request,
    page: Paging,
    sku: Annotated[CodeText | None, Query(description="only the product with this SKU")] = None,
    family: Annotated[CodeText | None, Query(description="only the variants of this")] = None,
    who: Caller = caller("catalogue:read"),
) -> Page[ProductRead]:
    after = page.after_as(UUID)
    async with cast(Database, request.app.state.db).read() as tx:
        rows = await service.list_products(
            tx,
            who.merchant,
            sku=sku,
            family=family,
            after=after[0] if after else None,
            limit=page.limit + 1,
        )
    return page_of(rows, page, read=ProductRead.from_domain, position=lambda product: [product.id])


@router.get("/{product_id}", response_model=ProductRead)
async def get_product(
    request: Request, response: Response, product_id: UUID, who: Caller = caller("catalogue:read")
) -> ProductRead:
    """The answer's `ETag` is the product's version."""
    async with cast(Database, request.app.state.db).read() as tx:
        product = await service.get_product(tx, who.merchant, product_id)
    response.headers["ETag"] = f'"{product.version}"'
    return ProductRead.from_domain(product)


@router.patch("/{product_id}", response_model=ProductRead)
async def edit_product(
    request: Request,
    response: Response,
    product_id: UUID,
    body: ProductEdit,
    if_match: Annotated[
        str | None,
        Header(
            pattern=r'^"?[0-9]{1,9}"?$',
            description="the version you have read: 409 `edited_meanwhile` if it is no longer that",
            examples=['"3"'],
        ),
    ] = None,
    who: Caller = caller("catalogue:write"),
) -> ProductRead:
    """Sets what is given; orders placed before are not touched.

    Send `If-Match` with the version you read, so that nobody's edit is lost unseen.
    """
    version = int(if_match.strip('"')) if if_match else None
    async with cast(Database, request.app.state.db).transaction() as tx:
        product = await service.change(
            tx, who.merchant, product_id, body.to_domain(), version=version
        )
    response.headers["ETag"] = f'"{product.version}"'
    return ProductRead.from_domain(product)
