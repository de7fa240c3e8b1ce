from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from kit.http import CodeText, Model, MoneyModel, Name, Reference, Text, Timestamp
from order.catalogue.domain import (
    BundlePolicy,
    Edit,
    Fulfillment,
    Listing,
    Product,
    Redemption,
    Routing,
    SaleRules,
    Translation,
    completed,
    fulfillment_of,
    terms_of,
)
from order.forms.domain import form_terms
from order.forms.schemas import LANGUAGES_MAX, FormModel, Language, to_form
from order.limits.schemas import LimitModel
from order.price_rules.schemas import TierModel, Tiers, one_currency

OFFERS_MAX = 20
COMPONENTS_MAX = 20
COMPONENT_QUANTITY_MAX = 100
SUBSTITUTES_MAX = 10
BACK_ORDER_SECONDS_MAX = 30 * 86_400
COUNTRIES_MAX = 250
CHANNELS_MAX = 100
LIMITS_MAX = 10
OPTIONS_MAX = 10
VALID_DAYS_MAX = 36_500
QUANTITY_MAX = 10_000

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
UrlText = Annotated[
    str, StringConstraints(max_length=2_000, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$")
]
Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX, strict=True)]

_POOL_EXAMPLE: JsonDict = {
    "sku": "GAME-100",
    "name": "Game card, 100 points",
    "fulfillment": {"kind": "pool", "pool_id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"},
    "price": {"amount": 1990, "currency": "CNY"},
    "instructions": "Enter the code at the game's redeem page.",
}

_TOP_UP_EXAMPLE: JsonDict = {
    "sku": "PHONE-50",
    "name": "Phone credit, 50 yuan",
    "fulfillment": {
        "kind": "top_up",
        "account_input": "phone",
        "offers": [
            {
                "supplier": "simulator",
                "supplier_sku": "CM-50",
                "cost_max": {"amount": 4950, "currency": "CNY"},
            }
        ],
    },
    "price": {"amount": 4990, "currency": "CNY"},
    "form": [{"name": "phone", "type": "phone", "label": {"en": "Phone", "zh": "手机号"}}],
    "limits": [{"per": "buyer", "quantity": 5, "window_hours": 24}],
}
_BUNDLE_EXAMPLE: JsonDict = {
    "sku": "STARTER-PACK",
    "name": "Starter pack",
    "fulfillment": {
        "kind": "bundle",
        "policy": "all_or_nothing",
        "components": [{"sku": "GAME-100", "quantity": 1}, {"sku": "PHONE-50", "quantity": 1}],
    },
    "price": {"amount": 5990, "currency": "CNY"},
}


class ShortageModel(Model):
    """What is tried, in this order, when a paid line cannot be delivered for want of stock: the
    substitutes (at the line's price), then waiting for stock; at last the line is refunded.
    """

    substitutes: Annotated[list[CodeText], Field(max_length=SUBSTITUTES_MAX)] = Field(
        default=[], description="SKUs of products from a pool"
    )
    back_order_seconds: Annotated[int, Field(ge=0, le=BACK_ORDER_SECONDS_MAX, strict=True)] = 0


class PoolFulfillmentModel(Model):
    """Units of one pool of the vault."""

    kind: Literal["pool"]
    pool_id: UUID
    shortage: ShortageModel | None = None


class OfferModel(Model):
    """A supplier; never bought dearer than `cost_max` for one."""

    supplier: CodeText
    supplier_sku: Reference
    cost_max: MoneyModel


class TopUpFulfillmentModel(Model):
    """An account of the buyer's is topped up by a supplier."""

    kind: Literal["top_up"]
    account_input: CodeText = Field(description="the input that names the account")
    offers: Annotated[list[OfferModel], Field(min_length=1, max_length=OFFERS_MAX)]
    routing: Routing = Field(
        default=Routing.LISTED,
        description="`listed`: offers are tried in the order given; `best`: in the order that "
        "fulfillment finds best when it buys, by landed cost, success rate, latency, stock and "
        "balance. Either way the next one is tried only after a definite no",
    )


class ManualFulfillmentModel(Model):
    """Done by a person, or by the merchant's own system when `fulfiller` names one."""

    kind: Literal["manual"]
    queue: CodeText
    fulfiller: CodeText | None = None


class ComponentModel(Model):
    sku: CodeText
    quantity: Annotated[int, Field(ge=1, le=COMPONENT_QUANTITY_MAX, strict=True)] = 1


class BundleFulfillmentModel(Model):
    """Other products for one price. An order has a line for each of them, with its share of the
    price: by base price, rounded by largest remainder. `all_or_nothing`: if one of them cannot be
    delivered, none is.
    """

    kind: Literal["bundle"]
    policy: BundlePolicy
    components: Annotated[list[ComponentModel], Field(min_length=1, max_length=COMPONENTS_MAX)]


FulfillmentModel = Annotated[
    PoolFulfillmentModel | TopUpFulfillmentModel | ManualFulfillmentModel | BundleFulfillmentModel,
    Field(discriminator="kind"),
]


def to_fulfillment(model: FulfillmentModel) -> Fulfillment:
    return fulfillment_of(model.kind, model.model_dump(mode="json"))


class RegionsModel(Model):
    """Countries of buyers (ISO 3166-1, two letters). `allowed` empty: all but those refused."""

    allowed: Annotated[list[Country], Field(max_length=COUNTRIES_MAX)] = Field(default_factory=list)
    refused: Annotated[list[Country], Field(max_length=COUNTRIES_MAX)] = Field(default_factory=list)


class RedemptionModel(Model):
    """Where and how the goods are redeemed; `valid_days` after the sale."""

    text: Text = ""
    url: UrlText | Literal[""] = ""
    valid_days: Annotated[int, Field(ge=1, le=VALID_DAYS_MAX)] | None = None


class TranslationModel(Model):
    """Texts for buyers of a language; what is empty stays in the product's own words."""

    instructions: Text = ""
    redemption: Text = ""


class Details(Model):
    """What a product may have beside what it must have."""

    instructions: Text = Field(default="", description="told to the buyer with the goods")
    active: bool = Field(default=True, description="whether it is on sale")
    form: FormModel = Field(
        default_factory=list,
        description="what the buyer is asked for; a bundle asks for what its components ask for",
    )
    sale_from: Timestamp | None = None
    sale_until: Timestamp | None = Field(default=None, description="the first moment without sale")
    regions: RegionsModel = RegionsModel()
    channels: Annotated[list[UUID], Field(max_length=CHANNELS_MAX)] = Field(
        default_factory=list, description="sold through these only; empty: through all"
    )
    quantity_min: Quantity = Field(default=1, description="in one order")
    quantity_max: Quantity | None = Field(default=None, description="in one order")
    limits: Annotated[list[LimitModel], Field(max_length=LIMITS_MAX)] = Field(default_factory=list)
    template: CodeText | Literal[""] = Field(default="", description="of the delivery")
    redemption: RedemptionModel = RedemptionModel()
    translations: Annotated[dict[Language, TranslationModel], Field(max_length=LANGUAGES_MAX)] = (
        Field(default_factory=dict, description="by language, e.g. `zh-CN` or `zh`")
    )
    image_url: UrlText | Literal[""] = ""
    family: CodeText | None = Field(
        default=None, description="products of one family are variants of each other"
    )
    options: Annotated[dict[CodeText, Name], Field(max_length=OPTIONS_MAX)] = Field(
        default_factory=dict, description="what tells this variant from its family's others"
    )
    tiers: Tiers = Field(default_factory=list, description="the price by quantity")
    allow_rising: bool = Field(
        default=False, description="a unit may get dearer as the quantity grows"
    )
    cost: MoneyModel | None = Field(
        default=None, description="of one unit: nothing is sold below it without permission"
    )


class ProductCreate(Details):
    model_config = ConfigDict(
        json_schema_extra={"examples": [_POOL_EXAMPLE, _TOP_UP_EXAMPLE, _BUNDLE_EXAMPLE]}
    )

    sku: CodeText
    name: Name
    fulfillment: FulfillmentModel
    price: MoneyModel

    def to_domain(self) -> Listing:
        """Raises BadProduct."""
        edit = edit_of(self, {"name", "fulfillment", "price", *Details.model_fields})
        values = {"sku": self.sku, **edit.values}
        return completed(Listing(**values, rules=SaleRules(**edit.rules)))


def _unset() -> Any:  # stands for any type: an edit reads only what was sent
    return None


class ProductEdit(Details):
    """What is absent stays as it is; `null` and empty values take away."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"price": {"amount": 1890, "currency": "CNY"}}]}
    )

    name: Name = Field(default_factory=_unset)
    fulfillment: FulfillmentModel = Field(default_factory=_unset)
    price: MoneyModel = Field(default_factory=_unset)

    def to_domain(self) -> Edit:
        return edit_of(self, self.model_fields_set)


_RULES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "sale_from": lambda value: {"sale_from": value},
    "sale_until": lambda value: {"sale_until": value},
    "regions": lambda value: {
        "countries_allowed": frozenset(value.allowed),
        "countries_refused": frozenset(value.refused),
    },
    "channels": lambda value: {"channels": frozenset(value)},
    "quantity_min": lambda value: {"quantity_min": value},
    "quantity_max": lambda value: {"quantity_max": value},
}
_VALUES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "active": lambda value: {"is_active": value},
    "price": lambda value: {"price": value.to_domain()},
    "fulfillment": lambda value: {"fulfillment": to_fulfillment(value)},
    "form": lambda value: {"form": to_form(value)},
    "limits": lambda value: {"limits": tuple(limit.to_domain() for limit in value)},
    "redemption": lambda value: {"redemption": Redemption(**value.model_dump())},
    "tiers": lambda value: {
        "tiers": tuple(tier.to_domain() for tier in value),
        "tiers_currency": one_currency(*(it.price.currency for it in value if it.price)),
    },
    "cost": lambda value: {"cost": value.to_domain() if value else None},
    "translations": lambda value: {
        "translations": {tag: Translation(**text.model_dump()) for tag, text in value.items()}
    },
}


def edit_of(model: Details, names: AbstractSet[str]) -> Edit:
    """These fields of the model as the domain has them."""
    values: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    for name in names:
        value = getattr(model, name)
        if name in _RULES:
            rules |= _RULES[name](value)
        else:
            values |= _VALUES[name](value) if name in _VALUES else {name: value}
    return Edit(values, rules)


class ProductRead(Details):
    id: UUID
    merchant_id: UUID
    sku: str
    name: str
    fulfillment: FulfillmentModel
    price: MoneyModel
    version: int = Field(description="grows with each edit; send it as If-Match to edit this one")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_domain(cls, product: Product) -> Self:
        rules = product.rules
        return cls.model_validate(
            {
                "id": product.id,
                "merchant_id": product.merchant_id,
                "sku": product.sku,
                "name": product.name,
                "fulfillment": terms_of(product.fulfillment),
                "price": MoneyModel.from_domain(product.price),
                "instructions": product.instructions,
                "active": product.is_active,
                "form": form_terms(product.form),
                "sale_from": rules.sale_from,
                "sale_until": rules.sale_until,
                "regions": rules.region,
                "channels": sorted(rules.channels),
                "quantity_min": rules.quantity_min,
                "quantity_max": rules.quantity_max,
                "limits": [LimitModel.from_domain(limit) for limit in product.limits],
                "template": product.template,
                "redemption": asdict(product.redemption),
                "translations": {tag: asdict(it) for tag, it in product.translations.items()},
                "image_url": product.image_url,
                "family": product.family,
                "options": product.options,
                "tiers": [
                    TierModel.from_domain(it, product.tiers_currency) for it in product.tiers
                ],
                "allow_rising": product.allow_rising,
                "cost": MoneyModel.from_domain(product.cost) if product.cost else None,
                "version": product.version,
                "created_at": product.created_at,
                "updated_at": product.updated_at,
            }
        )
