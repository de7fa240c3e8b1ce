from collections.abc import Iterable, Sequence
from uuid import UUID

from kit.db import Transaction
from kit.ids import new_id
from order.bundles.domain import BadComponents, check_components
from order.catalogue import repository
from order.catalogue.domain import (
    BundleFulfillment,
    Edit,
    EditedMeanwhile,
    Listing,
    Product,
    ProductNotFound,
    completed,
)
from order.merchants import service as merchants


async def create(tx: Transaction, merchant_id: UUID, listing: Listing) -> Product:
    """Raises SkuTaken, VariantTaken, MerchantNotFound, BadProduct, BadComponents."""
    await merchants.get_merchant(tx, merchant_id)
    listing = completed(listing)
    await _check_components(tx, merchant_id, listing)
    return (await repository.add_many(tx, merchant_id, [(new_id(), listing)]))[0]


async def change(
    tx: Transaction,
    merchant_id: UUID,
    product_id: UUID,
    edit: Edit,
    *,
    version: int | None = None,
) -> Product:
    """Sets what is given; orders placed before keep what they were placed with.

    Raises ProductNotFound, EditedMeanwhile unless `version` is the present one, VariantTaken,
    BadProduct, BadComponents.
    """
    product = await repository.lock(tx, merchant_id, product_id)
    if product is None:
        raise ProductNotFound(product_id=str(product_id))
    if version is not None and version != product.version:
        raise EditedMeanwhile(product_id=str(product_id), version=product.version, given=version)
    edited = edit.of(product)
    if edited == product:
        return product
    if edit.is_of_terms:
        await _check_components(tx, merchant_id, edited)
    return await repository.update(tx, edited)


async def get_product(tx: Transaction, merchant_id: UUID, product_id: UUID) -> Product:
    """Raises ProductNotFound, also for another merchant's product."""
    product = await repository.find(tx, merchant_id, product_id)
    if product is None:
        raise ProductNotFound(product_id=str(product_id))
    return product


async def list_products(
    tx: Transaction,
    merchant_id: UUID,
    *,
    sku: str | None = None,
    family: str | None = None,
    after: UUID | None,
    limit: int,
) -> Sequence[Product]:
    return await repository.list_products(
        tx, merchant_id, sku=sku, family=family, after=after, limit=limit
    )


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


async def lock_by_sku(
    tx: Transaction, merchant_id: UUID, skus: Iterable[str]
) -> dict[str, Product]:
    """Those of the merchant's products that exist, locked."""
    return await repository.lock_by_sku(tx, merchant_id, skus)


async def check_bundles(
    tx: Transaction, merchant_id: UUID, listings: Iterable[Listing]
) -> dict[str, BadComponents]:
    """What is wrong with the bundles among them, by SKU; one statement, or none."""
    bundles = [
        (it, it.fulfillment) for it in listings if isinstance(it.fulfillment, BundleFulfillment)
    ]
    wanted = {
        (merchant_id, component.sku) for _, bundle in bundles for component in bundle.components
    }
    found = await repository.find_by_sku(tx, wanted) if wanted else {}
    products = {sku: product for (_, sku), product in found.items()}
    errors: dict[str, BadComponents] = {}
    for listing, bundle in bundles:
        try:
            check_components(bundle, products, listing.price.currency)
        except BadComponents as error:
            errors[listing.sku] = error
    return errors


async def put_many(tx: Transaction, merchant_id: UUID, listings: Sequence[Listing]) -> None:
    """Writes checked ones: locked products as they are now, others as new products.

    Raises SkuTaken, VariantTaken: the transaction, or its savepoint, must be undone then.
    """
    known = [it for it in listings if isinstance(it, Product)]
    new = [(new_id(), it) for it in listings if not isinstance(it, Product)]
    if known:
        await repository.update_many(tx, merchant_id, known)
    if new:
        await repository.add_many(tx, merchant_id, new)


async def _check_components(tx: Transaction, merchant_id: UUID, listing: Listing) -> None:
    """Raises BadComponents."""
    for error in (await check_bundles(tx, merchant_id, [listing])).values():
        raise error
