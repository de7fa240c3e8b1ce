"""Cursor paging: `?limit=&cursor=` -> `{"items": [...], "next_cursor": ...}`, stable under
inserts.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, Field

from kit.errors import DomainError, ErrorKind

LIMIT_DEFAULT = 50
LIMIT_MAX = 200

T = TypeVar("T")


class BadCursor(DomainError):
    """The cursor is not one this list gave out; start again without it."""

    code = "bad_cursor"
    kind = ErrorKind.INVALID


class Page(BaseModel, Generic[T]):
    """One page of a list. Pass `next_cursor` back as `cursor`; null means the end."""

    items: list[T]
    next_cursor: str | None = Field(default=None)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """`limit` rows after the position `after` (the sort values of the last row seen)."""

    limit: int
    after: tuple[Any, ...] | None

    def after_as(self, *kinds: Callable[[Any], Any]) -> tuple[Any, ...] | None:
        """The position with each value read by its kind, e.g. `after_as(UUID)`; None at the
        start.
        """
        if self.after is None:
            return None
        if len(self.after) != len(kinds):
            raise BadCursor
        try:
            return tuple(kind(value) for kind, value in zip(kinds, self.after, strict=True))
        except (ValueError, TypeError, AttributeError) as error:
            raise BadCursor from error


def page_request(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows per page")] = LIMIT_DEFAULT,
    cursor: Annotated[
        str | None, Query(max_length=500, description="next_cursor of the page before")
    ] = None,
) -> PageRequest:
    """FastAPI dependency: `page: PageRequest = Depends(page_request)`."""
    return PageRequest(limit=limit, after=_decode(cursor) if cursor else None)


def page_of(
    rows: Sequence[Any],
    request: PageRequest,
    *,
    read: Callable[[Any], T],
    position: Callable[[Any], Sequence[Any]],
) -> Page[T]:
    """The page made from up to `limit + 1` rows: the extra row tells that there is more."""
    shown = rows[: request.limit]
    more = len(rows) > request.limit
    return Page(
        items=[read(row) for row in shown],
        next_cursor=_encode(position(shown[-1])) if more else None,
    )


def next_cursor_of(position: Sequence[Any]) -> str:
    """For a list that is not made by `page_of`."""
    return _encode(position)


def _encode(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(values), default=str)).decode().rstrip("=")


def _decode(cursor: str) -> tuple[Any, ...]:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = orjson.loads(raw)
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if not isinstance(values, list):
        raise BadCursor
    return tuple(values)
