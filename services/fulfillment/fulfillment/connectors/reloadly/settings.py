"""What an account with Reloadly states: which of its products it buys, and where its tokens are."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fulfillment.connector import BadOptions

DEFINITE = frozenset({"account_unknown", "balance_too_low", "not_authorized", "out_of_stock"}) | {
    "quantity_not_allowed",
    "refused",
    "sku_unknown",
}
Url = Annotated[str, StringConstraints(max_length=200, pattern=r"^https?://[^\s?#\x00-\x1f]+$")]
Said = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{1,80}$")]


class Product(StrEnum):
    AIRTIME = "airtime"
    GIFTCARDS = "giftcards"


_BASE = {
    Product.AIRTIME: "https://topups.reloadly.com",
    Product.GIFTCARDS: "https://giftcards.reloadly.com",
}


class Options(BaseModel):
    """`definite` translates error codes that a merchant knows to be final. Of the published ones
    only INVALID_RECIPIENT_PHONE is one for certain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: Product = Product.AIRTIME
    auth_url: Url = "https://auth.reloadly.com/oauth/token"
    audience: Url | None = None
    sender_name: Annotated[str, StringConstraints(min_length=1, max_length=60)] = "Lockstock"
    definite: Annotated[dict[Said, str], Field(max_length=100)] = {}

    def base_url(self, stated: str) -> str:
        return (stated or _BASE[self.product]).rstrip("/")

    def translated(self, code: str) -> str | None:
        return {"INVALID_RECIPIENT_PHONE": "account_unknown", **self.definite}.get(code)


def read_options(options: Mapping[str, Any]) -> Options:
    """Raises BadOptions."""
    try:
        found = Options.model_validate(dict(options))
    except ValidationError as error:
        raise BadOptions(error.errors(include_url=False, include_input=False)[0]["msg"]) from None
    if set(found.definite.values()) - DEFINITE:
        raise BadOptions(f"`definite` may say {', '.join(sorted(DEFINITE))}")
    return found
