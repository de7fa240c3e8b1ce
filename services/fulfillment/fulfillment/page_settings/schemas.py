"""The wire of the pages' settings."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.page_settings.domain import PageSettings, StepUp
from kit.http import CodeText, Model

STEP_UP_PRODUCTS_MAX = 1_000
_PLAIN = r"^[^\x00-\x1f\x7f]*$"
# No spaces, quotes or angle brackets: it stands in a link of a page.
_ADDRESS = r"^(https?://[^\s<>\"'\\\x00-\x1f\x7f]+)?$"
Address = Annotated[str, StringConstraints(max_length=500, pattern=_ADDRESS)]


class PageSettingsBody(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "step_up": "none",
                    "step_up_products": {"GIFT-500": "code"},
                    "shop_name": "Star Shop",
                    "shop_url": "https://shop.example/",
                    "product_url": "https://shop.example/products/{sku}",
                }
            ]
        }
    )

    step_up: Literal["none", "code"] = Field(
        default="none",
        description="`code`: the first code is opened only with a one-time code sent to the buyer.",
    )
    step_up_products: Annotated[
        dict[CodeText, Literal["none", "code"]], Field(max_length=STEP_UP_PRODUCTS_MAX)
    ] = Field(
        default_factory=dict,
        description="By SKU: what counts for this product instead of `step_up`.",
    )
    shop_name: Annotated[str, StringConstraints(max_length=80, pattern=_PLAIN)] = Field(
        default="", description="What buyers know the shop by."
    )
    shop_url: Address = Field(default="", description="Where the page's link to the shop leads.")
    product_url: Address = Field(
        default="", description="Where a recommended product is sold; `{sku}` stands for its SKU."
    )

    @classmethod
    def from_domain(cls, settings: PageSettings) -> Self:
        return cls(
            step_up=settings.step_up.value,
            step_up_products={sku: it.value for sku, it in settings.step_up_products.items()},
            shop_name=settings.shop_name,
            shop_url=settings.shop_url,
            product_url=settings.product_url,
        )

    def to_domain(self, merchant_id: UUID) -> PageSettings:
        return PageSettings(
            merchant_id,
            StepUp(self.step_up),
            self.shop_name,
            self.shop_url,
            self.product_url,
            {sku: StepUp(step_up) for sku, step_up in self.step_up_products.items()},
        )
