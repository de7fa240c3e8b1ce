"""A supplier that speaks our own small protocol, or one whose HTTP calls the account's `options`
describe (`document.py`)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from fulfillment.connector import (
    Access,
    Answer,
    ArticlePage,
    Connector,
    NotSent,
    Pushed,
    Report,
    Terms,
    Told,
    Unknown,
    Wanted,
)
from fulfillment.connectors.generic.described import Described
from fulfillment.connectors.generic.document import DEFINITE, read_document
from fulfillment.connectors.generic.own import OwnProtocol
from fulfillment.outside import Outside
from kit.money import Money


class GenericConnector:
    name = "generic"
    needs_base_url = True
    terms = Terms(
        idempotent_by_ref=True,
        query_by_ref=True,
        definite_failures=DEFINITE,
        timeout=timedelta(seconds=15),
        visibility_delay=timedelta(minutes=2),
        unknown_ttl=timedelta(hours=24),
    )

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._own = OwnProtocol(outside)

    def check(self, options: Mapping[str, Any]) -> None:
        if options:
            read_document(options)

    def terms_for(self, options: Mapping[str, Any]) -> Terms:
        if not options:
            return self.terms
        document = read_document(options)
        return replace(
            self.terms,
            idempotent_by_ref=document.idempotent,
            query_by_ref=document.query is not None,
        )

    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        return await self._speaker(access).purchase(access, wanted)

    async def query(self, access: Access, reference: UUID) -> Report:
        return await self._speaker(access).query(access, reference)

    async def balance(self, access: Access) -> Money | Unknown | NotSent:
        return await self._speaker(access).balance(access)

    async def articles(self, access: Access, cursor: str | None) -> ArticlePage | Unknown | NotSent:
        return await self._speaker(access).articles(access, cursor)

    def hear(self, access: Access, pushed: Pushed) -> Told:
        return self._speaker(access).hear(access, pushed)

    def _speaker(self, access: Access) -> OwnProtocol | Described:
        if not access.options:
            return self._own
        return Described(self._outside, read_document(access.options))


def create(outside: Outside) -> Connector:
    return GenericConnector(outside)
