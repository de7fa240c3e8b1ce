"""The options of an account that describe a supplier's HTTP calls: what is sent where, how it is
signed, and which answer means what. Whatever they do not name is unknown.

Words in `{}` are filled in: `reference sku account quantity cost_max callback_url shop ts cursor`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from fulfillment.connector import BadOptions
from fulfillment.signatures import OWN_WORDS, Digest, Output, Recipe, SecretAs, words_of

DEFINITE = frozenset(
    {
        "account_unknown",
        "account_blocked",
        "balance_too_low",
        "cost_too_high",
        "not_authorized",
        "out_of_stock",
        "quantity_not_allowed",
        "refused",
        "sku_unknown",
    }
)
"""What a supplier's codes may be translated to: after these nothing was bought."""
WORDS = frozenset({"reference", "sku", "account", "quantity", "cost_max", "callback_url", "shop"})
_SIGNING_WORDS = OWN_WORDS | {"ts", "method", "path", "account", "nonce"}
_CHARSETS = ("utf-8", "gbk", "gb18030")

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\[\]-]{1,80}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,80}$")]
Pointer = Annotated[str, StringConstraints(pattern=r"^(/[^/\x00-\x1f]{1,80}){0,8}$")]
Path = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_.{}~-]*){0,12}$", max_length=200)]
Filled = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f]*$")]
Said = Annotated[str, StringConstraints(max_length=100)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(_Part):
    """Where a value goes or is found: a header or a field."""

    header: HeaderName | None = None
    field: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> "Place":
        if (self.header is None) == (self.field is None):
            raise ValueError("either `header` or `field`")
        return self


class Signing(_Part):
    """A recipe (`signatures.py`) and where its result goes; `prefix` stands before it."""

    template: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    digest: Digest
    output: Output = Output.HEX
    charset: Literal["utf-8", "gbk", "gb18030"] = "utf-8"
    secret_as: SecretAs = SecretAs.TEXT
    place: Place
    prefix: Annotated[str, StringConstraints(max_length=40)] = ""

    @model_validator(mode="after")
    def _known_words(self) -> "Signing":
        unheard = words_of(self.template) - _SIGNING_WORDS
        if unheard:
            raise ValueError(f"nothing is called {', '.join(sorted(unheard))}")
        return self

    @property
    def recipe(self) -> Recipe:
        return Recipe(self.template, self.digest, self.output, self.charset, self.secret_as)


class Stamp(_Part):
    """The time of a call: `beijing` is `yyyy-MM-dd HH:mm:ss` there."""

    place: Place
    written: Literal["seconds", "milliseconds", "beijing"] = "seconds"
    window_seconds: Annotated[int, Field(ge=1, le=3_600)] = 300


class Call(_Part):
    """One call; `numbers` are fields that JSON has as numbers."""

    method: Literal["GET", "POST"] = "POST"
    path: Path
    encoding: Literal["json", "form", "query"] = "json"
    fields: Annotated[dict[Name, Filled], Field(max_length=40)] = {}
    numbers: Annotated[list[Name], Field(max_length=40)] = []
    headers: Annotated[dict[HeaderName, Filled], Field(max_length=10)] = {}

    @model_validator(mode="after")
    def _sound(self) -> "Call":
        if self.method == "GET" and self.encoding != "query":
            raise ValueError("GET carries its fields in the query")
        unheard = self.words - WORDS - {"cursor"}
        if unheard:
            raise ValueError(f"nothing is called {', '.join(sorted(unheard))}")
        return self

    @property
    def words(self) -> frozenset[str]:
        texts = (self.path, *self.fields.values(), *self.headers.values())
        return frozenset().union(*(words_of(text) for text in texts))


class Says(_Part):
    """True when the value there is one of these."""

    at: Pointer
    any_of: Annotated[list[Said], Field(min_length=1, max_length=20)]


class Codes(_Part):
    """Bought codes: a list, in it our fields' names to the supplier's."""

    at: Pointer
    fields: Annotated[
        dict[Literal["code", "number", "password", "url"], Pointer], Field(min_length=1)
    ]
    expires_at: Pointer | None = None


class Answer(_Part):
    """How an answer reads. `statuses` maps the supplier's words; a `failed` one is `refused`
    unless `failure` finds a code that `definite` knows."""

    ok: Says | None = None
    error: Pointer | None = None
    definite: Annotated[dict[Said, str], Field(max_length=100)] = {}
    not_found: Annotated[list[Said], Field(max_length=20)] = []
    reference: Pointer | None = None
    status: Pointer
    statuses: Annotated[
        dict[Said, Literal["accepted", "processing", "succeeded", "failed"]],
        Field(min_length=1, max_length=40),
    ]
    failure: Pointer | None = None
    cost: Pointer
    cost_is: Literal["total", "unit"] = "total"
    currency: Pointer | None = None
    supplier_reference: Pointer | None = None
    receipt: Pointer | None = None
    codes: Codes | None = None

    @model_validator(mode="after")
    def _listed(self) -> "Answer":
        unlisted = set(self.definite.values()) - DEFINITE
        if unlisted:
            raise ValueError(f"not definite: {', '.join(sorted(unlisted))}")
        return self


class Price(_Part):
    """The price asked for before each purchase, where the supplier takes no limit."""

    call: Call
    at: Pointer
    is_: Annotated[Literal["total", "unit"], Field(alias="is")] = "unit"


class Balance(_Part):
    call: Call
    at: Pointer


class Articles(_Part):
    """`sku`, `name`, `cost`, `stock` count from each item. Pages are numbered from 1 in `{cursor}`
    until one is empty; without it there is one page."""

    call: Call
    at: Pointer
    sku: Pointer
    name: Pointer | None = None
    cost: Pointer
    stock: Pointer | None = None


class CallbackForm(_Part):
    """What the supplier calls us with. Signed over the body, or over its fields."""

    encoding: Literal["json", "form", "query"] = "json"
    signing: Signing
    stamp: Stamp | None = None
    reference: Pointer
    status: Pointer
    supplier_reference: Pointer | None = None
    reply: Annotated[str, StringConstraints(max_length=200)] = "success"
    reply_type: Literal["text/plain", "application/json"] = "text/plain"


class Document(_Part):
    """Everything about a supplier; `idempotent`: the same reference again buys nothing more."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    money: Literal["decimal", "minor"] = "decimal"
    idempotent: bool = False
    references: Literal["dashed", "plain"] = "dashed"
    signing: Signing | None = None
    stamp: Stamp | None = None
    purchase: Call
    query: Call | None = None
    price: Price | None = None
    balance: Balance | None = None
    articles: Articles | None = None
    answer: Answer
    callback: CallbackForm | None = None

    @model_validator(mode="after")
    def _guarded(self) -> "Document":
        if "reference" not in self.purchase.words:
            raise ValueError("the purchase does not carry `{reference}`")
        if self.query and "reference" not in self.query.words:
            raise ValueError("the query does not carry `{reference}`")
        if "cost_max" not in self.purchase.words and self.price is None:
            raise ValueError("no guard: send `{cost_max}` with the purchase, or ask for a `price`")
        return self


_PLACES = re.compile(r"[^A-Za-z0-9_. -]")


def read_document(options: Mapping[str, Any]) -> Document:
    """Raises BadOptions, naming the first part that does not fit."""
    try:
        return Document.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(_PLACES.sub("", str(part))[:40] for part in first["loc"])
        raise BadOptions(f"{where or 'options'}: {first['msg']}") from None
