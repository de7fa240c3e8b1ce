"""The wire of templates."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from fulfillment.templates.domain import Channel, Draft, Place, Rendered, Template
from kit.http import CodeText, Model

Source = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Subject = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
ProductTemplate = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9._\-]*$")]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8})?$")]
ParameterName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[A-Za-z0-9_]+$")]
GatewayTemplate = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_\-]*$")]
_NOBODY = UUID(int=0)
ChannelName = Literal["mail", "sms", "inbox"]

_BODY = "Thank you for your order {{ reference }}. Open it here:\n{{ url }}\n"
_DRAFT: dict[str, Any] = {"subject": "Your order {{ reference }} is ready", "body": _BODY}
_PLACE: dict[str, Any] = {"purpose": "delivered", "language": "en", "channel": "mail"}
_TEMPLATE: dict[str, Any] = {
    "id": "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31",
    "name": "",
    **_PLACE,
    "version": 1,
    **_DRAFT,
    "with_codes": False,
    "gateway_template": "",
    "parameters": {},
    "created_by": "key:demo",
    "created_at": "2026-11-27T08:00:00Z",
}


class DraftModel(Model):
    """One message's templates."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DRAFT]})

    subject: Subject = Field(description="One line; SMS have none and ignore it.")
    body: Source = Field(min_length=1, description="Plain text; a mail's HTML is made of it.")
    with_codes: bool = Field(
        default=False,
        description=(
            "Lets the template name a line's `codes`. Leave it off: then a message holds a link, "
            "and the buyer's page shows a code when it is asked for."
        ),
    )
    gateway_template: GatewayTemplate = Field(
        default="", description="What an SMS gateway with texts of its own calls this one."
    )
    parameters: dict[ParameterName, Subject] = Field(
        default={}, max_length=12, description="Its parameters, in their order; templates, too."
    )

    def to_draft(self) -> Draft:
        return Draft(
            self.subject, self.body, self.with_codes, self.gateway_template, self.parameters
        )


class PlacedDraft(DraftModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{**_PLACE, **_DRAFT}]})

    name: ProductTemplate = Field(
        default="", description="The product's `template` it is for; empty: all others."
    )
    purpose: CodeText = Field(description="What is told: `delivered`, `refunded`, ...")
    language: LanguageTag = Field(description="Of buyers with this locale, `en` or `pt-br`.")
    channel: ChannelName

    def to_place(self) -> Place:
        return Place(self.name, self.purpose, self.language, Channel(self.channel))


class TemplateRead(Model):
    """A template in one version."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TEMPLATE]})

    id: UUID
    name: str
    purpose: str
    language: str
    channel: str
    version: int
    subject: str
    body: str
    with_codes: bool
    gateway_template: str
    parameters: dict[str, str]
    created_by: str
    created_at: datetime | None

    @classmethod
    def from_domain(cls, template: Template) -> "TemplateRead":
        place, draft = template.place, template.draft
        return cls(
            id=template.id or _NOBODY,
            name=place.name,
            purpose=place.purpose,
            language=place.language,
            channel=place.channel.value,
            version=template.version,
            subject=draft.subject,
            body=draft.body,
            with_codes=draft.with_codes,
            gateway_template=draft.gateway_template,
            parameters=dict(draft.parameters),
            created_by=template.created_by,
            created_at=template.created_at,
        )


class PreviewRead(Model):
    """What a buyer would read, made of made-up values."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": "Your order shop-10001 is ready",
                    "body": "Thank you for your order shop-10001.",
                    "parameters": {},
                }
            ]
        }
    )

    subject: str
    body: str
    parameters: dict[str, str]

    @classmethod
    def from_domain(cls, rendered: Rendered) -> "PreviewRead":
        return cls(
            subject=rendered.subject, body=rendered.body, parameters=dict(rendered.parameters)
        )
