"""What an account with a Dujiao-Next site may state besides."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from fulfillment.connector import BadOptions


class Options(BaseModel):
    """`separator` stands between number and password in a line of what is delivered; empty: each
    line is one code. `account_field` is what the site's form calls the account to be topped up.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    separator: Annotated[str, StringConstraints(max_length=10)] = ""
    account_field: Annotated[str, StringConstraints(min_length=1, max_length=80)] = "account"


def read_options(options: Mapping[str, Any]) -> Options:
    """Raises BadOptions."""
    try:
        return Options.model_validate(dict(options))
    except ValidationError as error:
        raise BadOptions(error.errors(include_url=False, include_input=False)[0]["msg"]) from None
