"""What an account with Fulu may state besides."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fulfillment.connector import BadOptions

PRODUCTION = "https://openapi.fulu.com/api/getway"
DEFINITE = frozenset({"account_unknown", "balance_too_low", "not_authorized", "out_of_stock"}) | {
    "quantity_not_allowed",
    "refused",
    "sku_unknown",
}
Said = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,20}$")]


class Options(BaseModel):
    """Fulu publishes no list of error codes: those that a merchant has it in writing to be final go
    to `definite`, as ours; those that mean "no such order" to `not_found`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    definite: Annotated[dict[Said, str], Field(max_length=100)] = {}
    not_found: Annotated[list[Said], Field(max_length=20)] = []


def read_options(options: Mapping[str, Any]) -> Options:
    """Raises BadOptions."""
    try:
        found = Options.model_validate(dict(options))
    except ValidationError as error:
        raise BadOptions(error.errors(include_url=False, include_input=False)[0]["msg"]) from None
    unlisted = set(found.definite.values()) - DEFINITE
    if unlisted:
        raise BadOptions(f"`definite` may say {', '.join(sorted(DEFINITE))}")
    return found
