"""What a bundle may be made of."""

from collections.abc import Mapping

from kit.errors import Invalid
from order.catalogue.domain import BundleFulfillment, Product


def check_components(
    bundle: BundleFulfillment, products: Mapping[str, Product], currency: str
) -> None:
    """Raises BadComponents, naming each that is wrong."""
    errors = []
    seen: set[str] = set()
    for place, component in enumerate(bundle.components):
        why = _why_no_component(products.get(component.sku), currency)
        if component.sku in seen:
            why = "named twice"
        seen.add(component.sku)
        if why:
            pointer = f"/fulfillment/components/{place}/sku"
            errors.append({"pointer": pointer, "code": BadComponents.code, "detail": why})
    if errors:
        raise BadComponents(errors=errors)


def _why_no_component(product: Product | None, currency: str) -> str:
    if product is None:
        return "there is no product with this SKU"
    if isinstance(product.fulfillment, BundleFulfillment):
        return "a bundle cannot be part of a bundle"
    if product.price.currency != currency:
        return f"it is priced in {product.price.currency}, the bundle in {currency}"
    return ""


class BadComponents(Invalid):
    """A bundle is made of other products in its currency, no bundles, each named once."""

    code = "bad_components"
