"""Calls to Reloadly under a token that is fetched once and renewed when it is refused."""

import hashlib
from typing import Any

from pydantic import ValidationError

from fulfillment.connector import Access, Failed, NotSent, Unknown
from fulfillment.connectors.reloadly import wire
from fulfillment.connectors.reloadly.settings import Options, Product
from fulfillment.exchange import (
    Deadline,
    NotReadable,
    Token,
    TokenCache,
    compact_json,
    read_json,
)
from fulfillment.outside import ANSWER_BYTES_MAX, BAD_ANSWER, Heard, Outside

_KINDS = {Product.AIRTIME: "topups", Product.GIFTCARDS: "giftcards"}


class Session:
    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._tokens = TokenCache()

    async def call(
        self,
        access: Access,
        options: Options,
        method: str,
        path: str,
        document: dict[str, Any] | None,
        deadline: Deadline,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Any:
        """What the answer says, read; a refusal as Failed under Reloadly's own code. A call whose
        token is refused was not acted on: it is made once more.
        """
        key = _key_of(access, options)
        for is_last in (False, True):
            token = await self._tokens.get(key, lambda: self._fetch(access, options, deadline))
            if not isinstance(token, str):
                return token if isinstance(token, NotSent) else NotSent(token.reason)
            heard = await self._outside.call(
                method,
                options.base_url(access.base_url) + path,
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept": f"application/com.reloadly.{_KINDS[options.product]}-v1+json",
                    "Content-Type": "application/json",
                },
                content=b"" if document is None else compact_json(document).encode(),
                timeout=deadline.left,
                bytes_max=bytes_max,
            )
            if not isinstance(heard, Heard):
                return heard
            if heard.status != 401:
                return _opened(heard)
            self._tokens.drop(key, token)
            if is_last:
                break
        return Failed("INVALID_TOKEN")

    async def _fetch(
        self, access: Access, options: Options, deadline: Deadline
    ) -> Token | NotSent | Unknown:
        document = {
            "client_id": access.account_id,
            "client_secret": access.secret,
            "grant_type": "client_credentials",
            "audience": options.audience or options.base_url(access.base_url),
        }
        heard = await self._outside.call(
            "POST",
            options.auth_url,
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            content=compact_json(document).encode(),
            timeout=deadline.left,
        )
        if not isinstance(heard, Heard):
            return heard
        if heard.status in (400, 401, 403):
            return NotSent("not_authorized", is_final=True)
        try:
            answer = wire.TokenAnswer.model_validate(read_json(heard.body))
        except (NotReadable, ValidationError):
            return NotSent("no_token")
        if heard.status != 200:
            return NotSent("no_token")
        return Token(answer.access_token, answer.expires_in)


def _key_of(access: Access, options: Options) -> str:
    """Another secret is another session, and the secret itself is no key."""
    secret = hashlib.sha256(access.secret.encode()).hexdigest()
    where = options.audience or options.base_url(access.base_url)
    return f"{options.auth_url} {where} {access.account_id} {secret}"


def _opened(heard: Heard) -> Any:
    if heard.status >= 500 or heard.status == 429:
        return Unknown("supplier_error" if heard.status >= 500 else "too_many_calls")
    try:
        found = read_json(heard.body)
        if heard.status < 300:
            return found
        refusal = wire.Refusal.model_validate(found)
    except (NotReadable, ValidationError):
        return Unknown(BAD_ANSWER)
    return Failed(refusal.errorCode) if refusal.errorCode else Unknown(BAD_ANSWER)
