"""What a merchant sells: a product has a SKU, a price and a way of being fulfilled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money
from order.price_rules.domain import Ladder


class Kind(StrEnum):
    """How a product is fulfilled."""

    POOL = "pool"
    TOP_UP = "top_up"
    BUNDLE = "bundle"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Shortage:
    """What is tried when a paid line cannot be delivered for want of stock, in this order: the
    `substitutes` (SKUs of products from a pool), then waiting for stock so long; at last a refund.
    """

    substitutes: tuple[str, ...] = ()
    back_order_seconds: int = 0


@dataclass(frozen=True, slots=True)
class PoolFulfillment:
    """Units of one pool of the vault."""

    pool_id: UUID
    shortage: Shortage | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A supplier who can top up, and what one may cost at most: never bought dearer."""

    supplier: str
    supplier_sku: str
    cost_max: Money


@dataclass(frozen=True, slots=True)
class TopUpFulfillment:
    """An account of the buyer's is topped up; `account_input` is the input that names it."""

    account_input: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class ManualFulfillment:
    """Done by a person who takes it from `queue`, or by the merchant's own system `fulfiller`."""

    queue: str
    fulfiller: str | None


class BundlePolicy(StrEnum):
    ALL_OR_NOTHING = "all_or_nothing"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Component:
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class BundleFulfillment:
    """Other products at a price of its own. In an order it is its components, each a line."""

    policy: BundlePolicy
    components: tuple[Component, ...]


Fulfillment = PoolFulfillment | TopUpFulfillment | ManualFulfillment | BundleFulfillment
"""A union of one class per kind."""


def terms_of(fulfillment: Fulfillment) -> dict[str, Any]:
    """The document of a fulfillment, as the API, the database and an order's line have it."""
    match fulfillment:
        case PoolFulfillment(pool_id, shortage):
            return {"kind": "pool", "pool_id": str(pool_id), **_shortage_terms(shortage)}
        case TopUpFulfillment(account_input, offers):
            told = [_offer_terms(offer) for offer in offers]
            return {"kind": "top_up", "account_input": account_input, "offers": told}
        case ManualFulfillment(queue, fulfiller):
            return {"kind": "manual", "queue": queue, "fulfiller": fulfiller}
        case BundleFulfillment(policy, components):
            parts = [{"sku": part.sku, "quantity": part.quantity} for part in components]
            return {"kind": "bundle", "policy": policy.value, "components": parts}
        case _:
            assert_never(fulfillment)


def _shortage_terms(shortage: Shortage | None) -> dict[str, Any]:
    if shortage is None:
        return {}
    told = {
        "substitutes": list(shortage.substitutes),
        "back_order_seconds": shortage.back_order_seconds,
    }
    return {"shortage": told}


def _offer_terms(offer: Offer) -> dict[str, Any]:
    most = {"amount": offer.cost_max.amount_minor, "currency": offer.cost_max.currency}
    return {"supplier": offer.supplier, "supplier_sku": offer.supplier_sku, "cost_max": most}


def fulfillment_of(kind: str, terms: Mapping[str, Any]) -> Fulfillment:
    """What `terms_of` wrote down."""
    match Kind(kind):
        case Kind.POOL:
            return PoolFulfillment(UUID(terms["pool_id"]), _shortage_of(terms.get("shortage")))
        case Kind.TOP_UP:
            offers = tuple(
                Offer(
                    offer["supplier"],
                    offer["supplier_sku"],
                    Money(offer["cost_max"]["amount"], offer["cost_max"]["currency"]),
                )
                for offer in terms["offers"]
            )
            return TopUpFulfillment(terms["account_input"], offers)
        case Kind.MANUAL:
            return ManualFulfillment(terms["queue"], terms["fulfiller"])
        case Kind.BUNDLE:
            parts = tuple(Component(part["sku"], part["quantity"]) for part in terms["components"])
            return BundleFulfillment(BundlePolicy(terms["policy"]), parts)


def _shortage_of(told: Mapping[str, Any] | None) -> Shortage | None:
    if told is None:
        return None
    return Shortage(tuple(told["substitutes"]), told["back_order_seconds"])


@dataclass(frozen=True, slots=True)
class Product:
    id: UUID
    merchant_id: UUID
    sku: str
    name: str
    fulfillment: Fulfillment
    price: Money
    instructions: str
    is_active: bool
    created_at: datetime
    updated_at: datetime
    ladder: Ladder = field(default_factory=Ladder)  # the price by quantity

    @property
    def kind(self) -> Kind:
        match self.fulfillment:
            case PoolFulfillment():
                return Kind.POOL
            case TopUpFulfillment():
                return Kind.TOP_UP
            case ManualFulfillment():
                return Kind.MANUAL
            case BundleFulfillment():
                return Kind.BUNDLE
            case _:
                assert_never(self.fulfillment)


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


class ProductNotFound(NotFound):
    """There is no such product, or it is not yours."""

    code = "product_not_found"


class SkuTaken(Conflict):
    """Another product of this merchant has this SKU."""

    code = "sku_taken"


class BadComponents(Invalid):
    """A bundle is made of other products of yours that are priced in its currency, none of them a
    bundle, each named once.
    """

    code = "bad_components"
