"""What a merchant decides about the buyers' pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote
from uuid import UUID

SKU_PLACE = "{sku}"


class StepUp(StrEnum):
    """What a buyer must show besides the link before the first code is opened."""

    NONE = "none"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class PageSettings:
    """`shop_name` and `shop_url` are what buyers know the shop by; `product_url` leads to a product
    of it, with `{sku}` where the product's goes. Empty: the page leaves it out. For products named
    in `step_up_products`, by SKU, that counts instead of `step_up`.
    """

    merchant_id: UUID
    step_up: StepUp = StepUp.NONE
    shop_name: str = ""
    shop_url: str = ""
    product_url: str = ""
    step_up_products: Mapping[str, StepUp] = field(default_factory=dict)

    def step_up_of(self, sku: str) -> StepUp:
        """What must be shown before a code of this product is opened."""
        return self.step_up_products.get(sku, self.step_up)

    def url_of(self, sku: str) -> str:
        """Where the shop sells the product; empty when the merchant names no place."""
        return self.product_url.replace(SKU_PLACE, quote(sku, safe=""))
