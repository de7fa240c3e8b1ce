"""What a merchant sells: a product has a SKU, a price and a way of being fulfilled."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, assert_never
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from kit.money import Money
from order.forms.domain import Form, account_field
from order.limits.domain import Limit
from order.price_rules.domain import Ladder, Tier

L = TypeVar("L", bound="Listing")


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


class Routing(StrEnum):
    """Which offer is tried first: the order they are listed in, or the best one at that moment by
    cost, success, speed, stock and balance, as fulfillment knows them.
    """

    LISTED = "listed"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class TopUpFulfillment:
    """An account of the buyer's is topped up; `account_input` is the input that names it."""

    account_input: str
    offers: tuple[Offer, ...]
    routing: Routing = Routing.LISTED


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

_KINDS: Mapping[type[Fulfillment], Kind] = {
    PoolFulfillment: Kind.POOL,
    TopUpFulfillment: Kind.TOP_UP,
    ManualFulfillment: Kind.MANUAL,
    BundleFulfillment: Kind.BUNDLE,
}


def terms_of(fulfillment: Fulfillment) -> dict[str, Any]:
    """The document of a fulfillment, as the API, the database and an order's line have it."""
    match fulfillment:
        case PoolFulfillment(pool_id, shortage):
            return {"kind": "pool", "pool_id": str(pool_id), **_shortage_terms(shortage)}
        case TopUpFulfillment():
            return _top_up_terms(fulfillment)
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


def _top_up_terms(fulfillment: TopUpFulfillment) -> dict[str, Any]:
    return {
        "kind": "top_up",
        "account_input": fulfillment.account_input,
        "offers": [_offer_terms(offer) for offer in fulfillment.offers],
        "routing": fulfillment.routing.value,
    }


def _offer_terms(offer: Offer) -> dict[str, Any]:
    most = {"amount": offer.cost_max.amount_minor, "currency": offer.cost_max.currency}
    return {"supplier": offer.supplier, "supplier_sku": offer.supplier_sku, "cost_max": most}


def fulfillment_of(kind: str, terms: Mapping[str, Any]) -> Fulfillment:
    """What `terms_of` wrote down."""
    match Kind(kind):
        case Kind.POOL:
            return PoolFulfillment(UUID(terms["pool_id"]), _shortage_of(terms.get("shortage")))
        case Kind.TOP_UP:
            offers = tuple(_offer_of(offer) for offer in terms["offers"])
            # Products saved before the field existed have none.
            routing = Routing(terms.get("routing", Routing.LISTED))
            return TopUpFulfillment(terms["account_input"], offers, routing)
        case Kind.MANUAL:
            return ManualFulfillment(terms["queue"], terms["fulfiller"])
        case Kind.BUNDLE:
            parts = tuple(Component(part["sku"], part["quantity"]) for part in terms["components"])
            return BundleFulfillment(BundlePolicy(terms["policy"]), parts)


def _offer_of(told: Mapping[str, Any]) -> Offer:
    most = Money(told["cost_max"]["amount"], told["cost_max"]["currency"])
    return Offer(told["supplier"], told["supplier_sku"], most)


def _shortage_of(told: Mapping[str, Any] | None) -> Shortage | None:
    if told is None:
        return None
    return Shortage(tuple(told["substitutes"]), told["back_order_seconds"])


@dataclass(frozen=True, slots=True)
class SaleRules:
    """When, where and how much of a product may be sold. An empty set allows all.

    Countries are those of the buyer; `quantity_min` and `quantity_max` count in one order.
    """

    sale_from: datetime | None = None
    sale_until: datetime | None = None
    countries_allowed: frozenset[str] = frozenset()
    countries_refused: frozenset[str] = frozenset()
    channels: frozenset[UUID] = frozenset()
    quantity_min: int = 1
    quantity_max: int | None = None

    @property
    def region(self) -> dict[str, list[str]]:
        """The countries as an order's line keeps them."""
        both = {"allowed": self.countries_allowed, "refused": self.countries_refused}
        return {name: sorted(countries) for name, countries in both.items() if countries}


@dataclass(frozen=True, slots=True)
class Redemption:
    """Where and how the goods are redeemed, and for how long after the sale."""

    text: str = ""
    url: str = ""
    valid_days: int | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """Texts for buyers of one language; an empty one stays in the product's own."""

    instructions: str = ""
    redemption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that a merchant says about a product.

    Products of one `family` are variants of each other, told apart by their `options`. `template`
    names a delivery template; empty means the merchant's default.
    """

    sku: str
    name: str
    fulfillment: Fulfillment
    price: Money
    instructions: str = ""
    is_active: bool = True
    form: Form = ()
    rules: SaleRules = SaleRules()
    limits: tuple[Limit, ...] = ()
    template: str = ""
    redemption: Redemption = Redemption()
    translations: Mapping[str, Translation] = field(default_factory=dict)
    image_url: str = ""
    family: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    # The price by quantity; `tiers_currency` is of the prices among them.
    tiers: tuple[Tier, ...] = ()
    allow_rising: bool = False
    tiers_currency: str | None = None
    cost: Money | None = None  # of one unit, as the merchant states it

    @property
    def ladder(self) -> Ladder:
        return Ladder(tiers=self.tiers, allow_rising=self.allow_rising)

    @property
    def kind(self) -> Kind:
        return _KINDS[type(self.fulfillment)]

    def told_in(self, locale: str | None) -> Translation:
        """Instructions and redemption for a buyer of this locale: in it, in its language, or as
        they are.
        """
        found = self._translation(locale) if locale and self.translations else Translation()
        return Translation(
            found.instructions or self.instructions, found.redemption or self.redemption.text
        )

    def _translation(self, locale: str) -> Translation:
        wanted = locale.lower()
        by_tag = {tag.lower(): translation for tag, translation in self.translations.items()}
        for tag in (wanted, wanted.partition("-")[0]):
            if tag in by_tag:
                return by_tag[tag]
        return Translation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(Listing):
    """A listing that is kept. `version` grows with each edit."""

    id: UUID
    merchant_id: UUID
    created_at: datetime
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Edit:
    """Fields of a listing and of its rules that are to be set; what is absent stays."""

    values: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)

    def of(self, listing: L) -> L:
        """The listing as it becomes. Raises BadProduct."""
        rules = replace(listing.rules, **self.rules) if self.rules else listing.rules
        return completed(replace(listing, **self.values, rules=rules))

    @property
    def is_of_terms(self) -> bool:
        """Whether it sets something that a bundle's components must fit."""
        return "fulfillment" in self.values or "price" in self.values


def completed(listing: L) -> L:
    """With what follows from the rest: a top-up asks for its account. Raises BadProduct."""
    terms = listing.fulfillment
    if isinstance(terms, TopUpFulfillment):
        asked = next((it for it in listing.form if it.name == terms.account_input), None)
        if asked is None:
            listing = replace(listing, form=(*listing.form, account_field(terms.account_input)))
        elif not asked.is_required:
            pointer = "/fulfillment/account_input"
            raise _bad(pointer, "not_required", "the form must require this input")
    _check_rules(listing)
    _check_offers(listing)
    return _with_tiers(listing)


def _with_tiers(listing: L) -> L:
    """Sorted. Raises BadTiers, TiersRise."""
    if not listing.tiers:
        return listing
    if listing.tiers_currency not in (None, listing.price.currency):
        raise _bad("/tiers", "other_currency", f"the price is in {listing.price.currency}")
    ladder = Ladder(listing.price.amount_minor, 0, listing.tiers, listing.allow_rising)
    return replace(listing, tiers=ladder.checked().tiers)


def _check_offers(listing: Listing) -> None:
    """No supplier may ask for more than the buyer pays, and the best offer is found among amounts
    of one currency.
    """
    terms, price = listing.fulfillment, listing.price
    if not isinstance(terms, TopUpFulfillment):
        return
    first = terms.offers[0].cost_max.currency if terms.offers else ""
    for place, offer in enumerate(terms.offers):
        most, pointer = offer.cost_max, f"/fulfillment/offers/{place}/cost_max"
        if most.currency == price.currency and most.amount_minor > price.amount_minor:
            raise _bad(pointer, "above_price", f"more than the price of {price}")
        if terms.routing is Routing.BEST and most.currency != first:
            raise _bad(pointer, "other_currency", "the best of several is found in one currency")


def _check_rules(listing: Listing) -> None:
    rules = listing.rules
    if isinstance(listing.fulfillment, BundleFulfillment) and listing.form:
        raise _bad("/form", "bundle_form", "a bundle asks for what its components ask for")
    if rules.sale_from and rules.sale_until and rules.sale_from >= rules.sale_until:
        raise _bad("/sale_until", "not_after_start", "the sale must end after it begins")
    if rules.quantity_max is not None and rules.quantity_max < rules.quantity_min:
        raise _bad("/quantity_max", "below_minimum", "the maximum is below the minimum")
    if listing.options and listing.family is None:
        raise _bad("/options", "no_family", "options tell the variants of a family apart")
    if len({(limit.per, limit.window_hours) for limit in listing.limits}) < len(listing.limits):
        raise _bad("/limits", "limit_twice", "one limit per subject and window")


def _bad(pointer: str, code: str, detail: str) -> "BadProduct":
    return BadProduct(detail, errors=[{"pointer": pointer, "code": code, "detail": detail}])


class ProductNotFound(NotFound):
    """There is no such product, or it is not yours."""

    code = "product_not_found"


class SkuTaken(Conflict):
    """Another product of this merchant has this SKU."""

    code = "sku_taken"


class EditedMeanwhile(Conflict):
    """Somebody else edited the product since the version you name; read it again, then edit."""

    code = "edited_meanwhile"


class VariantTaken(Conflict):
    """Another product of this family has the same options."""

    code = "variant_taken"


class BadProduct(Invalid):
    """Two parts of the product do not fit each other; `errors` says which and why."""

    code = "bad_product"
