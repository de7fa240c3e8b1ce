"""What SMS gateways have in common: an account checked, a call, an answer that is not believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from fulfillment.connector import NotSent
from fulfillment.outside import Heard, Outside
from fulfillment.sender import Later, SettingsRefused, Unclear

S = TypeVar("S", bound=BaseModel)
_SERVER_ERROR = 500
_TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object, and the HTTP status it came with."""

    status: int
    content: Mapping[str, Any]

    def text(self, *path: str) -> str:
        """The text there; empty where there is none."""
        found: Any = self.content
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


def checked(model: type[S], settings: Mapping[str, object], secret: str) -> S:
    """Raises SettingsRefused, which names what is wrong and never its value."""
    if not secret:
        raise SettingsRefused("secret: it is needed to sign calls")
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise SettingsRefused(said_of(error)) from None


def said_of(error: ValidationError) -> str:
    """Which settings are wrong and why, without their values."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}"
        for each in error.errors(include_input=False, include_url=False)
    )


async def ask(
    outside: Outside,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes = b"",
    seconds: float,
) -> Answer | Later | Unclear:
    """An object, whatever its status; `Later` where not a byte was sent or the gateway asks for
    patience before looking at anything; everything else is unclear.
    """
    heard = await outside.call(
        method, url, headers=headers, content=content, timeout=timedelta(seconds=seconds)
    )
    if isinstance(heard, NotSent):
        return Later(heard.reason)
    if not isinstance(heard, Heard):
        return Unclear(heard.reason)
    if heard.status == _TOO_MANY:
        return Later("gateway_busy")
    if heard.status >= _SERVER_ERROR:
        return Unclear(f"http_{heard.status}")
    try:
        found = orjson.loads(heard.body)
    except orjson.JSONDecodeError:
        return Unclear("bad_answer")
    return Answer(heard.status, found) if isinstance(found, dict) else Unclear("bad_answer")
