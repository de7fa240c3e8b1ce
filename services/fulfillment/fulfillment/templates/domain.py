"""What is written to buyers: by product, purpose, language and channel, in versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound

_NONE: Mapping[str, str] = MappingProxyType({})


class Channel(StrEnum):
    """In the order in which they are tried."""

    MAIL = "mail"
    SMS = "sms"
    INBOX = "inbox"


@dataclass(frozen=True, slots=True)
class Draft:
    """Templates of one message. SMS gateways that know texts by number only are given
    `gateway_template` and `parameters`, each a template of its own, in their order.
    """

    subject: str
    body: str
    with_codes: bool = False
    gateway_template: str = ""
    parameters: Mapping[str, str] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class Place:
    """Which messages a template is for; `name` is a product's template, empty: of all others."""

    name: str
    purpose: str
    language: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class Template:
    """A draft as it is used: `version` counts from 1; built-in texts have none."""

    place: Place
    draft: Draft
    id: UUID | None = None
    merchant_id: UUID | None = None
    version: int = 0
    created_by: str = ""
    created_at: datetime | None = None

    @property
    def label(self) -> str:
        """What an attempt says it was worded by."""
        if self.id is None:
            return f"built-in {self.place.purpose}.{self.place.language}"
        return f"{self.id} v{self.version}"


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why something is told: a word that has a file of texts. `values` are the names its senders
    give besides those of every order, with examples. What `is_secret` is forgotten once sent.
    """

    name: str
    channels: tuple[Channel, ...]
    values: Mapping[str, str | int]
    texts: Mapping[tuple[str, Channel], Draft]
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    body: str = field(repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class TemplateNotFound(NotFound):
    """There is no such template, or it is not yours."""

    code = "template_not_found"


class TemplateTaken(Conflict):
    """There is a template for this name, purpose, language and channel: add a version to it."""

    code = "template_taken"


class TemplateRefused(Invalid):
    """This template is not allowed: see `reason`, and `line` and `column` where it starts."""

    code = "template_refused"


class UnknownPurpose(Invalid):
    """Nothing is told for this purpose; see `known`."""

    code = "unknown_purpose"
