"""The blocking client as a test written for the asynchronous one sees it: each call in a thread."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from inspect import isgenerator
from types import TracebackType
from typing import Any, Self

from lockstock_client import SyncLockstock

_END = object()


class Awaited:
    """`await it.orders.get(...)`, `async for order in it.orders.all()`."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        return _call(found) if callable(found) else Awaited(found)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        assert isinstance(self._thing, SyncLockstock)
        self._thing.close()


def _call(method: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if method.__name__ == "buyer_page":
            return Awaited(method(*args, **kwargs))
        if _is_listing(method):
            return _items(method(*args, **kwargs))
        return asyncio.to_thread(method, *args, **kwargs)

    return call


def _is_listing(method: Any) -> bool:
    return "AsyncIterator" in str(method.__annotations__.get("return"))


async def _items(items: Iterator[Any]) -> AsyncIterator[Any]:
    assert isgenerator(items)
    while (item := await asyncio.to_thread(next, items, _END)) is not _END:
        yield item
