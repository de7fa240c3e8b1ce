from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from kit.http import Model
from order.placing.schemas import Email, Phone

CONTACTS_AT_ONCE_MAX = 1_000


class ContactGiven(Model):
    """A mail address or a phone number."""

    email: Email | None = None
    phone: Phone | None = None

    @model_validator(mode="after")
    def is_one(self) -> Self:
        if (self.email is None) == (self.phone is None):
            raise ValueError("either an email or a phone")
        return self


class ContactsAsk(Model):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"contacts": [{"email": "buyer@example.com"}, {"phone": "13800000000"}]}]
        }
    )

    contacts: Annotated[list[ContactGiven], Field(min_length=1, max_length=CONTACTS_AT_ONCE_MAX)]


class ContactHashesRead(Model):
    hashes: list[str] = Field(description="one for each contact, in their order")
