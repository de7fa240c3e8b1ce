from collections.abc import Iterable, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from kit.money import Money
from order.catalogue import repository
from order.catalogue.domain import (
    BundleFulfillment,
    Fulfillment,
    Product,
    ProductNotFound,
    check_components,
)
from order.merchants import service as merchants


async def create(
    tx: Transaction,
    merchant_id: UUID,
    *,
    sku: str,
    name: str,
    fulfillment: Fulfillment,
    price: Money,
    instructions: str,
) -> Product:
    """Raises SkuTaken, MerchantNotFound, BadComponents."""
    await merchants.get_merchant(tx, merchant_id)
    if isinstance(fulfillment, BundleFulfillment):
        await _check_components(tx, merchant_id, fulfillment, price.currency)
    return await repository.add(
        tx,
        product_id=new_id(),
        merchant_id=merchant_id,
        sku=sku,
        name=name,
        fulfillment=fulfillment,
        price=price,
        instructions=instructions,
    )


async def edit(
    tx: Transaction,
    merchant_id: UUID,
    product_id: UUID,
    *,
    name: str | None = None,
    price: Money | None = None,
    instructions: str | None = None,
    is_active: bool | None = None,
) -> Product:
    """Sets what is given; orders placed before keep what they were placed with.

    Raises ProductNotFound.
    """
    product = await repository.update(
        tx,
        merchant_id,
        product_id,
        name=name,
        price=price,
        instructions=instructions,
        is_active=is_active,
    )
    if product is None:
        raise ProductNotFound(product_id=str(product_id))
    return product


async def get_product(tx: Transaction, merchant_id: UUID, product_id: UUID) -> Product:
    """Raises ProductNotFound, also for another merchant's product."""
    product = await repository.find(tx, merchant_id, product_id)
    if product is None:
        raise ProductNotFound(product_id=str(product_id))
    return product


async def list_products(
    tx: Transaction, merchant_id: UUID, *, sku: str | None, after: UUID | None, limit: int
) -> Sequence[Product]:
    return await repository.list_products(tx, merchant_id, sku=sku, after=after, limit=limit)


async def find_by_sku(
    tx: Transaction, wanted: Iterable[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Product]:
    return await repository.find_by_sku(tx, wanted)


async def find_components(
    tx: Transaction, products: Iterable[Product]
) -> dict[tuple[UUID, str], Product]:
    """What the bundles among the products are made of; asks nothing when there is none."""
    wanted = {
        (product.merchant_id, component.sku)
        for product in products
        if isinstance(product.fulfillment, BundleFulfillment)
        for component in product.fulfillment.components
    }
    return await repository.find_by_sku(tx, wanted) if wanted else {}


async def _check_components(
    tx: Transaction, merchant_id: UUID, bundle: BundleFulfillment, currency: str
) -> None:
    wanted = {(merchant_id, component.sku) for component in bundle.components}
    found = await repository.find_by_sku(tx, wanted)
    check_components(bundle, {sku: product for (_, sku), product in found.items()}, currency)
